"""Parts of at most so many bytes: as long as they can be, each beginning with a key picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

from ffzero.edits.execute import plan_clip
from ffzero.edits.parts.landmarks import cut_exactly, key_pictures, picture_at_or_after
from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import PlacedPiece, slice_pieces
from ffzero.errors import UnsupportedError, UsageError
from ffzero.timebase import Rounding, format_time, to_ticks

__all__ = ["starts_by_size"]


def starts_by_size(
    pieces: Sequence[Piece], placed: Sequence[PlacedPiece], size_bytes: int, boundary: str
) -> list[Fraction]:
    """Return where the parts after the first begin so that the file of each has at most ``size_bytes``.

    The sample tables say about how far a part reaches, its plan what it takes to the byte.
    """
    if size_bytes <= 0:
        raise UsageError(f"the parts would have {size_bytes} bytes")
    if not cut_exactly(placed):
        path = next(part.piece.input.path for part in placed if part.piece.input.media is None)
        raise UnsupportedError(
            "only MP4 and MOV say beforehand how many bytes a part takes",
            path=path,
            hint="Write it as MP4 first, or split it by time",
        )
    first = picture_at_or_after(placed, Fraction(0)) or Fraction(0)
    keys = [time for time in key_pictures(placed, closed=boundary == "keyframe") if time > first]
    sizer = _Sizer(pieces, placed, keys, size_bytes, boundary)
    starts: list[Fraction] = []
    bound = sizer.stop(0)
    while bound <= len(keys):
        starts.append(keys[bound - 1])
        bound = sizer.stop(bound)
    return starts


class _Sizer:
    """Fits parts between numbered bounds: 0 is the clip's start, then the key pictures, the last its end."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        placed: Sequence[PlacedPiece],
        keys: Sequence[Fraction],
        size_bytes: int,
        boundary: str,
    ) -> None:
        self._pieces = pieces
        self._placed = placed
        self._bounds = [None, *keys, None]
        self._size_bytes = size_bytes
        self._boundary = boundary

    def stop(self, first: int) -> int:
        """Return the furthest bound at which a part from bound ``first`` on may end."""
        last = len(self._bounds) - 1
        budget, stop = self._size_bytes, last
        while True:
            goal = self._payload(first) + budget
            low = bisect_right(range(first + 1, stop + 1), goal, key=self._payload)
            stop = first + max(1, low)
            over = self._exact(first, stop) - self._size_bytes
            if over <= 0:
                return stop
            if stop == first + 1:
                raise self._too_small(first, over + self._size_bytes)
            budget, stop = budget - over, stop - 1

    def _exact(self, first: int, stop: int) -> int:
        part = slice_pieces(self._pieces, self._bounds[first], self._bounds[stop])
        plan = plan_clip(part, self._boundary, None)
        if plan.bytes_total is None:
            raise UnsupportedError(
                "how many bytes a part takes is not known before frames of it are coded anew",
                path=part[0].input.path,
                hint="Write the clip to a file first and split that, or split it by time",
            )
        return plan.bytes_total

    def _payload(self, bound: int) -> int:
        """Return how many bytes of samples lie before a bound, about."""
        time = self._bounds[bound]
        total = 0
        for part in self._placed:
            media = part.piece.input.media
            if media is None or (time is None and bound == 0) or (time is not None and time <= part.at):
                continue
            stop = part.end if time is None else min(part.end, part.start + time - part.at)
            for track in media.box.tracks:
                low, high = (to_ticks(at, track.timescale, Rounding.NEAREST) for at in (part.start, stop))
                table = track.table
                total += table.sizes.sum(table.first_at_or_after_dts(low), table.first_at_or_after_dts(high))
        return total

    def _too_small(self, first: int, size_bytes: int) -> UsageError:
        start = self._bounds[first] or Fraction(0)
        return UsageError(
            f"the shortest part from {format_time(start)} on, up to the next key picture, takes {size_bytes:,} bytes",
            path=self._pieces[0].input.path,
            expected=f"at most {self._size_bytes:,}",
            hint="Allow larger parts",
        )
