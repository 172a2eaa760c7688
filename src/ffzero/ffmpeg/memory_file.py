"""A file without a name that this process and FFmpeg both open: an intermediate that never touches a disk."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import Self

from ffzero.errors import UsageError
from ffzero.storage.positional import read_fully_at, write_fully_at

__all__ = ["MemoryFile"]

_PROC_FD = "/proc/self/fd"


class MemoryFile(os.PathLike[str]):
    """A file without a name: in memory on Linux (memfd), elsewhere an unlinked temporary file.

    As a path (``os.PathLike``) it is what FFmpeg opens, in a child to which ``fd`` is passed (``pass_fds``), and what
    this process can open too. Closing it gives its memory back.
    """

    def __init__(self, fd: int, *, suffix: str = "") -> None:
        self.suffix = suffix
        self._finalizer = weakref.finalize(self, os.close, fd)
        self._fd = fd

    @property
    def fd(self) -> int:
        """The descriptor, open for reading and writing. Raises ``ValueError`` once closed."""
        if self.closed:
            raise ValueError("the memory file is closed")
        return self._fd

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    @property
    def path(self) -> str:
        """``/proc/self/fd/N`` (Linux), ``/dev/fd/N`` (other POSIX systems)."""
        return f"{_PROC_FD if os.path.isdir(_PROC_FD) else '/dev/fd'}/{self.fd}"

    @property
    def size_bytes(self) -> int:
        return os.fstat(self.fd).st_size

    def input_arguments(self) -> list[str]:
        """Return ``-i`` with what FFmpeg reads it by. Other descriptors of the file do not move."""
        if os.path.isdir(_PROC_FD):
            return ["-i", self.path]
        os.lseek(self.fd, 0, os.SEEK_SET)  # the child shares this position
        return ["-fd", str(self.fd), "-i", "fd:"]

    def output_arguments(self) -> list[str]:
        """Return what FFmpeg writes it by; the format must be named (``-f``) before, as the name tells none."""
        if os.path.isdir(_PROC_FD):
            return [self.path]
        os.lseek(self.fd, 0, os.SEEK_SET)
        return ["-fd", str(self.fd), "fd:"]

    def read(self, offset_bytes: int = 0, length_bytes: int | None = None) -> bytes:
        """Return the bytes [offset, offset + length), to the end by default (a copy)."""
        size_bytes = self.size_bytes
        length = max(0, size_bytes - offset_bytes) if length_bytes is None else length_bytes
        if offset_bytes < 0 or length < 0 or offset_bytes + length > size_bytes:
            raise UsageError("the range lies outside the memory file", expected=f"0 to {size_bytes}")
        data = bytearray(length)
        read_fully_at(self.fd, offset_bytes, memoryview(data))
        return bytes(data)

    def write(self, data: bytes | bytearray | memoryview, offset_bytes: int = 0) -> None:
        """Write at an offset; the file grows as needed."""
        write_fully_at(self.fd, offset_bytes, memoryview(data).cast("B"))

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._finalizer()

    def __fspath__(self) -> str:
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
