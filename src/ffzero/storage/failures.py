"""Says in a user's words why an output could not be written."""

from __future__ import annotations

import errno
import os

from ffzero.errors import DiskFullError, OutputError, OutputExistsError

__all__ = ["FULL_ERRNOS", "OVERWRITE_HINT", "output_error"]

OVERWRITE_HINT = "Replacing it was not asked for: -y, or overwrite=True in Python."
FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})

_MESSAGES = {
    errno.ENOENT: ("the folder does not exist", "Make it first."),
    errno.ENOTDIR: ("a part of the path is not a folder", None),
    errno.EISDIR: ("is a folder", "Name a file."),
    errno.EACCES: ("may not be written: permission denied", "Choose another folder, or change its permissions."),
    errno.EPERM: ("may not be written: operation not permitted", "Choose another folder."),
    errno.EROFS: ("the filesystem is read-only", "Choose another folder."),
    errno.ENAMETOOLONG: ("the name is too long for the filesystem", "Choose a shorter name."),
    errno.ELOOP: ("the symbolic links lead in a circle", None),
    errno.EPIPE: ("the reader closed the pipe", None),
}


def output_error(
    error: OSError, *, path: str | None = None, needed_bytes: int | None = None, fd: int | None = None
) -> OutputError | OutputExistsError:
    """Return the ffzero error for an ``OSError`` from writing.

    ``needed_bytes`` and ``fd`` (what is being written) let it say how many bytes were needed and how many were free.
    """
    if isinstance(error, OutputError | OutputExistsError):
        return error
    code = error.errno
    if code in FULL_ERRNOS and code != errno.EFBIG:
        what = "no space is left on the device" if code == errno.ENOSPC else "the disk quota is used up"
        return DiskFullError(what, path=path, hint=_space_hint(path, needed_bytes, fd))
    if code == errno.EFBIG:
        needed = "" if needed_bytes is None else f": {needed_bytes} bytes"
        hint = "FAT holds files below 4 GiB; see also ulimit -f."
        return OutputError(f"too large for the filesystem or the process's limit{needed}", path=path, hint=hint)
    if code == errno.EEXIST:
        return OutputExistsError("exists already", path=path, hint=OVERWRITE_HINT)
    message, hint_or_none = _MESSAGES.get(code or 0, (f"cannot be written: {error.strerror or error}", None))
    return OutputError(message, path=path, hint=hint_or_none)


def _space_hint(path: str | None, needed_bytes: int | None, fd: int | None) -> str | None:
    if not hasattr(os, "statvfs"):
        return f"{needed_bytes} bytes are needed." if needed_bytes is not None else None
    try:
        status = os.fstatvfs(fd) if fd is not None else os.statvfs(os.path.dirname(path or "") or ".")
        free = status.f_bavail * status.f_frsize
        if fd is not None:
            free += os.fstat(fd).st_blocks * 512  # what was written so far is freed again
    except OSError:
        return None
    needed = "" if needed_bytes is None else f"{needed_bytes} bytes are needed, "
    return f"{needed}{free} bytes {'are' if needed else 'were'} free."
