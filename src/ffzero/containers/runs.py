"""Run-length columns: how containers store what hardly changes, kept that way.

A ten-hour track has a million samples and often one duration, or as many runs as samples. ``Runs`` slices, joins and
looks up without expanding either: it is a sequence of windows onto tables of runs as the file stores them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from ffzero.containers.columns import Origin, frozen
from ffzero.containers.run_table import RunTable, RunWindow

__all__ = ["Runs", "frozen"]

_SMALL_ROWS = 64
_MANY_WINDOWS = 16


class Runs:
    """An immutable column of integers as (count, value) runs, kept as they are stored; counts are above 0.

    Neighbouring runs may have equal values. Slicing and joining cost a few searches; sums are exact.
    """

    __slots__ = ("_merged", "_starts", "_totals", "windows")

    def __init__(self, counts: np.ndarray, values: np.ndarray, origin: Origin | None = None) -> None:
        """Take two columns of the same length; they are not copied and must not change.

        ``origin`` tells where they lie in a file as pairs of big-endian 32-bit numbers.
        """
        counts, values = (
            column if column.dtype.kind in "iu" else column.astype(np.int64)
            for column in (np.asarray(counts), np.asarray(values))
        )
        if counts.shape != values.shape or counts.ndim != 1:
            raise ValueError(f"runs need two equal columns, not {counts.shape} and {values.shape}")
        if len(counts) and int(counts.min()) <= 0:
            keep = counts > 0
            counts, values, origin = counts[keep], values[keep], None
        table = RunTable(counts, values, origin)
        self._set([RunWindow(table, 0, table.block_ends[-1])] if len(table) else [])

    @classmethod
    def _of(cls, windows: Sequence[RunWindow]) -> Runs:
        runs = cls.__new__(cls)
        runs._set(windows)
        return runs

    def _set(self, windows: Sequence[RunWindow]) -> None:
        self.windows = tuple(windows)
        self._starts = [0, *accumulate(window.stop - window.first for window in windows)]
        self._totals: list[int] | None = None
        self._merged: Runs | None = None

    @classmethod
    def constant(cls, count: int, value: int) -> Runs:
        """Return ``count`` times ``value``."""
        return cls(np.array([count]), np.array([value]))

    @classmethod
    def encode(cls, column: np.ndarray | Sequence[int]) -> Runs:
        """Return a column of single values as runs (the shortest)."""
        column = np.asarray(column, dtype=np.int64)
        if not len(column):
            return cls(column, column)
        starts = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
        return cls(np.diff(np.append(starts, len(column))), column[starts])

    @classmethod
    def concat(cls, parts: Sequence[Runs], *, keep_runs: bool = False) -> Runs:
        """Return the parts one after another; runs of one value that meet at a joint become one, unless kept."""
        windows: list[RunWindow] = []
        for window in (window for part in parts for window in part.windows):
            if keep_runs or not windows or windows[-1].at(windows[-1].stop - 1) != window.at(window.first):
                windows.append(window)
            else:
                windows[-1:] = _joined(windows[-1], window)
        return cls._of(_compacted(windows) if len(windows) > _MANY_WINDOWS else windows)

    @property
    def counts(self) -> np.ndarray:
        """How many values each run has: an int64 array, expanded at every use."""
        return _concatenated([window.counts() for window in self.windows])

    @property
    def values(self) -> np.ndarray:
        """The value of each run: an int64 array, expanded at every use."""
        return _concatenated([window.values() for window in self.windows])

    def passes(self, run_count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield all runs in order as (counts, values), at most ``run_count`` at a time: int64."""
        for window in self.windows:
            low, high = window.run_range
            for run in range(low, high, run_count):
                first = max(window.first, window.table.start_of(run))
                stop = min(window.stop, window.table.start_of(min(high, run + run_count)))
                part = window._replace(first=first, stop=stop)
                yield part.counts(), part.values()

    @property
    def ends(self) -> np.ndarray:
        """Index one past the last of each run (cumulative counts)."""
        return np.cumsum(self.counts)

    @property
    def sums(self) -> np.ndarray:
        """Sum of all values before each run's end (cumulative count times value)."""
        return np.cumsum(self.counts * self.values)

    @property
    def run_count(self) -> int:
        return sum(high - low for low, high in (window.run_range for window in self.windows))

    def extremes(self) -> tuple[int, int]:
        """Return the least and greatest value; (0, 0) for an empty column."""
        found = [window.extremes() for window in self.windows]
        return min((least for least, _ in found), default=0), max((most for _, most in found), default=0)

    def __len__(self) -> int:
        return self._starts[-1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Runs):
            return NotImplemented
        mine, theirs = self.merged(), other.merged()
        return np.array_equal(mine.counts, theirs.counts) and np.array_equal(mine.values, theirs.values)

    __hash__ = None  # type: ignore[assignment]  # equality is by content; nothing needs them as keys

    def __repr__(self) -> str:
        return f"Runs({len(self)} values in {self.run_count} runs)"

    def merged(self) -> Runs:
        """Return the shortest runs of the same column."""
        if self._merged is None:
            values = self.values
            changes = values[1:] != values[:-1]
            if changes.all():
                return self  # not kept: a reference to itself would outlive it
            starts = np.flatnonzero(np.concatenate(([True], changes)))
            self._merged = Runs(np.add.reduceat(self.counts, starts), values[starts])
        return self._merged

    def _find(self, index: int) -> tuple[RunWindow, int]:
        """Return the window that holds ``index``, and the index in its table's counting."""
        number = min(bisect_right(self._starts, index), len(self.windows)) - 1
        window = self.windows[number]
        return window, window.first + index - self._starts[number]

    def run_of(self, index: int) -> int:
        """Return the number of the run that holds ``index``."""
        before = 0
        for number, window in enumerate(self.windows):
            low, high = window.run_range
            if index < self._starts[number + 1]:
                return before + window.table.run_of(window.first + index - self._starts[number]) - low
            before += high - low
        return before

    def at(self, index: int) -> int:
        """Return the value at ``index``; ``IndexError`` outside."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        window, inside = self._find(index)
        return window.at(inside)

    def _totals_before(self) -> list[int]:
        """Return the sum of all values before each window, and of all."""
        if self._totals is None:
            self._totals = [0, *accumulate(window.sum_before(window.stop) for window in self.windows)]
        return self._totals

    def sum_before(self, index: int) -> int:
        """Return the sum of the values at ``[0, index)``, exactly."""
        if not 0 <= index <= len(self):
            raise IndexError(index)
        if index == 0:
            return 0
        number = bisect_right(self._starts, index - 1) - 1
        window = self.windows[number]
        return self._totals_before()[number] + window.sum_before(window.first + index - self._starts[number])

    def sums_before(self, first: int, stop: int) -> np.ndarray:
        """Return ``sum_before(i)`` for each ``i`` in ``[first, stop)``."""
        if stop <= first:
            return np.zeros(0, dtype=np.int64)
        out = np.empty(stop - first, dtype=np.int64)
        out[0] = 0
        np.cumsum(self.expand(first, stop - 1), out=out[1:])
        out += self.sum_before(first)
        return out

    def first_sum_at_least(self, target: int) -> int:
        """Return the least ``i`` with ``sum_before(i) >= target``, ``len + 1`` where there is none; no value is < 0."""
        if target <= 0:
            return 0
        totals = self._totals_before()
        for number, window in enumerate(self.windows):
            if totals[number + 1] >= target:
                return self._starts[number] + window.first_sum_at_least(target - totals[number])
        return len(self) + 1

    def slice(self, first: int, stop: int) -> Runs:
        """Return the values at ``[first, stop)``; nothing is copied."""
        return Runs._of(list(self._within(first, stop)))

    def _within(self, first: int, stop: int) -> Iterator[RunWindow]:
        number = max(0, bisect_right(self._starts, first) - 1)
        while first < stop and number < len(self.windows) and self._starts[number] < stop:
            window, start, end = self.windows[number], self._starts[number], self._starts[number + 1]
            if first <= start and end <= stop:
                yield window
            else:
                low, high = max(0, first - start), max(0, end - stop)
                yield window._replace(first=window.first + low, stop=window.stop - high)
            number += 1

    def expand(self, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the single values at ``[first, stop)`` as a new int64 array."""
        parts = self._within(first, len(self) if stop is None else stop)
        return _concatenated([np.repeat(window.values(), window.counts()) for window in parts])

    def scaled(self, factor: int) -> Runs:
        return Runs._of(
            [window._replace(factor=window.factor * factor, shift=window.shift * factor) for window in self.windows]
        )

    def shifted(self, amount: int) -> Runs:
        return Runs._of([window._replace(shift=window.shift + amount) for window in self.windows])

    def with_last(self, value: int) -> Runs:
        """Return the column with its last value replaced."""
        count = len(self)
        if count == 0 or self.at(count - 1) == value:
            return self
        return Runs.concat([self.slice(0, count - 1), Runs.constant(1, value)])


def _concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _joined(one: RunWindow, two: RunWindow) -> list[RunWindow]:
    """Return two windows with the last run of one and the first of the other, of the same value, made one run."""
    begin = max(one.first, one.table.start_of(one.run_range[1] - 1))
    run = two.table.run_of(two.first)
    end = min(two.stop, two.table.start_of(run + 1))
    count = one.stop - begin + end - two.first
    seam = RunWindow(RunTable(np.array([count]), np.array([two.at(two.first)])), 0, count)
    parts = one._replace(stop=begin), seam, two._replace(first=end)
    return [part for part in parts if part.stop > part.first]


def _compacted(windows: Sequence[RunWindow]) -> list[RunWindow]:
    """Turn windows of few runs that stand together into one table."""
    out: list[RunWindow] = []
    small: list[RunWindow] = []

    def flush() -> None:
        if len(small) > 1:
            counts = np.concatenate([window.counts() for window in small])
            table = RunTable(counts, np.concatenate([window.values() for window in small]))
            small[:] = [RunWindow(table, 0, int(counts.sum()))]
        out.extend(small)
        small.clear()

    for window in windows:
        low, high = window.run_range
        if high - low <= _SMALL_ROWS:
            small.append(window)
        else:
            flush()
            out.append(window)
    flush()
    return out
