"""A file that is still being written: it may grow, but what was there stays."""

from __future__ import annotations

import os
import time

from ffzero.errors import SourceChangedError
from ffzero.reporting import CancelToken
from ffzero.storage.local import LocalSource

__all__ = ["GrowingFile", "GrowingSource"]

_POLL_S = 0.05
_MARK_BYTES = 4096


class GrowingSource(LocalSource):
    """What a growing file held when it was looked at: ``size_bytes`` of it. That it grew since is no change."""

    __slots__ = ()

    def _check(self, fd: int) -> None:
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != (self.device, self.inode) or status.st_size < self.size_bytes:
            raise self._changed(status)


class GrowingFile:
    """Watches a file grow. Raises ``SourceChangedError`` where it shrank, was replaced, or was written over.

    That is told from device, inode and size, and from the last bytes that were there when it was looked at before. It
    has ended when it did not grow for ``idle_timeout_s``, or ``stop`` is set; ``cancel`` raises ``CancelledError``.
    """

    def __init__(
        self,
        path: str,
        *,
        idle_timeout_s: float,
        cancel: CancelToken | None = None,
        stop: CancelToken | None = None,
    ) -> None:
        self.path = os.path.abspath(path)
        self._source = self._looked_at(LocalSource.open(path))
        self._mark = self._tail()
        self._idle_timeout_s = idle_timeout_s
        self._cancel, self._stop = cancel, stop
        self._ended = False
        self._position = 0

    @staticmethod
    def _looked_at(found: LocalSource) -> GrowingSource:
        return GrowingSource(
            path=found.path,
            device=found.device,
            inode=found.inode,
            size_bytes=found.size_bytes,
            mtime_ns=found.mtime_ns,
        )

    @property
    def source(self) -> GrowingSource:
        """The file as it was when it was last looked at."""
        return self._source

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def wait_beyond(self, size_bytes: int) -> bool:
        """Wait until the file has more than ``size_bytes``; false once it has ended with no more."""
        due = time.monotonic() + self._idle_timeout_s
        while True:
            if self._cancel is not None:
                self._cancel.check()
            if self._look():
                due = time.monotonic() + self._idle_timeout_s
            if self.size_bytes > size_bytes:
                return True
            if self._ended or time.monotonic() >= due or (self._stop is not None and self._stop.cancelled):
                self._ended = True
                return False
            time.sleep(_POLL_S)

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``; waits for them; none at the end. For PyAV: it cannot seek."""
        if not self.wait_beyond(self._position):
            return b""
        data = self._source.read_at(self._position, min(size, self.size_bytes - self._position))
        self._position += len(data)
        return data

    def _look(self) -> bool:
        """Look whether the file grew, and is still the same."""
        found = self._looked_at(LocalSource.open(self.path))
        known = self._source
        if (found.device, found.inode) != (known.device, known.inode) or found.size_bytes < known.size_bytes:
            raise SourceChangedError(
                "the file that is followed was replaced or cut short",
                path=self.path,
                expected=f"inode {known.inode}, {known.size_bytes} bytes or more",
                found=f"inode {found.inode}, {found.size_bytes} bytes",
                hint="Chunks that are finished are kept",
            )
        if found.size_bytes == known.size_bytes:
            return False
        offset, mark = self._mark
        if found.read_at(offset, len(mark)) != mark:
            raise SourceChangedError("the file that is followed was written over", path=self.path, offset_bytes=offset)
        self._source = found
        self._mark = self._tail()
        return True

    def _tail(self) -> tuple[int, bytes]:
        offset = max(0, self.size_bytes - _MARK_BYTES)
        return offset, self._source.read_at(offset, self.size_bytes - offset)
