"""A clip's parts: where they begin, so that together they are the whole and every picture is in one of them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from ffzero.edits.parts.landmarks import chapters_of, cut_exactly, key_pictures, picture_at_or_after
from ffzero.edits.parts.scenes import scene_changes
from ffzero.edits.parts.sizing import starts_by_size
from ffzero.edits.pieces import Piece
from ffzero.edits.plan import check_boundary
from ffzero.edits.slicing import PlacedPiece, place_pieces, slice_pieces
from ffzero.errors import TimeRangeError, UsageError
from ffzero.reporting import CancelToken, Reporter
from ffzero.timebase import TOLERANCE, TimeLike, format_time, parse_time

__all__ = ["split_pieces"]

_MAX_PARTS = 100_000


def split_pieces(
    pieces: Sequence[Piece],
    *,
    at: Iterable[TimeLike] | None,
    every: TimeLike | None,
    size_bytes: int | None,
    chapters: bool,
    scenes: bool | float,
    boundary: str,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> list[tuple[Piece, ...]]:
    """Return the pieces of each part; see ``Clip.split``."""
    asked = (at is not None, every is not None, size_bytes is not None, chapters, scenes is not False)
    if sum(asked) != 1:
        raise UsageError(
            "a clip is split in one way at a time", expected="one of at, every, size_bytes, chapters, scenes"
        )
    check_boundary(boundary)
    placed = place_pieces(pieces)
    if size_bytes is not None:
        return _parts(pieces, starts_by_size(pieces, placed, size_bytes, boundary))
    if at is not None:
        times: Iterable[Fraction] = _given(at, placed)
    elif every is not None:
        times = _multiples(parse_time(every), placed)
    elif chapters:
        times = _chapter_starts(placed)
    else:
        times = scene_changes(placed, None if scenes is True else _threshold(scenes), reporter, cancel)
    return _parts(pieces, _starts(placed, times, boundary))


def _given(at: Iterable[TimeLike], placed: Sequence[PlacedPiece]) -> list[Fraction]:
    if isinstance(at, str) or not isinstance(at, Iterable):
        raise UsageError(f"not times: {at!r}", hint="Give a list: at=[10, '1:02.5']")
    times = sorted(map(parse_time, at))
    end = _end(placed)
    if not times:
        raise UsageError("no times to split at")
    if times[-1] >= end:
        raise TimeRangeError(
            f"nothing of the clip from {format_time(times[-1])} on", hint=f"The clip is {format_time(end)} long"
        )
    return times


def _threshold(scenes: float) -> float:
    try:
        number = float(scenes)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError("no threshold for scenes", found=repr(scenes), expected="True, or a number above 0")
    return number


def _multiples(step: Fraction, placed: Sequence[PlacedPiece]) -> Iterator[Fraction]:
    if not step:
        raise TimeRangeError("the parts would have no length")
    count = _end(placed) / step
    if count > _MAX_PARTS:
        raise UsageError(f"that makes {int(count):,} parts", expected=f"at most {_MAX_PARTS:,}")
    return (step * number for number in range(1, int(count) + 1))


def _chapter_starts(placed: Sequence[PlacedPiece]) -> list[Fraction]:
    chapters = chapters_of(placed)
    if not chapters:
        raise UsageError("the clip has no chapters", path=placed[0].piece.input.path)
    return [chapter.start_s for chapter in chapters]


def _end(placed: Sequence[PlacedPiece]) -> Fraction:
    return placed[-1].clip_time(placed[-1].end)


def _starts(placed: Sequence[PlacedPiece], times: Iterable[Fraction], boundary: str) -> list[Fraction]:
    """Return where parts after the first begin: at pictures, so that sound is cut where they are."""
    first = picture_at_or_after(placed, Fraction(0)) or Fraction(0)
    found: set[Fraction | None]
    if boundary == "keyframe" or not cut_exactly(placed):
        keys = key_pictures(placed, closed=True)
        places = (bisect_right(keys, time + TOLERANCE) for time in times)
        found = {keys[place - 1] if place else None for place in places}
    else:
        found = {picture_at_or_after(placed, time) for time in times}
    return sorted(time for time in found if time is not None and time > first)


def _parts(pieces: Sequence[Piece], starts: Sequence[Fraction]) -> list[tuple[Piece, ...]]:
    bounds: list[Fraction | None] = [None, *starts, None]
    return [slice_pieces(pieces, start, end) for start, end in pairwise(bounds)]
