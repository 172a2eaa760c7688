"""The error tree. Every failure that ffzero foresees is an ``FFZeroError``.

Each class also inherits the builtin that fits, so ``except FileNotFoundError`` works, and owns the exit status of the
command line: 1 failed, 2 wrong usage.

    FFZeroError
    ├── UsageError (ValueError)               the caller asked for something that makes no sense; exit 2
    │   ├── TimeRangeError                    a time is malformed, negative, or outside the movie
    │   ├── JournalMismatchError              another, interrupted job left its chunks at the output
    │   └── OutputExistsError (FileExistsError)   refused: the output is there and overwriting was not asked
    ├── SourceError (OSError)                 an input cannot be read
    │   ├── SourceNotFoundError (FileNotFoundError)
    │   └── SourceChangedError                it changed since it was indexed
    ├── InvalidDataError (ValueError)         an input is damaged or not what it says
    │   ├── TruncatedError (EOFError)         it ends before what it declares
    │   └── DecodeError                       pictures or sound that do not decode
    ├── UnsupportedError (NotImplementedError)    valid, but not something ffzero can do
    │   └── EncryptedError
    ├── IncompatibleError (ValueError)        files that cannot be joined as they are
    ├── RenderRequiredError (NotImplementedError) frames would have to be coded anew
    ├── OutputError (OSError)                 an output cannot be written
    │   ├── DiskFullError
    │   └── OutputBusyError (BlockingIOError) another process works on the output
    ├── FFmpegError (RuntimeError)            the FFmpeg program failed; carries argv, return code and stderr's tail
    │   ├── FFmpegNotFoundError (FileNotFoundError)   there is no FFmpeg, or what was named is not FFmpeg
    │   └── FFmpegTimeoutError (TimeoutError) it did not end in the time it was given
    ├── VerificationError (RuntimeError)      an output is not what was planned; carries the report
    ├── ChunkError (RuntimeError)             a stage failed on a chunk of a stream; the message says which
    ├── EngineError (RuntimeError)            workers are not there, or one died at a chunk again and again
    ├── MemoryLimitError (MemoryError)        more memory than was allowed would be needed
    └── CancelledError                        the caller cancelled
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

__all__ = [
    "CancelledError",
    "ChunkError",
    "DecodeError",
    "DiskFullError",
    "EncryptedError",
    "EngineError",
    "FFZeroError",
    "FFmpegError",
    "FFmpegNotFoundError",
    "FFmpegTimeoutError",
    "IncompatibleError",
    "InvalidDataError",
    "JournalMismatchError",
    "MemoryLimitError",
    "OutputBusyError",
    "OutputError",
    "OutputExistsError",
    "RenderRequiredError",
    "SourceChangedError",
    "SourceError",
    "SourceNotFoundError",
    "TimeRangeError",
    "TruncatedError",
    "UnsupportedError",
    "UsageError",
    "VerificationError",
]


class FFZeroError(Exception):
    """Base of all ffzero errors: what, where in the file, and what to do.

    ``message`` says what went wrong; the keywords say where (``path``, ``offset_bytes``, ``box_path``), what the
    standard or the request demanded and what was there (``expected``, ``found``), and what the user can do (``hint``).
    ``str()`` puts them in one readable line. Errors can be pickled.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        offset_bytes: int | None = None,
        box_path: str | None = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = os.fspath(path) if path is not None else None
        self.offset_bytes = offset_bytes
        self.box_path = box_path
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        text = self.message
        both = (("expected", self.expected), ("found", self.found))
        facts = [f"{name} {value}" for name, value in both if value is not None]
        if facts:
            text += f" ({', '.join(facts)})"
        where = []
        if self.path is not None:
            where.append(self.path)
        if self.box_path is not None:
            where.append(f"box {self.box_path}")
        if self.offset_bytes is not None:
            where.append(f"byte {self.offset_bytes}")
        if where:
            text = f"{', '.join(where)}: {text}"
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self._where()))

    def _where(self) -> dict[str, Any]:
        names = ("path", "offset_bytes", "box_path", "expected", "found", "hint")
        return {name: getattr(self, name) for name in names}

    def located(self, **where: Any) -> FFZeroError:
        """Return the same error with the places that it lacks filled in (``path``, ``box_path``, ...)."""
        missing = {key: value for key, value in where.items() if getattr(self, key) is None}
        return _rebuild(type(self), self.message, {**self._where(), **missing})

    def within(self, what: str) -> FFZeroError:
        """Return the same error, said of a part of a job: ``what`` comes before its message."""
        return _rebuild(type(self), f"{what}: {self.message}", self._where())


def _rebuild(kind: type[FFZeroError], message: str, where: dict[str, Any]) -> FFZeroError:
    return kind(message, **where)


class UsageError(FFZeroError, ValueError):
    """The request itself is wrong; nothing was read or written."""

    exit_code = 2


class TimeRangeError(UsageError):
    """A time is malformed, negative, or names no picture or sound of the movie."""


class JournalMismatchError(UsageError):
    """An interrupted job left its journal and chunks at the output, and this job is not the same."""


class OutputExistsError(UsageError, FileExistsError):
    """The output exists and overwriting was not asked for."""


class SourceError(FFZeroError, OSError):
    """An input cannot be opened or read."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """An input does not exist."""


class SourceChangedError(SourceError):
    """An input is no longer the file that was indexed (device, inode, size or mtime differ)."""


class InvalidDataError(FFZeroError, ValueError):
    """An input is damaged, or not what it claims to be."""


class TruncatedError(InvalidDataError, EOFError):
    """An input ends before what it declares."""


class DecodeError(InvalidDataError):
    """Pictures or sound that an input holds cannot be decoded; the message says which."""


class UnsupportedError(FFZeroError, NotImplementedError):
    """Valid input, but a feature that ffzero does not handle."""


class EncryptedError(UnsupportedError):
    """The samples are encrypted in a way that cannot be carried over."""


class IncompatibleError(FFZeroError, ValueError):
    """Files that cannot be joined without coding some of them anew."""


class RenderRequiredError(FFZeroError, NotImplementedError):
    """Some frames would have to be coded anew; the message says which and why."""


class OutputError(FFZeroError, OSError):
    """An output cannot be written; nothing was left under its name."""


class DiskFullError(OutputError):
    """No space (or quota) is left for the output."""


class OutputBusyError(OutputError, BlockingIOError):
    """Another process, or another job of this one, works on the same output."""


class FFmpegError(FFZeroError, RuntimeError):
    """The FFmpeg program failed.

    ``argv`` is the command as it was run (empty where none was), ``returncode`` its exit status (negative: the signal
    that ended it; ``None``: it never ended by itself), ``stderr_tail`` the end of what it said, and ``cause`` the
    reason in words. The other keywords are those of every ``FFZeroError``.
    """

    def __init__(
        self,
        message: str,
        *,
        argv: Sequence[str] = (),
        returncode: int | None = None,
        stderr_tail: str = "",
        cause: str = "",
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr_tail = stderr_tail
        self.cause = cause

    def _where(self) -> dict[str, Any]:
        names = ("argv", "returncode", "stderr_tail", "cause")
        return {**super()._where(), **{name: getattr(self, name) for name in names}}


class FFmpegNotFoundError(FFmpegError, FileNotFoundError):
    """There is no FFmpeg program, or what was named as one is not."""


class FFmpegTimeoutError(FFmpegError, TimeoutError):
    """FFmpeg did not end within the time it was given, and was ended."""


class EngineError(FFZeroError, RuntimeError):
    """Work could not be done where it was to run: no such workers, or they died; the message says at which chunk."""


class VerificationError(FFZeroError, RuntimeError):
    """A written output does not hold what was planned. It stays, but does not replace another file.

    ``result`` is its ``WriteResult``, the verification in it.
    """

    def __init__(self, message: str, *, result: Any = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.result = result

    def _where(self) -> dict[str, Any]:
        return {**super()._where(), "result": self.result}


class ChunkError(FFZeroError, RuntimeError):
    """What a caller's stage raised on a chunk of a stream; its cause is that exception."""


class MemoryLimitError(FFZeroError, MemoryError):
    """More memory than the limit that was set would be needed; nothing was kept of what was begun."""


class CancelledError(FFZeroError):
    """The caller cancelled; nothing was left under the output's name."""
