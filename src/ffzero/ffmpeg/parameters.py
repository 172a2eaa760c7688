"""Checks on the parameters of operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ffzero.errors import UsageError

__all__ = ["chosen", "number", "whole"]


def number(name: str, value: object, least: float | Fraction, most: float | Fraction) -> Fraction:
    """Return a number from ``least`` to ``most`` exactly (a float means the decimal that it prints as)."""
    if isinstance(value, int | float | Fraction) and not isinstance(value, bool) and math.isfinite(value):
        exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
        if least <= exact <= most:
            return exact
    raise UsageError(f"{name}: {value!r} is not a number from {float(least):g} to {float(most):g}")


def whole(name: str, value: object, least: int, most: int) -> int:
    """Return a whole number from ``least`` to ``most``."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise UsageError(f"{name}: {value!r} is not a whole number from {least} to {most}")


def chosen(name: str, value: object, choices: Sequence[str]) -> str:
    """Return one of ``choices``."""
    if isinstance(value, str) and value in choices:
        return value
    raise UsageError(f"{name}: {value!r} is none of {', '.join(choices)}")
