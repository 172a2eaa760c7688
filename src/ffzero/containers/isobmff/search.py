"""Finding samples by composition time without expanding the table.

Samples stand in decoding order, so composition times are not sorted; but each lies within the table's least and
greatest composition offset of its decoding time. A search by decoding time gives a window outside which the answer is
certain, and only the window is looked at sample by sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.values import dataclass

__all__ = ["Shown", "first_pts_at_or_after", "shown_between"]

_EVER = -(1 << 63)
_PASS_SAMPLES = 1 << 16
"""Windows are looked at so many samples at a time: hostile offsets make one of the whole film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The samples with composition time in ``[low, high)`` ticks.

    ``first`` and ``stop`` bound them in decoding order (samples between may lie outside the time range); ``first_pts``
    and ``last_pts`` are the least and greatest composition time; ``count`` is how many they are.
    """

    first: int
    stop: int
    first_pts: int
    last_pts: int
    count: int


def shown_between(table: SampleTable, low: int, high: int) -> Shown | None:
    """Return the samples whose pts lies in ``[low, high)``, or ``None`` where there is none. Looks at two windows."""
    least, most = table.composition_range
    head_first = table.first_at_or_after_dts(low - most)
    head_stop = table.first_at_or_after_dts(low - least)
    tail_first = table.first_at_or_after_dts(high - most)
    tail_stop = table.first_at_or_after_dts(high - least)
    if head_stop > tail_first:  # the windows meet: look at everything between
        return _look(table, head_first, max(tail_stop, head_stop), low, high)
    head = _look(table, head_first, head_stop, low, high)
    tail = _look(table, tail_first, tail_stop, low, high)
    middle = tail_first - head_stop  # all of these are in range
    if not middle:
        return _joined(head, tail)
    first_pts = _least_pts(table, head_stop, tail_first)
    last_pts = _most_pts(table, head_stop, tail_first)
    found = Shown(first=head_stop, stop=tail_first, first_pts=first_pts, last_pts=last_pts, count=middle)
    return _joined(_joined(head, found), tail)


def first_pts_at_or_after(table: SampleTable, low: int) -> int | None:
    """Return the least composition time at or after ``low``, or ``None`` after the last."""
    least, most = table.composition_range
    first = table.first_at_or_after_dts(low - most)
    stop = min(table.count, table.first_at_or_after_dts(low - least) + 1)
    if first >= table.count:
        return None
    best = min((int(part.min()) for _, part in _passes(table, first, stop, low)), default=None)
    if best is None:
        return None
    further = table.first_at_or_after_dts(best - least)  # a later sample may still be shown before it
    return min((best, *(int(part.min()) for _, part in _passes(table, stop, further, low))))


def _passes(
    table: SampleTable, first: int, stop: int, low: int, high: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield numbers and composition times of the samples ``[first, stop)`` shown in ``[low, high)``, many at a time."""
    for at in range(first, stop, _PASS_SAMPLES):
        column = table.pts_column(at, min(stop, at + _PASS_SAMPLES))
        chosen = np.flatnonzero(column >= low if high is None else (column >= low) & (column < high))
        if len(chosen):
            yield chosen + at, column[chosen]


def _look(table: SampleTable, first: int, stop: int, low: int, high: int) -> Shown | None:
    found = None
    for numbers, times in _passes(table, first, stop, low, high):
        part = Shown(
            first=int(numbers[0]),
            stop=int(numbers[-1]) + 1,
            first_pts=int(times.min()),
            last_pts=int(times.max()),
            count=len(numbers),
        )
        found = _joined(found, part)
    return found


def _joined(one: Shown | None, two: Shown | None) -> Shown | None:
    if one is None or two is None:
        return one or two
    return Shown(
        first=min(one.first, two.first),
        stop=max(one.stop, two.stop),
        first_pts=min(one.first_pts, two.first_pts),
        last_pts=max(one.last_pts, two.last_pts),
        count=one.count + two.count,
    )


def _least_pts(table: SampleTable, first: int, stop: int) -> int:
    least, _ = table.composition_range
    candidate = table.pts(first)
    bound = min(stop, table.first_at_or_after_dts(candidate - least))
    return min((candidate, *(int(part.min()) for _, part in _passes(table, first, bound, _EVER))))


def _most_pts(table: SampleTable, first: int, stop: int) -> int:
    _, most = table.composition_range
    candidate = table.pts(stop - 1)
    bound = max(first, table.first_at_or_after_dts(candidate - most))
    return max((candidate, *(int(part.max()) for _, part in _passes(table, bound, stop, _EVER))))
