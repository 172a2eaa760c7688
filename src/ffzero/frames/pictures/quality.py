"""How near coded pictures are to what they were made from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["BEST_DB", "plane", "psnr_db", "told_psnr_db"]

_ERRORS_AT = 8
_BAND_ROWS = 64
"""Compared at a time, so that what is worked out on the way stays small."""
BEST_DB = 100.0
"""What identical pictures count as."""


def plane(frame: VideoFrame, number: int) -> np.ndarray:
    """Return a plane of a picture as (rows, columns) of its samples: a view, not a copy."""
    item = frame.planes[number]
    bytes_each = 2 if max(component.bits for component in frame.format.components) > 8 else 1
    across = item.line_size // bytes_each
    rows = np.frombuffer(item, np.uint8 if bytes_each == 1 else np.dtype("<u2")).reshape(-1, across)  # type: ignore[call-overload]  # a buffer
    width = item.width
    if len(frame.planes) == 1 and len(frame.format.components) > 1:
        width *= len(frame.format.components)
    view: np.ndarray = rows[: item.height, :width]
    return view


def told_psnr_db(packet: AnyPacket, pixels: int, pix_fmt: str) -> float | None:
    """Return the luma PSNR that an encoder tells with a packet, in dB; ``None`` where it does not.

    The side data are FFmpeg's ``AV_PKT_DATA_QUALITY_STATS``: quality, type and number of errors, then the sum of
    squared errors of each plane.
    """
    if not packet.has_sidedata("quality_stats"):
        return None
    stats = bytes(packet.get_sidedata("quality_stats"))
    if len(stats) < _ERRORS_AT + 8 or not stats[5]:
        return None
    error = int.from_bytes(stats[_ERRORS_AT : _ERRORS_AT + 8], "little") / pixels
    peak = (1 << VideoFormat(pix_fmt).components[0].bits) - 1
    return BEST_DB if error == 0 else min(BEST_DB, 10 * math.log10(peak * peak / error))


def psnr_db(first: VideoFrame, second: VideoFrame) -> float:
    """Return the peak signal-to-noise ratio of two pictures' first plane (luma), in dB; ``BEST_DB`` at most."""
    a, b = plane(first, 0), plane(second, 0)
    peak = (1 << first.format.components[0].bits) - 1
    error = sum(_squared_error(a[at : at + _BAND_ROWS], b[at : at + _BAND_ROWS]) for at in range(0, len(a), _BAND_ROWS))
    error /= max(a.size, 1)
    return BEST_DB if error == 0 else min(BEST_DB, 10 * math.log10(peak * peak / error))


def _squared_error(a: np.ndarray, b: np.ndarray) -> float:
    difference = np.subtract(a, b, dtype=np.int32 if a.itemsize > 1 else np.int16).astype(np.float32).ravel()
    return float(np.dot(difference, difference))
