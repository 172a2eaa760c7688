"""Run-length columns: how containers store what hardly changes, kept that way.

A ten-hour track has a million samples and often one duration. ``Runs`` slices, joins and looks up without expanding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Runs", "frozen"]


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view of ``array``."""
    view = array.view()
    view.flags.writeable = False
    return view


class Runs:
    """An immutable column of integers as (count, value) runs; two int64 arrays of the same length, counts > 0.

    Neighbouring runs may have equal values: runs are kept as they are stored, so that slicing costs a binary search.
    """

    __slots__ = ("_ends", "_weighted", "counts", "values")

    def __init__(self, counts: np.ndarray, values: np.ndarray) -> None:
        counts = np.asarray(counts, dtype=np.int64)
        values = np.asarray(values, dtype=np.int64)
        if counts.shape != values.shape or counts.ndim != 1:
            raise ValueError(f"runs need two equal columns, not {counts.shape} and {values.shape}")
        if len(counts) and int(counts.min()) <= 0:
            keep = counts > 0
            counts, values = counts[keep], values[keep]
        self.counts = frozen(counts)
        self.values = frozen(values)
        self._ends: np.ndarray | None = None
        self._weighted: np.ndarray | None = None

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
    def concat(cls, parts: Sequence[Runs]) -> Runs:
        """Return the parts one after another, in the shortest runs."""
        parts = [part for part in parts if len(part.counts)]
        if not parts:
            return cls(np.zeros(0), np.zeros(0))
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.counts for part in parts]), np.concatenate([part.values for part in parts])
        ).merged()

    @property
    def ends(self) -> np.ndarray:
        """Index one past the last of each run (cumulative counts)."""
        if self._ends is None:
            self._ends = frozen(np.cumsum(self.counts))
        return self._ends

    @property
    def sums(self) -> np.ndarray:
        """Sum of all values before each run's end (cumulative count times value)."""
        if self._weighted is None:
            self._weighted = frozen(np.cumsum(self.counts * self.values))
        return self._weighted

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.counts) else 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Runs):
            return NotImplemented
        return (
            len(self) == len(other)
            and np.array_equal(self.merged().counts, other.merged().counts)
            and np.array_equal(self.merged().values, other.merged().values)
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by content; nothing needs them as keys

    def __repr__(self) -> str:
        return f"Runs({len(self)} values in {len(self.counts)} runs)"

    def merged(self) -> Runs:
        """Return the shortest runs of the same column."""
        if len(self.counts) < 2 or not np.any(self.values[1:] == self.values[:-1]):
            return self
        starts = np.flatnonzero(np.concatenate(([True], self.values[1:] != self.values[:-1])))
        return Runs(np.add.reduceat(self.counts, starts), self.values[starts])

    def run_of(self, index: int) -> int:
        """Return the number of the run that holds ``index``."""
        return int(np.searchsorted(self.ends, index, side="right"))

    def at(self, index: int) -> int:
        """Return the value at ``index``."""
        return int(self.values[self.run_of(index)])

    def sum_before(self, index: int) -> int:
        """Return the sum of the values at ``[0, index)``."""
        run = self.run_of(index)
        if run == 0:
            return index * int(self.values[0]) if len(self.values) else 0
        before = int(self.sums[run - 1])
        rest = index - int(self.ends[run - 1])
        return before + (rest * int(self.values[run]) if rest else 0)

    def sums_before(self, first: int, stop: int) -> np.ndarray:
        """Return ``sum_before(i)`` for each ``i`` in ``[first, stop)``."""
        if stop <= first:
            return np.zeros(0, dtype=np.int64)
        column = self.expand(first, stop)
        out = np.empty(stop - first, dtype=np.int64)
        out[0] = self.sum_before(first)
        np.cumsum(column[:-1], out=out[1:])
        out[1:] += out[0]
        return out

    def first_sum_at_least(self, target: int) -> int:
        """Return the least ``i`` in ``[0, len]`` with ``sum_before(i) >= target``; ``len + 1`` where none; values >= 0."""
        if target <= 0:
            return 0
        run = int(np.searchsorted(self.sums, target, side="left"))
        if run == len(self.values):
            return len(self) + 1
        before_sum = int(self.sums[run - 1]) if run else 0
        before_index = int(self.ends[run - 1]) if run else 0
        return before_index - (-(target - before_sum) // int(self.values[run]))

    def slice(self, first: int, stop: int) -> Runs:
        """Return the values at ``[first, stop)``; costs two binary searches and a copy of the runs between."""
        if stop <= first:
            return Runs(np.zeros(0), np.zeros(0))
        low, high = self.run_of(first), self.run_of(stop - 1)
        counts = self.counts[low : high + 1].copy()
        counts[-1] = stop - (int(self.ends[high - 1]) if high else 0)
        counts[0] -= first - (int(self.ends[low - 1]) if low else 0)
        return Runs(counts, self.values[low : high + 1])

    def expand(self, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the single values at ``[first, stop)`` as a new int64 array."""
        part = self.slice(first, len(self) if stop is None else stop)
        return np.repeat(part.values, part.counts)

    def scaled(self, factor: int) -> Runs:
        return self if factor == 1 else Runs(self.counts, self.values * factor)

    def shifted(self, amount: int) -> Runs:
        return self if amount == 0 else Runs(self.counts, self.values + amount)

    def with_last(self, value: int) -> Runs:
        """Return the column with its last value replaced."""
        count = len(self)
        if count == 0 or self.at(count - 1) == value:
            return self
        return Runs.concat([self.slice(0, count - 1), Runs.constant(1, value)])
