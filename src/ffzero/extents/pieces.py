"""What a rope is made of: ranges of sources, and literal bytes."""

from __future__ import annotations

import operator
from typing import TypeAlias

from ffzero.errors import InvalidDataError, TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["LARGEST", "Extent", "Literal", "Piece", "Run", "check_reach"]

LARGEST = 2**63 - 1
"""The largest offset that files and int64 columns can have."""


@dataclass(frozen=True, slots=True)
class Extent:
    """``length`` bytes of ``source`` from ``offset`` on; nothing is read.

    Raises ``InvalidDataError`` for a negative or overflowing range, ``TruncatedError`` for one that the source is too
    short for.
    """

    source: ByteSource
    offset: int
    length: int

    def __post_init__(self) -> None:
        # operator.index: numpy integers would wrap silently in the sum.
        offset, length = operator.index(self.offset), operator.index(self.length)
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "length", length)
        if offset < 0 or length < 0 or offset + length > LARGEST:
            raise InvalidDataError(f"no such byte range: offset {offset}, length {length}", path=self.source.name)
        check_reach(self.source, offset, offset + length)


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes held in memory. Anything with the buffer protocol is accepted and copied to ``bytes``."""

    data: bytes

    def __post_init__(self) -> None:
        if type(self.data) is not bytes:
            object.__setattr__(self, "data", bytes(memoryview(self.data)))


Piece: TypeAlias = Extent | Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A piece as a sink sees it: a range of ``source``, or (``source`` is ``None``) the bytes ``data``."""

    source: ByteSource | None
    offset: int
    length: int
    data: bytes | None


def check_reach(source: ByteSource, offset: int, end: int) -> None:
    """Raise ``TruncatedError`` where the source is too short for [offset, end)."""
    if end > source.size_bytes:
        raise TruncatedError(
            "the source ends before the byte range does",
            path=source.name,
            offset_bytes=offset,
            expected=f"{end} bytes",
            found=f"{source.size_bytes} bytes",
        )
