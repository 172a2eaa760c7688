"""The samples of decoded pictures, plane by plane."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame

__all__ = ["bytes_of_rows", "fill", "raw_planes"]


def bytes_of_rows(frame: VideoFrame, number: int) -> int:
    """Return how many bytes of a row of a plane are samples; the rest of ``line_size`` is padding."""
    plane = frame.planes[number]
    components = frame.format.components
    bits = max(component.bits for component in components)
    of_plane = [component for component in components if component.plane == number]
    if frame.format.name == "pal8" or not of_plane:
        return plane.width
    if len(frame.planes) == 1 and len(components) > 1:
        return plane.width * frame.format.padded_bits_per_pixel // 8
    return plane.width * len(of_plane) * (2 if bits > 8 else 1)


def raw_planes(frame: VideoFrame) -> list[np.ndarray]:
    """Return each plane as (rows, bytes): views that can be written to where the frame can."""
    found = []
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # a buffer
        found.append(rows.reshape(-1, plane.line_size)[: plane.height, : bytes_of_rows(frame, number)])
    return found


def fill(target: VideoFrame, source: VideoFrame) -> VideoFrame:
    """Give ``target`` the samples of ``source``, of the same size and format; all else of it stays. Returns it."""
    target.make_writable()
    for mine, yours in zip(raw_planes(target), raw_planes(source), strict=True):
        np.copyto(mine, yours)
    return target
