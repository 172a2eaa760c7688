"""H.264 parameter sets by meaning (ITU-T H.264, 08/2021, §7.3.2.1, §7.3.2.2): what differs, not which bytes."""

from __future__ import annotations

from dataclasses import field

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.h264 import H264NalType
from ffzero.containers.vui import Timing, VideoSignal, read_h264_hrd, read_timing, read_video_signal
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["H264Pps", "H264Sps", "H264Vui", "parse_h264_pps", "parse_h264_sps"]

_WITH_CHROMA_FORMAT = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
_MAX_SIDE_MACROBLOCKS = 4096
_MAX_DPB_MACROBLOCKS = {
    9: 396, 10: 396, 11: 900, 12: 2376, 13: 2376, 20: 2376, 21: 4752, 22: 8100, 30: 8100, 31: 18000, 32: 20480,
    40: 32768, 41: 32768, 42: 34816, 50: 110400, 51: 184320, 52: 184320, 60: 696320, 61: 696320, 62: 696320,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class H264Vui:
    """Video usability information (§E.1.1). Equality is that of meaning: ``timing`` and ``has_hrd`` do not count.

    ``num_reorder_frames`` and ``max_dec_frame_buffering`` are ``None`` where not transmitted. ``restriction_bit`` is
    where bitstream_restriction_flag stands, in bits of the payload free of escapes; ``None`` where there is no VUI.
    """

    signal: VideoSignal = field(default_factory=VideoSignal)
    pic_struct_present: bool = False
    num_reorder_frames: int | None = None
    max_dec_frame_buffering: int | None = None
    timing: Timing | None = field(default=None, compare=False)
    has_hrd: bool = field(default=False, compare=False)
    restriction_bit: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class H264Sps:
    """A sequence parameter set. Equality is that of meaning.

    ``scaling`` holds the eight or twelve scaling lists as transmitted (``None``: fall back), or is ``None`` where flat.
    ``poc_cycle`` is (delta_always_zero, offsets ...) of poc type 1. ``crop`` is (left, right, top, bottom) in
    luma samples. ``frame_num_bit`` and ``gaps_bit`` are where log2_max_frame_num_minus4 and
    gaps_in_frame_num_value_allowed_flag stand, in bits of the payload free of escapes.
    """

    id: int
    profile: int
    constraints: int
    level: int
    chroma_format: int
    separate_planes: bool
    bit_depth_luma: int
    bit_depth_chroma: int
    lossless_bypass: bool
    scaling: tuple[tuple[int, ...] | None, ...] | None
    frame_num_bit: int = field(compare=False)
    log2_max_frame_num: int
    poc_type: int
    log2_max_poc_lsb: int
    poc_cycle: tuple[int, ...]
    max_num_ref_frames: int
    gaps_allowed: bool
    gaps_bit: int = field(compare=False)
    width_macroblocks: int
    height_map_units: int
    frame_mbs_only: bool
    adaptive_frame_field: bool
    direct_8x8_inference: bool
    crop: tuple[int, int, int, int]
    vui: H264Vui

    @property
    def width(self) -> int:
        return self.width_macroblocks * 16 - self.crop[0] - self.crop[1]

    @property
    def height(self) -> int:
        return self.height_map_units * (16 if self.frame_mbs_only else 32) - self.crop[2] - self.crop[3]

    @property
    def max_dpb_frames(self) -> int:
        """Frames that a decoder may have to hold (§A.3.1 h, MaxDpbFrames; 16 for levels unknown here)."""
        frame = self.width_macroblocks * self.height_map_units * (1 if self.frame_mbs_only else 2)
        return min(_MAX_DPB_MACROBLOCKS.get(self.level, 1 << 30) // max(frame, 1), 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class H264Pps:
    """A picture parameter set. ``body`` is the rest of its bits as (count, value), free of escapes and padding."""

    id: int
    sps_id: int
    cabac: bool
    body: tuple[int, int]


def _payload(nal: bytes, kind: H264NalType) -> BitReader:
    if not nal or nal[0] & 31 != kind:
        found = nal[0] & 31 if nal else None
        raise InvalidDataError(f"not a NAL unit of type {kind.name}", offset_bytes=0, expected=int(kind), found=found)
    return BitReader(unescape(nal[1:]), base_offset_bytes=1)


def parse_h264_sps(nal: bytes) -> H264Sps:
    """Parse an SPS NAL unit, its header byte included. Raises ``InvalidDataError`` where it is damaged."""
    bits = _payload(nal, H264NalType.SPS)
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    identifier = bits.ue(31)
    chroma_format, separate, depths, bypass, scaling = 1, False, (8, 8), False, None
    if profile in _WITH_CHROMA_FORMAT:
        chroma_format = bits.ue(3)
        separate = chroma_format == 3 and bits.flag()
        depths = (8 + bits.ue(6), 8 + bits.ue(6))
        bypass = bits.flag()
        if bits.flag():
            scaling = _scaling_lists(bits, 8 if chroma_format != 3 else 12)
    frame_num_bit, log2_max_frame_num = bits.position_bits, 4 + bits.ue(12)
    poc_type = bits.ue(2)
    log2_max_poc_lsb = 4 + bits.ue(12) if poc_type == 0 else 0
    poc_cycle = _poc_cycle(bits) if poc_type == 1 else ()
    max_refs = bits.ue(16)
    gaps_bit, gaps = bits.position_bits, bits.flag()
    width, height = bits.ue(_MAX_SIDE_MACROBLOCKS) + 1, bits.ue(_MAX_SIDE_MACROBLOCKS) + 1
    frame_mbs_only = bits.flag()
    adaptive = not frame_mbs_only and bits.flag()
    direct = bits.flag()
    crop = _crop(bits, chroma_format, separate, frame_mbs_only) if bits.flag() else (0, 0, 0, 0)
    if crop[0] + crop[1] >= width * 16 or crop[2] + crop[3] >= height * (16 if frame_mbs_only else 32):
        raise InvalidDataError("an SPS crops its whole picture away", offset_bytes=bits.offset_bytes, found=crop)
    vui = _vui(bits) if bits.flag() else H264Vui()
    return H264Sps(
        id=identifier,
        profile=profile,
        constraints=constraints,
        level=level,
        chroma_format=chroma_format,
        separate_planes=separate,
        bit_depth_luma=depths[0],
        bit_depth_chroma=depths[1],
        lossless_bypass=bypass,
        scaling=scaling,
        frame_num_bit=frame_num_bit,
        log2_max_frame_num=log2_max_frame_num,
        poc_type=poc_type,
        log2_max_poc_lsb=log2_max_poc_lsb,
        poc_cycle=poc_cycle,
        max_num_ref_frames=max_refs,
        gaps_allowed=gaps,
        gaps_bit=gaps_bit,
        width_macroblocks=width,
        height_map_units=height,
        frame_mbs_only=frame_mbs_only,
        adaptive_frame_field=adaptive,
        direct_8x8_inference=direct,
        crop=crop,
        vui=vui,
    )


def parse_h264_pps(nal: bytes) -> H264Pps:
    """Parse a PPS NAL unit, its header byte included. Raises ``InvalidDataError`` where it is damaged."""
    bits = _payload(nal, H264NalType.PPS)
    identifier, sps_id = bits.ue(255), bits.ue(31)
    return H264Pps(id=identifier, sps_id=sps_id, cabac=bits.flag(), body=bits.rest())


def _scaling_lists(bits: BitReader, count: int) -> tuple[tuple[int, ...] | None, ...]:
    return tuple(_scaling_list(bits, 16 if i < 6 else 64) if bits.flag() else None for i in range(count))


def _scaling_list(bits: BitReader, size: int) -> tuple[int, ...]:
    """Read a scaling list (§7.3.2.1.1.1); an empty one means the default list."""
    values: list[int] = []
    last = following = 8
    for i in range(size):
        if following:
            following = (last + bits.se()) % 256
            if i == 0 and following == 0:
                return ()
        last = following or last
        values.append(last)
    return tuple(values)


def _poc_cycle(bits: BitReader) -> tuple[int, ...]:
    always_zero, non_ref, top_to_bottom = bits.u(1), bits.se(), bits.se()
    return (always_zero, non_ref, top_to_bottom, *(bits.se() for _ in range(bits.ue(255))))


def _crop(bits: BitReader, chroma: int, separate: bool, frame_mbs_only: bool) -> tuple[int, int, int, int]:
    across, down = (1, 1) if separate else _SUBSAMPLING[chroma]
    down *= 1 if frame_mbs_only else 2
    left, right, top, bottom = (bits.ue(0xFFFF) for _ in range(4))
    return left * across, right * across, top * down, bottom * down


def _vui(bits: BitReader) -> H264Vui:
    """Read vui_parameters (§E.1.1)."""
    signal = read_video_signal(bits)
    timing = None
    if bits.flag():
        timing = read_timing(bits)
        bits.skip(1)
    present = 0
    for _ in range(2):
        if bits.flag():
            read_h264_hrd(bits)
            present += 1
    if present:
        bits.skip(1)
    pic_struct = bits.flag()
    reorder = buffering = None
    restriction_bit = bits.position_bits
    # Some encoders cut the VUI off here; what is not there is as if not transmitted.
    if bits.remaining_bits and bits.flag():
        bits.skip(1)
        for _ in range(4):
            bits.ue()
        reorder, buffering = bits.ue(), bits.ue()
    return H264Vui(
        signal=signal,
        pic_struct_present=pic_struct,
        num_reorder_frames=reorder,
        max_dec_frame_buffering=buffering,
        timing=timing,
        has_hrd=present > 0,
        restriction_bit=restriction_bit,
    )
