"""What a long job has finished, kept beside its output, so that a killed job goes on where it stopped.

``OUTPUT.ffzero-journal`` is lines of JSON that are only ever appended: the job, then a line for each finished chunk.
``OUTPUT.ffzero-chunks`` is the folder of the chunks' files. A line is written when its chunk is safely on the disk; a
last line that a crash tore is as if it had not been written. Both vanish when the job is done. Nothing here knows what
the chunks hold.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from ffzero.engines.journal_lines import (
    MARK,
    ChunkRecord,
    differences,
    is_torn_header,
    is_whole,
    job_digest,
    line_of,
    parsed,
    record_of,
    secured,
    whole_lines,
)
from ffzero.engines.locks import open_locked
from ffzero.errors import JournalMismatchError, OutputBusyError, OutputError
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, no_report
from ffzero.storage.failures import output_error
from ffzero.storage.outputs import fsync_folder
from ffzero.storage.positional import write_fully_at

__all__ = ["ChunkRecord", "Journal"]

_FORMAT = 1
_MOST_DIFFERENCES = 4


class Journal:
    """The journal of one job, locked while it is open. A context manager: leaving it closes it.

    Made by ``open``. Its methods may be called from several threads. A journal that is closed without a finished chunk
    is removed: there is nothing to go on from.
    """

    def __init__(self, output: str, fd: int) -> None:
        self.output = output
        self._fd = fd
        self._lock = threading.Lock()
        self._end_bytes = 0
        self._records: dict[int, ChunkRecord] = {}

    @classmethod
    def open(cls, output: str | os.PathLike[str], job: Mapping[str, Any], *, restart: bool = False) -> Self:
        """Take up the journal at ``output`` where it is of the same ``job``, or begin one.

        ``job`` is all that the result depends on, as JSON-ready data with text keys: sources with their identities,
        bounds, settings, functions. The version of ffzero is added to it. ``restart`` throws away what an earlier job
        left. Raises ``JournalMismatchError`` where the journal is another job's, naming what differs,
        ``OutputBusyError`` where another process works on the output, ``OutputError`` where it cannot be written.
        """
        name = os.path.abspath(os.fsdecode(output))
        with _reporting(_journal_path(name)):
            try:
                fd = open_locked(_journal_path(name))
            except BlockingIOError as error:
                raise OutputBusyError(
                    "another process works on this output",
                    path=name,
                    hint="Wait for it, end it, or choose another output",
                ) from error
        journal = cls(name, fd)
        try:
            with _reporting(journal.path):
                journal._begin({**job, "ffzero": _version()}, restart=restart)
        except BaseException:
            journal._release()
            raise
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> str:
        """The journal's own file."""
        return _journal_path(self.output)

    @property
    def folder(self) -> str:
        """Where the chunks' files lie."""
        return f"{self.output}.ffzero-chunks"

    def __len__(self) -> int:
        """How many chunks are finished."""
        return len(self._records)

    def finished(self, *, reporter: Reporter = no_report, cancel: CancelToken | None = None) -> dict[int, ChunkRecord]:
        """Return the finished chunks by number, each file read through and found as it was committed.

        Those that are missing or damaged are forgotten, to be made again. Raises ``CancelledError``.
        """
        with self._lock:
            records = sorted(self._records.values(), key=lambda record: record.index)
        total = sum(record.size_bytes for record in records)
        done = 0
        for record in records:
            if not is_whole(record, cancel):
                with self._lock:
                    self._records.pop(record.index, None)
            done += record.size_bytes
            reporter(ProgressEvent(stage="verify", done=done, total=total))
        with self._lock:
            return dict(sorted(self._records.items()))

    def path_for(self, index: int, suffix: str = "") -> str:
        """Return a new name for a chunk's file: another one at each call, so that a stray worker cannot meet it."""
        return os.path.join(self.folder, f"{index:06d}-{secrets.token_hex(4)}{suffix}")

    def commit(
        self, index: int, path: str | os.PathLike[str] | None = None, facts: Mapping[str, Any] | None = None
    ) -> ChunkRecord:
        """Note that a chunk is finished: the whole file at ``path``, one of ``path_for``'s, or ``facts`` alone.

        It is on the disk when this returns. A chunk committed again is the later one. Raises ``OutputError`` and
        ``DiskFullError``.
        """
        name = None if path is None else os.path.abspath(os.fsdecode(path))
        if name is not None and os.path.dirname(name) != self.folder:
            raise OutputError("a chunk's file lies in the journal's folder", path=name, expected=self.folder)
        with _reporting(self.path if name is None else name):
            size, digest = (0, "") if name is None else secured(name)
            record = ChunkRecord(index=index, path=name, size_bytes=size, sha256=digest, facts=dict(facts or {}))
            with self._lock:
                if name is not None:
                    fsync_folder(self.folder)
                self._append(line_of(record))
                self._records[index] = record
        return record

    def discard(self) -> None:
        """Remove the chunks and the journal: the job is done, or given up. Closes it."""
        with self._lock:
            if self._fd >= 0:
                self._records.clear()
                shutil.rmtree(self.folder, ignore_errors=True)
                self._remove()

    def close(self) -> None:
        """Let go of the output; what is finished stays for the next run. May be called again."""
        if not self._records:
            self.discard()
        self._release()

    def _remove(self) -> None:
        if os.name == "nt":  # an open file cannot be removed there
            self._release()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._release()

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _begin(self, job: dict[str, Any], *, restart: bool) -> None:
        lines, good_bytes = whole_lines(self._fd)
        header = parsed(lines[0]) if lines else None
        if not restart and header is not None:
            _check_same(header, job, self.output)
        if (header is None or MARK not in header) and os.fstat(self._fd).st_size and not is_torn_header(self._fd):
            raise OutputError("is in the way: not a journal of ffzero", path=self.path, hint="Move it elsewhere")
        if restart or header is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.ftruncate(self._fd, 0)
            text = {MARK: _FORMAT, "digest": job_digest(job), "job": job}
            self._append(json.dumps(text, ensure_ascii=True).encode() + b"\n")
        else:
            self._end_bytes = self._read_records(lines, good_bytes)
            os.ftruncate(self._fd, self._end_bytes)
        os.makedirs(self.folder, exist_ok=True)
        fsync_folder(os.path.dirname(self.path))
        self._remove_strays()

    def _read_records(self, lines: list[bytes], good_bytes: int) -> int:
        """Take up the chunks; returns where the lines that make sense end."""
        at = len(lines[0]) + 1
        for line in lines[1:]:
            record = record_of(parsed(line), self.folder)
            if record is None:
                return at
            self._records[record.index] = record
            at += len(line) + 1
        return good_bytes

    def _remove_strays(self) -> None:
        """Remove what was being written when the job was killed, and files that a later commit replaced."""
        known = {record.path for record in self._records.values()}
        for entry in os.scandir(self.folder):
            if entry.path not in known and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)

    def _append(self, line: bytes) -> None:
        write_fully_at(self._fd, self._end_bytes, memoryview(line))
        os.fsync(self._fd)
        self._end_bytes += len(line)


def _journal_path(output: str) -> str:
    return f"{output}.ffzero-journal"


def _version() -> str:
    return str(sys.modules["ffzero"].__version__)


def _check_same(header: Mapping[str, Any], job: Mapping[str, Any], output: str) -> None:
    if MARK not in header:
        return
    then = header.get("job")
    if header[MARK] == _FORMAT and header.get("digest") == job_digest(job):
        return
    differing = list(differences(then if isinstance(then, dict) else {}, json.loads(json.dumps(job))))
    if len(differing) > _MOST_DIFFERENCES:
        differing[_MOST_DIFFERENCES:] = [("more", "", "")]
    raise JournalMismatchError(
        "chunks of another job wait here: it was interrupted, and this one differs from it",
        path=output,
        expected="; ".join(f"{name} {was}".rstrip() for name, was, _ in differing) or f"journal format {header[MARK]}",
        found="; ".join(f"{name} {now}".rstrip() for name, _, now in differing) or f"journal format {_FORMAT}",
        hint="Run that job again to finish it, choose another output, or start anew (restart=True, --restart)",
    )


@contextlib.contextmanager
def _reporting(path: str) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, path=path) from error
