"""Decoded pictures as arrays for a function to see or to change, and back.

A decoder goes on predicting from pictures that it has given out, so nobody may write to their samples: each form hands
out either copies, or views that are read-only, or views of a picture that was made writable, which copies its samples
where the decoder still refers to them. Views refer to a frame of their own that shares the samples. So what a function
keeps of them stays valid memory, and no later change of the picture writes to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.mapping import MapFormat
from ffzero.errors import UnsupportedError
from ffzero.frames.changes.graphs import Filter, FrameGraph, matrix_of, range_of
from ffzero.frames.pictures.planes import fill, raw_planes
from ffzero.frames.pictures.quality import plane

__all__ = ["Arrays", "Form", "RgbForm", "form_of"]

Arrays = tuple[np.ndarray, ...]
"""A picture: one array, or one for each plane."""

_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_QUICK = "flags=bicubic"
"""What FFmpeg does by itself, for 8 bits twenty times faster: within 1 or 2 of the other, 14 where colours meet. The
picture is the one that ``frames`` gives; on the way back only pixels that changed take part."""


class Form(Protocol):
    """One way to see pictures of one size and format."""

    def seen(self, frame: VideoFrame) -> Arrays:
        """Return the picture, read-only and lasting."""
        ...

    def opened(self, frame: VideoFrame) -> Arrays:
        """Return the picture to be written to; ``changed`` is told when that is done. It is ``frame`` that changes."""
        ...

    def changed(self, frame: VideoFrame, before: Arrays | None, after: Arrays) -> VideoFrame:
        """Return the frame with what became of it: ``after``, of what was ``seen`` before, or opened (``None``)."""
        ...


def form_of(format: MapFormat, like: VideoFrame) -> Form:
    """Return the form for pictures like ``like``. Raises ``UnsupportedError`` where they have no such planes."""
    return RgbForm(like) if format == "rgb24" else _PlaneForm(like, luma_only=format == "gray")


class RgbForm:
    """RGB by the picture's own matrix and range, full range. Samples whose pixels did not change stay, to the bit."""

    def __init__(self, like: VideoFrame) -> None:
        deep = _bits(like) > 8
        self.dtype = np.dtype(np.uint16 if deep else np.uint8)
        matrix, its_range = matrix_of(like), range_of(like)
        rgb, plain = ("rgb48le" if deep else "rgb24"), like.format.name.replace("yuvj", "yuv")
        into = f"{_QUICK}:in_color_matrix={matrix}:in_range={its_range}:out_range=pc"
        back = f"{_EXACT}:out_color_matrix={matrix}:in_range=pc:out_range={its_range}"
        is_rgb = like.format.is_rgb
        self._to_rgb = FrameGraph(like, [] if is_rgb else [("scale", into)], rgb)
        self._rgb_name, self._plain = rgb, plain
        self._back: list[Filter] = [] if is_rgb else [("scale", back)]
        self._from_rgb: FrameGraph | None = None
        self._coloured: VideoFrame | None = None
        self._before: np.ndarray | None = None

    def seen(self, frame: VideoFrame) -> Arrays:
        picture = self._to_rgb.one(frame).to_ndarray()
        picture.flags.writeable = False
        return (picture,)

    def opened(self, frame: VideoFrame) -> Arrays:
        self._before = self._to_rgb.one(frame).to_ndarray()
        return (self._before.copy(),)

    def changed(self, frame: VideoFrame, before: Arrays | None, after: Arrays) -> VideoFrame:
        old, (new,) = self._before if before is None else before[0], after
        assert old is not None
        differing = new != old
        if not differing.any():
            return frame
        everywhere = bool(differing.all())
        made = self._encoded(new)
        if everywhere:
            return fill(frame, made)
        _merge(frame, made, _any([differing[..., channel] for channel in range(differing.shape[2])]))
        return frame

    def _encoded(self, picture: np.ndarray) -> VideoFrame:
        """Return the picture in the source's form. The frame for it is used again and again."""
        height, width, channels = picture.shape
        if self._coloured is None or self._from_rgb is None:
            self._coloured = VideoFrame(width, height, self._rgb_name)
            self._from_rgb = FrameGraph(self._coloured, self._back, self._plain)
        self._coloured.make_writable()
        np.copyto(plane(self._coloured, 0).reshape(height, width, channels), picture)
        return self._from_rgb.one(self._coloured)


class _PlaneForm:
    """The planes as they are coded, or the luma alone."""

    def __init__(self, like: VideoFrame, *, luma_only: bool) -> None:
        name, components = like.format.name, like.format.components
        if len(like.planes) != len(components) or name == "pal8" or name.endswith("be"):
            raise UnsupportedError(f"pictures of the form {name} have no planes of their own", hint='Use "rgb24"')
        if luma_only and like.format.is_rgb:
            raise UnsupportedError(f"pictures of the form {name} have no luma", hint='Use "rgb24", or "yuv" for planes')
        self._planes = range(1 if luma_only else len(components))
        self._peaks = [(1 << component.bits) - 1 for component in components]
        self._shared: FrameGraph | None = None

    def seen(self, frame: VideoFrame) -> Arrays:
        views = self._views(frame)
        for view in views:
            view.flags.writeable = False
        return views

    def opened(self, frame: VideoFrame) -> Arrays:
        frame.make_writable()
        return self._views(frame)

    def changed(self, frame: VideoFrame, before: Arrays | None, after: Arrays) -> VideoFrame:
        if before is not None:
            frame.make_writable()
        planes = [plane(frame, number) for number in self._planes]
        given = [(own, array) for own, array in zip(planes, after, strict=True) if not _are_same(own, array)]
        # A function may give planes of the picture in each other's place.
        for own, array in [(own, _apart(array, planes) if len(given) > 1 else array) for own, array in given]:
            np.copyto(own, array)
        for number, own in zip(self._planes, planes, strict=True):
            if own.itemsize > 1:
                # Encoders take it for granted that samples have no more bits than they were told.
                np.minimum(own, self._peaks[number], out=own)
        return frame

    def _views(self, frame: VideoFrame) -> Arrays:
        if self._shared is None:
            frame.time_base = frame.time_base or Fraction(1, 90_000)
            self._shared = FrameGraph(frame, [], frame.format.name)
        shared = self._shared.one(frame)
        return tuple(plane(shared, number) for number in self._planes)


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of one shape are the same memory."""
    return (one.ctypes.data, one.strides) == (other.ctypes.data, other.strides)


def _apart(array: np.ndarray, planes: Sequence[np.ndarray]) -> np.ndarray:
    """Return an array that shares no memory with the planes: itself, or a copy."""
    return array.copy() if any(np.may_share_memory(array, own) for own in planes) else array


def _bits(frame: VideoFrame) -> int:
    return max(component.bits for component in frame.format.components)


def _merge(frame: VideoFrame, made: VideoFrame, changed: np.ndarray) -> None:
    """Take the samples of ``made`` where any pixel that they are for has changed."""
    frame.make_writable()
    height, width = changed.shape
    for number, (mine, yours) in enumerate(zip(raw_planes(frame), raw_planes(made), strict=True)):
        plane = frame.planes[number]
        across, down = -(-width // plane.width), -(-height // plane.height)
        mask = changed
        if (across, down) != (1, 1):
            grown = np.zeros((plane.height * down, plane.width * across), bool)
            grown[:height, :width] = changed
            mask = _any([grown[row::down, column::across] for row in range(down) for column in range(across)])
        bytes_each = mine.shape[1] // plane.width
        np.copyto(mine, yours, where=mask if bytes_each == 1 else np.repeat(mask, bytes_each, axis=1))


def _any(masks: Sequence[np.ndarray]) -> np.ndarray:
    found = masks[0].copy()
    for mask in masks[1:]:
        found |= mask
    return found
