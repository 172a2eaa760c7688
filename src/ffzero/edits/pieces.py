"""The pieces of a clip."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ffzero.edits.inputs import Input

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """``[start, end)`` of an input's timeline, in seconds.

    ``start`` is ``None`` for the beginning, ``end`` for everything up to the last picture or sound.
    """

    input: Input
    start: Fraction | None
    end: Fraction | None

    def joined(self, other: Piece) -> Piece | None:
        """Return one piece for both where ``other`` goes on exactly where this ends."""
        if self.input is other.input and self.end is not None and self.end == other.start:
            return Piece(input=self.input, start=self.start, end=other.end)
        return None
