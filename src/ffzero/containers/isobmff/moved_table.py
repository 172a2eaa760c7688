"""A table of chunk offsets with a number added, worked out when it is read: a header need not hold it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from ffzero.errors import TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["MovedTable"]

_PASS_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTable:
    """``count`` big-endian numbers of ``source`` from ``offset`` on, ``kept_width`` bytes each, plus ``amount`` each.

    A ``ByteSource`` of the sums in ``width`` bytes each, which they must fit. It holds no byte: reading it reads the
    source, and raises what that raises.
    """

    source: ByteSource
    offset: int
    count: int
    amount: int
    kept_width: int
    width: int

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def size_bytes(self) -> int:
        return self.count * self.width

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Fill ``buffer`` from ``offset_bytes``; see ``ByteSource.readinto_at``."""
        end = offset_bytes + len(buffer)
        self._check(offset_bytes, len(buffer))
        first, stop = offset_bytes // self.width, -(-end // self.width)
        for row in range(first, stop, _PASS_ROWS):
            rows = self._rows(row, min(stop, row + _PASS_ROWS))
            begin = row * self.width
            low, high = max(begin, offset_bytes), min(begin + len(rows), end)
            buffer[low - offset_bytes : high - offset_bytes] = rows[low - begin : high - begin]

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes (a copy). Raises like ``readinto_at``."""
        self._check(offset_bytes, length_bytes)  # before allocating
        data = bytearray(length_bytes)
        self.readinto_at(offset_bytes, memoryview(data))
        return bytes(data)

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[None]:
        """Lend ``None``: no file holds these bytes. Raises where the source is no longer what was named."""
        lend = getattr(self.source, "descriptor", None)
        if lend is not None:
            with lend():
                pass
        yield None

    def _check(self, offset_bytes: int, length_bytes: int) -> None:
        if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > self.size_bytes:
            raise TruncatedError(
                "the table ends before the bytes that were asked for",
                path=self.name,
                offset_bytes=offset_bytes,
                expected=f"{length_bytes} bytes",
                found=f"{self.size_bytes} bytes in all",
            )

    def _rows(self, first: int, stop: int) -> memoryview:
        """Return rows ``[first, stop)`` as bytes."""
        kept = bytearray((stop - first) * self.kept_width)
        self.source.readinto_at(self.offset + first * self.kept_width, memoryview(kept))
        rows = np.frombuffer(kept, f">u{self.kept_width}").astype(np.int64)
        rows += self.amount
        return memoryview(rows.astype(f">u{self.width}").tobytes())
