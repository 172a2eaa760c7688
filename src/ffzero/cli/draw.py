"""Pictures in text: a bar chart, marks on a time line, aligned columns. Pure functions from numbers to lines."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ffzero.cli.text import clock

__all__ = ["bar_chart", "columns", "mark_row", "resample", "time_axis"]

_EIGHTHS_UP = " ▁▂▃▄▅▆▇█"
_EIGHTHS_ACROSS = " ▏▎▍▌▋▊▉█"


def bar_chart(values: Sequence[float], *, height: int, blocks: bool = True) -> list[str]:
    """Return ``height`` lines, top first, with one column per value, scaled to the largest.

    Negative values count as zero. Any value above zero shows at least an eighth of a row.
    """
    peak = max(values, default=0.0)
    if peak <= 0:
        return [" " * len(values)] * height
    eighths = [max(1, round(8 * height * value / peak)) if value > 0 else 0 for value in values]
    rows = []
    for row in reversed(range(height)):
        levels = [min(8, max(0, level - 8 * row)) for level in eighths]
        rows.append("".join(_EIGHTHS_UP[level] if blocks else "#" if level >= 4 else " " for level in levels))
    return rows


def mark_row(times: Sequence[Fraction], start: Fraction, end: Fraction, *, width: int, blocks: bool = True) -> str:
    """Return one line of ``width`` columns over ``[start, end]`` seconds; the more times, the fuller the column."""
    counts = [0] * width
    span = end - start
    for time in times:
        if span > 0 and start <= time <= end:
            counts[min(width - 1, int((time - start) * width / span))] += 1
    if not blocks:
        return "".join("|" if count else "." for count in counts)
    return "".join(_EIGHTHS_ACROSS[min(8, count)] for count in counts)


def time_axis(start: Fraction, end: Fraction, *, width: int) -> str:
    """Return one line of ``width`` columns with the first time at the left, the last at the right, one between."""
    left, middle, right = clock(start), clock((start + end) / 2), clock(end)
    if width < len(left) + len(right) + 1:
        return left[:width]
    line = left + right.rjust(width - len(left))
    at = (width - len(middle)) // 2
    if at > len(left) and at + len(middle) < width - len(right):
        line = line[:at] + middle + line[at + len(middle) :]
    return line


def resample(values: Sequence[float], width: int) -> list[float]:
    """Return ``width`` values that are the means of the given ones over equal parts of their range."""
    if not values:
        return [0.0] * width
    size = len(values)
    means = []
    for column in range(width):
        first = column * size // width
        part = values[first : max(first + 1, (column + 1) * size // width)]
        means.append(sum(part) / len(part))
    return means


def columns(rows: Sequence[Sequence[str]], *, indent: str = "  ", gap: str = "  ") -> list[str]:
    """Return the rows as lines whose cells line up at the left; columns that are empty throughout are left out."""
    if not rows:
        return []
    kept = [index for index in range(max(map(len, rows))) if any(index < len(row) and row[index] for row in rows)]
    cells = [[row[index] if index < len(row) else "" for index in kept] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(kept))]
    lines = (gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return [(indent + line).rstrip() for line in lines]
