"""Pictures through a function that ``map`` was given: one by one, or in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.mapping import PictureMap
from ffzero.edits.rendering import PictureJob
from ffzero.frames.changes.calling import Caller
from ffzero.frames.changes.forms import form_of

__all__ = ["Batches", "OneByOne"]


class OneByOne:
    """Calls the function with each picture, and gives it out at once."""

    def __init__(self, job: PictureJob, mapping: PictureMap, like: VideoFrame) -> None:
        self._caller = Caller(job, mapping)
        self._form = form_of(mapping.format, like)
        self._writable = mapping.writable

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        time = self._caller.time(frame)
        if self._writable:
            yield self._form.changed(frame, None, self._caller.one(self._form.opened(frame), time))
            return
        seen = self._form.seen(frame)
        made = self._caller.one(seen, time)
        alike = all(new is old for new, old in zip(made, seen, strict=True))
        yield frame if alike else self._form.changed(frame, seen, made)

    def end(self) -> Iterator[VideoFrame]:
        return iter(())

    def close(self) -> None:
        pass


class Batches:
    """Calls the function with so many pictures at once, which are held until then."""

    def __init__(self, job: PictureJob, mapping: PictureMap, like: VideoFrame) -> None:
        self._caller = Caller(job, mapping)
        self._form = form_of(mapping.format, like)
        self._size = mapping.batch
        self._writable = mapping.writable
        self._held: list[VideoFrame] = []
        self._before: np.ndarray | None = None

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._held.append(frame)
        if len(self._held) == self._size:
            yield from self.end()

    def end(self) -> Iterator[VideoFrame]:
        frames, self._held = self._held, []
        if not frames:
            return
        before = self._stacked(frames)
        given = before.copy() if self._writable else before
        made = self._caller.batch(given, [self._caller.time(frame) for frame in frames])
        for frame, old, new in zip(frames, before, made, strict=True):
            yield frame if made is before else self._form.changed(frame, (old,), (new,))

    def close(self) -> None:
        self._held = []

    def _stacked(self, frames: list[VideoFrame]) -> np.ndarray:
        """Return the pictures in one array: a new one where the function may keep it."""
        (first,) = self._form.seen(frames[0])
        if self._before is None or not self._writable:
            self._before = np.empty((self._size, *first.shape), first.dtype)
        found: np.ndarray = self._before[: len(frames)]
        for number, frame in enumerate(frames):
            found[number] = self._form.seen(frame)[0] if number else first
        if not self._writable:
            found.flags.writeable = False
        return found
