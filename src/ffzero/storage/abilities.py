"""What a folder's filesystem can do, found out by doing it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable

from ffzero.errors import OutputError
from ffzero.storage.failures import output_error
from ffzero.storage.kernel import clone_range, copy_range
from ffzero.values import dataclass

__all__ = ["FolderAbilities", "probe_folder", "probe_memory_file"]

_PROBE_BYTES = 1 << 20
_WORDS = {
    errno.EOPNOTSUPP: "the filesystem cannot",
    errno.ENOTTY: "the filesystem cannot",
    errno.EISDIR: "the filesystem cannot",
    errno.EXDEV: "not between filesystems",
    errno.ENOSYS: "the kernel cannot",
    errno.EINVAL: "the filesystem cannot",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderAbilities:
    """Each ability is ``None`` where it works, else why it does not, in words. Sizes are bytes."""

    path: str
    free_bytes: int
    total_bytes: int
    reflink: str | None
    copy_file_range: str | None
    anonymous_file: str | None


def probe_folder(path: str | os.PathLike[str]) -> FolderAbilities:
    """Clone and copy a megabyte in the folder, and say what worked; nothing is left. Raises ``OutputError``."""
    folder = os.path.abspath(os.fspath(path))
    if not os.path.isdir(folder):
        raise OutputError("is no folder", path=folder)
    try:
        usage = shutil.disk_usage(folder)
        with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
            source.write(os.urandom(4096) * (_PROBE_BYTES // 4096))
            source.flush()
            fds = source.fileno(), target.fileno()
            reflink = _tried(lambda: clone_range(fds[0], 0, _PROBE_BYTES, fds[1], 0))
            copied = _tried(lambda: _copy(*fds))
    except OSError as error:
        raise output_error(error, path=folder) from error
    return FolderAbilities(
        path=folder,
        free_bytes=usage.free,
        total_bytes=usage.total,
        reflink=reflink,
        copy_file_range=copied,
        anonymous_file=_tried(lambda: _open_anonymous(folder)),
    )


def probe_memory_file() -> str | None:
    """Return ``None`` where memory files (memfd) work, else why not."""
    return _tried(_use_memfd)


def _copy(source_fd: int, target_fd: int) -> None:
    if copy_range(source_fd, 0, _PROBE_BYTES, target_fd, 0) == 0:
        raise OSError(errno.EIO, "nothing was copied")


def _open_anonymous(folder: str) -> None:
    if not hasattr(os, "O_TMPFILE"):
        raise NotImplementedError
    os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _use_memfd() -> None:
    if not hasattr(os, "memfd_create"):
        raise NotImplementedError
    fd = os.memfd_create("ffzero-probe", os.MFD_CLOEXEC)
    with contextlib.closing(os.fdopen(fd, "wb")) as file:
        file.write(b"x")


def _tried(action: Callable[[], None]) -> str | None:
    try:
        action()
    except NotImplementedError:
        return "this system cannot"
    except OSError as error:
        return _WORDS.get(error.errno or 0, error.strerror or str(error))
    return None
