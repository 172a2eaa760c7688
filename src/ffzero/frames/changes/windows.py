"""Pictures through a function that sees each amid its neighbours."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.mapping import PictureMap
from ffzero.edits.ranges import picture_takes
from ffzero.edits.rendering import PictureJob, Target
from ffzero.edits.splicing import recoded
from ffzero.errors import DecodeError
from ffzero.frames.changes.calling import Caller
from ffzero.frames.changes.forms import Arrays, Form, form_of
from ffzero.frames.changes.graphs import FrameGraph
from ffzero.frames.pictures.decode import pictures
from ffzero.reporting import CancelToken
from ffzero.timebase import TOLERANCE, Rounding, to_ticks

__all__ = ["windowed"]

_SEARCHED_SAMPLES = 256
"""Beyond the most that is looked for: pictures are stored in another order than they are shown."""

Pictures = Iterator[tuple[SampleEntry, VideoFrame]]


def windowed(
    job: PictureJob, mapping: PictureMap, is_inside: Callable[[int], bool], frames: Pictures, cancel: CancelToken | None
) -> Pictures:
    """Yield a job's pictures, those ``is_inside`` (asked with a time in ticks) as the function makes them.

    Neighbours are the job's own pictures; beyond its ends others are decoded for it, and where there are none the last
    one is repeated. Pictures of another size or format are no neighbours. Holds the window's pictures.
    """
    line: _Line | None = None
    for entry, frame in frames:
        if line is not None and not line.fits(frame):
            yield from line.end()
            line = None
        if line is None:
            line = _Line(job, mapping, is_inside, frame, cancel)
        yield from line.add(entry, frame)
    if line is not None:
        yield from line.end()


class _Held:
    """A picture in the line. The original shares its samples until one of them is written to."""

    def __init__(self, original: VideoFrame, form: Form) -> None:
        self._original = original
        self._form = form

    @cached_property
    def seen(self) -> Arrays:
        return self._form.seen(self._original)


class _Line:
    """Pictures of one form in the order in which they are shown."""

    def __init__(
        self,
        job: PictureJob,
        mapping: PictureMap,
        is_inside: Callable[[int], bool],
        like: VideoFrame,
        cancel: CancelToken | None,
    ) -> None:
        self._job, self._map, self._is_inside, self._cancel = job, mapping, is_inside, cancel
        self._caller = Caller(job, mapping)
        self._form = form_of(mapping.format, like)
        self._kind = _kind(like)
        like.time_base = like.time_base or Fraction(1, 90_000)
        self._shared = FrameGraph(like, [], like.format.name)
        self._past: deque[_Held] = deque(maxlen=mapping.before)
        self._ahead: deque[tuple[SampleEntry, VideoFrame, _Held]] = deque()
        self._is_first = True

    def fits(self, frame: VideoFrame) -> bool:
        return _kind(frame) == self._kind

    def add(self, entry: SampleEntry, frame: VideoFrame) -> Pictures:
        """Take a picture, and yield the one whose neighbours are now all there."""
        self._ahead.append((entry, frame, self._held(frame)))
        if len(self._ahead) > self._map.after:
            yield self._next([held for _, _, held in self._ahead][1:])

    def end(self) -> Pictures:
        """Yield the pictures that waited for more neighbours."""
        beyond: list[_Held] | None = None
        while self._ahead:
            if beyond is None:
                beyond = self._beyond(self._ahead[-1][1], after=True) if self._is_wanted() else []
            yield self._next([*(held for _, _, held in self._ahead), *beyond][1:])

    def _next(self, following: Sequence[_Held]) -> tuple[SampleEntry, VideoFrame]:
        entry, frame, held = self._ahead.popleft()
        assert frame.pts is not None
        if self._is_inside(frame.pts):
            if self._is_first and self._map.before:
                self._past.extendleft(reversed(self._beyond(frame, after=False)))
            frame = self._called(frame, held, following)
        self._is_first = False
        self._past.append(held)
        return entry, frame

    def _called(self, frame: VideoFrame, held: _Held, following: Sequence[_Held]) -> VideoFrame:
        before, after = self._map.before, self._map.after
        past, coming = list(self._past), list(following[:after])
        first, last = (past or [held])[0], (coming or [held])[-1]
        window = [*[first] * (before - len(past)), *past, held, *coming, *[last] * (after - len(coming))]
        seen = [one.seen for one in window]
        made = self._caller.middle(seen, before, self._caller.time(frame))
        if all(new is old for new, old in zip(made, held.seen, strict=True)):
            return frame
        return self._form.changed(frame, held.seen, made)

    def _is_wanted(self) -> bool:
        """Whether what comes after the last picture is a neighbour of one that is inside."""
        waiting = (frame.pts for _, frame, _ in self._ahead)
        return self._map.after > 0 and any(pts is not None and self._is_inside(pts) for pts in waiting)

    def _held(self, frame: VideoFrame) -> _Held:
        return _Held(self._shared.one(frame), self._form)

    def _beyond(self, frame: VideoFrame, *, after: bool) -> list[_Held]:
        """Decode the neighbours of the job's first or last picture that are not the job's."""
        assert frame.pts is not None
        times = _times_beyond(self._job, self._map, frame.pts, after=after)
        if not times:
            return []
        found = []
        try:
            for other in _decoded(self._job, times[0], times[-1] + 1, self._cancel):
                if self.fits(other):
                    found.append(self._held(other))
        except DecodeError:
            return []  # what is not coded anew may be damaged
        return found


def _times_beyond(job: PictureJob, mapping: PictureMap, pts: int, *, after: bool) -> list[int]:
    """Return the times (ticks) of up to so many pictures next to the one at ``pts`` that may be seen, rising."""
    scale, table = job.track.timescale, job.track.table
    low, high = (
        to_ticks(time - TOLERANCE, scale, Rounding.CEIL) - job.shift
        for time in (mapping.reach_start, mapping.reach_end)
    )
    count = mapping.after if after else mapping.before
    first = max(0, job.decode_first - count - _SEARCHED_SAMPLES)
    stop = min(table.count, job.decode_stop + count + _SEARCHED_SAMPLES)
    if after:
        first = max(first, job.decode_stop - _SEARCHED_SAMPLES)
    else:
        stop = min(stop, job.decode_first + _SEARCHED_SAMPLES)
    column = np.unique(table.pts_column(first, stop))
    column = column[(column >= low) & (column < high)]
    chosen = column[column > pts][:count] if after else column[column < pts][-count:]
    found: list[int] = chosen.tolist()
    return found


def _decoded(job: PictureJob, low: int, high: int, cancel: CancelToken | None) -> Iterator[VideoFrame]:
    """Decode the pictures of the job's track with times in ``[low, high)`` of ticks."""
    target = Target(media=job.media, track=job.track, description=0)
    start, end = (Fraction(ticks + job.shift, job.track.timescale) for ticks in (low, high))
    for take in picture_takes(job.media, job.track, start, end, snap=False):
        if take.start - take.media_start == job.shift:
            yield from (frame for _, frame in pictures(recoded(job.media, take, "", target).job, cancel=cancel))


def _kind(frame: VideoFrame) -> tuple[object, ...]:
    return frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range
