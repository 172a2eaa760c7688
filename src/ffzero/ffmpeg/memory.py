"""Temporary files, files in memory that FFmpeg reads and writes, maps and frame arrays; all gone after ``cleanup``."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ffzero.errors import MemoryLimitError, UsageError
from ffzero.ffmpeg.frame_map import check_frame_range, write_frames
from ffzero.ffmpeg.mapping import MappingStats, MemoryMapEngine, anonymous_file, mapped_array
from ffzero.ffmpeg.memory_file import MemoryFile
from ffzero.ffmpeg.private_folder import PrivateFolder
from ffzero.storage.failures import output_error
from ffzero.values import dataclass

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FFmpegMemHandler", "MemoryFile", "MemoryStats"]

_LIMIT_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStats:
    """What a handler holds now. ``memory_bytes`` are memory files and frame arrays, ``temp_bytes`` temporary files."""

    temp_files: int
    temp_bytes: int
    memory_files: int
    arrays: int
    memory_bytes: int
    memory_peak_bytes: int
    memory_limit_bytes: int
    mapping: MappingStats


class FFmpegMemHandler:
    """Owns temporary files, memory files, maps and frame arrays.

    Temporary files lie in a folder of its own (0700, unpredictable name) that is made when it is first needed.
    ``cleanup`` removes everything, as do the end of a ``with`` block, the end of Python, and on POSIX a watchdog when
    Python is killed. The handler can be used again afterwards. ``memory_limit_bytes`` bounds memory files and arrays
    together; FFmpeg may let a memory file grow beyond it, which counts for what is asked for next.
    """

    def __init__(
        self,
        *,
        memory_limit_bytes: int = _LIMIT_BYTES,
        map_limit_bytes: int | None = None,
        temp_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if memory_limit_bytes <= 0:
            raise UsageError("memory_limit_bytes is positive", found=memory_limit_bytes)
        self._limit_bytes = memory_limit_bytes
        self._temp_dir = None if temp_dir is None else os.fspath(temp_dir)
        self._engine = MemoryMapEngine(limit_bytes=map_limit_bytes) if map_limit_bytes else MemoryMapEngine()
        self._lock = threading.RLock()
        self._folder: PrivateFolder | None = None
        self._files: list[MemoryFile] = []
        self._arrays: dict[int, int] = {}
        self._peak_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    @property
    def temp_folder(self) -> str:
        """The private folder, made now if it is not there. Raises ``OutputError``."""
        with self._lock:
            if self._folder is None:
                self._folder = PrivateFolder(self._temp_dir)
            return self._folder.path

    def create_temp_file(self, suffix: str = "", *, data: bytes | bytearray | memoryview = b"") -> str:
        """Make a file (0600) with an unpredictable name that ends in ``suffix`` and return its path.

        Raises ``UsageError`` for a suffix with a separator in it, ``OutputError``, ``DiskFullError``.
        """
        if os.path.basename(suffix) != suffix or "\0" in suffix:
            raise UsageError("a suffix has no separator in it", found=repr(suffix))
        path = os.path.join(self.temp_folder, secrets.token_hex(16) + suffix)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with open(fd, "wb", buffering=0) as file:
                view = memoryview(data).cast("B")
                while len(view):
                    view = view[file.write(view) :]
        except OSError as error:
            self.remove_temp_file(path)
            raise output_error(error, path=path) from error
        return path

    def remove_temp_file(self, path: str | os.PathLike[str]) -> None:
        """Remove a file that ``create_temp_file`` made; it may be gone already. Raises ``UsageError`` for any other."""
        if self._folder is None or os.path.dirname(os.path.abspath(path)) != self._folder.path:
            raise UsageError("is no temporary file of this handler", path=path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def create_memory_file(
        self, *, data: bytes | bytearray | memoryview = b"", size_bytes: int = 0, suffix: str = ""
    ) -> MemoryFile:
        """Return a new memory file that holds ``data``, or ``size_bytes`` zeros; the handler closes it on ``cleanup``.

        Raises ``MemoryLimitError``.
        """
        with self._lock:
            self._reserve(max(memoryview(data).nbytes, size_bytes))
            file = MemoryFile(anonymous_file(self._unlinked_folder()), suffix=suffix)
            os.ftruncate(file.fd, max(memoryview(data).nbytes, size_bytes))
            file.write(data)
            self._files.append(file)
            self._note_peak()
            return file

    def map_file(
        self, path: str | os.PathLike[str], *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> memoryview:
        """Return a read-only view of a file's bytes; see ``MemoryMapEngine.map``."""
        return self._engine.map(path, offset_bytes=offset_bytes, length_bytes=length_bytes)

    def map_array(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: npt.DTypeLike = "uint8",
        shape: tuple[int, ...] | None = None,
        offset_bytes: int = 0,
    ) -> npt.NDArray[Any]:
        """Return a file as a read-only array; see ``MemoryMapEngine.array``."""
        return self._engine.array(path, dtype=dtype, shape=shape, offset_bytes=offset_bytes)

    def create_memmap(self, shape: tuple[int, ...], dtype: npt.DTypeLike = "uint8") -> np.memmap[Any, Any]:
        """Return a writable ``numpy.memmap`` over a new temporary file (``.filename``), which ``cleanup`` removes."""
        import numpy as np

        path = self.create_temp_file(".dat")
        return np.memmap(path, dtype=dtype, mode="w+", shape=shape)

    def create_array(self, shape: tuple[int, ...], dtype: npt.DTypeLike = "uint8") -> npt.NDArray[Any]:
        """Return a writable array of zeros in a memory file without a name. Raises ``MemoryLimitError``."""
        import numpy as np

        if any(extent < 0 for extent in shape):
            raise UsageError("a shape has no negative extent", found=shape)
        size_bytes = int(np.dtype(dtype).itemsize)
        for extent in shape:
            size_bytes *= extent
        with self._lock:
            self._reserve(size_bytes)
            fd = anonymous_file(self._unlinked_folder())
            try:
                os.ftruncate(fd, size_bytes)
                return self._kept(mapped_array(fd, shape, dtype))
            finally:
                os.close(fd)

    def map_video_frames(
        self, path: str | os.PathLike[str], start_frame: int = 0, frame_count: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return frames [start, start + count), to the end by default, as (n, height, width, 3) uint8 RGB.

        The frames are decoded once into memory that has no name and stays as long as the array does, ``cleanup`` or
        not; it counts against the limit. Frame 0 is the first one shown; pictures are as they are stored, not turned
        as the file may ask players to. The array may be written to; the video does not change.

        Raises ``SourceNotFoundError``, ``InvalidDataError`` (no video, damaged), ``TimeRangeError`` where there are not
        that many frames, ``UsageError``, ``MemoryLimitError``.
        """
        check_frame_range(start_frame, frame_count)
        with self._lock:
            free_bytes = self._limit_bytes - self._used_bytes()
        fd = anonymous_file(self._unlinked_folder())
        try:
            shape = write_frames(
                os.fspath(path), fd, start_frame=start_frame, frame_count=frame_count, limit_bytes=free_bytes
            )
            with self._lock:
                return self._kept(mapped_array(fd, (*shape, 3), "uint8"))
        finally:
            os.close(fd)

    def get_stats(self) -> MemoryStats:
        """Return what is held now."""
        with self._lock:
            sizes = self._folder.sizes() if self._folder is not None else []
            return MemoryStats(
                temp_files=len(sizes),
                temp_bytes=sum(sizes),
                memory_files=len(self._open_files()),
                arrays=len(self._arrays),
                memory_bytes=self._used_bytes(),
                memory_peak_bytes=max(self._peak_bytes, self._used_bytes()),
                memory_limit_bytes=self._limit_bytes,
                mapping=self._engine.get_stats(),
            )

    def cleanup(self) -> None:
        """Remove the temporary files, close the memory files, give up the maps. Never raises for what is gone already.

        Arrays and views that were handed out stay valid; their memory is given back with the last of them.
        """
        with self._lock:
            for file in self._files:
                file.close()
            self._files = []
            self._engine.close()
            folder, self._folder = self._folder, None
            if folder is not None:
                folder.close()

    def _unlinked_folder(self) -> str:
        return "" if hasattr(os, "memfd_create") else self.temp_folder

    def _open_files(self) -> list[MemoryFile]:
        self._files = [file for file in self._files if not file.closed]
        return self._files

    def _used_bytes(self) -> int:
        return sum(file.size_bytes for file in self._open_files()) + sum(self._arrays.values())

    def _reserve(self, size_bytes: int) -> None:
        used = self._used_bytes()
        if size_bytes < 0:
            raise UsageError("a size is not negative", found=size_bytes)
        if used + size_bytes > self._limit_bytes:
            raise MemoryLimitError(
                "more memory than is allowed would be held",
                expected=f"at most {self._limit_bytes} bytes",
                found=f"{used} held, {size_bytes} asked for",
                hint="Release what is no longer needed, or raise memory_limit_bytes.",
            )

    def _note_peak(self) -> None:
        self._peak_bytes = max(self._peak_bytes, self._used_bytes())

    def _kept(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Count the array until the last view of its memory is gone."""
        root: Any = array
        while getattr(root, "base", None) is not None:
            root = root.base
        root = root.obj if isinstance(root, memoryview) else root
        token = id(root)
        self._arrays[token] = array.nbytes
        weakref.finalize(root, self._arrays.pop, token, None).atexit = False
        self._note_peak()
        return array
