"""FFmpeg as a filter between two pipes: what is written comes out filtered, while more is written."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Sequence
from typing import IO

from ffzero.errors import FFZeroError, UsageError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.diagnosis import diagnose
from ffzero.ffmpeg.process import ChildProcess, Watchdog

__all__ = ["PictureFilter"]

_GRACE_S = 1.0
_CHUNKS = 64
_END = b""


class PictureFilter:
    """A running FFmpeg. Write to ``stdin`` and ``read`` in two threads: each waits for the other.

    ``chain`` is only for messages. It is ended by ``end``, and with this process.
    """

    def __init__(self, arguments: Sequence[str], chain: str) -> None:
        """Start it with the arguments. Raises ``FFmpegNotFoundError``."""
        self._chain = chain
        self._chunks: queue.Queue[bytes] = queue.Queue(_CHUNKS)
        self._rest = memoryview(b"")
        self._ended = False
        argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-loglevel", "warning", *arguments]
        self._watchdog = Watchdog()
        read_fd, write_fd = os.pipe()
        try:
            self._child = ChildProcess(argv, watchdog=self._watchdog, stdin=read_fd)
        except BaseException:
            os.close(write_fd)
            self._watchdog.close()
            raise
        finally:
            os.close(read_fd)
        self.stdin: IO[bytes] = os.fdopen(write_fd, "wb", 0)
        self._child.drain_output(self._take, self._child.stderr.append)

    def _take(self, data: bytes) -> None:
        while not self._ended:
            with contextlib.suppress(queue.Full):
                self._chunks.put(data, timeout=0.1)
                return

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes of what came out; empty at the end."""
        while not self._rest:
            try:
                self._rest = memoryview(self._chunks.get(timeout=0.05))
            except queue.Empty:
                if self._ended or (self._child.is_read and self._chunks.empty()):
                    return b""
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)

    def failure(self) -> FFZeroError | None:
        """Wait for its end and return what went wrong, ``None`` where nothing did."""
        returncode = None
        while returncode is None:
            returncode = self._child.poll(0.05)
        self._child.finish()
        if returncode == 0:
            return None
        found = diagnose(self._child.stderr.text(), returncode)
        line = found.line if found.line and found.line not in found.cause else None
        hint = found.hint or "`ffmpeg -h filter=NAME` tells what a filter takes"
        return UsageError(f"the filter {self._chain!r} does not work: {found.cause}", found=line, hint=hint)

    def end(self) -> None:
        """End it, however far it is. Can be called again."""
        self._ended = True
        with contextlib.suppress(OSError):
            self.stdin.close()
        self._child.end(_GRACE_S)
        self._child.finish()
        self._watchdog.close()
