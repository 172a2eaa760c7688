"""Slice segment headers of HEVC: where they end, and by which PPS they are read (ITU-T H.265, 08/2021, §7.3.6)."""

from __future__ import annotations

from collections.abc import Mapping

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.hevc import HevcNalType, nal_header
from ffzero.containers.hevc_reference_sets import read_reference_set
from ffzero.containers.hevc_slice_params import SliceParams
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.values import dataclass

__all__ = ["HevcSliceHeader", "hevc_slice_header"]

_RANDOM_ACCESS = range(16, 24)
_IDR = frozenset({HevcNalType.IDR_W_RADL, HevcNalType.IDR_N_LP})
_B, _P, _I = range(3)
_MOST_REFERENCES = 15
_MOST_LONG_TERM = 33
_MOST_ENTRY_POINTS = 440 * 135


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcSliceHeader:
    """A slice segment header. ``slice_type`` (0 B, 1 P, 2 I) is ``None`` for a dependent segment, which has none.

    ``pps_id_bits`` is where its PPS id begins and ends, ``end_bits`` where the header ends, before byte_alignment();
    both count bits of the NAL unit from its header on, free of escapes.
    """

    is_first: bool
    slice_type: int | None
    pps_id: int
    pps_id_bits: tuple[int, int]
    end_bits: int


def hevc_slice_header(nal: bytes, params: Mapping[int, SliceParams]) -> HevcSliceHeader:
    """Parse the header of a slice segment's NAL unit; ``params`` has the parameters by PPS id.

    Raises ``UnsupportedError`` for a layer above the base, ``InvalidDataError`` where it is damaged or refers to a PPS
    that is not there.
    """
    kind, layer = nal_header(nal, 0, len(nal))
    if layer:
        raise UnsupportedError(f"a slice is of layer {layer}: only those of the base layer are read")
    bits = BitReader(unescape(nal))
    bits.skip(16)
    is_first = bits.flag()
    if kind in _RANDOM_ACCESS:
        bits.skip(1)  # no_output_of_prior_pics_flag
    start = bits.position_bits
    pps_id = bits.ue(63)
    stop = bits.position_bits
    if pps_id not in params:
        raise InvalidDataError("a slice refers to a PPS that is not there", expected=sorted(params), found=pps_id)
    slice_type = _Reader(bits, params[pps_id], kind).rest(is_first)
    end = bits.position_bits
    _check_alignment(bits)
    return HevcSliceHeader(
        is_first=is_first, slice_type=slice_type, pps_id=pps_id, pps_id_bits=(start, stop), end_bits=end
    )


def _check_alignment(bits: BitReader) -> None:
    """Read byte_alignment() (§7.3.2.12): a one, then zeros. Anything else shows a header that was read wrongly."""
    count = 8 - bits.position_bits % 8
    if bits.u(count) != 1 << (count - 1):
        raise InvalidDataError("a slice header does not end where it should", offset_bytes=bits.offset_bytes)


class _Reader:
    """Reads what follows the PPS id. ``active`` are the reference lists' sizes, ``used`` counts pictures for them."""

    def __init__(self, bits: BitReader, params: SliceParams, kind: int) -> None:
        self.bits = bits
        self.params = params
        self.kind = kind
        self.used = 0
        self.temporal_vectors = False
        self.active: tuple[int, ...] = ()

    def rest(self, is_first: bool) -> int | None:
        """Read all up to byte_alignment(); return the slice type."""
        bits, params = self.bits, self.params
        is_dependent = False
        if not is_first:
            is_dependent = params.dependent_slices and bits.flag()
            bits.skip(params.address_bits)
        slice_type = None if is_dependent else self._independent()
        if params.has_entry_points:
            self._entry_points()
        if params.has_extension:
            bits.skip(8 * bits.ue(256))
        return slice_type

    def _independent(self) -> int:
        bits, params = self.bits, self.params
        bits.skip(params.extra_bits)
        slice_type = bits.ue(_I)
        bits.skip(int(params.output_flag) + 2 * int(params.sps.separate_planes))
        if self.kind not in _IDR:
            self._references()
        offsets = params.has_offsets and bits.flag()
        if params.has_offsets and params.chroma_planes:
            offsets = bits.flag() or offsets
        if slice_type != _I:
            self._prediction(slice_type)
        self._quantizer()
        self._filters(offsets)
        return slice_type

    def _references(self) -> None:
        """Read which pictures are kept: the picture order count to slice_temporal_mvp_enabled_flag."""
        bits, sps = self.bits, self.params.sps
        bits.skip(sps.log2_max_poc_lsb)
        known = sps.reference_sets
        if not bits.flag():
            self.used = read_reference_set(bits, known, in_slice=True).used
        else:
            index = bits.u((len(known) - 1).bit_length()) if known else 0
            if index >= len(known):
                raise InvalidDataError("a slice names a reference picture set that is not there", found=index)
            self.used = known[index].used
        if sps.has_long_term:
            self._long_term()
        self.temporal_vectors = self.params.has_temporal_vectors and bits.flag()

    def _long_term(self) -> None:
        bits, sps = self.bits, self.params.sps
        named = bits.ue(_MOST_LONG_TERM) if sps.long_term else 0
        told = bits.ue(_MOST_LONG_TERM)
        for number in range(named + told):
            if number < named:
                index = bits.u((len(sps.long_term) - 1).bit_length())
                if index >= len(sps.long_term):
                    raise InvalidDataError("a slice names a long-term picture that is not there", found=index)
                self.used += sps.long_term[index][1]
            else:
                bits.skip(sps.log2_max_poc_lsb)
                self.used += bits.u(1)
            if bits.flag():
                bits.ue()

    def _prediction(self, slice_type: int) -> None:
        """Read what slices that are predicted from others have."""
        bits, params = self.bits, self.params
        lists = 2 if slice_type == _B else 1
        self.active = params.references[:lists]
        if bits.flag():
            self.active = tuple(bits.ue(_MOST_REFERENCES - 1) + 1 for _ in range(lists))
        if params.can_modify_lists and self.used > 1:
            self._modifications()
        if slice_type == _B:
            bits.skip(1)  # mvd_l1_zero_flag
        if params.cabac_init:
            bits.skip(1)
        if self.temporal_vectors:
            from_first = slice_type != _B or bits.flag()
            if self.active[0 if from_first else 1] > 1:
                bits.ue(_MOST_REFERENCES)
        if params.weights_p if slice_type == _P else params.weights_b:
            self._weights()
        bits.ue(4)  # five_minus_max_num_merge_cand

    def _modifications(self) -> None:
        """Read ref_pic_lists_modification (§7.3.6.2)."""
        size = (self.used - 1).bit_length()
        for count in self.active:
            if self.bits.flag():
                self.bits.skip(count * size)

    def _weights(self) -> None:
        """Read pred_weight_table (§7.3.6.3), of pictures of one layer that are all others than this one."""
        bits, has_chroma = self.bits, self.params.chroma_planes
        bits.ue(7)
        if has_chroma:
            bits.se()
        for count in self.active:
            luma = [bits.flag() for _ in range(count)]
            chroma = [has_chroma and bits.flag() for _ in range(count)]
            for has_luma, has_both in zip(luma, chroma, strict=True):
                for _ in range(2 * has_luma + 4 * has_both):
                    bits.se()

    def _quantizer(self) -> None:
        for _ in range(1 + 2 * self.params.chroma_offsets):
            self.bits.se()
        if self.params.chroma_offset_lists:
            self.bits.skip(1)

    def _filters(self, offsets: bool) -> None:
        bits, params = self.bits, self.params
        is_off = params.is_deblocking_off
        if params.can_override_deblocking and bits.flag():
            is_off = bits.flag()
            if not is_off:
                bits.se()
                bits.se()
        if params.filter_across_slices and (offsets or not is_off):
            bits.skip(1)

    def _entry_points(self) -> None:
        count = self.bits.ue(_MOST_ENTRY_POINTS)
        if count:
            size = self.bits.ue(31) + 1
            self.bits.skip(count * size)
