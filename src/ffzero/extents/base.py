"""The seam between ropes and storage: what a rope needs of the thing whose bytes it names."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["ByteSource"]


@runtime_checkable
class ByteSource(Protocol):
    """Immutable bytes that can be read at any offset.

    Implementations are small values: hashable, equal where they name the same bytes, and picklable. They hold no open
    descriptor in their state (a process-wide pool opens files when they are read), so a rope may travel to another
    process.
    """

    @property
    def name(self) -> str:
        """What messages call it: a path, or ``<memory>``."""
        ...

    @property
    def size_bytes(self) -> int: ...

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Fill all of ``buffer`` (writable, contiguous bytes) from ``offset_bytes`` on.

        Raises ``TruncatedError`` where the source ends before, ``SourceChangedError`` where it is no longer what was
        named.
        """
        ...
