"""Pictures through a Python function: to RGB for it, and back. What it leaves alone stays as it was, to the bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.rendering import PictureFunction
from ffzero.errors import FFZeroError, UsageError
from ffzero.frames.changes.graphs import Filter, FrameGraph, matrix_of, range_of
from ffzero.frames.pictures.planes import raw_planes

__all__ = ["FunctionEffect"]

_FLAGS = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"


class FunctionEffect:
    """Applies a function to pictures of one size and format."""

    def __init__(self, function: PictureFunction, like: VideoFrame) -> None:
        self._function = function
        self._name = getattr(function, "__name__", "the function")
        deep = max(component.bits for component in like.format.components) > 8
        self._dtype = np.dtype(np.uint16 if deep else np.uint8)
        matrix, its_range = matrix_of(like), range_of(like)
        rgb, plain = ("rgb48le" if deep else "rgb24"), like.format.name.replace("yuvj", "yuv")
        into = f"{_FLAGS}:in_color_matrix={matrix}:in_range={its_range}:out_range=pc"
        back = f"{_FLAGS}:out_color_matrix={matrix}:in_range=pc:out_range={its_range}"
        is_rgb = like.format.is_rgb
        self._to_rgb = FrameGraph(like, [] if is_rgb else [("scale", into)], rgb)
        self._rgb_name, self._plain = rgb, plain
        self._back: list[Filter] = [] if is_rgb else [("scale", back)]
        self._from_rgb: FrameGraph | None = None

    def apply(self, frame: VideoFrame, time_s: Fraction) -> VideoFrame:
        """Return the frame with what the function made of it. Raises ``UsageError`` for what is no picture."""
        before = self._to_rgb.one(frame).to_ndarray()
        after = self._called(before.copy(), time_s)
        changed = (after != before).any(axis=2)
        if not changed.any():
            return frame
        coloured = VideoFrame.from_ndarray(np.ascontiguousarray(after), format=self._rgb_name)
        if self._from_rgb is None:
            self._from_rgb = FrameGraph(coloured, self._back, self._plain)
        made = self._from_rgb.one(coloured)
        frame.make_writable()
        _merge(frame, made, changed)
        return frame

    def _called(self, picture: np.ndarray, time_s: Fraction) -> np.ndarray:
        shape = picture.shape
        try:
            found = self._function(picture, time_s)
        except FFZeroError:
            raise
        except Exception as error:
            raise UsageError(
                f"{self._name} failed at {float(time_s):.3f} s of its effect: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != self._dtype:
            what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise UsageError(
                f"{self._name} did not return a picture at {float(time_s):.3f} s of its effect",
                expected=f"a numpy array, {self._dtype} {shape}",
                found=what,
            )
        return found


def _merge(frame: VideoFrame, made: VideoFrame, changed: np.ndarray) -> None:
    """Take the samples of ``made`` where any pixel that they are for has changed."""
    height, width = changed.shape
    for number, (mine, yours) in enumerate(zip(raw_planes(frame), raw_planes(made), strict=True)):
        plane = frame.planes[number]
        across, down = -(-width // plane.width), -(-height // plane.height)
        grown = np.zeros((plane.height * down, plane.width * across), bool)
        grown[:height, :width] = changed
        mask = grown.reshape(plane.height, down, plane.width, across).any(axis=(1, 3))
        np.copyto(mine, yours, where=np.repeat(mask, mine.shape[1] // plane.width, axis=1))
