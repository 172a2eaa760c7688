"""Frames as files: their names, and writing each whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.errors import FFZeroError, OutputExistsError, UsageError
from ffzero.storage.failures import OVERWRITE_HINT, output_error
from ffzero.storage.outputs import Destination, atomic_descriptor

if TYPE_CHECKING:
    from ffzero.edits.frame_values import Frame

__all__ = ["ARRAY_SUFFIXES", "ArrayFile", "FrameFiles", "FrameNames"]

ARRAY_SUFFIXES = (".npy", ".npz")
_FIELD = re.compile(r"%%|%0?(\d*)d|\{time\}|\{index\}")
_MOST_DIGITS = 20


class FrameNames:
    """Names of files by a pattern: ``%06d`` is a number from 1, ``{index}`` the picture's, ``{time}`` its time.

    Fields stand in the last component. Times are written ``0-01-02.500``: a colon is no part of a name on Windows.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.folder, self._base = os.path.split(pattern)
        self.suffix = os.path.splitext(self._base)[1].lower()
        fields = {match.group() for match in _FIELD.finditer(self._base)}
        self.is_pattern = bool(fields - {"%%"})

    def name(self, number: int, index: int | None = None, time: Fraction | None = None) -> str:
        """Return the name of the ``number``-th file (from 1)."""

        def value(match: re.Match[str]) -> str:
            field = match.group()
            if field == "%%":
                return "%"
            if field == "{index}":
                return str(index)
            if field == "{time}":
                return time_in_name(time or Fraction(0))
            return str(number).zfill(min(int(match.group(1) or 0), _MOST_DIGITS))

        return os.path.join(self.folder, _FIELD.sub(value, self._base))

    @property
    def wants_index(self) -> bool:
        return "{index}" in self._base

    def refuse_existing(self) -> None:
        """Raise ``OutputExistsError`` where a file that the pattern could name is there, before anything is done."""
        parts, at = [], 0
        for match in _FIELD.finditer(self._base):
            parts.append(re.escape(self._base[at : match.start()]))
            parts.append({"%%": "%", "{time}": r"\d+-\d\d-\d\d\.\d{3}"}.get(match.group(), r"\d+"))
            at = match.end()
        wanted = re.compile("".join([*parts, re.escape(self._base[at:])]))
        there: list[str] = []
        with contextlib.suppress(OSError):  # a missing folder holds none; one that is no folder is told of later
            there = os.listdir(self.folder or ".")
        found = sorted(name for name in there if wanted.fullmatch(name))
        if found:
            more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
            name = os.path.join(self.folder, found[0])
            raise OutputExistsError(f"exists already{more}", path=name, hint=OVERWRITE_HINT)


def time_in_name(time: Fraction) -> str:
    """Return a time as part of a name: ``0-01-02.500``, rounded down to the millisecond."""
    milliseconds = int(time * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}-{minutes % 60:02d}-{rest // 1000:02d}.{rest % 1000:03d}"


class FrameFiles:
    """Writes each frame to a file of its own, whole or not at all. ``quality`` is for JPEG and WebP."""

    def __init__(self, names: FrameNames, *, quality: int | None, overwrite: bool) -> None:
        from ffzero.frames.writing.images import ImageEncoder

        self._names = names
        self._overwrite = overwrite
        self._encoder = None if names.suffix in ARRAY_SUFFIXES else ImageEncoder(names.suffix, quality)
        self._seen: set[str] = set()

    def add(self, number: int, frame: Frame) -> tuple[str, int]:
        """Write a frame; returns its file's name and size."""
        name = self._names.name(number, frame.index if self._names.wants_index else None, frame.time)
        if name in self._seen:
            raise UsageError("two frames would have one name", path=name, hint="Put a number (%06d) into it")
        self._seen.add(name)
        data = self._data(frame)
        write_whole(name, data, overwrite=self._overwrite)
        return name, len(data)

    def close(self) -> None:
        """Every file is whole already."""

    def _data(self, frame: Frame) -> bytes:
        if self._encoder is not None:
            return self._encoder.encode(frame.video_frame)
        import numpy as np

        file = io.BytesIO()
        if self._names.suffix == ".npy":
            np.save(file, frame.array)
        else:
            planes = frame.planes
            arrays: dict[str, Any] = (
                {"frame": planes[0]} if len(planes) == 1 else dict(zip("yuva", planes, strict=False))
            )
            facts: dict[str, Any] = {"time": float(frame.time), "pts": frame.pts, "index": frame.index}
            np.savez_compressed(file, **arrays, **facts)
        return file.getvalue()


def write_whole(name: str, data: bytes, *, overwrite: bool) -> None:
    """Write a file, whole or not at all. Raises ``OutputExistsError``, ``DiskFullError``, ``OutputError``."""
    from ffzero.storage.positional import write_fully_at

    destination = Destination.examine(name, overwrite=overwrite)
    with atomic_descriptor(destination, overwrite=overwrite, fsync=False) as fd, _in_words(name, fd, len(data)):
        write_fully_at(fd, 0, memoryview(data))


class ArrayFile:
    """Writes all frames to one ``.npy`` file, of shape (frames, height, width[, channels]), as they come.

    Nothing is held in memory, and the number of frames need not be known: the header has room for it.
    """

    def __init__(self, names: FrameNames, *, overwrite: bool) -> None:
        self._name = names.pattern
        self._stack = contextlib.ExitStack()
        destination = Destination.examine(self._name, overwrite=overwrite)
        self._fd = self._stack.enter_context(atomic_descriptor(destination, overwrite=overwrite, fsync=False))
        self._shape: tuple[int, ...] = ()
        self._dtype: Any = None
        self._count = 0
        self._end = 0

    def add(self, number: int, frame: Frame) -> tuple[str, int]:
        """Append a frame; returns the file's name and the frame's bytes. Raises ``UsageError`` where sizes change."""
        import numpy as np

        from ffzero.storage.positional import write_fully_at

        pixels = np.ascontiguousarray(frame.array)
        if self._count == 0:
            self._shape, self._dtype = pixels.shape, pixels.dtype
            self._end = len(self._header())
        elif pixels.shape != self._shape:
            raise UsageError(
                f"the frame at {float(frame.time):.3f} s has another size: one array holds frames of one",
                expected=self._shape,
                found=pixels.shape,
                hint="Give --size WIDTHxHEIGHT, or write a file for each with %06d in the name",
            )
        data = memoryview(pixels.data).cast("B")
        with _in_words(self._name, self._fd, self._end + len(data)):
            write_fully_at(self._fd, self._end, data)
        self._end += len(data)
        self._count += 1
        return self._name, len(data)

    def close(self) -> None:
        """Publish the file."""
        from ffzero.storage.positional import write_fully_at

        if self._count:
            with _in_words(self._name, self._fd, 0):
                write_fully_at(self._fd, 0, memoryview(self._header()))
            self._stack.close()
        else:
            self.abandon(None)

    def abandon(self, error: BaseException | None) -> None:
        """Leave nothing."""
        reason = error if error is not None else RuntimeError("no frames came")
        with contextlib.suppress(type(reason)):
            self._stack.__exit__(type(reason), reason, reason.__traceback__)

    def _header(self) -> bytes:
        """Return the header, as long for any number of frames: numpy leaves room for the first axis to grow."""
        from numpy.lib import format as npy

        file = io.BytesIO()
        facts = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self._count, *self._shape)}
        npy.write_array_header_1_0(file, facts)
        return file.getvalue()


@contextlib.contextmanager
def _in_words(name: str, fd: int, needed_bytes: int) -> Iterator[None]:
    try:
        yield
    except FFZeroError:
        raise
    except OSError as error:
        raise output_error(error, path=name, needed_bytes=needed_bytes or None, fd=fd) from error
