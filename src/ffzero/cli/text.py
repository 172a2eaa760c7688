"""Numbers, times and names as people read them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from fractions import Fraction

from ffzero.reporting import printable
from ffzero.timebase import format_time

__all__ = ["bit_rate", "byte_count", "clock", "count", "number", "printable", "seconds", "shell_line"]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def byte_count(size_bytes: float) -> str:
    """Return a size in decimal units: ``999 B``, ``1.23 kB``, ``4.56 GB``."""
    return _scaled(size_bytes, _UNITS)


def bit_rate(bits_per_second: float) -> str:
    """Return a rate in decimal units: ``4.82 Mb/s``."""
    return _scaled(bits_per_second, ("b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    index = 0
    while abs(value) >= 999.5 and index < len(units) - 1:
        value, index = value / 1000, index + 1
    return f"{value:.0f} {units[index]}" if index == 0 else f"{value:.3g} {units[index]}"


def clock(seconds_: Fraction | float) -> str:
    """Return a time of the movie: ``0:01:02.500``."""
    return format_time(seconds_)


def seconds(elapsed_s: float) -> str:
    """Return how long something took: ``3.2 ms``, ``1.24 s``."""
    return f"{elapsed_s * 1000:.3g} ms" if elapsed_s < 0.9995 else f"{elapsed_s:.3g} s"


def count(value: int, noun: str) -> str:
    """Return ``1 frame``, ``1,234 frames``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def number(value: Fraction | float) -> str:
    """Return a number with at most three decimals: ``25``, ``29.97``."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def shell_line(words: Iterable[str]) -> str:
    """Return a command line to paste into a shell; control characters are written as bash and zsh read them."""
    return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    if all(char.isprintable() for char in word):
        return shlex.quote(word)
    text = "".join(
        char if char.isprintable() and char not in "\\'" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
        for char in word
    )
    return f"$'{text}'"
