"""Frames put together into arrays, new ones or the caller's own."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Generator
from contextlib import closing
from typing import Any

import numpy as np

from ffzero.edits.frame_values import Frame, FrameBatch
from ffzero.edits.reading import FrameRequest
from ffzero.errors import UsageError
from ffzero.frames.reading.forms import SOURCE_FORMAT
from ffzero.frames.reading.planes import layout_of, video_format
from ffzero.timebase import format_time

__all__ = ["batches", "writable_array"]


def batches(request: FrameRequest, frames: Generator[Frame, None, None]) -> Generator[FrameBatch, None, None]:
    """Return a generator of batches. Raises ``UsageError`` at once for a format or an array that cannot be filled."""
    size = request.batch
    if size is None or isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise UsageError(f"a batch of {size!r} frames", expected="1 or more")
    if request.format != SOURCE_FORMAT and len(layout_of(video_format(request.format))) != 1:
        raise UsageError(f"{request.format} has several planes", hint="Batches are of packed formats, such as rgb24")
    out = None if request.out is None else writable_array(request.out)
    if out is not None and (out.ndim < 3 or len(out) < size):
        raise UsageError(
            "out cannot hold a batch",
            expected=f"shape ({size}, height, width, channels)",
            found=f"{out.shape}",
        )
    return _batches(frames, size, out)


def _batches(
    frames: Generator[Frame, None, None], size: int, out: np.ndarray | None
) -> Generator[FrameBatch, None, None]:
    with closing(frames):
        held: list[Frame] = []
        target: np.ndarray | None = None
        arrays = _Arrays(size)
        for frame in frames:
            array = frame.array
            if target is None:
                target = arrays.free_one(array) if out is None else out
            if target.shape[1:] != array.shape or target.dtype != array.dtype:
                raise _unlike(frame, target, out is not None)
            target[len(held)] = array
            held.append(frame)
            frame.forget()
            if len(held) == size:
                yield _batch(held, target)
                held, target = [], None
        if held and target is not None:
            yield _batch(held, target)


class _Arrays:
    """New arrays for batches: one whose batch nobody holds any more serves again, for fresh memory is slow to touch."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: list[np.ndarray] = []

    def free_one(self, like: np.ndarray) -> np.ndarray:
        shape = (self._size, *like.shape)
        references = getattr(sys, "getrefcount", None)
        for number in range(len(self._known)):
            known = self._known[number]
            # This list, ``known`` and the argument are all that refer to it: no batch, and no view of one.
            if known.shape == shape and known.dtype == like.dtype and references is not None and references(known) <= 3:
                return known
        made = np.empty(shape, like.dtype)
        self._known = [*self._known[-1:], made]
        return made


def _batch(frames: list[Frame], target: np.ndarray) -> FrameBatch:
    return FrameBatch(
        array=target[: len(frames)],
        pts=np.array([frame.pts for frame in frames], np.int64),
        times=np.array([float(frame.time) for frame in frames], np.float64),
        indices=np.array([frame.index for frame in frames], np.int64),
        keyframes=np.array([frame.keyframe for frame in frames], np.bool_),
        tracks=np.array([frame.track for frame in frames], np.int64),
        time_base=frames[0].time_base,
        format=frames[0].format,
    )


def _unlike(frame: Frame, target: np.ndarray, own: bool) -> UsageError:
    what = "out does not fit" if own else "the size changes inside a batch: it does not fit"
    return UsageError(
        f"{what} the frame at {format_time(frame.time)}",
        expected=f"{frame.array.dtype} {frame.array.shape}",
        found=f"{target.dtype} {target.shape[1:]}",
        hint="Give size=(width, height), or an array of that shape",
    )


def writable_array(out: Any) -> np.ndarray:
    """Return a caller's memory as an array to write to, without a copy. Raises ``UsageError`` where it has none.

    That is a numpy array (a memory map too), a tensor on the CPU (by DLPack), or anything with a writable buffer.
    """
    try:
        if isinstance(out, np.ndarray):
            array = out
        elif hasattr(out, "__dlpack__"):
            array = _from_dlpack(out)
        else:
            array = np.asarray(memoryview(out))
    except (TypeError, ValueError, BufferError, RuntimeError) as error:
        raise UsageError(
            f"out is no memory that can be written to: {error}", hint="Give a numpy array or a CPU tensor"
        ) from error
    if not array.flags.writeable:
        raise UsageError("out is read-only")
    return array


def _from_dlpack(out: Any) -> np.ndarray:
    array = np.from_dlpack(out)
    if array.flags.writeable:
        return array
    if type(out).__module__.partition(".")[0] in ("numpy", "jax", "jaxlib"):
        return array
    # Older DLPack cannot say that memory may be written to, so numpy takes it for read-only. A tensor's may be.
    size = sum((length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True))
    if array.size == 0 or min(array.strides) < 0:
        raise ValueError("its elements do not follow one another")
    memory = (ctypes.c_byte * (size + array.itemsize)).from_address(array.ctypes.data)
    memory._kept = array  # the memory lives as long as the view
    return np.ndarray(array.shape, array.dtype, memory, 0, array.strides)
