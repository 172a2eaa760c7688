"""Kernel calls that share or move bytes between files (Linux), and the one that tells what was really shared.

Structures: linux/fs.h (``file_clone_range``), linux/fiemap.h (``fiemap``, ``fiemap_extent``); ioctl_ficlonerange(2) and
Documentation/filesystems/fiemap.rst.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

__all__ = ["clone_range", "copy_range", "reserve", "shared_bytes"]

_FICLONERANGE = 0x4020940D
_CLONE_RANGE = struct.Struct("=qQQQ")  # src_fd, src_offset, src_length, dest_offset

_FS_IOC_FIEMAP = 0xC020660B
_FIEMAP = struct.Struct("=QQIIII")  # start, length, flags, mapped_extents, extent_count, reserved
_FIEMAP_EXTENT = struct.Struct("=QQQ16xI12x")  # logical, physical, length, flags
_FIEMAP_EXTENT_LAST = 0x1
_FIEMAP_EXTENT_SHARED = 0x2000
_EXTENTS_PER_CALL = 256


def clone_range(source_fd: int, source_offset: int, length: int, target_fd: int, target_offset: int) -> None:
    """Let both files share the blocks of the range (all or nothing); raises ``OSError`` where it cannot be."""
    if not sys.platform.startswith("linux"):
        raise NotImplementedError("FICLONERANGE is a call of Linux")
    import fcntl

    request = _CLONE_RANGE.pack(source_fd, source_offset, length, target_offset)
    while True:
        try:
            fcntl.ioctl(target_fd, _FICLONERANGE, request)
            return
        except InterruptedError:
            continue


def copy_range(source_fd: int, source_offset: int, length: int, target_fd: int, target_offset: int) -> int:
    """Have the kernel copy up to ``length`` bytes and return how many; 0 means that the source ends there."""
    if not hasattr(os, "copy_file_range"):
        raise NotImplementedError("copy_file_range is a call of Linux")
    return os.copy_file_range(source_fd, target_fd, length, offset_src=source_offset, offset_dst=target_offset)


def reserve(fd: int, offset: int, length: int) -> bool:
    """Reserve blocks for a range of a file, which may grow; returns whether the filesystem could.

    Calls fallocate(2) itself: the C library's posix_fallocate writes zeros where the filesystem has no such call.
    Raises ``OSError`` where there is no room.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate64"):
        return False
    if libc.fallocate64(fd, 0, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(code, os.strerror(code))
    return False


def shared_bytes(fd: int, start: int, end: int) -> int:
    """Return how many bytes of [start, end) lie in blocks that another file shares, as FIEMAP says.

    Filesystems without FIEMAP give 0: what cannot be proven shared is not called so.
    """
    if not sys.platform.startswith("linux"):
        return 0
    import fcntl

    shared = 0
    while start < end:
        request = bytearray(_FIEMAP.size + _EXTENTS_PER_CALL * _FIEMAP_EXTENT.size)
        _FIEMAP.pack_into(request, 0, start, end - start, 0, 0, _EXTENTS_PER_CALL, 0)
        try:
            fcntl.ioctl(fd, _FS_IOC_FIEMAP, request)
        except OSError:
            return shared
        count = _FIEMAP.unpack_from(request)[3]
        flags = 0
        for number in range(count):
            at = _FIEMAP.size + number * _FIEMAP_EXTENT.size
            logical, _, length, flags = _FIEMAP_EXTENT.unpack_from(request, at)
            if flags & _FIEMAP_EXTENT_SHARED:
                shared += max(0, min(end, logical + length) - max(start, logical))
        if count < _EXTENTS_PER_CALL or flags & _FIEMAP_EXTENT_LAST:
            break
        start = logical + length
    return shared
