"""Tables of runs as files store them, and windows onto them: what ``Runs`` is made of."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from ffzero.containers.columns import BLOCK_ROWS, Origin, Stored
from ffzero.errors import InvalidDataError

__all__ = ["RunTable", "RunWindow"]

_LARGEST_SUM = 1 << 62
_PASS_ROWS = 64 * BLOCK_ROWS
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
        weighted: np.ndarray = self.counts.rows(first, stop) * self.values.rows(first, stop)
        return weighted

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
        stored = self.table.sum_before(index) - (self.table.sum_before(self.first) if self.first else 0)
        return stored * self.factor + self.shift * (index - self.first)

    def first_sum_at_least(self, target: int) -> int:
        """Return the least number of values whose sum is at least ``target``, which the window reaches."""
        if self.shift or self.factor < 1:
            counts, values = self.counts(), self.values()
            return RunTable(counts, values).first_sum_at_least(target) or 0
        found = self.table.first_sum_at_least(-(-target // self.factor) + self.table.sum_before(self.first))
        assert found is not None
        return found - self.first
