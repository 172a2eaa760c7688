"""Writes a rope into a file with as little moving of bytes as the kernel offers, and tells what it really cost.

Long ranges of files are cloned where source and destination lie alike in their filesystem's blocks, else copied inside
the kernel, else read and written. Neighbouring short pieces are gathered and written together.
"""

from __future__ import annotations

import enum
import errno
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from ffzero.errors import OutputError
from ffzero.extents.base import ByteSource
from ffzero.extents.coalesce import coalesce
from ffzero.extents.rope import Rope
from ffzero.reporting import CancelToken, CopyReport, ProgressEvent, Reporter, no_report
from ffzero.storage.base import Source
from ffzero.storage.failures import output_error
from ffzero.storage.kernel import clone_range, copy_range, reserve, shared_bytes
from ffzero.storage.positional import write_fully_at
from ffzero.values import dataclass

__all__ = ["DEFAULT_METHODS", "CopyMethod", "copy_rope"]

_LONG_BYTES = 64 << 10
_BUFFER_BYTES = 1 << 20
_COPY_STEP_BYTES = 64 << 20
_CLONE_STEP_BYTES = 1 << 30
_EVENT_INTERVAL_S = 0.005
_RESERVED_FROM_BYTES = 1 << 20
_MISFITS_IN_A_ROW = 8
_NEVER_HERE = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP}
)
# EINVAL: this range does not fit (alignment, copy-on-write flags); ETXTBSY: a swap file; EBADF: opened for appending.
# EIO does not say which side failed; reading and writing by hand does.
_NOT_THIS_RANGE = frozenset({errno.EINVAL, errno.ETXTBSY, errno.EBADF, errno.EIO})


class CopyMethod(enum.Enum):
    """How long ranges are moved; the value is the name under which a report counts their bytes."""

    CLONE = "FICLONERANGE"
    KERNEL = "copy_file_range"
    BUFFERED = "pread/pwrite"


DEFAULT_METHODS = (CopyMethod.CLONE, CopyMethod.KERNEL, CopyMethod.BUFFERED)


def copy_rope(
    rope: Rope,
    fd: int,
    *,
    methods: Sequence[CopyMethod] = DEFAULT_METHODS,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> CopyReport:
    """Write the rope at the offsets [0, rope.length) of ``fd``, a regular file open for reading and writing.

    ``methods`` are tried in order for every long range; short ones are always gathered in memory. Bytes count as shared
    where FICLONERANGE succeeded, or where FIEMAP shows that copy_file_range shared them. Raises ``SourceChangedError``,
    ``TruncatedError`` or ``SourceError`` for an input (each is checked again after it was copied), ``OutputError`` or
    ``DiskFullError`` for the output, ``CancelledError``; what was written till then stays in ``fd``.
    """
    started = time.monotonic()
    copier = _Copier(rope, fd, tuple(methods), reporter, cancel)
    copier.run()
    return copier.report(time.monotonic() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gather:
    """Rope bytes [start, end) that are written from memory; ``literal_bytes`` of them are literals."""

    start: int
    end: int
    literal_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """``length`` bytes of ``source`` from ``offset`` that go to ``target`` in the output."""

    source: Source
    offset: int
    target: int
    length: int

    def part(self, start: int, end: int) -> _Move:
        return _Move(source=self.source, offset=self.offset + start, target=self.target + start, length=end - start)


def _steps(rope: Rope) -> Iterator[_Gather | _Move]:
    """Say what is moved by itself and what is gathered, in the rope's order."""
    position = gathered_from = literal_bytes = 0
    for run in rope.runs():
        if run.length >= _LONG_BYTES and isinstance(run.source, Source):
            if gathered_from < position:
                yield _Gather(start=gathered_from, end=position, literal_bytes=literal_bytes)
            yield _Move(source=run.source, offset=run.offset, target=position, length=run.length)
            gathered_from, literal_bytes = position + run.length, 0
        elif run.source is None:
            literal_bytes += run.length
        position += run.length
    if gathered_from < position:
        yield _Gather(start=gathered_from, end=position, literal_bytes=literal_bytes)


class _Copier:
    def __init__(
        self,
        rope: Rope,
        fd: int,
        methods: tuple[CopyMethod, ...],
        reporter: Reporter,
        cancel: CancelToken | None,
    ) -> None:
        self._rope, self._fd, self._methods = rope, fd, methods
        self._reporter, self._cancel = reporter, cancel
        self._buffer = memoryview(bytearray(min(_BUFFER_BYTES, rope.length)))
        self._block_bytes = (os.fstatvfs(fd).f_bsize if hasattr(os, "fstatvfs") else 0) or 4096
        self._done = 0
        self._last_event_s = 0.0
        self._moved: Counter[str] = Counter()
        self._literal_bytes = 0
        self._perhaps_shared: list[tuple[int, int]] = []
        # Per call only: device numbers are used again after an unmount.
        self._refused: set[tuple[CopyMethod, int]] = set()
        self._misfits: Counter[CopyMethod] = Counter()
        self._may_reserve = True

    def run(self) -> None:
        self._event()
        for step in _steps(self._rope):
            if isinstance(step, _Gather):
                self._gather(step)
            else:
                with step.source.descriptor() as source_fd:
                    self._move(step, source_fd, self._methods)
                _check_unchanged(step.source)
        for source in self._rope.sources:
            _check_unchanged(source)
        self._event()

    def report(self, elapsed_s: float) -> CopyReport:
        shared = self._moved[CopyMethod.CLONE.value] + self._shared_by_copying()
        moved = dict(self._moved)
        if self._literal_bytes:
            moved["literal"] = self._literal_bytes
        return CopyReport(
            bytes_total=self._rope.length,
            bytes_shared=shared,
            bytes_copied=self._rope.length - shared - self._literal_bytes,
            bytes_literal=self._literal_bytes,
            methods={name: count for name, count in moved.items() if count},
            elapsed_s=elapsed_s,
        )

    def _shared_by_copying(self) -> int:
        """Return what copy_file_range shared: XFS, Btrfs and others clone in it where the blocks fit."""
        if not self._perhaps_shared:
            return 0
        starts, lengths = zip(*self._perhaps_shared, strict=True)
        first, last = coalesce(starts, lengths, max_gap_bytes=0)
        return sum(shared_bytes(self._fd, start, end) for start, end in zip(first.tolist(), last.tolist(), strict=True))

    def _gather(self, span: _Gather) -> None:
        for start in range(span.start, span.end, len(self._buffer)):
            data = self._buffer[: min(len(self._buffer), span.end - start)]
            self._rope.readinto(start, data)
            self._write(start, data)
            self._advance(len(data))
        self._literal_bytes += span.literal_bytes
        self._moved[CopyMethod.BUFFERED.value] += span.end - span.start - span.literal_bytes

    def _move(self, move: _Move, source_fd: int | None, methods: tuple[CopyMethod, ...]) -> None:
        """Move by the first method; what it leaves (ragged ends, a refusal, an early end) goes to the next ones."""
        if move.length == 0:
            return
        if not methods:
            _check_unchanged(move.source)  # the kernel stops early, too, where a source shrank
            raise OutputError("none of the permitted ways of copying works here", offset_bytes=move.target)
        method, others = methods[0], methods[1:]
        if method is CopyMethod.BUFFERED:
            self._move_buffered(move)
            return
        start, end = (0, move.length) if method is CopyMethod.KERNEL else self._alike(move)
        if source_fd is None or start >= end or self._is_refused(method, source_fd):
            self._move(move, source_fd, others)
            return
        self._move(move.part(0, start), source_fd, others)
        reached = start + self._move_by_kernel(move.part(start, end), source_fd, method)
        self._move(move.part(reached, move.length), source_fd, others)

    def _alike(self, move: _Move) -> tuple[int, int]:
        """Return the part of the range that blocks hold alike in both files, as a half-open range within it."""
        block = self._block_bytes
        if (move.offset - move.target) % block:
            return 0, 0
        start = -move.offset % block
        at_both_ends = (
            move.offset + move.length == move.source.size_bytes and move.target + move.length == self._rope.length
        )
        end = move.length if at_both_ends else move.length - (move.offset + move.length) % block
        return start, end

    def _is_refused(self, method: CopyMethod, source_fd: int) -> bool:
        return bool(self._refused) and (method, os.fstat(source_fd).st_dev) in self._refused

    def _reserve(self, move: _Move) -> None:
        """Let the filesystem find the blocks of a large copy at once: a third faster on ext4, and a full disk shows."""
        if move.length < _RESERVED_FROM_BYTES or not self._may_reserve:
            return
        try:
            self._may_reserve = reserve(self._fd, move.target, move.length)
        except OSError as error:
            raise self._failed(error) from error

    def _move_by_kernel(self, move: _Move, source_fd: int, method: CopyMethod) -> int:
        """Return how many bytes were moved: fewer than asked for where the kernel will not do it."""
        if method is CopyMethod.KERNEL:
            self._reserve(move)
        largest = _CLONE_STEP_BYTES if method is CopyMethod.CLONE else _COPY_STEP_BYTES
        done = 0
        while done < move.length:
            wanted = min(largest, move.length - done)
            place = (source_fd, move.offset + done, wanted, self._fd, move.target + done)
            try:
                if method is CopyMethod.CLONE:
                    clone_range(*place)
                    count = wanted
                else:
                    count = copy_range(*place)
            except (OSError, NotImplementedError) as error:
                if self._note_refusal(method, source_fd, error):
                    break
                raise self._failed(error) from error
            if count == 0:
                break
            done += count
            self._misfits.pop(method, None)
            self._moved[method.value] += count
            self._advance(count)
        if method is CopyMethod.KERNEL and done and not self._is_refused(CopyMethod.CLONE, source_fd):
            self._perhaps_shared.append((move.target, done))
        return done

    def _note_refusal(self, method: CopyMethod, source_fd: int, error: Exception) -> bool:
        """Say whether another method may do, and remember a refusal that will be the same for every range."""
        code = errno.ENOSYS if isinstance(error, NotImplementedError) else getattr(error, "errno", None)
        key = (method, os.fstat(source_fd).st_dev)
        if code in _NEVER_HERE:
            self._refused.add(key)
        elif code in _NOT_THIS_RANGE:
            self._misfits[method] += 1
            if self._misfits[method] >= _MISFITS_IN_A_ROW:
                self._refused.add(key)
        else:
            return False
        return True

    def _move_buffered(self, move: _Move) -> None:
        self._reserve(move)
        for start in range(0, move.length, len(self._buffer)):
            data = self._buffer[: min(len(self._buffer), move.length - start)]
            move.source.readinto_at(move.offset + start, data)
            self._write(move.target + start, data)
            self._moved[CopyMethod.BUFFERED.value] += len(data)
            self._advance(len(data))

    def _write(self, start: int, data: memoryview) -> None:
        try:
            write_fully_at(self._fd, start, data)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Exception:
        if not isinstance(error, OSError):
            return error
        return output_error(error, needed_bytes=self._rope.length, fd=self._fd)

    def _advance(self, count: int) -> None:
        self._done += count
        if self._cancel is not None:
            self._cancel.check()
        if time.monotonic() - self._last_event_s >= _EVENT_INTERVAL_S:
            self._event()

    def _event(self) -> None:
        self._last_event_s = time.monotonic()
        self._reporter(ProgressEvent(stage="write", done=self._done, total=self._rope.length))


def _check_unchanged(source: ByteSource) -> None:
    """Raise ``SourceChangedError`` where the source changed; lending a descriptor checks its identity."""
    if isinstance(source, Source):
        with source.descriptor():
            pass
