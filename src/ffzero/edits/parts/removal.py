"""The rest of a clip without some of its ranges: arithmetic on times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.edits.parts.landmarks import picture_at_or_after
from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import place_pieces, slice_pieces
from ffzero.errors import TimeRangeError, UsageError
from ffzero.timebase import TOLERANCE, TimeLike, format_time, parse_time

__all__ = ["TimeRange", "without_ranges"]

TimeRange = tuple[TimeLike | None, TimeLike | None]
"""``[start, end)``; ``None`` is the clip's own start or end."""


def without_ranges(pieces: Sequence[Piece], ranges: Iterable[TimeRange]) -> tuple[Piece, ...]:
    """Return the pieces less the ranges, which may overlap and stand in any order; see ``Clip.remove``."""
    placed = place_pieces(pieces)
    duration = placed[-1].clip_time(placed[-1].end)
    removed = _merged(_parsed(ranges, duration))
    kept: list[Piece] = []
    for start, end in _gaps(removed, duration):
        shown = picture_at_or_after(placed, start or Fraction(0))
        if shown is not None and shown < (duration if end is None else end) - TOLERANCE:
            kept += _beside_removed(slice_pieces(pieces, start, end), after=start is not None, before=end is not None)
    if not kept:
        raise TimeRangeError(
            "the ranges cover the whole clip: nothing is left of it",
            hint=f"The clip is {format_time(duration)} long",
        )
    return tuple(kept)


def _beside_removed(pieces: Sequence[Piece], *, after: bool, before: bool) -> list[Piece]:
    """Return pieces that say that what lies before the first, or behind the last, is not to come back."""
    found = list(pieces)
    found[0] = replace(found[0], after_removal=found[0].after_removal or after)
    found[-1] = replace(found[-1], before_removal=found[-1].before_removal or before)
    return found


def _parsed(ranges: Iterable[TimeRange], duration: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    for item in ranges:
        try:
            first, last = item
        except (TypeError, ValueError):
            raise UsageError(f"not a range of times: {item!r}", hint="Write pairs: [(10, 20), (30, None)]") from None
        start = Fraction(0) if first is None else parse_time(first)
        end = duration if last is None else parse_time(last)
        if start >= duration:
            raise TimeRangeError(
                f"nothing of the clip from {format_time(start)} on", hint=f"The clip is {format_time(duration)} long"
            )
        if end <= start:
            raise TimeRangeError(f"the range ends at {format_time(end)}, not after its start at {format_time(start)}")
        yield start, min(end, duration)


def _merged(ranges: Iterable[tuple[Fraction, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    merged: list[tuple[Fraction, Fraction]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _gaps(
    removed: Sequence[tuple[Fraction, Fraction]], duration: Fraction
) -> Iterator[tuple[Fraction | None, Fraction | None]]:
    """Yield what lies between the ranges; ``None`` stays where the clip's own start or end does."""
    at: Fraction | None = None
    for start, end in removed:
        if start > 0:
            yield at, start
        at = end
    if at is None or at < duration:
        yield at, None
