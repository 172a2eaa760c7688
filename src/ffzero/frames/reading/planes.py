"""Planes of pictures as numpy views of the memory that FFmpeg keeps them in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from ffzero.errors import UsageError

__all__ = ["ALIASES", "PlaneLayout", "layout_of", "plane_views", "video_format"]

ALIASES = {
    "rgb": "rgb24",
    "bgr": "bgr24",
    "gray8": "gray",
    "rgb48": "rgb48le",
    "bgr48": "bgr48le",
    "rgba64": "rgba64le",
    "bgra64": "bgra64le",
    "gray16": "gray16le",
}


class PlaneLayout(NamedTuple):
    """What a plane's samples are: their dtype, and how many stand together for each pixel."""

    dtype: np.dtype
    channels: int


def video_format(name: str) -> VideoFormat:
    """Return FFmpeg's pixel format of that name, or of what it is short for. Raises ``UsageError``."""
    try:
        return VideoFormat(ALIASES.get(name, name))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"there is no pixel format {name!r}", hint='Take "rgb24", "bgr24", "rgba", "gray", "rgb48" or "yuv"'
        ) from error


def layout_of(form: VideoFormat) -> tuple[PlaneLayout, ...]:
    """Return what each plane of a format holds. Raises ``UsageError`` where samples are no whole bytes."""
    components = form.components
    if not components:
        raise UsageError(f"{form.name} pictures are not in memory that Python reads", hint='Ask for format="rgb24"')
    bits = max(component.bits for component in components)
    name = form.name
    kind = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.float32 if "f32" in name else np.uint16)
    if bits > 8 and name.endswith("be"):
        kind = kind.newbyteorder(">")
    count = max(component.plane for component in components) + 1
    if count == 1:
        channels = form.padded_bits_per_pixel // (8 * kind.itemsize)
        if name == "pal8":
            channels = 1
        if not channels or form.padded_bits_per_pixel % (8 * kind.itemsize):
            raise UsageError(f"{name} pictures have no arrays of whole samples", hint='Ask for format="rgb24"')
        return (PlaneLayout(kind, channels),)
    numbers = [component.plane for component in components]
    return tuple(PlaneLayout(kind, numbers.count(plane)) for plane in range(count))


def plane_views(picture: VideoFrame, layout: tuple[PlaneLayout, ...], *, writable: bool) -> tuple[np.ndarray, ...]:
    """Return each plane as (rows, columns) or (rows, columns, channels), sharing the picture's memory.

    A view keeps the memory alive, whatever becomes of the picture.
    """
    views = []
    for plane, (dtype, channels) in zip(picture.planes, layout, strict=False):  # pal8 has a palette behind
        line, size = plane.line_size, dtype.itemsize
        shape: tuple[int, ...] = (plane.height, plane.width)
        strides: tuple[int, ...] = (line, channels * size)
        if channels > 1:
            shape, strides = (*shape, channels), (*strides, size)
        offset = 0 if line >= 0 else -line * (plane.height - 1)  # from the bottom up
        memory: Any = plane  # a buffer, which the stubs do not say
        view: np.ndarray = np.ndarray(shape, dtype, memory, offset, strides)
        view.flags.writeable = writable
        views.append(view)
    return tuple(views)
