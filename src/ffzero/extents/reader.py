"""A rope as a read-only, seekable binary file object."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from ffzero.extents.rope import Rope

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["RopeReader"]


class RopeReader(io.RawIOBase):
    """Reads a rope as a file: ``read``, ``readinto``, ``seek``, ``tell``; PyAV and ``io.BufferedReader`` take it.

    Reads are as long as asked for (short only at the end) and raise what the rope's sources raise. Not thread-safe.
    """

    def __init__(self, rope: Rope, name: str = "<rope>") -> None:
        super().__init__()
        self._rope = rope
        self._position = 0
        self.name = name

    @property
    def rope(self) -> Rope:
        """The rope that is read."""
        return self._rope

    @property
    def mode(self) -> str:
        return "rb"

    def readable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._check_open()
        count = self._rope.readinto(self._position, memoryview(buffer))
        self._position += count
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_open()
        left = max(0, self._rope.length - self._position)
        data = self._rope.read_at(self._position, left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, also past the end (reads there give nothing). Raises ``ValueError`` for a place before the start."""
        self._check_open()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._rope.length}.get(whence)
        if base is None:
            raise ValueError(f"unknown whence: {whence}")
        if base + offset < 0:
            raise ValueError(f"seek before the start: {base + offset}")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        self._check_open()
        return self._position

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on a closed file")
