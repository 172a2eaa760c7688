"""A queue with bounds between two stages: a full one holds the faster side back, and says how long it did."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from ffzero.errors import UsageError
from ffzero.pipelines.sizes import SizeFunction, size_of
from ffzero.reporting import CancelToken

__all__ = ["Channel", "ChannelEnded"]


class ChannelEnded(Exception):
    """Nothing more comes out of the channel, or goes in: it was closed and is empty, or was cancelled."""


_POLL_S = 0.05
"""How often someone who waits looks whether the run was cancelled."""


class Channel:
    """Hands items from threads to threads, first in, first out, at most ``capacity`` at a time.

    With ``capacity_bytes`` they also hold at most so many bytes together, as ``measure`` tells (by default
    ``size_of``); one that is larger by itself waits until the channel is empty.
    """

    def __init__(
        self,
        capacity: int = 8,
        name: str = "",
        *,
        capacity_bytes: int | None = None,
        measure: SizeFunction = size_of,
    ) -> None:
        if capacity < 1:
            raise UsageError("a queue holds at least one item", found=capacity)
        if capacity_bytes is not None and capacity_bytes < 1:
            raise UsageError("a queue holds at least one byte", found=capacity_bytes)
        self.name = name
        self.capacity = capacity
        self.capacity_bytes = capacity_bytes
        self._measure = measure
        self._items: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._not_empty = threading.Condition(self._lock)
        self._not_full = threading.Condition(self._lock)
        self._closed = self._cancelled = False
        self._passed = self._peak = self._peak_bytes = 0
        self._put_wait_s = self._get_wait_s = 0.0

    def put(self, item: Any) -> None:
        """Append an item; waits while the channel is full. Raises ``ChannelEnded`` once it is closed or cancelled."""
        size = 0 if self.capacity_bytes is None else self._measure(item)
        with self._lock:
            if not self._has_room(size) and not self._closed:
                began = time.perf_counter()
                self._not_full.wait_for(lambda: self._has_room(size) or self._closed)
                self._put_wait_s += time.perf_counter() - began
            if self._closed:
                raise ChannelEnded
            self._items.append((item, size))
            self._bytes += size
            self._peak = max(self._peak, len(self._items))
            self._peak_bytes = max(self._peak_bytes, self._bytes)
            self._not_empty.notify()

    def _has_room(self, size: int) -> bool:
        if len(self._items) >= self.capacity:
            return False
        return self.capacity_bytes is None or not self._items or self._bytes + size <= self.capacity_bytes

    def get(self, cancel: CancelToken | None = None) -> Any:
        """Remove and return the oldest item; waits for one.

        Raises ``ChannelEnded`` when none will come, ``CancelledError`` once ``cancel`` is set.
        """
        with self._lock:
            if not self._items and not self._closed:
                began = time.perf_counter()
                self._wait_for_item(cancel)
                self._get_wait_s += time.perf_counter() - began
            if not self._items:
                raise ChannelEnded
            self._passed += 1
            item, size = self._items.popleft()
            self._bytes -= size
            self._not_full.notify_all()  # those who wait want room for items of different sizes
            return item

    def _wait_for_item(self, cancel: CancelToken | None) -> None:
        while not self._not_empty.wait_for(
            lambda: bool(self._items) or self._closed, None if cancel is None else _POLL_S
        ):
            if cancel is not None:
                cancel.check()

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
        """Return what went through, what it holds and the most it ever held, and how long either side waited.

        JSON-ready. Bytes are counted where the channel has a bound for them, else 0.
        """
        with self._lock:
            return {
                "name": self.name,
                "capacity": self.capacity,
                "capacity_bytes": self.capacity_bytes,
                "items": self._passed,
                "depth": len(self._items),
                "bytes": self._bytes,
                "peak_items": self._peak,
                "peak_bytes": self._peak_bytes,
                "put_wait_s": self._put_wait_s,
                "get_wait_s": self._get_wait_s,
            }

    def _end(self, *, discard: bool) -> None:
        with self._lock:
            self._closed = True
            if discard:
                self._cancelled = True
                self._items.clear()
                self._bytes = 0
            self._not_empty.notify_all()
            self._not_full.notify_all()
