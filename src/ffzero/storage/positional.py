"""Reads and writes at an offset, whole, on every platform."""

from __future__ import annotations

import os
import threading

__all__ = ["read_fully_at", "write_fully_at"]

# Windows has no pread: seek and read share the descriptor's position, so one thread at a time.
_seek_lock = threading.Lock()


def read_fully_at(fd: int, offset_bytes: int, buffer: memoryview) -> int:
    """Fill ``buffer`` from ``offset_bytes`` and return the bytes read: fewer only at the end of the file."""
    done = 0
    while done < len(buffer):
        count = _read_at(fd, offset_bytes + done, buffer[done:])
        if count == 0:
            break
        done += count
    return done


def write_fully_at(fd: int, offset_bytes: int, data: memoryview) -> None:
    """Write all of ``data`` at ``offset_bytes``; raises ``OSError``."""
    done = 0
    while done < len(data):
        done += _write_at(fd, offset_bytes + done, data[done:])


def _read_at(fd: int, offset_bytes: int, buffer: memoryview) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset_bytes)
    if hasattr(os, "pread"):
        data = os.pread(fd, len(buffer), offset_bytes)
    else:
        with _seek_lock:
            os.lseek(fd, offset_bytes, os.SEEK_SET)
            data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def _write_at(fd: int, offset_bytes: int, data: memoryview) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset_bytes)
    with _seek_lock:
        os.lseek(fd, offset_bytes, os.SEEK_SET)
        return os.write(fd, data)
