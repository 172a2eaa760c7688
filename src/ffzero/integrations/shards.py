"""Frames of several sources divided among workers, each frame to exactly one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.edits.frame_values import Frame
from ffzero.edits.movie import Movie
from ffzero.frames.reading.steps import Step
from ffzero.values import dataclass

__all__ = ["Share", "shares_of"]

_AT_ONCE = 16
"""Frames at given times that are held in memory together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A worker's part of a source: its frames in ``[start, end)``, ``None`` for the source's own ends."""

    source: int
    start: Fraction | None
    end: Fraction | None

    def frames(self, of: Movie | Clip, step: Step | None, look: Mapping[str, Any]) -> Generator[Frame, None, None]:
        """Yield those of the frames, which ``step`` takes of the whole source, that lie in the share."""
        if step is None:
            yield from of.frames(self.start, self.end, **look)
        elif step.seconds is None:
            with closing(of.frames(**look)) as whole:
                first = next(whole).index
            for frame in of.frames(self.start, self.end, **look):
                if (frame.index - first) % step.count == 0:
                    yield frame
        else:
            yield from self._stepped(of, step.seconds, look)

    def _stepped(self, of: Movie | Clip, step: Fraction, look: Mapping[str, Any]) -> Generator[Frame, None, None]:
        """Yield the frames shown at the multiples of ``step`` in the share, each once.

        One that is shown at the last multiple before the share already belongs to the share before.
        """
        start, end = self.start or Fraction(0), Fraction(of.duration) if self.end is None else self.end
        times = [start + step * number for number in range(-int((start - end) // step))]
        last = None if self.start is None else of.frame_at(start - step, **look).time
        for first in range(0, len(times), _AT_ONCE):
            for frame in of.frames_at(times[first : first + _AT_ONCE], **look):
                if last is None or frame.time > last:
                    last = frame.time
                    yield frame


def shares_of(sources: Sequence[Movie | Clip], number: int, count: int, step: Step | None = None) -> list[Share]:
    """Return what worker ``number`` of ``count`` takes of sources laid end to end; all shares together are the whole.

    Divisions fall on key pictures of movies; with a step in seconds on its multiples.
    """
    lengths = [Fraction(source.duration) for source in sources]
    total = sum(lengths, Fraction(0))
    low, high = total * number / count, total * (number + 1) / count
    found, at = [], Fraction(0)
    for place, (source, length) in enumerate(zip(sources, lengths, strict=True)):
        if at < high and at + length > low:
            marks = _marks(source, step)
            start = None if low <= at else _division(low - at, marks, step)
            end = None if high >= at + length else _division(high - at, marks, step)
            if start == 0:
                start = None
            if (end is None or end > (start or 0)) and not (start is not None and start >= length):
                found.append(Share(source=place, start=start, end=end))
        at += length
    return found


def _marks(source: Movie | Clip, step: Step | None) -> list[Fraction]:
    return source.keyframes() if isinstance(source, Movie) and (step is None or step.seconds is None) else []


def _division(time: Fraction, marks: Sequence[Fraction], step: Step | None) -> Fraction:
    """Return where a division near ``time`` falls: the same for the share before it and for the one after."""
    if step is not None and step.seconds is not None:
        return time // step.seconds * step.seconds
    place = bisect_right(marks, time)
    return marks[place - 1] if place else (Fraction(0) if marks else time)
