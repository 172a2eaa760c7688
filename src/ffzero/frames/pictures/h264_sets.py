"""H.264 parameter sets for a splice: free ids, and sets of a rendered part that promise what the source's do."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.bits import BitReader, escape, exp_golomb, unescape
from ffzero.containers.h264_params import H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.errors import UnsupportedError

__all__ = ["free_set_id", "merged_avcc", "own_avcc", "promised_sps"]

_PROFILES_ABOVE_HIGH = frozenset({110, 122, 244})
_PROFILE_BYTE, _LEVEL_BYTE = 1, 3
_MAX_ID = 31


def free_set_id(sps: Sequence[bytes], pps: Sequence[bytes]) -> int:
    """Return the least id that no SPS and no PPS has. Raises ``UnsupportedError`` where all 32 are taken."""
    taken = {parse_h264_sps(nal).id for nal in sps} | {parse_h264_pps(nal).id for nal in pps}
    free = next((number for number in range(_MAX_ID + 1) if number not in taken), None)
    if free is None:
        raise UnsupportedError("all H.264 parameter set ids are in use: rendered pictures have none left")
    return free


def promised_sps(rendered: bytes, source: H264Sps, *, reorder: int) -> bytes:
    """Return an SPS NAL unit whose profile, level and picture buffer are not below the source's.

    Decoders then keep their output delay and buffers across the splice. ``reorder`` is how far the source's pictures
    are reordered, for a source that does not say (H.264 §E.2.1 max_num_reorder_frames). The pictures stay decodable by
    it: only promises grow.
    """
    own = parse_h264_sps(rendered)
    payload = bytearray(unescape(rendered))
    if source.profile in _PROFILES_ABOVE_HIGH and 100 <= own.profile < source.profile:
        payload[_PROFILE_BYTE] = source.profile
    payload[_LEVEL_BYTE] = max(own.level, source.level)
    at = own.vui.restriction_bit
    if at is None:
        return escape(bytes(payload))
    reorder = max(reorder, own.vui.num_reorder_frames or 0, source.vui.num_reorder_frames or 0)
    buffering = max(reorder, own.max_num_ref_frames, own.vui.max_dec_frame_buffering or 0)
    buffering = max(buffering, source.vui.max_dec_frame_buffering or 0)
    bits = BitReader(bytes(payload[1:]))
    kept = bits.u(at)
    # motion_vectors_over_pic_boundaries, no limits of bytes and bits (§E.2.1), 16-bit motion vectors.
    tail = "11" + "".join(map(exp_golomb, (0, 0, 16, 16, reorder, buffering))) + "1"
    tail += "0" * (-(at + len(tail)) % 8)
    value = kept << len(tail) | int(tail, 2)
    return escape(bytes(payload[:1]) + value.to_bytes((at + len(tail)) // 8))


def merged_avcc(record: bytes, added: Sequence[bytes]) -> bytes:
    """Return an ``avcC`` payload with SPS and PPS NAL units added (ISO/IEC 14496-15 §5.3.3.1.2); the rest is kept."""
    sps = [nal for nal in added if nal[0] & 31 == 7]
    pps = [nal for nal in added if nal[0] & 31 == 8]
    at = _end_of_units(record, 6, record[5] & 31)
    head = record[:5] + bytes([record[5] + len(sps)]) + record[6:at] + _units(sps)
    end = _end_of_units(record, at + 1, record[at])
    return head + bytes([record[at] + len(pps)]) + record[at + 1 : end] + _units(pps) + record[end:]


def own_avcc(record: bytes, sets: Sequence[bytes], *, nal_length_size: int = 4) -> bytes:
    """Return an ``avcC`` payload of ``sets`` alone; what stands after the sets (High profiles' depths) is kept."""
    at = _end_of_units(record, 6, record[5] & 31)
    end = _end_of_units(record, at + 1, record[at])
    head = record[:4] + bytes([0xFC | (nal_length_size - 1), 0xE0])
    return merged_avcc(head + b"\0" + record[end:], sets)


def _units(nals: Sequence[bytes]) -> bytes:
    return b"".join(len(nal).to_bytes(2) + nal for nal in nals)


def _end_of_units(record: bytes, at: int, count: int) -> int:
    for _ in range(count):
        at += 2 + int.from_bytes(record[at : at + 2])
    return at
