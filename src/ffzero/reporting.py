"""Progress events, cancellation, and what a job cost. Library code never prints; it reports."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from ffzero.errors import CancelledError
from ffzero.values import dataclass

__all__ = ["CancelToken", "CopyReport", "ProgressEvent", "Reporter", "WriteResult", "no_report", "printable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """One step of a long job. ``total`` is ``None`` while it is not known; ``unit`` is ``bytes``, ``packets``, ...

    ``details`` is what only this stage knows: for FFmpeg (unit ``seconds``) see ``FFmpegProgress.details``.
    """

    stage: str
    done: int
    total: int | None
    unit: str = "bytes"
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


Reporter = Callable[[ProgressEvent], None]
"""Called from the working thread, every few milliseconds at most; returns quickly, and may raise to stop the job."""


def no_report(event: ProgressEvent) -> None:
    """Ignore the event."""


def printable(value: str | os.PathLike[str]) -> str:
    """Return a name with control characters escaped, so that it stays on one line and steers no terminal."""
    text = os.fspath(value)
    return "".join(
        char if char.isprintable() or char == " " else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


class CancelToken:
    """Asks a running job to stop; safe to set from any thread or signal handler."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask for the stop. The job raises ``CancelledError`` at its next step."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``CancelledError`` where a stop was asked for."""
        if self._event.is_set():
            raise CancelledError("cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What writing a rope cost, as the kernel did it.

    ``bytes_shared`` are extents cloned by the filesystem (no data written), ``bytes_copied`` were read and written,
    ``bytes_literal`` came from memory (headers). Their sum is ``bytes_total``. ``methods`` counts bytes by the call
    that moved them: ``"FICLONERANGE"``, ``"copy_file_range"``, ``"pread/pwrite"``, ``"literal"``, ...
    """

    bytes_total: int = 0
    bytes_shared: int = 0
    bytes_copied: int = 0
    bytes_literal: int = 0
    methods: Mapping[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult(os.PathLike[str]):
    """A finished output: a path (``os.PathLike``; ``str()`` is the path) that carries its report.

    ``bytes_header`` is what was added around the samples (index, padding, samples written anew); with the bytes shared,
    copied and rendered it makes ``bytes_total``. ``segments`` are the plan's, as plain data;
    ``warnings`` name what could not be kept.
    """

    output: str
    bytes_total: int = 0
    bytes_shared: int = 0
    bytes_copied: int = 0
    bytes_rendered: int = 0
    bytes_header: int = 0
    frames_copied: int = 0
    frames_rendered: int = 0
    segments: tuple[Mapping[str, Any], ...] = ()
    elapsed_s: float = 0.0
    warnings: tuple[str, ...] = ()
    methods: Mapping[str, int] = field(default_factory=dict)
    verification: Mapping[str, Any] | None = None
    """What was found where the output was verified (see ``Verification.to_dict``)."""

    def __fspath__(self) -> str:
        return self.output

    def __str__(self) -> str:
        return self.output

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data, the object that ``--json`` prints."""
        return {
            "output": self.output,
            "bytes_total": self.bytes_total,
            "bytes_shared": self.bytes_shared,
            "bytes_copied": self.bytes_copied,
            "bytes_rendered": self.bytes_rendered,
            "bytes_header": self.bytes_header,
            "frames_copied": self.frames_copied,
            "frames_rendered": self.frames_rendered,
            "segments": [dict(segment) for segment in self.segments],
            "elapsed_s": self.elapsed_s,
            "warnings": list(self.warnings),
            "methods": dict(self.methods),
            **({} if self.verification is None else {"verification": dict(self.verification)}),
        }
