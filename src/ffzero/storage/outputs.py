"""Output files that are whole or absent, whatever happens while they are written.

On Linux the file has no name at all until it is whole (``O_TMPFILE`` and ``linkat``), so that even ``kill -9`` leaves
nothing. Elsewhere, and on filesystems that cannot do this, it is a hidden file beside the final one that is renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ffzero.errors import FFZeroError, OutputError, OutputExistsError
from ffzero.storage.failures import FULL_ERRNOS, OVERWRITE_HINT, output_error
from ffzero.storage.local import forget_path
from ffzero.values import dataclass

__all__ = ["Destination", "Draft", "atomic_descriptor", "atomic_output", "draft_of", "fsync_folder"]

_CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LONGEST_SUFFIX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an output will stand: symbolic links followed, and what is there now (``None``: nothing)."""

    path: str
    existing: os.stat_result | None

    @classmethod
    def examine(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes], *, overwrite: bool) -> Destination:
        """Look before anything is written.

        Raises ``OutputExistsError``, or ``OutputError`` for a folder, a block device, a missing folder or a bad name.
        """
        name = os.path.abspath(os.fsdecode(path))
        try:
            target = os.path.realpath(name) if os.path.islink(name) else name
            existing = _status(target)
            if existing is None and not os.path.isdir(os.path.dirname(target)):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        except (OSError, ValueError) as error:
            raise _translated(error, name) from error
        destination = cls(path=target, existing=existing)
        destination._refuse(overwrite=overwrite)
        return destination

    @property
    def is_special(self) -> bool:
        """Whether it is a device or a pipe, which is written straight."""
        return self.existing is not None and not stat.S_ISREG(self.existing.st_mode)

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    def beside(self) -> str:
        """Return a new hidden name in the same folder, with the same suffix where that is short."""
        suffix = os.path.splitext(self.path)[1]
        kept = suffix if len(suffix) <= _LONGEST_SUFFIX else ""
        return os.path.join(self.folder, f".ffzero-{os.urandom(8).hex()}{kept}")

    def _refuse(self, *, overwrite: bool) -> None:
        if self.existing is None:
            return
        mode = self.existing.st_mode
        if stat.S_ISDIR(mode):
            raise OutputError("is a folder", path=self.path, hint="Name a file.")
        if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
            raise OutputError("is neither a file nor a pipe", path=self.path)
        if stat.S_ISREG(mode) and not overwrite:
            raise OutputExistsError("exists already", path=self.path, hint=OVERWRITE_HINT)


@contextlib.contextmanager
def atomic_descriptor(destination: Destination, *, overwrite: bool, fsync: bool) -> Iterator[int]:
    """Lend a descriptor to write; when the block ends well, its file stands under the final name, else nothing does.

    Raises ``OutputError`` where it cannot be made or published, ``OutputExistsError`` where the name is taken by then.
    """
    with draft_of(destination, overwrite=overwrite, fsync=fsync) as draft:
        yield draft.fd


@contextlib.contextmanager
def draft_of(destination: Destination, *, overwrite: bool, fsync: bool = False) -> Iterator[Draft]:
    """As ``atomic_descriptor``, for who looks at the file before it gets its name, and may withhold it."""
    draft = Draft(destination)
    try:
        with _reporting(destination):
            draft.open()
        yield draft
        if not draft.is_withheld:
            with _reporting(destination):
                draft.publish(overwrite=overwrite, fsync=fsync)
    finally:
        draft.discard()


@contextlib.contextmanager
def atomic_output(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes], *, overwrite: bool = False, fsync: bool = False
) -> Iterator[str]:
    """Yield a temporary path beside ``path``, with its suffix, for a writer that wants a path.

    When the block ends well the file is renamed to ``path``; on any error, ``KeyboardInterrupt`` included, it is
    removed and what was at ``path`` is untouched. A device or pipe is yielded itself. Raises like ``FileSink.put``; a
    full disk (``OSError`` with ENOSPC, EDQUOT or EFBIG) in the block becomes ``DiskFullError`` or ``OutputError``.
    """
    destination = Destination.examine(path, overwrite=overwrite)
    if destination.is_special:
        yield destination.path
        return
    temporary = Draft(destination)
    try:
        with _reporting(destination):
            temporary.open_named()
            temporary.close()
        try:
            yield temporary.path
        except FFZeroError:
            raise
        except OSError as error:
            if error.errno in FULL_ERRNOS:
                raise output_error(error, path=destination.path) from error
            raise
        with _reporting(destination):
            temporary.reopen()
            temporary.publish(overwrite=overwrite, fsync=fsync)
    finally:
        temporary.discard()


class Draft:
    """The file being written: without a name (``anonymous``) where the system can, else hidden beside the final one."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        # Chosen before anything exists, so that an interrupt at any point finds what to remove.
        self.path = destination.beside()
        self.fd = -1
        self.is_withheld = False
        """Set where it is not to get its name."""
        self._named = False

    @property
    def readable_path(self) -> str:
        """Where the file can be read before it has its name, by this process and those that it starts."""
        return self.path if self._named else f"/proc/{os.getpid()}/fd/{self.fd}"

    def open(self) -> None:
        if not self._open_anonymous():
            self.open_named()

    def _open_anonymous(self) -> bool:
        if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
            return False
        try:
            self.fd = os.open(self._destination.folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                return False
            raise
        return True

    def open_named(self) -> None:
        self._named = True
        self.fd = os.open(self.path, _CREATE_FLAGS, 0o666)

    def reopen(self) -> None:
        self.fd = os.open(self.path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def publish(self, *, overwrite: bool, fsync: bool) -> None:
        """Give the whole file its name, in one step."""
        if self._destination.existing is not None:
            self._take_over_permissions(self._destination.existing)
        if fsync:
            os.fsync(self.fd)
        if self._named:
            self.close()  # Windows renames closed files only
            self._publish_named(overwrite)
        else:
            self._publish_anonymous(overwrite)
        # Sources of that path name the file that was replaced: give its space back.
        forget_path(self._destination.path)
        if fsync:
            fsync_folder(self._destination.folder)

    def _publish_anonymous(self, overwrite: bool) -> None:
        try:
            self._link_to(self._destination.path)
            return
        except FileExistsError:
            if not overwrite:
                raise
        self._named = True
        self._link_to(self.path)
        os.replace(self.path, self._destination.path)

    def _link_to(self, path: str) -> None:
        # os.link calls linkat, which alone can follow the link in /proc, only where a folder descriptor is given; the
        # kernel ignores it for an absolute path.
        os.link(f"/proc/self/fd/{self.fd}", path, src_dir_fd=self.fd, follow_symlinks=True)

    def _publish_named(self, overwrite: bool) -> None:
        target = self._destination.path
        if overwrite:
            forget_path(target)
            os.replace(self.path, target)
            return
        try:
            os.link(self.path, target)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            # No hard links here (FAT). On Windows a rename refuses an existing name by itself.
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
            os.rename(self.path, target)

    def _take_over_permissions(self, existing: os.stat_result) -> None:
        if not hasattr(os, "fchown"):
            return
        status = os.fstat(self.fd)
        if (status.st_uid, status.st_gid) != (existing.st_uid, existing.st_gid):
            with contextlib.suppress(OSError):
                os.fchown(self.fd, existing.st_uid, existing.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(self.fd, stat.S_IMODE(existing.st_mode))

    def discard(self) -> None:
        """Remove what is left of the temporary file: nothing after a rename."""
        try:
            self.close()
        finally:
            if self._named:
                # Not there after a rename, or never made; an error here must not hide the one that led here.
                with contextlib.suppress(OSError):
                    os.unlink(self.path)


@contextlib.contextmanager
def _reporting(destination: Destination) -> Iterator[None]:
    """Turn an ``OSError`` of our own calls into the ffzero error that says it in words."""
    try:
        yield
    except FFZeroError:
        raise
    except OSError as error:
        raise _translated(error, destination.path) from error


def _translated(error: Exception, path: str) -> FFZeroError:
    if isinstance(error, FFZeroError):
        return error
    if isinstance(error, OSError):
        return output_error(error, path=path)
    return OutputError(f"is no usable path: {error}", path=path)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def fsync_folder(folder: str) -> None:
    """Wait until a folder's names are on the disk."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
