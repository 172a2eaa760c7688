"""Files of this machine, named by path and identity, never by an open descriptor."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ffzero.errors import SourceChangedError, SourceError, SourceNotFoundError, TruncatedError
from ffzero.storage.descriptors import DescriptorPool
from ffzero.storage.positional import read_fully_at
from ffzero.values import dataclass

__all__ = ["LocalSource", "close_all", "forget_path"]

_pool = DescriptorPool(64)
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A regular file as it was when ``open`` looked: absolute path, device, inode, size and mtime.

    Reading it after any of these changed raises ``SourceChangedError``. The value is hashable and picklable;
    descriptors come from a process-wide pool of at most 64 and are checked against the identity at every use.
    """

    path: str
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def open(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> LocalSource:
        """Name the file at ``path`` with its present identity.

        Raises ``SourceNotFoundError``, or ``SourceError`` for a folder, a pipe, a device, or where reading is denied.
        """
        name = os.path.abspath(os.fsdecode(path))
        fd = _open(name)
        try:
            status = os.fstat(fd)
            source = cls(
                path=name,
                device=status.st_dev,
                inode=status.st_ino,
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
            )
        except BaseException:
            os.close(fd)
            raise
        _pool.adopt(source, fd)
        return source

    @property
    def name(self) -> str:
        return self.path

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        """Fill ``buffer`` from ``offset_bytes``; see ``ByteSource.readinto_at``."""
        with _pool.lend(self, self._open_checked) as fd:
            try:
                count = read_fully_at(fd, offset_bytes, buffer)
            except OSError as error:
                raise SourceError(
                    f"cannot be read: {error.strerror or error}", path=self.path, offset_bytes=offset_bytes
                ) from error
            # After the read: only then is what was read known to belong to the file that was named.
            self._check(fd)
        if count < len(buffer):
            raise TruncatedError(
                "the file ends before the bytes that were asked for",
                path=self.path,
                offset_bytes=offset_bytes,
                expected=f"{len(buffer)} bytes",
                found=f"{count} bytes",
            )

    def read_at(self, offset_bytes: int, length_bytes: int, /) -> bytes:
        """Return exactly ``length_bytes`` bytes from ``offset_bytes`` (a copy). Raises like ``readinto_at``."""
        if offset_bytes + length_bytes > self.size_bytes:
            # Before allocating: a damaged file may ask for exabytes.
            raise TruncatedError(
                "the file ends before the bytes that were asked for",
                path=self.path,
                offset_bytes=offset_bytes,
                expected=f"{length_bytes} bytes",
                found=f"{max(0, self.size_bytes - offset_bytes)} bytes",
            )
        data = bytearray(length_bytes)
        self.readinto_at(offset_bytes, memoryview(data))
        return bytes(data)

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int]:
        """Lend a readable descriptor, its identity checked; it must not be closed, nor used after the block."""
        with _pool.lend(self, self._open_checked) as fd:
            self._check(fd)
            yield fd

    def map(self, offset_bytes: int, length_bytes: int) -> npt.NDArray[np.uint8]:
        """Return the range as a read-only uint8 array: a mapping of the file, or a copy where it cannot be mapped.

        Pages are read when touched; a file that shrinks under a mapping kills the process (SIGBUS), so map only what
        nobody else writes. Raises like ``readinto_at``.
        """
        if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > self.size_bytes:
            raise TruncatedError(
                "the file ends before the bytes that were asked for",
                path=self.path,
                offset_bytes=offset_bytes,
                expected=f"{length_bytes} bytes",
                found=f"a file of {self.size_bytes} bytes",
            )
        skip = offset_bytes % mmap.ALLOCATIONGRANULARITY
        if length_bytes:
            with self.descriptor() as fd, contextlib.suppress(OSError, ValueError):
                pages = mmap.mmap(fd, length_bytes + skip, access=mmap.ACCESS_READ, offset=offset_bytes - skip)
                return np.frombuffer(pages, np.uint8, length_bytes, skip)
        return np.frombuffer(self.read_at(offset_bytes, length_bytes), np.uint8)

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` where the file is no longer what was named."""
        with self.descriptor():
            pass

    def _open_checked(self) -> int:
        fd = _open(self.path)
        try:
            self._check(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _check(self, fd: int) -> None:
        status = os.fstat(fd)
        if (
            status.st_mtime_ns == self.mtime_ns
            and status.st_size == self.size_bytes
            and status.st_ino == self.inode
            and status.st_dev == self.device
        ):
            return
        raise self._changed(status)

    def _changed(self, status: os.stat_result) -> SourceChangedError:
        facts = (
            ("device", self.device, status.st_dev),
            ("inode", self.inode, status.st_ino),
            ("size", self.size_bytes, status.st_size),
            ("mtime_ns", self.mtime_ns, status.st_mtime_ns),
        )
        differing = [fact for fact in facts if fact[1] != fact[2]]
        return SourceChangedError(
            "the file changed since it was opened",
            path=self.path,
            expected=", ".join(f"{label} {then}" for label, then, _ in differing),
            found=", ".join(f"{label} {now}" for label, _, now in differing),
            hint="Open it again.",
        )


def close_all() -> None:
    """Close the pooled descriptors; sources stay usable and are opened again when read."""
    _pool.close_all()


def forget_path(path: str) -> None:
    """Close the pooled descriptors of one path, so that a file that was replaced gives its space back."""
    _pool.forget(lambda key: isinstance(key, LocalSource) and key.path == path)


def _open(path: str) -> int:
    """Open a regular file for reading; O_NONBLOCK so that a pipe put there meanwhile cannot hang us."""
    try:
        _require_regular(os.stat(path), path)
        fd = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFoundError("no such file", path=path) from error
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be opened: {getattr(error, 'strerror', None) or error}", path=path) from error
    try:
        _require_regular(os.fstat(fd), path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _require_regular(status: os.stat_result, path: str) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise SourceError(f"is {_KINDS.get(kind, 'not a regular file')}, not a file", path=path)
