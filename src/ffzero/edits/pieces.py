"""The pieces of a clip."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from ffzero.edits.inputs import Input
from ffzero.edits.rendering import PictureEffect
from ffzero.edits.sound.rendering import SoundEffect
from ffzero.errors import UsageError
from ffzero.values import dataclass

__all__ = ["Piece", "refuse_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """``[start, end)`` of an input's timeline, in seconds.

    ``start`` is ``None`` for the beginning, ``end`` for everything up to the last picture or sound. ``effects`` may
    reach beyond the piece. ``like`` is the input whose coding the clip is to have; ``None`` leaves the choice.
    ``after_removal`` and ``before_removal`` say that what lies before the start, or behind the end, was taken out on
    purpose: cuts at keyframes may not bring it back.
    """

    input: Input
    start: Fraction | None
    end: Fraction | None
    effects: tuple[PictureEffect, ...] = ()
    sound_effects: tuple[SoundEffect, ...] = ()
    like: Input | None = None
    after_removal: bool = False
    before_removal: bool = False

    def joined(self, other: Piece) -> Piece | None:
        """Return one piece for both where ``other`` goes on exactly where this ends, with the same effects."""
        goes_on = self.input is other.input and self.end is not None and self.end == other.start
        alike = self.effects == other.effects and self.sound_effects == other.sound_effects and self.like is other.like
        return replace(self, end=other.end, before_removal=other.before_removal) if goes_on and alike else None

    def with_effect(self, effect: PictureEffect) -> Piece:
        return replace(self, effects=(*self.effects, effect))


def refuse_sources(pieces: Iterable[Piece], output: str | os.PathLike[str]) -> None:
    """Raise ``UsageError`` where the output would take the place of a file that pieces are of, by whatever name."""
    inputs = {item.path for piece in pieces for item in (piece.input, piece.like) if item is not None}
    for path in inputs:
        try:
            is_input = os.path.samefile(path, output)
        except (OSError, ValueError):
            continue  # one of them is not there
        if is_input:
            raise UsageError("the output is the input", path=os.fsdecode(output), hint="Give the output another name")
