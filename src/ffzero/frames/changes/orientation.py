"""How a track turns its pictures when they are shown, and which filters turn pictures the same way."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Turn", "turn_between", "turning_filters"]

Turn = tuple[int, int, int, int]
"""(a, b, c, d): a picture's point (x, y), y downwards, is shown at (a·x + c·y, b·x + d·y); each is -1, 0 or 1."""

_NONE: Turn = (1, 0, 0, 1)
_FILTERS: dict[Turn, tuple[tuple[str, str], ...]] = {
    _NONE: (),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}


def turn_between(source: Sequence[int], target: Sequence[int]) -> Turn:
    """Return the turn of pixels after which ``target``'s matrix shows what ``source``'s showed before.

    Both are ``tkhd`` matrices (ISO/IEC 14496-12 §8.3.2); of one that is no quarter turn or flip, nothing is taken.
    """
    a, b, c, d = _turn(source)
    e, f, g, h = _turn(target)
    # The inverse of a turn is its transpose.
    return (e * a + f * b, g * a + h * b, e * c + f * d, g * c + h * d)


def turning_filters(turn: Turn) -> tuple[tuple[str, str], ...]:
    """Return FFmpeg filters, with their options, that turn a picture so."""
    return _FILTERS[turn]


def _turn(matrix: Sequence[int]) -> Turn:
    """Return what a matrix turns, without what it scales and moves."""
    a, b, c, d = (0 if not value else 1 if value > 0 else -1 for value in (matrix[0], matrix[1], matrix[3], matrix[4]))
    turn = (a, b, c, d)
    return turn if turn in _FILTERS else _NONE
