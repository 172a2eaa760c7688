"""``-s``, ``-e`` and ``-d``: the part of the input that a command takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import click

from ffzero.cli.text import clock
from ffzero.errors import TimeRangeError, UsageError
from ffzero.timebase import parse_time

__all__ = ["FiniteRange", "range_options", "time_of", "time_range"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """Numbers within bounds; ``nan``, which is in no order with any, and ``inf`` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number that says how much.", param, ctx)
        return number


def range_options(command: _Command) -> _Command:
    """Give a command ``--start``, ``--end`` and ``--duration``."""
    for option in (
        click.option("-d", "--duration", metavar="TIME", help="How long it is, instead of --end."),
        click.option(
            "-e",
            "--end",
            metavar="TIME",
            help="Where it ends (the frame there is not in it); the file's end by default.",
        ),
        click.option("-s", "--start", metavar="TIME", help="Where it begins; the file's beginning by default."),
    ):
        command = option(command)
    return command


def time_range(start: str | None, end: str | None, duration: str | None) -> tuple[Fraction | None, Fraction | None]:
    """Return ``[start, end)`` in exact seconds; ``None`` is the file's own. Raises ``UsageError`` for nonsense."""
    if end is not None and duration is not None:
        raise UsageError("--end and --duration were both given", hint="Give one of them")
    start_s = time_of("start", start)
    end_s = time_of("end", end)
    duration_s = time_of("duration", duration)
    if duration_s is not None:
        if duration_s == 0:
            raise TimeRangeError("the duration is zero")
        end_s = (start_s or Fraction(0)) + duration_s
    if end_s is not None and end_s <= (start_s or 0):
        raise TimeRangeError(f"the end ({clock(end_s)}) is not after the start ({clock(start_s or Fraction(0))})")
    return start_s, end_s


def time_of(name: str, text: str | None) -> Fraction | None:
    """Return the exact seconds that the option ``--name`` says. Raises ``TimeRangeError``."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except TimeRangeError as error:
        raise TimeRangeError(f"--{name}: {error.message}", hint=error.hint) from None
