"""Rendered H.264 pictures as part of the source's own coded video sequences (ITU-T H.264, 08/2021).

An encoder writes pictures for a sequence parameter set of its own. A new one may become active at an IDR picture only
(§7.4.1.2.1), and a copied picture at which decoding can start need not be one. So the rendered slices are made to refer
to the *source's* SPS, by a picture parameter set of their own: of a slice, only the header's first fields depend on the
SPS. Then nothing changes at the joint, and picture order counts are chosen such that the copied pictures continue them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ffzero.containers.bits import BitReader, bit_string, escape, exp_golomb, signed_exp_golomb, unescape
from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_fit import misfit
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_places import JoinPoint, Place, places_before, without_gap
from ffzero.containers.h264_pps import adopted_pps, has_field_orders
from ffzero.containers.h264_slice_data import join_slice, marking_bits, with_nal_units, without_padding
from ffzero.containers.h264_slice_header import SliceHeader, slice_header, slice_pps_id
from ffzero.containers.nal_units import NalSpan, iter_length_prefixed, iter_sei_messages
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.values import dataclass

__all__ = [
    "Guests",
    "as_guests",
    "free_pps_id",
    "guest_pps_id",
    "host_of",
    "join_point",
    "with_gaps_allowed",
]

_SLICES = frozenset({H264NalType.SLICE, H264NalType.IDR})
_IDR_PIC_ID = 32766
"""Unlike what encoders count up from 0: IDR pictures in a row differ in it (§7.4.3)."""
_MOST_PPS = 256
_KEPT_SEI = frozenset({4, 45, 47, 137, 142, 144, 147})
"""Captions, frame packing, orientation, mastering and light level: what needs no HRD of the encoder's own SPS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """Rendered samples that refer to the source's SPS by ``pps``, a NAL unit to be added to the source's ``avcC``."""

    pps: bytes
    samples: tuple[bytes, ...]


def free_pps_id(parameter_sets: Iterable[bytes]) -> int:
    """Return the lowest pic_parameter_set_id that none of these NAL units has, or raise ``UnsupportedError``."""
    taken = {parse_h264_pps(nal).id for nal in parameter_sets if _kind(nal) == H264NalType.PPS}
    for number in range(_MOST_PPS):
        if number not in taken:
            return number
    raise UnsupportedError("a track uses every picture parameter set id that there is")


def guest_pps_id(own_sets: Iterable[bytes], host: H264Sps, taken_sets: Sequence[bytes]) -> int:
    """Return the id for the PPS of ``as_guests``: that of the same one among ``taken_sets``, else one not in them.

    Raises ``UnsupportedError`` where there is none.
    """
    own = next(parse_h264_pps(nal) for nal in own_sets if _kind(nal) == H264NalType.PPS)
    number = free_pps_id((*taken_sets, *own_sets))
    alike = (taken for taken in range(number) if adopted_pps(own, host, taken) in taken_sets)
    return next(alike, number)


def host_of(sample: bytes, nal_length_size: int, parameter_sets: Iterable[bytes]) -> H264Sps:
    """Return the SPS, of ``parameter_sets``, that the first slice of a sample refers to.

    Raises ``InvalidDataError`` where there is no slice, or its sets are not there.
    """
    sets = _Sets(parameter_sets)
    sps, _ = sets.of(_first_slice(sample, nal_length_size))
    return sps


def join_point(sample: bytes, nal_length_size: int, parameter_sets: Iterable[bytes]) -> JoinPoint:
    """Return what the first slice of a sample tells; ``parameter_sets`` are the SPS and PPS that it may refer to.

    Raises ``InvalidDataError`` where there is no slice, or it is damaged.
    """
    header, _ = _Sets(parameter_sets).header(_first_slice(sample, nal_length_size))
    return JoinPoint(
        is_idr=header.idr_pic_id is not None,
        frame_num=header.frame_num,
        pic_order_cnt_lsb=header.pic_order_cnt_lsb,
        is_reference=header.nal_ref_idc > 0,
    )


def _first_slice(sample: bytes, nal_length_size: int) -> bytes:
    for offset, length in iter_length_prefixed(sample, nal_length_size):
        if sample[offset] & 31 in _SLICES:
            return sample[offset : offset + length]
    raise InvalidDataError("a sample has no slice")


def with_gaps_allowed(sps: bytes) -> bytes:
    """Return an SPS NAL unit with gaps_in_frame_num_value_allowed_flag set (§7.4.2.1.1), all else as it is.

    A rendered IDR picture starts frame_num anew, so a copied picture behind it skips some; so do copied pictures from
    among which leading reference pictures were left out. With the flag, decoders infer the frames that lack (§8.2.5.2).
    """
    body, padding = without_padding(sps)
    rbsp = bytearray(unescape(body))
    position = 8 + parse_h264_sps(sps).gaps_bit
    rbsp[position // 8] |= 0x80 >> position % 8
    return escape(bytes(rbsp)) + padding


def as_guests(
    samples: Sequence[bytes],
    nal_length_size: int,
    own_sets: Iterable[bytes],
    host: H264Sps,
    *,
    pps_id: int,
    before: JoinPoint | None = None,
) -> Guests:
    """Return rendered samples rewritten for the SPS ``host``, in the same order, without parameter sets and most SEI.

    ``samples`` are in decoding order, which is that of display (no B pictures), the first one IDR; ``own_sets`` are the
    encoder's one SPS and one PPS, ``pps_id`` an id that the source does not use. ``before`` is the copied picture that
    follows, ``None`` where none does. Copies the slices, which may not have I_PCM macroblocks where they are CAVLC
    (x264 makes none without rate-distortion decisions). Raises ``UnsupportedError`` where they do not fit (``misfit``),
    ``InvalidDataError`` where they are damaged.
    """
    sets = _Sets(own_sets)
    [own], [pps] = sets.sps.values(), sets.pps.values()
    if reason := misfit(own, host):
        raise UnsupportedError(f"rendered pictures do not fit the source's parameter set: {reason}")
    new_pps = adopted_pps(pps, host, pps_id)
    if own.max_num_ref_frames > 1:
        raise UnsupportedError(f"rendered pictures have {own.max_num_ref_frames} reference frames, not one")
    places = without_gap(places_before(len(samples), before, host), before, host)
    writer = _Writer(
        sets=sets,
        host=host,
        pps_id=pps_id,
        both_fields=has_field_orders(pps),
        has_gap=any(place.inferred for place in places),
    )
    adopted = tuple(
        writer.sample(sample, nal_length_size, place) for sample, place in zip(samples, places, strict=True)
    )
    return Guests(pps=new_pps, samples=adopted)


def _kind(nal: bytes) -> int:
    return nal[0] & 31 if nal else -1


class _Sets:
    """Parameter sets by id."""

    def __init__(self, nals: Iterable[bytes]) -> None:
        self.sps: dict[int, H264Sps] = {}
        self.pps: dict[int, H264Pps] = {}
        for nal in nals:
            if _kind(nal) == H264NalType.SPS:
                sps = parse_h264_sps(nal)
                self.sps[sps.id] = sps
            elif _kind(nal) == H264NalType.PPS:
                pps = parse_h264_pps(nal)
                self.pps[pps.id] = pps

    def of(self, nal: bytes) -> tuple[H264Sps, H264Pps]:
        pps = self.pps.get(slice_pps_id(nal))
        sps = self.sps.get(pps.sps_id) if pps else None
        if pps is None or sps is None:
            raise InvalidDataError("a slice refers to a parameter set that is not there")
        return sps, pps

    def header(self, nal: bytes) -> tuple[SliceHeader, H264Pps]:
        sps, pps = self.of(nal)
        return slice_header(nal, sps, pps), pps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Rewrites slices of ``sets`` for the SPS ``host``."""

    sets: _Sets
    host: H264Sps
    pps_id: int
    both_fields: bool
    has_gap: bool

    def sample(self, sample: bytes, nal_length_size: int, place: Place) -> bytes:
        """Return a picture's sample, put at ``place``."""
        edits: list[tuple[NalSpan, bytes]] = []
        for offset, length in iter_length_prefixed(sample, nal_length_size):
            nal = sample[offset : offset + length]
            if _kind(nal) in _SLICES:
                edits.append(((offset, length), self._slice(nal, place)))
            elif _kind(nal) != H264NalType.SEI or not _is_kept_sei(nal):
                edits.append(((offset, length), b""))
        return with_nal_units(sample, nal_length_size, edits)

    def _slice(self, nal: bytes, place: Place) -> bytes:
        header, pps = self.sets.header(nal)
        own = self.sets.sps[pps.sps_id]
        idr = header.idr_pic_id is not None
        if idr is not (place.number == 0) or header.field_pic or not header.nal_ref_idc:
            raise UnsupportedError("rendered pictures are not one IDR frame and reference frames behind it")
        body, padding = without_padding(nal)
        rbsp = unescape(body)
        bits = BitReader(rbsp)
        bits.skip(8)
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.ue()
            if _ == 1:
                kept = bits.position_bits
        head = bit_string(rbsp, kept) + exp_golomb(self.pps_id)
        bits.skip(own.log2_max_frame_num + (0 if own.frame_mbs_only else 1))
        if idr:
            bits.ue()
        if own.poc_type == 0:
            bits.skip(own.log2_max_poc_lsb)
        is_bottom_first = own.poc_type == 0 and self.both_fields and bits.se() < 0  # delta_pic_order_cnt_bottom
        head += self._fields(place, idr=idr, is_bottom_first=is_bottom_first)
        start = bits.position_bits
        if not place.is_reference:
            head = f"{head[0]}00{head[3:]}"
        first, last = header.marking_bits
        rest = bit_string(rbsp, header.end_bits)
        head += (
            self._references(rest[start:first], place) + self._marking(header, place, rest[first:last]) + rest[last:]
        )
        joined = join_slice(head, rbsp, header.end_bits, own, cabac=pps.cabac, has_pcm=False)
        assert joined is not None
        return joined + padding

    def _marking(self, header: SliceHeader, place: Place, bits: str) -> str:
        """Write dec_ref_pic_marking(): of what came before, each picture lets go (§8.2.5.4).

        So one rendered picture is left for the copied ones to drive out. The IDR picture is a long-term reference
        picture where frames are inferred behind it, which else would drive it out.
        """
        if not place.is_reference:
            return ""
        if header.adaptive:
            raise UnsupportedError("rendered pictures have operations on reference pictures of their own")
        if header.idr_pic_id is not None:
            return f"{bits[0]}{int(self.has_gap)}"
        if place.inferred:
            return marking_bits([*((1, (back,)) for back in range(place.inferred)), (2, (0,))])
        return marking_bits([(1, (0,))])

    def _references(self, rest: str, place: Place) -> str:
        """Have a P slice refer to the long-term picture where inferred frames precede it in the list (§8.2.4.3)."""
        if not place.inferred:
            return rest
        if not rest.startswith("00"):  # num_ref_idx_active_override_flag, ref_pic_list_modification_flag_l0
            raise UnsupportedError("a rendered picture has more than one reference picture")
        return "01" + "".join(exp_golomb(value) for value in (2, 0, 3)) + rest[2:]

    def _fields(self, place: Place, *, idr: bool, is_bottom_first: bool) -> str:
        """Write the fields from frame_num to delta_pic_order_cnt (§7.3.3)."""
        host = self.host
        fields = f"{place.number % (1 << host.log2_max_frame_num):0{host.log2_max_frame_num}b}"
        fields += "" if host.frame_mbs_only else "0"
        fields += exp_golomb(_IDR_PIC_ID) if idr else ""
        if host.poc_type == 0:
            # The first field has the lower count; the frame's, given for its top field, is that of the pair's first.
            later = int(is_bottom_first)
            fields += f"{(place.order + later) % (1 << host.log2_max_poc_lsb):0{host.log2_max_poc_lsb}b}"
            if self.both_fields:
                fields += signed_exp_golomb(-1 if later else 1)
        return fields


def _is_kept_sei(nal: bytes) -> bool:
    return {kind for kind, _ in iter_sei_messages(unescape(nal[1:]))} <= _KEPT_SEI
