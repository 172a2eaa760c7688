"""Where ropes go: a file, memory, or a stream such as a pipe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ffzero.errors import OutputError
from ffzero.extents.rope import Rope
from ffzero.reporting import CancelToken, CopyReport, ProgressEvent, Reporter, no_report
from ffzero.storage.copy import DEFAULT_METHODS, CopyMethod, copy_rope
from ffzero.storage.failures import output_error
from ffzero.storage.memory import MemfdSource, MemorySource, create_memfd
from ffzero.storage.outputs import Destination, atomic_output, draft_of

__all__ = ["FileSink", "MemorySink", "StreamSink", "atomic_output"]

_BUFFER_BYTES = 1 << 20


class FileSink:
    """A file that appears whole or not at all.

    A symbolic link is followed: its target is replaced. Permissions follow the umask, or those of the file replaced.
    Devices and pipes are written straight. ``fsync`` forces the file and its folder to the disk before ``put`` returns.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        *,
        overwrite: bool = False,
        fsync: bool = False,
        methods: Sequence[CopyMethod] = DEFAULT_METHODS,
    ) -> None:
        self._path = path
        self._overwrite = overwrite
        self._fsync = fsync
        self._methods = tuple(methods)

    @property
    def name(self) -> str:
        return os.fsdecode(self._path)

    def check(self) -> None:
        """Raise now what ``put`` would raise for the name alone: ``OutputExistsError`` or ``OutputError``."""
        Destination.examine(self._path, overwrite=self._overwrite)

    def put(
        self,
        rope: Rope,
        /,
        *,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
        approve: Callable[[str], bool] | None = None,
    ) -> CopyReport:
        """Write the rope and give it its name, which may be that of one of its own sources.

        ``approve`` is called with a path at which the whole file can be read before it has its name; where it returns
        false, or raises, the file never gets it. Not for devices and pipes.

        Raises ``OutputExistsError`` before anything is written, ``DiskFullError`` and ``OutputError`` for the output,
        ``SourceError`` and ``TruncatedError`` for an input, ``CancelledError``. After any of them, or an interrupt,
        the name is as it was and no temporary file is left.
        """
        destination = Destination.examine(self._path, overwrite=self._overwrite)
        try:
            if destination.is_special:
                with open(destination.path, "wb", buffering=0) as stream:
                    return StreamSink(stream).put(rope, reporter=reporter, cancel=cancel)
            with draft_of(destination, overwrite=self._overwrite, fsync=self._fsync) as draft:
                done = copy_rope(rope, draft.fd, methods=self._methods, reporter=reporter, cancel=cancel)
                draft.is_withheld = approve is not None and not approve(draft.readable_path)
                return done
        except OutputError as error:
            raise error.located(path=destination.path) from error.__cause__

    @staticmethod
    def atomic(
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes], *, overwrite: bool = False, fsync: bool = False
    ) -> AbstractContextManager[str]:
        """Return ``atomic_output``: the same care for a writer that wants a path."""
        return atomic_output(path, overwrite=overwrite, fsync=fsync)


class MemorySink:
    """Memory: after ``put``, ``data`` is what was written and ``source`` names it for another rope.

    ``memfd=True`` writes a memory file, which the kernel and child processes can read by descriptor (Linux).
    """

    def __init__(self, *, memfd: bool = False) -> None:
        self._memfd = memfd
        self._source: MemorySource | MemfdSource | None = None

    @property
    def source(self) -> MemorySource | MemfdSource:
        """The bytes as a source. Raises ``ValueError`` where nothing was put."""
        if self._source is None:
            raise ValueError("nothing was put into this sink")
        return self._source

    @property
    def data(self) -> bytes:
        """The bytes (a copy where they lie in a memory file)."""
        return self.source.read_at(0, self.source.size_bytes)

    def put(self, rope: Rope, /, *, reporter: Reporter = no_report, cancel: CancelToken | None = None) -> CopyReport:
        """Write the rope to memory; on any error what was there before stays."""
        if self._memfd:
            return self._put_memfd(rope, reporter, cancel)
        stream = _Collector(rope.length)
        report = StreamSink(stream).put(rope, reporter=reporter, cancel=cancel)
        self._source = MemorySource(bytes(stream.data))
        return report

    def _put_memfd(self, rope: Rope, reporter: Reporter, cancel: CancelToken | None) -> CopyReport:
        fd = create_memfd()
        try:
            report = copy_rope(rope, fd, reporter=reporter, cancel=cancel)
        except BaseException:
            os.close(fd)
            raise
        self._source = MemfdSource.adopt(fd)
        return report


class _Writable(Protocol):
    def write(self, data: memoryview, /) -> int | None: ...


class _Collector:
    def __init__(self, size_bytes: int) -> None:
        self.data = bytearray(size_bytes)
        self._filled = 0

    def write(self, data: memoryview, /) -> int:
        self.data[self._filled : self._filled + len(data)] = data
        self._filled += len(data)
        return len(data)


class StreamSink:
    """A binary file object that is written from front to back: a pipe, a socket's file, standard output.

    It is not closed. What a stream took before an error cannot be taken back.
    """

    def __init__(self, stream: _Writable) -> None:
        self._stream = stream

    def put(self, rope: Rope, /, *, reporter: Reporter = no_report, cancel: CancelToken | None = None) -> CopyReport:
        """Write the rope at most 1 MiB at a time. Raises ``OutputError`` where the reader went away."""
        started = time.monotonic()
        buffer = memoryview(bytearray(min(_BUFFER_BYTES, rope.length)))
        reporter(ProgressEvent(stage="write", done=0, total=rope.length))
        for offset in range(0, rope.length, _BUFFER_BYTES):
            if cancel is not None:
                cancel.check()
            count = rope.readinto(offset, buffer)
            self._write(buffer[:count])
            reporter(ProgressEvent(stage="write", done=offset + count, total=rope.length))
        self._flush()
        literal = rope.literal_bytes
        methods = {"pread/write": rope.length - literal, "literal": literal}
        return CopyReport(
            bytes_total=rope.length,
            bytes_copied=rope.length - literal,
            bytes_literal=literal,
            methods={name: count for name, count in methods.items() if count},
            elapsed_s=time.monotonic() - started,
        )

    def _write(self, data: memoryview) -> None:
        done = 0
        while done < len(data):
            try:
                count = self._stream.write(data[done:])
            except OSError as error:
                raise output_error(error, path=self._name()) from error
            except ValueError as error:
                raise OutputError(f"cannot be written: {error}", path=self._name()) from error
            if count is None:
                raise OutputError("the stream does not block, so it may lose bytes", path=self._name())
            done += count

    def _flush(self) -> None:
        flush = getattr(self._stream, "flush", None)
        try:
            if flush is not None:
                flush()
        except OSError as error:
            raise output_error(error, path=self._name()) from error

    def _name(self) -> str:
        name = getattr(self._stream, "name", None)
        return name if isinstance(name, str) else "<stream>"
