"""Sources in memory: plain bytes, and (on Linux) a sealed memory file that the kernel can copy from."""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from ffzero.errors import TruncatedError, UnsupportedError
from ffzero.storage.positional import read_fully_at, write_fully_at
from ffzero.values import dataclass

__all__ = ["MemfdSource", "MemorySource"]

_SAMPLE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Bytes in this process; other buffers are copied to ``bytes``. Pickles with its content."""

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if type(self.data) is not bytes:
            object.__setattr__(self, "data", bytes(memoryview(self.data)))

    @property
    def name(self) -> str:
        return "<memory>"

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Copy into ``buffer``; see ``ByteSource.readinto_at``."""
        _check_range(self.name, self.size_bytes, offset_bytes, len(buffer))
        buffer[:] = memoryview(self.data)[offset_bytes : offset_bytes + len(buffer)]

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes (a copy)."""
        _check_range(self.name, self.size_bytes, offset_bytes, length_bytes)
        return self.data[offset_bytes : offset_bytes + length_bytes]

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int | None]:
        """Lend ``None``: there is no descriptor."""
        yield None


class MemfdSource:
    """A memory file (``memfd_create``), sealed so that its bytes can never change. Linux only.

    The kernel and child processes can read it by descriptor. Two are equal where their bytes are; pickling carries the
    bytes, as the descriptor means nothing elsewhere. Raises ``UnsupportedError`` where the system has no memory files.
    """

    __slots__ = ("__weakref__", "_fd", "_finalizer", "_size_bytes")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        content = memoryview(data).cast("B")
        fd = create_memfd()
        try:
            write_fully_at(fd, 0, content)
            self._adopt(fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def adopt(cls, fd: int) -> MemfdSource:
        """Seal a descriptor from ``create_memfd`` and take it over: the source closes it when it is collected."""
        source = cls.__new__(cls)
        source._adopt(fd)
        return source

    def _adopt(self, fd: int) -> None:
        _seal(fd)
        self._size_bytes = os.fstat(fd).st_size
        self._fd = fd
        self._finalizer = weakref.finalize(self, os.close, fd)

    @property
    def name(self) -> str:
        return "<memory file>"

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Copy into ``buffer``; see ``ByteSource.readinto_at``."""
        _check_range(self.name, self.size_bytes, offset_bytes, len(buffer))
        read_fully_at(self._fd, offset_bytes, buffer)

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes (a copy)."""
        _check_range(self.name, self.size_bytes, offset_bytes, length_bytes)
        data = bytearray(length_bytes)
        read_fully_at(self._fd, offset_bytes, memoryview(data))
        return bytes(data)

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int | None]:
        """Lend the memory file's descriptor; it must not be closed."""
        yield self._fd

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MemfdSource):
            return NotImplemented
        if self is other:
            return True
        return self._size_bytes == other._size_bytes and self._mapped() == other._mapped()

    def __hash__(self) -> int:
        # A sample, not the whole: a rope hashes its sources often and rendered parts are large.
        return hash((self._size_bytes, self.read_at(0, min(_SAMPLE_BYTES, self._size_bytes))))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.read_at(0, self._size_bytes),))

    def _mapped(self) -> memoryview:
        if self._size_bytes == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(self._fd, self._size_bytes, access=mmap.ACCESS_READ))


def create_memfd() -> int:
    """Return the descriptor of a new, empty memory file; raises ``UnsupportedError`` where there are none."""
    if not hasattr(os, "memfd_create"):
        raise UnsupportedError("this system has no memory files (memfd_create)")
    return os.memfd_create("ffzero", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _seal(fd: int) -> None:
    import fcntl

    fcntl.fcntl(
        fd,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
    )


def _restore(data: bytes) -> MemfdSource | MemorySource:
    return MemfdSource(data) if hasattr(os, "memfd_create") else MemorySource(data)


def _check_range(name: str, size_bytes: int, offset_bytes: int, length_bytes: int) -> None:
    if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > size_bytes:
        raise TruncatedError(
            "the source ends before the bytes that were asked for",
            path=name,
            offset_bytes=offset_bytes,
            expected=f"{length_bytes} bytes",
            found=f"{size_bytes} bytes in all",
        )
