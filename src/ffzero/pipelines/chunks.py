"""A stream out of what holds many items in one: bytes, arrays, files. Nothing is copied but what a file gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

from ffzero.errors import UsageError

__all__ = ["chunks"]


def chunks(stream: Any, size: object) -> Iterable[Any]:
    """Return views of ``size`` bytes or array entries, blocks of a binary file, or the iterable as it is.

    The last one may be shorter. Raises ``UsageError`` for what is no stream.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise UsageError("a chunk holds at least one", found=size)
    if isinstance(stream, bytes | bytearray | memoryview):
        return _views(memoryview(stream).cast("B"), size)
    if hasattr(stream, "__array_interface__") and stream.ndim:
        return _views(stream, size)
    if hasattr(stream, "read") and not isinstance(stream, str):
        return _blocks(stream, size)
    if isinstance(stream, str) or not isinstance(stream, Iterable):
        raise UsageError("a stream is an iterable of items", found=type(stream).__name__)
    return stream


def _views(data: Any, size: int) -> Iterator[Any]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _blocks(file: IO[bytes], size: int) -> Iterator[bytes]:
    while block := file.read(size):
        yield block
