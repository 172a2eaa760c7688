"""One run of FFmpeg: start it, wait for whatever comes first, end it, and say how it went."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import field
from typing import Any

from ffzero.errors import FFmpegError, FFmpegNotFoundError, FFmpegTimeoutError
from ffzero.ffmpeg.diagnosis import diagnose
from ffzero.ffmpeg.outputs import find_outputs
from ffzero.ffmpeg.process import ChildProcess, Tail, Watchdog
from ffzero.ffmpeg.progress import FFmpegProgress, ProgressParser
from ffzero.reporting import CancelToken, Reporter
from ffzero.values import dataclass

__all__ = ["ExecutionResult", "FFmpegRun", "Streams"]

_POLL_S = 0.02
_NOTHING_ENCODED = "Output file is empty, nothing was encoded"
_POSIX = os.name == "posix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Where FFmpeg's own streams lead, beside their tails.

    ``stdin`` is a descriptor (``None``: nothing to read). ``on_stdout`` and ``on_stderr`` take bytes as they come, each
    in a thread of its own: FFmpeg waits for them, and where they raise ``OSError`` it finds its stream closed.
    """

    stdin: int | None = None
    on_stdout: Callable[[bytes], None] | None = None
    on_stderr: Callable[[bytes], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """A finished run. ``argv`` is what ran, temporary names included; ``outputs`` are the files as they are named now.

    ``stderr_tail`` and ``stdout_tail`` are the last 64 KiB of each; ``frames`` and ``time_s`` are what FFmpeg wrote,
    ``None`` where it did not say; ``warnings`` are the command's (``FFmpegCommand.warnings``) and
    what FFmpeg said of the output itself.
    """

    argv: tuple[str, ...]
    returncode: int
    elapsed_s: float
    stderr_tail: str
    stdout_tail: bytes
    outputs: tuple[str, ...]
    frames: int | None = None
    time_s: float | None = None
    size_bytes: int | None = None
    speed: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(kw_only=True)
class FFmpegRun:
    """A command whose outputs have temporary names; ``temporary`` is removed by the watchdog if this process dies."""

    argv: list[str]
    temporary: tuple[str, ...]
    timeout_s: float | None
    cancel: CancelToken | None
    reporter: Reporter
    duration_s: float | None
    grace_s: float
    pass_fds: tuple[int, ...]
    streams: Streams = field(default_factory=Streams)
    _parser: ProgressParser = field(default_factory=ProgressParser)
    _latest: FFmpegProgress | None = None
    _told: FFmpegProgress | None = None
    _started_s: float = 0.0

    def go(self) -> ExecutionResult:
        """Run it to its end. Raises like ``FFmpegExecutor.execute``."""
        self._started_s = time.monotonic()
        watchdog = Watchdog(self.temporary)
        try:
            child = self._start(watchdog)
            try:
                returncode = self._wait(child)
                self._wait_for_readers(child)
                child.finish()
                self._tell()
            except BaseException:
                child.end(self.grace_s)
                child.finish()
                raise
        finally:
            watchdog.close()
        if returncode != 0:
            raise self._failure(returncode, child.stderr.text())
        self._refuse_empty(child)
        last = self._latest or FFmpegProgress()
        return ExecutionResult(
            argv=tuple(self.argv),
            returncode=returncode,
            elapsed_s=time.monotonic() - self._started_s,
            stderr_tail=child.stderr.text(),
            stdout_tail=child.stdout.data,
            outputs=(),
            frames=last.frames,
            time_s=last.time_s,
            size_bytes=last.size_bytes,
            speed=last.speed,
        )

    def _start(self, watchdog: Watchdog) -> ChildProcess:
        """Start it with a progress pipe: one of its own, or stdout on Windows, which inherits no descriptors."""
        read_fd = write_fd = -1
        argv = self.argv
        on_stdout: Callable[[bytes], None] | None = None
        try:
            if "-progress" in argv:
                pass
            elif _POSIX:
                read_fd, write_fd = os.pipe()
                argv = [argv[0], "-progress", f"pipe:{write_fd}", *argv[1:]]
            elif self.streams.on_stdout is None and all(output.path is not None for output in find_outputs(argv)):
                argv = [argv[0], "-progress", "pipe:1", *argv[1:]]
                on_stdout = self._feed
            pass_fds = (*self.pass_fds, write_fd) if write_fd >= 0 else self.pass_fds
            child = ChildProcess(argv, watchdog=watchdog, pass_fds=pass_fds, stdin=self.streams.stdin)
            try:
                stdout = on_stdout or _taking(child.stdout, self.streams.on_stdout)
                child.drain_output(stdout, _taking(child.stderr, self.streams.on_stderr))
                if read_fd >= 0:
                    child.drain(io.FileIO(read_fd), self._feed)
                    read_fd = -1  # the reader closes it
            except BaseException:
                child.end(self.grace_s)
                raise
            return child
        except (OSError, ValueError) as error:
            raise self._not_started(error) from error
        finally:
            for fd in (read_fd, write_fd):
                if fd >= 0:
                    os.close(fd)

    def _feed(self, data: bytes) -> None:
        for block in self._parser.feed(data):
            self._latest = block

    def _wait(self, child: ChildProcess) -> int:
        while True:
            returncode = child.poll(_POLL_S)
            if returncode is not None:
                return returncode
            self._check(child)
            self._tell()

    def _check(self, child: ChildProcess) -> None:
        if self.cancel is not None:
            self.cancel.check()
        if self.timeout_s is not None and time.monotonic() - self._started_s > self.timeout_s:
            raise self._timed_out(child)

    def _wait_for_readers(self, child: ChildProcess) -> None:
        """Wait until those whom FFmpeg's output is handed to have taken it all, however slow they are."""
        while self.streams.on_stdout is not None and not child.is_read:
            child.poll(_POLL_S)
            self._check(child)

    def _tell(self) -> None:
        """Report what is new, in the calling thread, so that an exception of the reporter's stops the run."""
        latest = self._latest
        if latest is not None and latest is not self._told:
            self._told = latest
            self.reporter(latest.event(duration_s=self.duration_s))

    def _failure(self, returncode: int, stderr_tail: str) -> FFmpegError:
        diagnosis = diagnose(stderr_tail, returncode)
        where = self._where(returncode, stderr_tail, diagnosis.cause, diagnosis.hint)
        line = f" ({diagnosis.line})" if diagnosis.line and diagnosis.line not in diagnosis.cause else ""
        return FFmpegError(f"FFmpeg failed: {diagnosis.cause}{line}", **where)

    def _timed_out(self, child: ChildProcess) -> FFmpegTimeoutError:
        cause = f"it did not end within {self.timeout_s:g} s"
        hint = "Allow more time, or look at what it said last."
        return FFmpegTimeoutError(f"FFmpeg was ended: {cause}", **self._where(None, child.stderr.text(), cause, hint))

    def _not_started(self, error: OSError | ValueError) -> FFmpegError:
        if isinstance(error, FileNotFoundError):
            cause = "the program does not exist"
        elif isinstance(error, PermissionError):
            cause = "the program may not be run: permission denied"
        else:
            cause = f"the program cannot be started: {getattr(error, 'strerror', None) or error}"
        found = isinstance(error, FileNotFoundError | PermissionError)
        kind = FFmpegNotFoundError if found else FFmpegError
        hint = "Name another with ffmpeg_path or FFZERO_FFMPEG; `ffzero doctor` shows which one is used."
        return kind(cause, path=self.argv[0], **self._where(None, "", cause, hint))

    def _refuse_empty(self, child: ChildProcess) -> None:
        """Raise where FFmpeg ended well without having written anything, or nothing but a header, to a file."""
        said = _NOTHING_ENCODED in child.stderr.text()
        for path in self.temporary:
            if said or (os.path.isfile(path) and os.path.getsize(path) == 0) or _is_empty_folder(path):
                cause = "nothing was written: no picture or sound reached the output"
                hint = "Check the times (-ss, -t, -to), the maps and the filters."
                raise FFmpegError(f"FFmpeg failed: {cause}", **self._where(0, child.stderr.text(), cause, hint))

    def _where(self, returncode: int | None, stderr_tail: str, cause: str, hint: str | None) -> dict[str, Any]:
        return {
            "argv": self.argv,
            "returncode": returncode,
            "stderr_tail": stderr_tail,
            "cause": cause,
            "hint": hint,
        }


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _taking(tail: Tail, also: Callable[[bytes], None] | None) -> Callable[[bytes], None]:
    if also is None:
        return tail.append

    def take(data: bytes) -> None:
        tail.append(data)
        also(data)

    return take
