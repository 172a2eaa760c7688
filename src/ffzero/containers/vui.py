"""Video usability information that H.264 (§E.1) and HEVC (§E.2) share: aspect, colour, chroma position, HRD."""

from __future__ import annotations

from ffzero.containers.bits import BitReader
from ffzero.values import dataclass

__all__ = ["Timing", "VideoSignal", "read_h264_hrd", "read_timing", "read_video_signal"]

_EXTENDED_SAR = 255
_SAR = {
    1: (1, 1),
    2: (12, 11),
    3: (10, 11),
    4: (16, 11),
    5: (40, 33),
    6: (24, 11),
    7: (20, 11),
    8: (32, 11),
    9: (80, 33),
    10: (18, 11),
    11: (15, 11),
    12: (64, 33),
    13: (160, 99),
    14: (4, 3),
    15: (3, 2),
    16: (2, 1),
}
_UNSPECIFIED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSignal:
    """How decoded samples are meant (ITU-T H.273); the defaults are what the absence of each field means.

    ``sample_aspect`` is (0, 0) where unknown. ``chroma_location`` is (top field, bottom field).
    """

    sample_aspect: tuple[int, int] = (0, 0)
    overscan_appropriate: bool | None = None
    video_format: int = 5
    full_range: bool = False
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    matrix: int = _UNSPECIFIED
    chroma_location: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The clock that the encoder had in mind; containers overrule it."""

    units_in_tick: int
    time_scale: int


def read_video_signal(bits: BitReader) -> VideoSignal:
    """Read from aspect_ratio_info_present_flag to the chroma sample locations."""
    aspect, overscan, location = (0, 0), None, (0, 0)
    video_format, full_range, colour = 5, False, (_UNSPECIFIED,) * 3
    if bits.flag():
        code = bits.u(8)
        aspect = (bits.u(16), bits.u(16)) if code == _EXTENDED_SAR else _SAR.get(code, (0, 0))
    if bits.flag():
        overscan = bits.flag()
    if bits.flag():
        video_format, full_range = bits.u(3), bits.flag()
        if bits.flag():
            colour = (bits.u(8), bits.u(8), bits.u(8))
    if bits.flag():
        location = (bits.ue(5), bits.ue(5))
    return VideoSignal(
        sample_aspect=aspect,
        overscan_appropriate=overscan,
        video_format=video_format,
        full_range=full_range,
        primaries=colour[0],
        transfer=colour[1],
        matrix=colour[2],
        chroma_location=location,
    )


def read_timing(bits: BitReader) -> Timing:
    """Read num_units_in_tick and time_scale."""
    return Timing(units_in_tick=bits.u(32), time_scale=bits.u(32))


def read_h264_hrd(bits: BitReader) -> None:
    """Pass over hrd_parameters of H.264 (§E.1.2): bit rates and buffer sizes, no matter to the pictures."""
    count = bits.ue(31) + 1
    bits.skip(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.skip(1)
    bits.skip(20)
