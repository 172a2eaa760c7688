"""A request for pictures as stretches of files: which part of which input lies where on the timeline asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import PlacedPiece, duration_of, place_pieces
from ffzero.errors import TimeRangeError
from ffzero.timebase import TOLERANCE, format_time
from ffzero.values import dataclass

__all__ = ["Count", "Stretch", "piece_at", "stretches"]

Count = Callable[[Piece, Fraction | None, Fraction | None], int]
"""Says how many pictures of a piece's file begin in a range of its time, ``None`` being its start or end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """``[start, end)`` of a piece's file, seconds of its own time (``None``: from its first, to its last picture).

    ``offset`` is what is added to its times for the timeline that was asked of. ``before`` are the parts of files whose
    pictures come before it there, for counting.
    """

    piece: Piece
    start: Fraction | None
    end: Fraction | None
    offset: Fraction = Fraction(0)
    before: tuple[tuple[Piece, Fraction | None, Fraction | None], ...] = ()

    def first_index(self, count: Count) -> int:
        """Return the number of the stretch's first picture on the timeline."""
        return sum(count(*part) for part in self.before)


def stretches(pieces: Sequence[Piece], whole: bool, start: Fraction, end: Fraction | None) -> Iterator[Stretch]:
    """Yield what lies in ``[start, end)``, in order."""
    if whole:
        before = ((pieces[0], None, start),) if start else ()
        yield Stretch(piece=pieces[0], start=start or None, end=end, before=before)
        return
    passed: list[tuple[Piece, Fraction | None, Fraction | None]] = []
    placed = place_pieces(pieces)
    for place in placed:
        at, stop = place.at, place.clip_time(place.end)
        if stop <= start and place is not placed[-1]:
            passed.append((place.piece, place.piece.start, place.piece.end))
            continue
        if end is not None and at >= end:
            return
        shift = place.start - at
        low = place.piece.start if start <= at else start + shift
        high = place.piece.end
        if end is not None and (high is None or end + shift < high):
            high = end + shift
        inside = ((place.piece, place.piece.start, low),) if start > at else ()
        yield Stretch(piece=place.piece, start=low, end=high, offset=-shift, before=(*passed, *inside))
        passed.append((place.piece, place.piece.start, place.piece.end))


def piece_at(pieces: Sequence[Piece], whole: bool, time: Fraction) -> tuple[PlacedPiece, Fraction]:
    """Return the piece that is shown at a time, and that time in its file. Raises ``TimeRangeError`` outside."""
    duration = duration_of(pieces)
    if time >= duration:
        raise TimeRangeError(
            f"nothing is shown at {format_time(time)}",
            path=pieces[-1].input.path,
            hint=f"The {'movie' if whole else 'clip'} is {format_time(duration)} long",
        )
    if whole:
        return PlacedPiece(piece=pieces[0], at=Fraction(0), start=Fraction(0), end=duration), time
    for place in place_pieces(pieces):
        if time < place.clip_time(place.end) - TOLERANCE:
            break
    return place, min(time - place.at + place.start, place.end)
