"""What the syntax of an HEVC slice segment header depends on (ITU-T H.265, 08/2021, §7.3.2.2, §7.3.2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ffzero.containers.bits import BitReader
from ffzero.containers.hevc import HevcNalType
from ffzero.containers.hevc_params import HevcPps, HevcSps, parse_hevc_pps, parse_hevc_sps, read_scaling_lists
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.values import dataclass

__all__ = ["SliceParams", "slice_params", "slice_params_of"]

_LOG2_MIN_CODING_BLOCK, _LOG2_CODING_BLOCKS, _OFFSETS, _TEMPORAL_VECTORS = 0, 1, 7, -2
"""Places in ``HevcSps.tools``: the tree block's size, sample adaptive offset, temporal motion vector prediction."""
_MOST_TILES = 440
_EXTENSION_FLAGS = 8
_RANGE_EXTENSION = 0x80


class _Blocks(NamedTuple):
    """What follows the quantizer in a PPS: whose fields are in a slice's header too."""

    chroma_offsets: bool
    weights_p: bool
    weights_b: bool
    has_entry_points: bool


class _Filters(NamedTuple):
    across_slices: bool
    can_override: bool
    is_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceParams:
    """The facts of an SPS and a PPS by which a slice segment header is read. ``address_bits``: those of an address."""

    sps: HevcSps
    address_bits: int
    dependent_slices: bool
    output_flag: bool
    extra_bits: int
    cabac_init: bool
    references: tuple[int, int]
    chroma_offsets: bool
    weights_p: bool
    weights_b: bool
    has_entry_points: bool
    filter_across_slices: bool
    can_override_deblocking: bool
    is_deblocking_off: bool
    can_modify_lists: bool
    has_extension: bool
    chroma_offset_lists: bool

    @property
    def chroma_planes(self) -> bool:
        """Whether chroma is coded with luma: ChromaArrayType is not 0."""
        return self.sps.chroma_format > 0 and not self.sps.separate_planes

    @property
    def has_offsets(self) -> bool:
        return bool(self.sps.tools[_OFFSETS])

    @property
    def has_temporal_vectors(self) -> bool:
        return bool(self.sps.tools[_TEMPORAL_VECTORS])


def slice_params_of(parameter_sets: Iterable[bytes]) -> dict[int, SliceParams]:
    """Return the parameters of the slices that refer to each PPS, by its id. Takes NAL units, of other types too.

    Raises what ``slice_params`` raises.
    """
    nals = list(parameter_sets)
    found = [parse_hevc_sps(nal) for nal in nals if nal[0] >> 1 & 63 == HevcNalType.SPS]
    sps = {item.id: item for item in found}
    pps = [parse_hevc_pps(nal) for nal in nals if nal[0] >> 1 & 63 == HevcNalType.PPS]
    lost = [item.sps_id for item in pps if item.sps_id not in sps]
    if lost:
        raise InvalidDataError("a PPS refers to an SPS that is not there", expected=sorted(sps), found=lost[0])
    return {item.id: slice_params(sps[item.sps_id], item) for item in pps}


def slice_params(sps: HevcSps, pps: HevcPps) -> SliceParams:
    """Return what slices of ``pps`` are read by. Raises ``UnsupportedError`` for extensions that change them, such as
    those of screen content and of several layers; ``InvalidDataError`` where the PPS is damaged.
    """
    count, value = sps.extension
    _check_extension(value >> max(0, count - 1 - _EXTENSION_FLAGS) & 0xFF if count > _EXTENSION_FLAGS else 0)
    count, value = pps.body
    pad = -count % 8
    bits = BitReader((value << pad).to_bytes((count + pad) // 8))
    dependent, output, extra = bits.flag(), bits.flag(), bits.u(3)
    bits.skip(1)  # sign_data_hiding_enabled_flag
    cabac_init = bits.flag()
    references = (bits.ue(14) + 1, bits.ue(14) + 1)
    bits.se()
    bits.skip(1)
    transform_skip = bits.flag()
    blocks = _blocks(bits)
    filters = _filters(bits)
    if bits.flag():
        read_scaling_lists(bits)
    modify_lists = bits.flag()
    bits.ue(6)
    has_extension = bits.flag()
    return SliceParams(
        sps=sps,
        address_bits=_address_bits(sps),
        dependent_slices=dependent,
        output_flag=output,
        extra_bits=extra,
        cabac_init=cabac_init,
        references=references,
        chroma_offsets=blocks.chroma_offsets,
        weights_p=blocks.weights_p,
        weights_b=blocks.weights_b,
        has_entry_points=blocks.has_entry_points,
        filter_across_slices=filters.across_slices,
        can_override_deblocking=filters.can_override,
        is_deblocking_off=filters.is_off,
        can_modify_lists=modify_lists,
        has_extension=has_extension,
        chroma_offset_lists=bits.flag() and _chroma_offset_lists(bits, transform_skip),
    )


def _check_extension(flags: int) -> None:
    """Look at the eight flags of which only the first, that of the format range, is known here."""
    if flags & ~_RANGE_EXTENSION:
        raise UnsupportedError("HEVC slices of more layers than one, or of screen content, are not read here")


def _address_bits(sps: HevcSps) -> int:
    log2_size = 3 + sps.tools[_LOG2_MIN_CODING_BLOCK] + sps.tools[_LOG2_CODING_BLOCKS]
    across, down = -(-sps.coded_width >> log2_size), -(-sps.coded_height >> log2_size)
    return (across * down - 1).bit_length()


def _blocks(bits: BitReader) -> _Blocks:
    """Read from cu_qp_delta_enabled_flag to the tiles."""
    if bits.flag():
        bits.ue(3)
    bits.se()
    bits.se()
    chroma_offsets, weights_p, weights_b = bits.flag(), bits.flag(), bits.flag()
    bits.skip(1)  # transquant_bypass_enabled_flag
    tiles, wavefront = bits.flag(), bits.flag()
    if tiles:
        counts = bits.ue(_MOST_TILES), bits.ue(_MOST_TILES)
        if not bits.flag():
            for _ in range(sum(counts)):
                bits.ue()
        bits.skip(1)
    return _Blocks(chroma_offsets, weights_p, weights_b, tiles or wavefront)


def _filters(bits: BitReader) -> _Filters:
    across_slices = bits.flag()
    if not bits.flag():
        return _Filters(across_slices, False, False)
    can_override, is_off = bits.flag(), bits.flag()
    if not is_off:
        bits.se()
        bits.se()
    return _Filters(across_slices, can_override, is_off)


def _chroma_offset_lists(bits: BitReader, transform_skip: bool) -> bool:
    """Read the extensions' flags and that of the format range up to chroma_qp_offset_list_enabled_flag (§7.3.2.3.2)."""
    flags = bits.u(_EXTENSION_FLAGS)
    _check_extension(flags)
    if not flags & _RANGE_EXTENSION:
        return False
    if transform_skip:
        bits.ue(3)
    bits.skip(1)  # cross_component_prediction_enabled_flag
    return bits.flag()
