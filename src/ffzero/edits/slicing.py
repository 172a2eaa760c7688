"""A range of a clip's own timeline as pieces: arithmetic on times, no media is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from ffzero.edits.inputs import Input
from ffzero.edits.pieces import Piece
from ffzero.errors import TimeRangeError
from ffzero.timebase import TimeLike, format_time, parse_time
from ffzero.values import dataclass

__all__ = ["PlacedPiece", "duration_of", "place_pieces", "slice_pieces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPiece:
    """A piece on its clip's timeline: source time ``[start, end)`` of its input lies at ``at``, all in seconds."""

    piece: Piece
    at: Fraction
    start: Fraction
    end: Fraction

    def clip_time(self, source_time: Fraction) -> Fraction:
        """Return a time of the input as one of the clip."""
        return self.at + source_time - self.start


def slice_pieces(pieces: Sequence[Piece], start: TimeLike | None, end: TimeLike | None) -> tuple[Piece, ...]:
    """Return what of ``pieces`` lies in ``[start, end)`` of the time that they take one after another.

    Zero is where the first piece was asked to start; what goes beyond the end is cut off there. Raises
    ``TimeRangeError`` where nothing is left.
    """
    low = Fraction(0) if start is None else parse_time(start)
    high = None if end is None else parse_time(end)
    if high is not None and high <= low:
        raise TimeRangeError(f"the range ends at {end}, not after its start at {start or 0}")
    found = tuple(_inside(pieces, low, high))
    if not found:
        raise TimeRangeError(
            f"nothing of the clip from {format_time(low)} on",
            path=pieces[-1].input.path,
            hint=f"The clip is {format_time(duration_of(pieces))} long",
        )
    return found


def _inside(pieces: Sequence[Piece], low: Fraction, high: Fraction | None) -> Iterator[Piece]:
    at = Fraction(0)
    for number, piece in enumerate(pieces):
        shift = (piece.start or 0) - at
        # Where its file ends matters only to what lies behind it.
        end = _end(piece) if number + 1 < len(pieces) or low > at else piece.end
        if end is None or low + shift < end:
            first = piece.start if low <= at else low + shift
            stop = piece.end if high is None or (end is not None and end <= high + shift) else high + shift
            yield replace(piece, start=first, end=stop)
        if end is None or (high is not None and end - shift >= high):
            return
        at = max(at, end - shift)


def place_pieces(pieces: Sequence[Piece]) -> tuple[PlacedPiece, ...]:
    """Return the pieces one after another from 0 on; each ends at the latest with its file."""
    at = Fraction(0)
    found = []
    for piece in pieces:
        start = piece.start or Fraction(0)
        end = max(_end(piece), start)
        found.append(PlacedPiece(piece=piece, at=at, start=start, end=end))
        at += end - start
    return tuple(found)


def duration_of(pieces: Sequence[Piece]) -> Fraction:
    """Return how many seconds the pieces take; each ends at the latest with its file."""
    last = place_pieces(pieces)[-1]
    return last.clip_time(last.end)


def _end(piece: Piece) -> Fraction:
    end = _input_end(piece.input)
    return end if piece.end is None else min(piece.end, end)


def _input_end(source: Input) -> Fraction:
    if source.media is not None:
        return source.media.range[1]
    status = os.stat(source.path)
    return _probed_end(source.path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=64)
def _probed_end(path: str, identity: tuple[int, ...]) -> Fraction:
    """Return where a file that libav reads ends; ``identity`` lets a file that changed be asked again."""
    from ffzero.containers.libav import probe

    return probe(path).duration_s
