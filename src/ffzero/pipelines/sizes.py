"""How many bytes an item of a stream holds in memory, so that queues can be bounded by it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["SizeFunction", "size_of"]

SizeFunction = Callable[[Any], int]
"""Returns the bytes that an item holds while it waits."""


def size_of(item: Any) -> int:
    """Return the bytes an item holds: its ``nbytes`` (arrays, memory views), its length (bytes), those of its items.

    Clips and paths name media and hold none: they are a few kilobytes whatever they show. An item may say otherwise by
    a number as ``nbytes``.
    """
    nbytes = getattr(item, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if isinstance(item, bytes | bytearray):
        return len(item)
    if isinstance(item, list | tuple):
        return sum(map(size_of, item))
    return sys.getsizeof(item)
