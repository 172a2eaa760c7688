"""A bounded, process-wide pool of open descriptors, keyed by the value that names a file."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import islice

from ffzero.values import dataclass

__all__ = ["DescriptorPool"]


@dataclass(slots=True)
class _Entry:
    fd: int
    users: int


class DescriptorPool:
    """Keeps at most ``capacity`` idle or lent descriptors open and closes the least recently used idle ones.

    Thread-safe. More than ``capacity`` lent at once stay open until they are given back. A forked child starts with an
    empty pool of its own; its copies of the parent's descriptors are closed.
    """

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset_after_fork)

    @contextlib.contextmanager
    def lend(self, key: Hashable, opener: Callable[[], int]) -> Iterator[int]:
        """Lend the descriptor of ``key``, made by ``opener`` where none is open; it must not be closed."""
        entry = self._take(key, opener)
        try:
            yield entry.fd
        finally:
            self._give_back(key, entry)

    def adopt(self, key: Hashable, fd: int) -> None:
        """Take over an open descriptor (closed at once where ``key`` already has one)."""
        with self._lock:
            if key in self._entries:
                os.close(fd)
            else:
                self._entries[key] = _Entry(fd, 0)
                self._evict()

    def forget(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Close the descriptors whose key is ``unwanted``: idle ones now, lent ones when given back."""
        with self._lock:
            for key in [key for key in self._entries if unwanted(key)]:
                entry = self._entries.pop(key)
                if entry.users == 0:
                    os.close(entry.fd)

    def close_all(self) -> None:
        """Close every idle descriptor, and the lent ones when they are given back."""
        self.forget(lambda key: True)

    def __len__(self) -> int:
        return len(self._entries)

    def _take(self, key: Hashable, opener: Callable[[], int]) -> _Entry:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(opener(), 0)
            self._entries.move_to_end(key)
            entry.users += 1
            self._evict()
            return entry

    def _give_back(self, key: Hashable, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if entry.users == 0 and self._entries.get(key) is not entry:
                os.close(entry.fd)

    def _evict(self) -> None:
        surplus = len(self._entries) - self.capacity
        if surplus <= 0:
            return
        idle = (key for key, entry in self._entries.items() if entry.users == 0)
        for key in list(islice(idle, surplus)):  # the longest unused come first
            os.close(self._entries.pop(key).fd)

    def _reset_after_fork(self) -> None:
        entries, self._entries, self._lock = self._entries, OrderedDict(), threading.Lock()
        for entry in entries.values():
            # A child forked in the middle of a lend (os.fork in a reader's callback) still uses that descriptor.
            if entry.users == 0:
                os.close(entry.fd)
