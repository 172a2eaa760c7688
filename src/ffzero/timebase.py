"""Exact time: integer ticks on a timescale, Fractions of seconds between, floats only at the edge.

Every rescale names how it rounds. A clip's times come from people and from tools that print microseconds, so a picture
counts as *at* a time when it lies within ``TOLERANCE`` (1 µs) of it.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from ffzero.errors import TimeRangeError

__all__ = [
    "TOLERANCE",
    "Rounding",
    "TimeLike",
    "common_timescale",
    "format_time",
    "parse_time",
    "rescale",
    "to_ticks",
]

TimeLike = int | float | str | Fraction | Decimal | timedelta
"""What a caller may give as a time: seconds as a number, ``"[HH:]MM:SS[.frac]"`` or ``"12.5"``, or a ``timedelta``."""

TOLERANCE = Fraction(1, 1_000_000)
"""Seconds by which a given time may miss a picture and still mean it (tools print times rounded to microseconds)."""

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}|\d+(?=:)):(\d{1,2}(?:\.\d*)?)", re.ASCII)
_SECONDS = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_MAX_SECONDS = 10**9


class Rounding(enum.Enum):
    """How an inexact rescale rounds."""

    FLOOR = enum.auto()
    CEIL = enum.auto()
    NEAREST = enum.auto()
    EXACT = enum.auto()
    """Not at all: an inexact result is a ``ValueError``."""


def parse_time(value: TimeLike) -> Fraction:
    """Return ``value`` as exact seconds.

    A float means the decimal number that it prints as (0.1 is one tenth). Raises ``TimeRangeError`` for what is
    negative, not finite, or malformed.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= _MAX_SECONDS:
        raise TimeRangeError(
            f"not a time: {value!r}", hint="Times are seconds (12.5) or [HH:]MM:SS[.frac] (1:02:03.5), from 0 up"
        )
    return seconds


def _seconds(value: TimeLike) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _seconds_from_text(value.strip())
    if isinstance(value, timedelta):
        return Fraction(value // timedelta(microseconds=1), 1_000_000)
    if isinstance(value, Fraction | int):
        return Fraction(value)
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else None
    if not hasattr(value, "__float__") or getattr(value, "shape", None):
        return None
    try:
        number = float(value)  # numpy scalars land here too
    except (TypeError, ValueError, OverflowError):
        return None
    return Fraction(repr(number)) if math.isfinite(number) else None


def _seconds_from_text(text: str) -> Fraction | None:
    if len(text) > 64:
        return None
    if _SECONDS.fullmatch(text):
        return Fraction(text.rstrip("."))
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    if Fraction(seconds.rstrip(".")) >= 60 or (hours is not None and int(minutes) >= 60):
        return None
    return int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(seconds.rstrip("."))


def format_time(seconds: Fraction | float, *, digits: int = 3) -> str:
    """Return ``seconds`` as ``[-]H:MM:SS.mmm``, rounded to ``digits`` decimals."""
    scale = 10**digits
    ticks = round(Fraction(seconds) * scale)
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    whole, part = divmod(ticks, scale)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    fraction = f".{part:0{digits}d}" if digits else ""
    return f"{sign}{hour}:{minute:02d}:{second:02d}{fraction}"


def to_ticks(seconds: Fraction, timescale: int, rounding: Rounding) -> int:
    """Return ``seconds`` in ticks of 1/``timescale`` second, rounded as told."""
    return _rounded(seconds.numerator * timescale, seconds.denominator, rounding)


def rescale(ticks: int, from_timescale: int, to_timescale: int, rounding: Rounding) -> int:
    """Return ``ticks`` of one timescale in ticks of another, rounded as told."""
    return _rounded(ticks * to_timescale, from_timescale, rounding)


def _rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    quotient, remainder = divmod(numerator, denominator)
    if remainder == 0:
        return quotient
    match rounding:
        case Rounding.FLOOR:
            return quotient
        case Rounding.CEIL:
            return quotient + 1
        case Rounding.NEAREST:
            return quotient + (2 * remainder >= denominator)
        case Rounding.EXACT:
            raise ValueError(f"{numerator}/{denominator} is not a whole number of ticks")


def common_timescale(timescales: Iterable[int], *, limit: int = 2**31 - 1) -> int | None:
    """Return the least timescale on which ticks of all the given ones are whole, or ``None`` above ``limit``."""
    common = math.lcm(*timescales)
    return common if common <= limit else None
