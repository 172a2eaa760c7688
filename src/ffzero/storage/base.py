"""Protocols for where bytes come from (``Source``) and where ropes go (``Sink``)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from ffzero.extents.base import ByteSource
from ffzero.extents.rope import Rope
from ffzero.reporting import CancelToken, CopyReport, Reporter

__all__ = ["Sink", "Source"]


@runtime_checkable
class Source(ByteSource, Protocol):
    """A ``ByteSource`` that may also lend a descriptor to the kernel."""

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes (a copy). Raises like ``readinto_at``."""
        ...

    def descriptor(self) -> AbstractContextManager[int | None]:
        """Lend an open, readable descriptor whose identity was just checked, or ``None`` where there is none."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Where a rope goes: whole, or not at all."""

    def put(self, rope: Rope, /, *, reporter: Reporter = ..., cancel: CancelToken | None = None) -> CopyReport:
        """Write the rope and make it visible under the sink's name.

        On any error or cancellation nothing appears under that name and what was there before is untouched.
        """
        ...
