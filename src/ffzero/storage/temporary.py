"""A source in a temporary file that has no name: for what is too large to hold in memory until it is written."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import NoReturn

from ffzero.errors import DiskFullError, OutputError, TruncatedError, UnsupportedError
from ffzero.storage.positional import read_fully_at, write_fully_at

__all__ = ["TemporarySource"]


class TemporarySource:
    """Bytes that are appended to a temporary file, which is gone when this is collected or the process ends.

    It lies in the system's folder for such files (``TMPDIR``). As a source it is what was appended so far; it must not
    grow any more once a rope names it. It cannot be pickled: its descriptor means nothing elsewhere.
    """

    __slots__ = ("__weakref__", "_fd", "_finalizer", "_size_bytes")

    def __init__(self) -> None:
        try:
            with tempfile.TemporaryFile(prefix="ffzero-") as file:
                self._fd = os.dup(file.fileno())
        except OSError as error:
            raise OutputError(f"no temporary file can be made: {error.strerror}", path=tempfile.gettempdir()) from error
        self._size_bytes = 0
        self._finalizer = weakref.finalize(self, os.close, self._fd)

    @property
    def name(self) -> str:
        return "<temporary file>"

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def append(self, data: bytes) -> None:
        """Write at the end. Raises ``DiskFullError`` and ``OutputError``."""
        try:
            write_fully_at(self._fd, self._size_bytes, memoryview(data))
        except OSError as error:
            import errno

            kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else OutputError
            raise kind(f"what was coded cannot be stored: {error.strerror}", path=tempfile.gettempdir()) from error
        self._size_bytes += len(data)

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Copy into ``buffer``; see ``ByteSource.readinto_at``."""
        if offset_bytes < 0 or offset_bytes + len(buffer) > self._size_bytes:
            raise TruncatedError(
                "the source ends before the bytes that were asked for",
                path=self.name,
                offset_bytes=offset_bytes,
                expected=f"{len(buffer)} bytes",
                found=f"{self._size_bytes} bytes in all",
            )
        read_fully_at(self._fd, offset_bytes, buffer)

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes (a copy)."""
        data = bytearray(length_bytes)
        self.readinto_at(offset_bytes, memoryview(data))
        return bytes(data)

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int | None]:
        """Lend the file's descriptor; it must not be closed."""
        yield self._fd

    def __reduce__(self) -> NoReturn:
        raise UnsupportedError("what is coded into a temporary file cannot be sent to another process")
