"""Calling a user's function with pictures, and looking at what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.mapping import PictureMap
from ffzero.edits.rendering import PictureJob
from ffzero.errors import FFZeroError, UsageError
from ffzero.frames.changes.forms import Arrays

__all__ = ["Caller"]


class Caller:
    """Calls a map's function for the pictures of a job. Its errors name the file and the picture's time in the clip."""

    def __init__(self, job: PictureJob, mapping: PictureMap) -> None:
        self._job = job
        self._mapping = mapping
        self._shift = Fraction(job.shift, job.track.timescale) - mapping.zero

    def time(self, frame: VideoFrame) -> Fraction:
        """Return when a picture is shown, from the clip's start."""
        assert frame.pts is not None
        return Fraction(frame.pts, self._job.track.timescale) + self._shift

    def one(self, picture: Arrays, time: Fraction) -> Arrays:
        """Return what the function makes of a picture; itself where it changed that."""
        found = self._called(self._given(picture), float(time), time)
        return self._checked(found, picture, time, in_place=self._mapping.writable)

    def middle(self, pictures: Sequence[Arrays], number: int, time: Fraction) -> Arrays:
        """Return what the function makes of picture ``number`` of a window."""
        found = self._called([self._given(picture) for picture in pictures], float(time), time)
        return self._checked(found, pictures[number], time, in_place=False)

    def batch(self, pictures: np.ndarray, times: Sequence[Fraction]) -> np.ndarray:
        """Return what the function makes of several pictures in one array."""
        found = self._called(pictures, np.array([float(time) for time in times]), times[0])
        (made,) = self._checked(found, (pictures,), times[0], in_place=self._mapping.writable)
        return made

    def _given(self, picture: Arrays) -> Any:
        return picture if self._mapping.format == "yuv" else picture[0]

    def _called(self, pictures: Any, time: Any, at: Fraction) -> Any:
        try:
            return (
                self._mapping.function(pictures, time) if self._mapping.with_time else self._mapping.function(pictures)
            )
        except FFZeroError:
            raise
        except Exception as error:
            raise UsageError(
                f"{self._mapping.name} failed at {float(at):.3f} s of the clip: {type(error).__name__}: {error}",
                path=self._job.media.name,
            ) from error

    def _checked(self, found: Any, like: Arrays, at: Fraction, *, in_place: bool) -> Arrays:
        if found is None and in_place:
            return like
        if self._mapping.format != "yuv":
            arrays: tuple[Any, ...] = (found,)
        else:
            arrays = tuple(found) if isinstance(found, tuple | list) else (found,)
        if len(arrays) == len(like) and all(map(_is_like, arrays, like)):
            return arrays
        wanted = _form(like) + (" or None" if in_place else "")
        raise UsageError(
            f"{self._mapping.name} did not return a picture at {float(at):.3f} s of the clip",
            path=self._job.media.name,
            expected=wanted if self._mapping.format != "yuv" else f"a tuple of {wanted}",
            found=_form(arrays),
            hint="Only with writable=True a function may return nothing" if found is None else None,
        )


def _is_like(found: Any, wanted: np.ndarray) -> bool:
    return isinstance(found, np.ndarray) and found.shape == wanted.shape and found.dtype == wanted.dtype


def _form(arrays: Sequence[Any]) -> str:
    return ", ".join(
        f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__ for array in arrays
    )
