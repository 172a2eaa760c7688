"""The pieces of a clip."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ffzero.edits.inputs import Input
from ffzero.edits.rendering import PictureEffect
from ffzero.edits.sound.rendering import SoundEffect
from ffzero.values import dataclass

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """``[start, end)`` of an input's timeline, in seconds.

    ``start`` is ``None`` for the beginning, ``end`` for everything up to the last picture or sound. ``effects`` may
    reach beyond the piece. ``like`` is the input whose coding the clip is to have; ``None`` leaves the choice.
    """

    input: Input
    start: Fraction | None
    end: Fraction | None
    effects: tuple[PictureEffect, ...] = ()
    sound_effects: tuple[SoundEffect, ...] = ()
    like: Input | None = None

    def joined(self, other: Piece) -> Piece | None:
        """Return one piece for both where ``other`` goes on exactly where this ends, with the same effects."""
        goes_on = self.input is other.input and self.end is not None and self.end == other.start
        alike = self.effects == other.effects and self.sound_effects == other.sound_effects and self.like is other.like
        return replace(self, end=other.end) if goes_on and alike else None

    def with_effect(self, effect: PictureEffect) -> Piece:
        return replace(self, effects=(*self.effects, effect))
