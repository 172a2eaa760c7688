"""Arrays and frames of any kind as the pictures that an encoder wants, with the right colours."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.frame_values import Frame
from ffzero.errors import UsageError
from ffzero.frames.changes.graphs import Filter, FrameGraph, range_of
from ffzero.frames.changes.orientation import turning_filters
from ffzero.frames.reading.forms import turn_of_degrees
from ffzero.frames.reading.planes import layout_of, video_format
from ffzero.frames.writing.models import Model
from ffzero.timebase import format_time

__all__ = ["PictureMaker"]

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc"}
_ALIGNED_BYTES, _ROW_BYTES = 16, 32


class PictureMaker:
    """Makes pictures like a model; conversions are set up once for each form of what is given."""

    def __init__(self, model: Model, array_format: str) -> None:
        self._model = model
        self._array_form = video_format(array_format)
        self._format = array_format
        self._graphs: dict[tuple[Any, ...], FrameGraph | None] = {}

    def made(self, given: Any, number: int, time: Fraction) -> VideoFrame:
        """Return a picture to code, which the encoder may keep. Raises ``UsageError`` naming the frame and its time."""
        if isinstance(given, Frame):
            return self._converted(given.video_frame, given.rotation)
        if isinstance(given, VideoFrame):
            return self._converted(given, 0)
        return self._converted(self._from_array(given, number, time), 0)

    def _from_array(self, given: Any, number: int, time: Fraction) -> VideoFrame:
        model, layout = self._model, layout_of(self._array_form)
        if len(layout) != 1:
            raise UsageError(f"arrays cannot be {self._format}", hint="Take a packed format, such as rgb24")
        dtype, channels = layout[0]
        shape = (model.height, model.width, channels) if channels > 1 else (model.height, model.width)
        array = given if isinstance(given, np.ndarray) else _as_array(given)
        if array is None or array.shape != shape or array.dtype != dtype:
            found = type(given).__name__ if array is None else f"{array.dtype} {array.shape}"
            raise UsageError(
                f"frame {number}, at {format_time(time)}, is no {self._format} picture of this file",
                expected=f"a numpy array, {dtype} {shape}",
                found=found,
            )
        name = self._array_form.name
        pixel = (channels * dtype.itemsize, dtype.itemsize)[: array.ndim - 1]
        aligned = not array.strides[0] % _ROW_BYTES and not array.ctypes.data % _ALIGNED_BYTES
        # Converted at once, so the caller's memory serves; but the scaler reads whole vectors.
        if name != model.pixel_format and array.strides[1:] == pixel and array.strides[0] > 0 and aligned:
            return VideoFrame.from_numpy_buffer(array, format=name)
        return VideoFrame.from_ndarray(np.ascontiguousarray(array), format=name)

    def _converted(self, picture: VideoFrame, degrees: int) -> VideoFrame:
        key = (
            picture.format.name,
            picture.width,
            picture.height,
            int(picture.colorspace),
            int(picture.color_range),
            degrees,
        )
        if key not in self._graphs:
            self._graphs[key] = self._graph(picture, degrees)
        graph = self._graphs[key]
        return picture if graph is None else graph.one(picture)

    def _graph(self, picture: VideoFrame, degrees: int) -> FrameGraph | None:
        model = self._model
        filters: list[Filter] = list(turning_filters(turn_of_degrees(degrees)))
        name = picture.format.name
        out_range = "pc" if model.full_range else "tv"
        in_matrix, out_matrix = _matrix(int(picture.colorspace)), _matrix(model.matrix)
        is_rgb = picture.format.is_rgb
        target = video_format(model.pixel_format)
        same_colour = is_rgb and target.is_rgb
        if not is_rgb and not target.is_rgb:
            same_colour = in_matrix == out_matrix and range_of(picture) == out_range
        width, height = (picture.width, picture.height) if degrees % 180 == 0 else (picture.height, picture.width)
        if name == model.pixel_format and (width, height) == (model.width, model.height) and same_colour:
            if not filters:
                return None
        else:
            options = [f"w={model.width}:h={model.height}:flags=bicubic"]
            if not is_rgb:
                options += [f"in_color_matrix={in_matrix}", f"in_range={range_of(picture)}"]
            if not target.is_rgb:
                options += [f"out_color_matrix={out_matrix}", f"out_range={out_range}"]
            filters.append(("scale", ":".join(options)))
        return FrameGraph(picture, filters, model.pixel_format)


def _matrix(code: int) -> str:
    """Return the matrix's name; where nothing is said, what FFmpeg takes then: reading and writing go together."""
    return _MATRICES.get(code, "smpte170m")


def _as_array(given: Any) -> np.ndarray | None:
    try:
        if hasattr(given, "__dlpack__") and not hasattr(given, "__array__"):
            return np.from_dlpack(given)
        array = np.asarray(given)
    except (TypeError, ValueError, BufferError, RuntimeError):
        return None
    return array if array.dtype.kind in "biuf" else None
