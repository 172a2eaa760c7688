"""The memory-mapping engine: files seen as memory, read only, the least recently used ones given up first."""

from __future__ import annotations

import mmap
import os
import threading
from collections import OrderedDict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ffzero.errors import MemoryLimitError, SourceError, SourceNotFoundError, UsageError
from ffzero.values import dataclass

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["MappingStats", "MemoryMapEngine", "anonymous_file", "mapped_array"]

_LIMIT_BYTES = 4 << 30
_MOST_MAPS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingStats:
    """``maps`` and ``mapped_bytes`` are held now; the rest counts from the beginning."""

    maps: int
    mapped_bytes: int
    hits: int
    misses: int
    evictions: int


@dataclass(frozen=True, slots=True)
class _Key:
    path: str
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


class MemoryMapEngine:
    """Read-only maps of whole files, kept for the next who asks, within ``limit_bytes`` of address space.

    A map that is given up stays valid for those who still hold a view of it: the system frees it after the last of
    them. A file that was changed or replaced is mapped anew. Safe to use from several threads.
    """

    def __init__(self, *, limit_bytes: int = _LIMIT_BYTES, max_maps: int = _MOST_MAPS) -> None:
        if limit_bytes <= 0 or max_maps <= 0:
            raise UsageError("limits are positive", found=(limit_bytes, max_maps))
        self._limit_bytes = limit_bytes
        self._max_maps = max_maps
        self._maps: OrderedDict[_Key, memoryview] = OrderedDict()
        self._lock = threading.Lock()
        self._mapped_bytes = self._hits = self._misses = self._evictions = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def map(
        self, path: str | os.PathLike[str], *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> memoryview:
        """Return a read-only view of the file's bytes [offset, offset + length), to the end by default; no copy.

        The file must not be shortened while a view of it is used: the system ends a program that reads beyond the end
        (SIGBUS). Raises ``SourceNotFoundError``, ``SourceError``, ``MemoryLimitError`` for a file above the limit,
        ``UsageError`` for a range outside it.
        """
        whole = self._whole(path)
        end = len(whole) if length_bytes is None else offset_bytes + length_bytes
        if not 0 <= offset_bytes <= end <= len(whole):
            raise UsageError("the range lies outside the file", path=path, expected=f"0 to {len(whole)}", found=end)
        return whole[offset_bytes:end]

    def array(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: npt.DTypeLike = "uint8",
        shape: tuple[int, ...] | None = None,
        offset_bytes: int = 0,
    ) -> npt.NDArray[Any]:
        """Return the file as a read-only array of ``shape`` (by default one axis to the end), no copy; see ``map``."""
        import numpy as np

        kind = np.dtype(dtype)
        length = None if shape is None else kind.itemsize * _product(shape)
        view = self.map(path, offset_bytes=offset_bytes, length_bytes=length)
        if shape is None:
            view = view[: len(view) - len(view) % kind.itemsize]
        found: npt.NDArray[Any] = np.frombuffer(view, dtype=kind)
        return found if shape is None else found.reshape(shape)

    def get_stats(self) -> MappingStats:
        """Return what is mapped now, and how often a map was there already."""
        with self._lock:
            return MappingStats(
                maps=len(self._maps),
                mapped_bytes=self._mapped_bytes,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
            )

    def close(self) -> None:
        """Give up all maps; the engine can be used again."""
        with self._lock:
            self._maps.clear()
            self._mapped_bytes = 0

    def _whole(self, path: str | os.PathLike[str]) -> memoryview:
        name = os.path.abspath(os.fspath(path))
        try:
            with open(name, "rb") as file:
                status = os.fstat(file.fileno())
                key = _Key(name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                with self._lock:
                    return self._found(key, file.fileno())
        except FileNotFoundError as error:
            raise SourceNotFoundError("does not exist", path=name) from error
        except MemoryLimitError:
            raise
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot be mapped: {getattr(error, 'strerror', None) or error}", path=name) from error

    def _found(self, key: _Key, fd: int) -> memoryview:
        kept = self._maps.get(key)
        if kept is not None:
            self._hits += 1
            self._maps.move_to_end(key)
            return kept
        self._misses += 1
        if key.size_bytes > self._limit_bytes:
            raise MemoryLimitError(
                "the file is larger than the limit for maps",
                path=key.path,
                expected=f"at most {self._limit_bytes} bytes",
                found=key.size_bytes,
                hint="Raise limit_bytes: a map takes address space, not memory.",
            )
        view = memoryview(mmap.mmap(fd, key.size_bytes, access=mmap.ACCESS_READ) if key.size_bytes else b"")
        while self._maps and (
            self._mapped_bytes + key.size_bytes > self._limit_bytes or len(self._maps) >= self._max_maps
        ):
            self._give_up(next(iter(self._maps)))
        for stale in [other for other in self._maps if other.path == key.path]:
            self._give_up(stale)
        self._maps[key] = view
        self._mapped_bytes += key.size_bytes
        return view

    def _give_up(self, key: _Key) -> None:
        del self._maps[key]
        self._mapped_bytes -= key.size_bytes
        self._evictions += 1


def anonymous_file(folder: str, name: str = "ffzero") -> int:
    """Return the descriptor of a new file without a name: in memory on Linux, else unlinked in ``folder``."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    import tempfile

    fd, path = tempfile.mkstemp(prefix="ffzero-", dir=folder)
    os.unlink(path)
    return fd


def mapped_array(fd: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the file as a writable array that shares its memory; the descriptor may be closed afterwards."""
    import numpy as np

    kind: np.dtype[Any] = np.dtype(dtype)
    size_bytes = kind.itemsize * _product(shape)
    if size_bytes == 0:
        return np.empty(shape, dtype=kind)
    mapped = mmap.mmap(fd, size_bytes)
    return np.frombuffer(mapped, dtype=kind).reshape(shape)


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        if extent < 0:
            raise UsageError("a shape has no negative extent", found=shape)
        size *= extent
    return size
