"""H.264 slices and samples put together again after an edit (ITU-T H.264, 08/2021, §7.3.2.8, §7.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.bits import bit_string, escape, exp_golomb, unescape
from ffzero.containers.h264_params import H264Sps
from ffzero.containers.h264_slice_header import Marking, SliceHeader
from ffzero.containers.nal_units import NalSpan
from ffzero.errors import InvalidDataError

__all__ = ["join_slice", "marking_bits", "with_marking", "with_nal_units", "without_padding"]

_TYPES = 5
_PCM_CHROMA_SAMPLES = {0: 0, 1: 128, 2: 256, 3: 512}


def without_padding(nal: bytes) -> tuple[bytes, bytes]:
    """Split a NAL unit from the zero bytes behind it that some muxers leave there."""
    body = nal.rstrip(b"\0")
    return body, nal[len(body) :]


def join_slice(
    head: str, rbsp: bytes, end_bits: int, sps: H264Sps, *, cabac: bool, has_pcm: bool = True
) -> bytes | None:
    """Return the NAL unit of a slice whose header, of ``end_bits`` bits of ``rbsp``, becomes the bits of ``head``.

    ``head`` begins with the NAL unit's header byte; ``rbsp`` is the NAL unit free of escapes and padding. ``None``
    where CAVLC data would have to be shifted by a part of a byte and is long enough for an I_PCM macroblock, whose
    samples are byte aligned (§7.3.5), unless it is known to have none. Raises ``InvalidDataError`` where the slice data
    is damaged.
    """
    if cabac:
        return escape(_before_cabac_data(head, rbsp, end_bits))
    if has_pcm and (len(head) - end_bits) % 8 and len(rbsp) * 8 - end_bits >= _pcm_macroblock_bits(sps):
        return None
    return escape(_before_cavlc_data(head, rbsp, end_bits))


def with_marking(
    nal: bytes,
    header: SliceHeader,
    operations: Sequence[Marking],
    sps: H264Sps,
    *,
    cabac: bool,
    other_type_code: bool = False,
) -> bytes | None:
    """Return a slice's NAL unit with other marking operations, or ``None`` where slice data cannot follow the header.

    Without an operation the mode becomes that of the sliding window. ``other_type_code`` says slice_type by the other
    of its two codes, which differ in length: the one that does not promise that all slices of the picture are of one
    type, or, where the caller knows that they are, the one that does (§7.4.3).
    """
    body, padding = without_padding(nal)
    rbsp = unescape(body)
    start, stop = header.marking_bits
    end = header.end_bits
    head = bit_string(rbsp, end)
    head = head[:start] + marking_bits(operations) + head[stop:]
    if other_type_code:
        head = _with_other_type_code(head, header)
    joined = join_slice(head, rbsp, end, sps, cabac=cabac)
    return None if joined is None else joined + padding


def _with_other_type_code(head: str, header: SliceHeader) -> str:
    at = 8 + len(exp_golomb(header.first_mb))
    codes = [exp_golomb(header.slice_type), exp_golomb(header.slice_type + _TYPES)]
    old, new = codes if head.startswith(codes[0], at) else reversed(codes)
    return head[:at] + new + head[at + len(old) :]


def with_nal_units(sample: bytes, nal_length_size: int, edits: list[tuple[NalSpan, bytes]]) -> bytes:
    """Put NAL units in the place of others, in order, with their lengths; an empty one goes with its length.

    Raises ``InvalidDataError`` where one is too long for its length field.
    """
    parts, position = [], 0
    for (offset, length), nal in edits:
        if len(nal) >> 8 * nal_length_size:
            raise InvalidDataError("a NAL unit is too long for its length field", expected=nal_length_size)
        length_field = len(nal).to_bytes(nal_length_size) if nal else b""
        parts += [sample[position : offset - nal_length_size], length_field, nal]
        position = offset + length
    return b"".join([*parts, sample[position:]])


def _before_cabac_data(head: str, rbsp: bytes, end_bits: int) -> bytes:
    """Join a header and CABAC slice data, which is aligned by one bits (§7.3.4): its bytes stay."""
    aligned = (end_bits + 7) // 8
    if (fill := -end_bits % 8) and rbsp[aligned - 1] & (1 << fill) - 1 != (1 << fill) - 1:
        raise InvalidDataError("cabac_alignment_one_bit is zero", offset_bytes=aligned - 1, expected=1, found=0)
    head += "1" * (-len(head) % 8)
    return int(head, 2).to_bytes(len(head) // 8) + rbsp[aligned:]


def _before_cavlc_data(head: str, rbsp: bytes, end_bits: int) -> bytes:
    """Join a header and CAVLC slice data, which follows without alignment and ends in the RBSP trailing bits."""
    count = len(rbsp) * 8 - end_bits
    value = int.from_bytes(rbsp) & (1 << count) - 1
    if value == 0:
        raise InvalidDataError("a slice has no RBSP stop bit", offset_bytes=len(rbsp))
    zeros = (value & -value).bit_length() - 1
    value, count = value >> zeros, count - zeros
    total = len(head) + count
    fill = -total % 8
    return ((int(head, 2) << count | value) << fill).to_bytes((total + fill) // 8)


def _pcm_macroblock_bits(sps: H264Sps) -> int:
    """Return the size of the samples of an I_PCM macroblock: slice data shorter than that has none (§7.3.5)."""
    chroma = 0 if sps.separate_planes else _PCM_CHROMA_SAMPLES[sps.chroma_format]
    return 256 * sps.bit_depth_luma + chroma * sps.bit_depth_chroma


def marking_bits(operations: Sequence[Marking]) -> str:
    """Write dec_ref_pic_marking() of a picture that is not IDR (§7.3.3.3)."""
    if not operations:
        return "0"
    values = [value for code, arguments in operations for value in (code, *arguments)]
    return "1" + "".join(exp_golomb(value) for value in (*values, 0))
