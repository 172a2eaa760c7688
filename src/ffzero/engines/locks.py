"""A file that one process holds at a time, and that is free again when it dies."""

from __future__ import annotations

import errno
import os

__all__ = ["open_locked"]

_FLAGS = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
)
_BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_LOCKED_BYTE = 1 << 40
"""On Windows a locked byte can be read by nobody else: one far behind the end is locked."""


def open_locked(path: str) -> int:
    """Open a file for reading and writing, made where there is none, and lock it; closing the descriptor frees it.

    The lock belongs to the opened file, not to the process: a second call of the same process is refused too. Raises
    ``BlockingIOError`` where somebody holds it, ``OSError`` where it cannot be opened.
    """
    while True:
        fd = os.open(path, _FLAGS, 0o666)
        try:
            _lock(fd)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # the one before us removed it when it was done


def _is_at(fd: int, path: str) -> bool:
    """Whether the file still has its name."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(fd: int) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            os.lseek(fd, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise BlockingIOError(error.errno, "is held by another process") from error
        raise
