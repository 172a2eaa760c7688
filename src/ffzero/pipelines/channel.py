"""A queue with a bound between two stages: a full one holds the faster side back, and says how long it did."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from ffzero.errors import UsageError

__all__ = ["Channel", "ChannelEnded"]


class ChannelEnded(Exception):
    """Nothing more comes out of the channel, or goes in: it was closed and is empty, or was cancelled."""


class Channel:
    """Hands items from threads to threads, first in, first out, at most ``capacity`` at a time."""

    def __init__(self, capacity: int = 8, name: str = "") -> None:
        if capacity < 1:
            raise UsageError("a queue holds at least one item", found=capacity)
        self.name = name
        self.capacity = capacity
        self._items: deque[Any] = deque()
        self._lock = threading.Lock()
        self._not_empty = threading.Condition(self._lock)
        self._not_full = threading.Condition(self._lock)
        self._closed = self._cancelled = False
        self._passed = self._peak = 0
        self._put_wait_s = self._get_wait_s = 0.0

    def put(self, item: Any) -> None:
        """Append an item; waits while the channel is full. Raises ``ChannelEnded`` once it is closed or cancelled."""
        with self._lock:
            if len(self._items) >= self.capacity and not self._closed:
                began = time.perf_counter()
                self._not_full.wait_for(lambda: len(self._items) < self.capacity or self._closed)
                self._put_wait_s += time.perf_counter() - began
            if self._closed:
                raise ChannelEnded
            self._items.append(item)
            self._peak = max(self._peak, len(self._items))
            self._not_empty.notify()

    def get(self) -> Any:
        """Remove and return the oldest item; waits for one. Raises ``ChannelEnded`` when none will come."""
        with self._lock:
            if not self._items and not self._closed:
                began = time.perf_counter()
                self._not_empty.wait_for(lambda: bool(self._items) or self._closed)
                self._get_wait_s += time.perf_counter() - began
            if not self._items:
                raise ChannelEnded
            self._passed += 1
            item = self._items.popleft()
            self._not_full.notify()
            return item

    def close(self) -> None:
        """Say that no more items go in; those inside still come out."""
        self._end(discard=False)

    def cancel(self) -> None:
        """End at once: what is inside is thrown away, and everyone who waits is woken."""
        self._end(discard=True)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                item = self.get()
            except ChannelEnded:
                return
            yield item

    def __len__(self) -> int:
        return len(self._items)

    def get_stats(self) -> dict[str, Any]:
        """Return what went through, the most it ever held, and how long either side waited, as JSON-ready data."""
        with self._lock:
            return {
                "name": self.name,
                "capacity": self.capacity,
                "items": self._passed,
                "peak_items": self._peak,
                "put_wait_s": self._put_wait_s,
                "get_wait_s": self._get_wait_s,
            }

    def _end(self, *, discard: bool) -> None:
        with self._lock:
            self._closed = True
            if discard:
                self._cancelled = True
                self._items.clear()
            self._not_empty.notify_all()
            self._not_full.notify_all()
