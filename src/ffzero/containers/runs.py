"""Run-length columns: how containers store what hardly changes, kept that way.

A ten-hour track has a million samples and often one duration, or as many runs as samples. ``Runs`` slices, joins and
looks up without expanding either: it is a sequence of windows onto tables of runs as the file stores them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from ffzero.containers.columns import BLOCK_ROWS, Origin, Stored, frozen
from ffzero.errors import InvalidDataError

__all__ = ["RunTable", "RunWindow", "Runs", "frozen"]

_LARGEST_SUM = 1 << 62
_PASS_ROWS = 64 * BLOCK_ROWS
_SMALL_ROWS = 64
_MANY_WINDOWS = 16
_KEPT_BLOCKS = 16


class RunTable:
    """Runs as stored: ``counts`` (all above 0) and ``values``; ``origin`` tells of pairs in a file (8 bytes a run).

    Cumulative sums are kept for every 1024 runs; a block is expanded to look inside, and the last few stay so. They are
    Python's lists, which single look-ups are quicker in than in arrays.
    """

    def __init__(self, counts: np.ndarray, values: np.ndarray, origin: Origin | None = None) -> None:
        self.counts = Stored(counts)
        self.values = Stored(values)
        self.origin = origin
        self._ends_of: dict[int, list[int]] = {}
        self._sums_of: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def block_ends(self) -> list[int]:
        """How many values there are up to the end of each block of runs."""
        return self._cumulative(self.counts.rows)

    @cached_property
    def _is_single(self) -> bool:
        """Whether every run is of one value."""
        return len(self) == 0 or self.block_ends[-1] == len(self)

    @cached_property
    def block_sums(self) -> list[int]:
        """Sum of all values up to the end of each block. Raises ``InvalidDataError`` where that passes 2**62."""
        reach = 0.0
        for at in range(0, len(self), _PASS_ROWS):
            stop = min(len(self), at + _PASS_ROWS)
            reach += float(np.abs(self.counts.rows(at, stop).astype(float) * self.values.rows(at, stop)).sum())
        if reach > _LARGEST_SUM:
            raise InvalidDataError("the sum of a column passes 2**62")
        return self._cumulative(self._weighted)

    def _weighted(self, first: int, stop: int) -> np.ndarray:
        return self.counts.rows(first, stop) * self.values.rows(first, stop)

    def _cumulative(self, rows: Callable[[int, int], np.ndarray]) -> list[int]:
        sums: list[int] = []
        for at in range(0, len(self), _PASS_ROWS):
            part = rows(at, min(len(self), at + _PASS_ROWS))
            sums += np.add.reduceat(part, np.arange(0, len(part), BLOCK_ROWS)).tolist()
        return list(accumulate(sums))

    def _ends(self, block: int) -> list[int]:
        """Return for each run of a block how many values there are up to its end."""
        return self._ends_of.get(block) or self._expanded(block, self._ends_of, self.block_ends, self.counts.rows)

    def _sums(self, block: int) -> list[int]:
        """Return for each run of a block the sum of all values up to its end."""
        return self._sums_of.get(block) or self._expanded(block, self._sums_of, self.block_sums, self._weighted)

    def _expanded(
        self, block: int, known: dict[int, list[int]], ends: list[int], rows: Callable[[int, int], np.ndarray]
    ) -> list[int]:
        first = block * BLOCK_ROWS
        sums = np.cumsum(rows(first, first + BLOCK_ROWS)) + (ends[block - 1] if block else 0)
        if len(known) >= _KEPT_BLOCKS:
            known.clear()
        return known.setdefault(block, sums.tolist())

    def run_of(self, index: int) -> int:
        """Return the run that holds value ``index``; the number of runs where none does."""
        if self._is_single:
            return min(index, len(self))
        block = bisect_right(self.block_ends, index)
        if block == len(self.block_ends):
            return len(self)
        return block * BLOCK_ROWS + bisect_right(self._ends(block), index)

    def start_of(self, run: int) -> int:
        """Return how many values there are before a run."""
        if run == 0 or self._is_single:
            return run
        return self._ends((run - 1) // BLOCK_ROWS)[(run - 1) % BLOCK_ROWS]

    def _sum_before_run(self, run: int) -> int:
        return 0 if run == 0 else self._sums((run - 1) // BLOCK_ROWS)[(run - 1) % BLOCK_ROWS]

    def sum_before(self, index: int) -> int:
        """Return the sum of values ``[0, index)``."""
        run = self.run_of(index)
        rest = index - self.start_of(run)
        return self._sum_before_run(run) + (rest * int(self.values.array[run]) if rest else 0)

    def first_sum_at_least(self, target: int) -> int | None:
        """Return the least ``i`` with ``sum_before(i) >= target`` (above 0), ``None`` where there is none."""
        block = bisect_left(self.block_sums, target)
        if block == len(self.block_sums):
            return None
        run = block * BLOCK_ROWS + bisect_left(self._sums(block), target)
        return self.start_of(run) - (-(target - self._sum_before_run(run)) // int(self.values.array[run]))


class RunWindow(NamedTuple):
    """Values ``[first, stop)`` of a table of runs, each times ``factor`` plus ``shift``."""

    table: RunTable
    first: int
    stop: int
    factor: int = 1
    shift: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether values are as stored."""
        return self.factor == 1 and self.shift == 0

    @property
    def run_range(self) -> tuple[int, int]:
        """The runs that the window touches, half-open."""
        return self.table.run_of(self.first), self.table.run_of(self.stop - 1) + 1

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return stored values as the window shows them."""
        return values if self.is_plain else values * self.factor + self.shift

    def at(self, index: int) -> int:
        """Return the value at ``index`` of the table's counting."""
        return int(self.table.values.array[self.table.run_of(index)]) * self.factor + self.shift

    def counts(self) -> np.ndarray:
        low, high = self.run_range
        counts = self.table.counts.rows(low, high)
        counts[-1] = self.stop - self.table.start_of(high - 1)
        counts[0] -= self.first - self.table.start_of(low)
        return counts

    def values(self) -> np.ndarray:
        low, high = self.run_range
        stored = self.table.values
        if stored.is_constant:
            return np.broadcast_to(self.of(stored.rows(0, 1))[0], (high - low,))
        return self.of(stored.rows(low, high))

    def extremes(self) -> tuple[int, int]:
        least, most = self.table.values.extremes(*self.run_range)
        ends = least * self.factor + self.shift, most * self.factor + self.shift
        return min(ends), max(ends)

    def sum_before(self, index: int) -> int:
        """Return the sum of values ``[first, index)`` of the table's counting; exact, of any size."""
        stored = self.table.sum_before(index) - self.table.sum_before(self.first)
        return stored * self.factor + self.shift * (index - self.first)

    def first_sum_at_least(self, target: int) -> int:
        """Return the least number of values whose sum is at least ``target``, which the window reaches."""
        if self.shift or self.factor < 1:
            counts, values = self.counts(), self.values()
            return RunTable(counts, values).first_sum_at_least(target) or 0
        found = self.table.first_sum_at_least(-(-target // self.factor) + self.table.sum_before(self.first))
        assert found is not None
        return found - self.first


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
            yield window._replace(first=window.first + max(0, first - start), stop=window.stop - max(0, end - stop))
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
