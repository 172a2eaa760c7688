"""HEVC parameter sets by meaning (ITU-T H.265, 08/2021, §7.3.2): what differs, not which bytes."""

from __future__ import annotations

from dataclasses import field

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.hevc import HevcNalType, nal_header
from ffzero.containers.hevc_reference_sets import ReferenceSet, read_reference_set
from ffzero.containers.vui import Timing, VideoSignal, read_timing, read_video_signal
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = [
    "HevcPps",
    "HevcSps",
    "HevcVps",
    "HevcVui",
    "hevc_set_id",
    "parse_hevc_pps",
    "parse_hevc_sps",
    "parse_hevc_vps",
    "read_profile_tier_level",
    "read_scaling_lists",
]

_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
_MAX_SIDE = 65536
_PROFILE_BITS = 88
Values = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcVui:
    """Video usability information (§E.2.1). Equality is that of meaning: ``timing`` and ``has_hrd`` do not count.

    ``field_flags`` holds the neutral chroma, field sequence and frame-field information flags.
    """

    signal: VideoSignal = field(default_factory=VideoSignal)
    display_window: Values = (0, 0, 0, 0)
    field_flags: int = 0
    timing: Timing | None = field(default=None, compare=False)
    has_hrd: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcSps:
    """A sequence parameter set of the base layer. Equality is that of meaning.

    ``profile_bits`` holds the general profile space, tier, profile, compatibility and constraint flags. ``buffering``
    has (max_dec_pic_buffering, num_reorder, max_latency) of each sub-layer. ``crop`` is (left, right, top, bottom) in
    luma samples. ``tools`` holds all coding tools in the order of the syntax; ``extension`` the SPS extensions' bits.
    ``has_long_term``: slices may name long-term reference pictures, of which ``long_term`` lists some beforehand.
    """

    id: int
    vps_id: int
    profile: int
    tier: int
    level: int
    profile_bits: int
    chroma_format: int
    separate_planes: bool
    coded_width: int
    coded_height: int
    crop: tuple[int, int, int, int]
    bit_depth_luma: int
    bit_depth_chroma: int
    log2_max_poc_lsb: int
    buffering: tuple[tuple[int, int, int], ...]
    tools: Values
    scaling: Values | None
    reference_sets: tuple[ReferenceSet, ...]
    has_long_term: bool
    long_term: tuple[Values, ...]
    vui: HevcVui
    extension: tuple[int, int]

    @property
    def width(self) -> int:
        return self.coded_width - self.crop[0] - self.crop[1]

    @property
    def height(self) -> int:
        return self.coded_height - self.crop[2] - self.crop[3]

    @property
    def num_reorder_frames(self) -> int:
        return self.buffering[-1][1]

    @property
    def max_dec_frame_buffering(self) -> int:
        return self.buffering[-1][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcPps:
    """A picture parameter set. ``body`` is the rest of its bits as (count, value), free of escapes and padding."""

    id: int
    sps_id: int
    body: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcVps:
    """A video parameter set; a decoder of the base layer needs only its ``id``. ``body`` as in ``HevcPps``."""

    id: int
    body: tuple[int, int] = field(compare=False)


def _payload(nal: bytes, kind: HevcNalType) -> BitReader:
    found, layer = nal_header(nal, 0, len(nal))
    if found != kind or layer:
        raise InvalidDataError(
            f"not a base layer NAL unit of type {kind.name}",
            offset_bytes=0,
            expected=(int(kind), 0),
            found=(found, layer),
        )
    return BitReader(unescape(nal[2:]), base_offset_bytes=2)


def parse_hevc_vps(nal: bytes) -> HevcVps:
    """Parse a VPS NAL unit, its header included. Raises ``InvalidDataError`` where it is damaged."""
    bits = _payload(nal, HevcNalType.VPS)
    return HevcVps(id=bits.u(4), body=bits.rest())


def parse_hevc_pps(nal: bytes) -> HevcPps:
    """Parse a PPS NAL unit, its header included. Raises ``InvalidDataError`` where it is damaged."""
    bits = _payload(nal, HevcNalType.PPS)
    return HevcPps(id=bits.ue(63), sps_id=bits.ue(15), body=bits.rest())


def hevc_set_id(nal: bytes) -> int:
    """Return the id of a VPS, SPS or PPS NAL unit. Raises ``InvalidDataError`` where it is damaged, or another unit."""
    kind = nal[0] >> 1 & 63 if nal else -1
    if kind == HevcNalType.VPS:
        return parse_hevc_vps(nal).id
    return parse_hevc_sps(nal).id if kind == HevcNalType.SPS else parse_hevc_pps(nal).id


def parse_hevc_sps(nal: bytes) -> HevcSps:
    """Parse an SPS NAL unit of the base layer, its header included. Raises ``InvalidDataError`` where it is damaged."""
    bits = _payload(nal, HevcNalType.SPS)
    vps_id, last_sub_layer = bits.u(4), bits.u(3)
    bits.skip(1)
    profile_bits, level = read_profile_tier_level(bits, last_sub_layer)
    identifier, chroma_format = bits.ue(15), bits.ue(3)
    separate = chroma_format == 3 and bits.flag()
    width, height = bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE)
    across, down = (1, 1) if separate else _SUBSAMPLING[chroma_format]
    window = _window(bits)
    crop = (window[0] * across, window[1] * across, window[2] * down, window[3] * down)
    if crop[0] + crop[1] >= width or crop[2] + crop[3] >= height:
        raise InvalidDataError("an SPS crops its whole picture away", offset_bytes=bits.offset_bytes, found=crop)
    depths = (8 + bits.ue(8), 8 + bits.ue(8))
    log2_max_poc_lsb = 4 + bits.ue(12)
    buffering = _buffering(bits, last_sub_layer)
    tools, scaling = _tools(bits)
    reference_sets = _reference_sets(bits)
    has_long_term = bits.flag()
    long_term = tuple((bits.u(log2_max_poc_lsb), bits.u(1)) for _ in range(bits.ue(32))) if has_long_term else ()
    tools += (bits.u(1), bits.u(1))  # temporal motion vectors, strong intra smoothing
    vui = _vui(bits, last_sub_layer) if bits.flag() else HevcVui()
    return HevcSps(
        id=identifier,
        vps_id=vps_id,
        profile=profile_bits >> (_PROFILE_BITS - 8) & 31,
        tier=profile_bits >> (_PROFILE_BITS - 3) & 1,
        level=level,
        profile_bits=profile_bits,
        chroma_format=chroma_format,
        separate_planes=separate,
        coded_width=width,
        coded_height=height,
        crop=crop,
        bit_depth_luma=depths[0],
        bit_depth_chroma=depths[1],
        log2_max_poc_lsb=log2_max_poc_lsb,
        buffering=buffering,
        tools=tools,
        scaling=scaling,
        reference_sets=reference_sets,
        has_long_term=has_long_term,
        long_term=long_term,
        vui=vui,
        extension=bits.rest(),
    )


def read_profile_tier_level(bits: BitReader, last_sub_layer: int) -> tuple[int, int]:
    """Read profile_tier_level (§7.3.3); return the general profile bits and level, passing over the sub-layers'."""
    profile, level = bits.u(_PROFILE_BITS), bits.u(8)
    present = [(bits.flag(), bits.flag()) for _ in range(last_sub_layer)]
    if last_sub_layer:
        bits.skip(2 * (8 - last_sub_layer))
    for has_profile, has_level in present:
        bits.skip(_PROFILE_BITS * has_profile + 8 * has_level)
    return profile, level


def _window(bits: BitReader) -> tuple[int, int, int, int]:
    if not bits.flag():
        return (0, 0, 0, 0)
    return (bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE))


def _buffering(bits: BitReader, last_sub_layer: int) -> tuple[tuple[int, int, int], ...]:
    count = last_sub_layer + 1 if bits.flag() else 1
    return tuple((bits.ue(16) + 1, bits.ue(16), bits.ue()) for _ in range(count))


def _tools(bits: BitReader) -> tuple[Values, Values | None]:
    """Read from log2_min_luma_coding_block_size to the PCM fields; return (tools, scaling lists)."""
    values = [bits.ue(8) for _ in range(6)]
    scaling: Values | None = None
    if bits.flag():
        scaling = read_scaling_lists(bits) if bits.flag() else ()
    values += [bits.u(1), bits.u(1)]  # asymmetric partitions, sample adaptive offset
    if bits.flag():
        values += [bits.u(4), bits.u(4), bits.ue(8), bits.ue(8), bits.u(1)]
    return tuple(values), scaling


def read_scaling_lists(bits: BitReader) -> Values:
    """Read scaling_list_data (§7.3.4) as the values transmitted."""
    values: list[int] = []
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            predicted = not bits.flag()
            values.append(predicted)
            if predicted:
                values.append(bits.ue(5))
                continue
            values += [bits.se() for _ in range((size > 1) + min(64, 1 << (4 + 2 * size)))]
    return tuple(values)


def _reference_sets(bits: BitReader) -> tuple[ReferenceSet, ...]:
    sets: list[ReferenceSet] = []
    for _ in range(bits.ue(64)):
        sets.append(read_reference_set(bits, sets))
    return tuple(sets)


def _vui(bits: BitReader, last_sub_layer: int) -> HevcVui:
    """Read vui_parameters (§E.2.1); the bitstream restrictions are hints and are passed over."""
    signal = read_video_signal(bits)
    field_flags = bits.u(3)
    window = _window(bits)
    timing, has_hrd = None, False
    if bits.flag():
        timing = read_timing(bits)
        if bits.flag():
            bits.ue()
        has_hrd = bits.flag()
        if has_hrd:
            _skip_hrd(bits, last_sub_layer)
    if bits.flag():
        bits.skip(3)
        for _ in range(5):
            bits.ue()
    return HevcVui(signal=signal, display_window=window, field_flags=field_flags, timing=timing, has_hrd=has_hrd)


def _skip_hrd(bits: BitReader, last_sub_layer: int) -> None:
    """Pass over hrd_parameters (§E.2.2)."""
    kinds = (bits.u(1), bits.u(1))
    sub_pictures = False
    if any(kinds):
        sub_pictures = bits.flag()
        bits.skip(19 if sub_pictures else 0)
        bits.skip(8 + (4 if sub_pictures else 0) + 15)
    for _ in range(last_sub_layer + 1):
        fixed_general = bits.flag()
        fixed_in_sequence = True if fixed_general else bits.flag()
        low_delay = False
        if fixed_in_sequence:
            bits.ue()
        else:
            low_delay = bits.flag()
        count = 1 if low_delay else bits.ue(31) + 1
        for _ in range(count * sum(kinds)):
            for _ in range(4 if sub_pictures else 2):
                bits.ue()
            bits.skip(1)
