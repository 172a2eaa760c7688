"""High dynamic range facts that travel beside the pictures: what FFmpeg attaches to frames, in encoders' words."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction

__all__ = ["content_light", "dolby_vision_profile", "mastering_display"]

_CHROMATICITY = 50000
_LUMINANCE = 10000
_RATIONALS = 10


def mastering_display(side_data: Mapping[str, bytes]) -> str | None:
    """Return mastering display colour volume (SMPTE ST 2086; H.265 §D.2.28) as x264 and x265 take it, or ``None``.

    It is read from FFmpeg's ``AVMasteringDisplayMetadata``: ten rationals (red, green, blue, white, least and greatest
    luminance) and two flags.
    """
    data = side_data.get("MASTERING_DISPLAY_METADATA")
    if data is None or len(data) < 8 * _RATIONALS + 8:
        return None
    numbers = struct.unpack_from(f"={2 * _RATIONALS + 2}i", data)
    if not (numbers[-2] and numbers[-1]) or 0 in numbers[1 : 2 * _RATIONALS : 2]:
        return None
    values = [Fraction(numbers[2 * i], numbers[2 * i + 1]) for i in range(_RATIONALS)]
    points = [
        f"({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})"
        for x, y in zip(values[:8:2], values[1:8:2], strict=True)
    ]
    red, green, blue, white = points
    least, most = (round(value * _LUMINANCE) for value in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"


def content_light(side_data: Mapping[str, bytes]) -> str | None:
    """Return content light level (CTA-861.3; H.265 §D.2.35) as ``max,average`` in cd/m², or ``None``."""
    data = side_data.get("CONTENT_LIGHT_LEVEL")
    if data is None or len(data) < 8:
        return None
    most, average = struct.unpack_from("=II", data)
    return f"{most},{average}"


def dolby_vision_profile(boxes: Mapping[str, bytes]) -> int | None:
    """Return the profile of a Dolby Vision configuration record (Dolby Vision Streams within ISOBMFF §2.2)."""
    record = next((boxes[name] for name in ("dvcC", "dvvC", "dvwC") if name in boxes), None)
    return record[2] >> 1 if record is not None and len(record) > 2 else None
