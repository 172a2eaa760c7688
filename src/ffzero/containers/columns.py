"""Integer columns as files store them: big-endian views that are sliced, joined, shifted and summed unexpanded.

A ``Stored`` column is an array of any integer type, usually a view of a mapped file, with sums and extremes of every
1024 rows that are worked out when first asked for. A ``Column`` is a sequence of windows onto such arrays, each with a
number that is added to its rows. Slices of one ``Column`` share what is known of the stored arrays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["BLOCK_ROWS", "Column", "Origin", "Stored", "Window", "frozen"]

BLOCK_ROWS = 1024
_PASS_ROWS = 64 * BLOCK_ROWS
_SMALL_ROWS = 64
_MANY_WINDOWS = 16


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view of ``array``."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the first row of a stored table lies in a file, as the same bytes; rows follow one another."""

    source: ByteSource
    offset: int


class Stored:
    """A column of integers as it is stored. ``array`` is one-dimensional, of any integer type, and never changes.

    Values must lie in the range of int64, sums too: who makes one of a file's bytes checks that.
    """

    def __init__(self, array: np.ndarray, origin: Origin | None = None) -> None:
        self.array = frozen(array)
        self.origin = origin

    def __len__(self) -> int:
        return len(self.array)

    @property
    def is_constant(self) -> bool:
        """Whether the array is one value broadcast."""
        return len(self.array) > 0 and self.array.strides == (0,)

    def rows(self, first: int, stop: int) -> np.ndarray:
        """Return rows ``[first, stop)`` as a new int64 array."""
        return self.array[first:stop].astype(np.int64)

    def sum(self, first: int, stop: int) -> int:
        """Return the sum of rows ``[first, stop)``."""
        if self.is_constant:
            return (stop - first) * int(self.array[0])
        low, high = -(-first // BLOCK_ROWS), stop // BLOCK_ROWS
        if high - low < 4:
            return int(self.array[first:stop].sum(dtype=np.int64))
        edges = self.array[first : low * BLOCK_ROWS], self.array[high * BLOCK_ROWS : stop]
        return int(self._sums[low:high].sum()) + sum(int(edge.sum(dtype=np.int64)) for edge in edges)

    def extremes(self, first: int, stop: int) -> tuple[int, int]:
        """Return the least and greatest of rows ``[first, stop)``, of which there must be one."""
        if self.is_constant:
            return int(self.array[0]), int(self.array[0])
        low, high = -(-first // BLOCK_ROWS), stop // BLOCK_ROWS
        if high - low < 4:
            rows = self.rows(first, stop)
            return int(rows.min()), int(rows.max())
        least, most = self._extremes
        edges = np.concatenate((self.rows(first, low * BLOCK_ROWS), self.rows(high * BLOCK_ROWS, stop)))
        return (
            int(np.append(edges, least[low:high].min()).min()),
            int(np.append(edges, most[low:high].max()).max()),
        )

    def is_sorted(self, first: int, stop: int) -> bool:
        """Whether no row of ``[first, stop)`` is less than the one before it there."""
        low, high = -(-(first + 1) // BLOCK_ROWS), stop // BLOCK_ROWS
        if high - low < 4:
            return _rising(self.rows(first, stop))
        if self._has_descent[low:high].any():
            return False
        return _rising(self.rows(first, low * BLOCK_ROWS)) and _rising(self.rows(high * BLOCK_ROWS - 1, stop))

    @cached_property
    def _sums(self) -> np.ndarray:
        return self._by_block(lambda block: block.sum(axis=1))

    @cached_property
    def _extremes(self) -> tuple[np.ndarray, np.ndarray]:
        both = self._by_block(lambda block: np.stack((block.min(axis=1), block.max(axis=1)), axis=1))
        return both[:, 0], both[:, 1]

    @cached_property
    def _has_descent(self) -> np.ndarray:
        """For each whole block: whether a row of it is less than the row before, that before the block included."""
        inside = self._by_block(lambda block: np.asarray((block[:, 1:] < block[:, :-1]).any(axis=1)))
        firsts = self.array[: len(inside) * BLOCK_ROWS : BLOCK_ROWS].astype(np.int64)
        lasts = self.array[BLOCK_ROWS - 1 :: BLOCK_ROWS].astype(np.int64)[: len(inside)]
        inside[1:] |= firsts[1:] < lasts[:-1]
        return inside

    def _by_block(self, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Reduce every whole block of rows, 64 blocks expanded at a time."""
        whole = len(self.array) // BLOCK_ROWS * BLOCK_ROWS
        parts = [
            reduce(self.rows(at, min(whole, at + _PASS_ROWS)).reshape(-1, BLOCK_ROWS))
            for at in range(0, whole, _PASS_ROWS)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _rising(rows: np.ndarray) -> bool:
    return not bool((rows[1:] < rows[:-1]).any())


class Window(NamedTuple):
    """Rows ``[first, stop)`` of a stored column, ``shift`` added to each."""

    stored: Stored
    first: int
    stop: int
    shift: int = 0

    def rows(self) -> np.ndarray:
        rows = self.stored.rows(self.first, self.stop)
        return rows + self.shift if self.shift else rows


class Column:
    """An immutable column of integers: windows onto stored arrays, one after another.

    ``len``, ``slice``, ``concat`` and ``shifted`` cost the windows, not the rows. ``numpy.asarray`` expands to int64.
    """

    __slots__ = ("_ends", "windows")

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = tuple(window for window in windows if window.stop > window.first)
        self._ends = list(accumulate(window.stop - window.first for window in self.windows))

    @classmethod
    def of(cls, rows: np.ndarray | Sequence[int] | Column, origin: Origin | None = None) -> Column:
        """Return an array as a column; it is not copied and must not change."""
        if isinstance(rows, Column):
            return rows
        array = np.asarray(rows)
        if array.dtype.kind not in "iu":
            array = array.astype(np.int64)
        return cls([Window(Stored(array, origin), 0, len(array))])

    @classmethod
    def constant(cls, count: int, value: int) -> Column:
        return cls.of(np.broadcast_to(np.int64(value), (count,)))

    @classmethod
    def concat(cls, parts: Sequence[Column]) -> Column:
        """Return the parts one after another; windows that continue each other become one."""
        windows: list[Window] = []
        for window in (window for part in parts for window in part.windows):
            last = windows[-1] if windows else None
            if last is not None and _continues(last, window):
                windows[-1] = last._replace(stop=window.stop)
            else:
                windows.append(window)
        return cls(_compacted(windows) if len(windows) > _MANY_WINDOWS else windows)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.rows().astype(dtype or np.int64, copy=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Column):
            return NotImplemented
        return np.array_equal(self.rows(), other.rows())

    __hash__ = None  # type: ignore[assignment]  # equality is by content; nothing needs them as keys

    def __repr__(self) -> str:
        return f"Column({len(self)} rows in {len(self.windows)} windows)"

    def at(self, row: int) -> int:
        """Return one row; ``IndexError`` outside."""
        number = bisect_right(self._ends, row)
        if row < 0 or number == len(self.windows):
            raise IndexError(row)
        window = self.windows[number]
        return int(window.stored.array[window.stop - (self._ends[number] - row)]) + window.shift

    def within(self, first: int, stop: int) -> Iterator[Window]:
        """Yield the windows onto rows ``[first, stop)``."""
        for number in range(bisect_right(self._ends, first), len(self.windows)):
            window = self.windows[number]
            begin = self._ends[number] - (window.stop - window.first)
            if begin >= stop or first >= stop:
                return
            if first <= begin and self._ends[number] <= stop:
                yield window
            else:
                low, high = max(0, first - begin), max(0, self._ends[number] - stop)
                yield window._replace(first=window.first + low, stop=window.stop - high)

    def rows(self, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Return rows ``[first, stop)`` as a new int64 array."""
        parts = [window.rows() for window in self.within(first, len(self) if stop is None else stop)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def slice(self, first: int, stop: int) -> Column:
        return Column(list(self.within(first, stop)))

    def shifted(self, amount: int) -> Column:
        """Return the column with ``amount`` added to every row."""
        if amount == 0:
            return self
        return Column([window._replace(shift=window.shift + amount) for window in self.windows])

    def sum(self, first: int, stop: int) -> int:
        """Return the sum of rows ``[first, stop)``."""
        return sum(
            window.stored.sum(window.first, window.stop) + window.shift * (window.stop - window.first)
            for window in self.within(first, stop)
        )

    def extremes(self, first: int = 0, stop: int | None = None) -> tuple[int, int]:
        """Return the least and greatest of rows ``[first, stop)``; (0, 0) where there is none."""
        found = []
        for window in self.within(first, len(self) if stop is None else stop):
            least, most = window.stored.extremes(window.first, window.stop)
            found.append((least + window.shift, most + window.shift))
        return min((least for least, _ in found), default=0), max((most for _, most in found), default=0)

    def is_sorted(self) -> bool:
        """Whether no row is less than the one before it."""
        seams = [(self.at(end - 1), self.at(end)) for end in self._ends[:-1]]
        return all(one <= two for one, two in seams) and all(
            window.stored.is_sorted(window.first, window.stop) for window in self.windows
        )

    def bisect_left(self, value: int, first: int = 0, stop: int | None = None) -> int:
        """Return the first of rows ``[first, stop)`` that is not less than ``value``; they must be sorted."""
        low, high = first, len(self) if stop is None else stop
        while low < high:
            middle = (low + high) // 2
            if self.at(middle) < value:
                low = middle + 1
            else:
                high = middle
        return low


def _continues(one: Window, two: Window) -> bool:
    return one.stored is two.stored and one.stop == two.first and one.shift == two.shift


def _compacted(windows: Sequence[Window]) -> list[Window]:
    """Turn small windows that stand together into one array."""
    out: list[Window] = []
    small: list[Window] = []

    def flush() -> None:
        if len(small) > 1:
            rows = np.concatenate([window.rows() for window in small])
            small[:] = [Window(Stored(rows), 0, len(rows))]
        out.extend(small)
        small.clear()

    for window in windows:
        if window.stop - window.first <= _SMALL_ROWS:
            small.append(window)
        else:
            flush()
            out.append(window)
    flush()
    return out
