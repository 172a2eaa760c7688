"""Runs FFmpeg: progress, time-out, cancellation, errors in words, and outputs that are whole or absent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict, Unpack

from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.diagnosis import noticed
from ffzero.ffmpeg.model import FFmpegCommand
from ffzero.ffmpeg.outputs import find_outputs, staged_outputs
from ffzero.ffmpeg.run import ExecutionResult, FFmpegRun, Streams
from ffzero.reporting import CancelToken, Reporter, no_report

__all__ = ["ExecuteOptions", "ExecutionResult", "FFmpegExecutor"]

_GRACE_S = 2.0
_GLOBAL_OPTIONS = ("-hide_banner", "-nostdin", "-y")
_DESCRIPTOR = re.compile(r"(?:file:)?(?:/proc/self/fd|/dev/fd)/(\d{1,9})", re.ASCII)


class ExecuteOptions(TypedDict, total=False):
    """What ``FFmpegExecutor.execute`` takes by name."""

    timeout_s: float | None
    cancel: CancelToken | None
    reporter: Reporter | None
    duration_s: float | None
    overwrite: bool
    pass_fds: Sequence[int]
    streams: Streams | None


class FFmpegExecutor:
    """Runs FFmpeg commands. Holds no process between calls; may be shared by threads.

    ``ffmpeg_path`` is found once, when it is first needed (see ``find_ffmpeg``). ``grace_s`` is how long FFmpeg
    may take to end by itself after a time-out or a cancellation.
    """

    def __init__(
        self,
        ffmpeg_path: str | os.PathLike[str] | None = None,
        *,
        timeout_s: float | None = None,
        reporter: Reporter = no_report,
        grace_s: float = _GRACE_S,
    ) -> None:
        self._ffmpeg_path = ffmpeg_path
        self._timeout_s = timeout_s
        self._reporter = reporter
        self._grace_s = grace_s
        self._found: str | None = None

    @property
    def ffmpeg_path(self) -> str:
        """The program. Raises ``FFmpegNotFoundError``."""
        if self._found is None:
            self._found = os.fspath(find_ffmpeg(self._ffmpeg_path).path)
        return self._found

    def execute(
        self,
        command: FFmpegCommand | Sequence[str],
        *,
        timeout_s: float | None = None,
        cancel: CancelToken | None = None,
        reporter: Reporter | None = None,
        duration_s: float | None = None,
        overwrite: bool = False,
        pass_fds: Sequence[int] = (),
        streams: Streams | None = None,
    ) -> ExecutionResult:
        """Run an ``FFmpegCommand``, or the words of a command line (with or without the program's name), to its end.

        ``duration_s`` is how long the output will be: percent and ETA are told from it. ``pass_fds`` are descriptors
        that the command needs (POSIX), besides those that it names as ``/proc/self/fd/N`` or ``/dev/fd/N`` (memory
        files); ``streams`` says where FFmpeg's own three lead. Every file that it writes has a temporary name beside
        its own until FFmpeg ended well; after any error, ``KeyboardInterrupt`` and ``kill -9`` included, nothing is
        left and no process runs.

        Raises ``FFmpegError`` (``FFmpegTimeoutError`` for a time-out), ``FFmpegNotFoundError``, ``CancelledError``,
        ``OutputExistsError`` without ``overwrite`` (here or in the command), ``OutputError`` for a folder that is not
        there; what the reporter raises stops the run.
        """
        if cancel is not None:
            cancel.check()
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        overwrite = overwrite or (isinstance(command, FFmpegCommand) and command.overwrite)
        with contextlib.ExitStack() as stack:
            argv, lists = self._argv(command, stack)
            argv = _with_global_options(argv)
            staged, temporary = stack.enter_context(staged_outputs(argv, overwrite=overwrite))
            run = FFmpegRun(
                argv=staged,
                temporary=(*temporary, *lists),
                timeout_s=timeout_s,
                cancel=cancel,
                reporter=self._reporter if reporter is None else reporter,
                duration_s=duration_s,
                grace_s=self._grace_s,
                pass_fds=tuple({*pass_fds, *_named_descriptors(argv)}),
                streams=streams or Streams(),
            )
            result = run.go()
        warnings = command.warnings() if isinstance(command, FFmpegCommand) else ()
        warnings += noticed(result.stderr_tail)
        return dataclasses.replace(result, outputs=_named_outputs(argv), warnings=warnings)

    async def execute_async(
        self, command: FFmpegCommand | Sequence[str], **options: Unpack[ExecuteOptions]
    ) -> ExecutionResult:
        """Do what ``execute`` does, with its options, in a thread of its own; the reporter is called there.

        When the task is cancelled the process group is ended and what it wrote removed before the cancellation goes on.
        """
        token = _LinkedToken(options.get("cancel"))
        options["cancel"] = token
        loop = asyncio.get_running_loop()
        done: asyncio.Future[ExecutionResult] = loop.create_future()

        def work() -> None:
            result, failure = None, None
            try:
                result = self.execute(command, **options)
            except BaseException as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, result, failure)

        # No daemon: the interpreter waits for it, so that it can end its process and clean up.
        threading.Thread(target=work, name="ffzero-ffmpeg").start()
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            token.cancel()
            while not done.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([done])
            done.exception()  # asked for, so that asyncio does not call it unretrieved
            raise

    def _argv(self, command: FFmpegCommand | Sequence[str], stack: contextlib.ExitStack) -> tuple[list[str], list[str]]:
        """Return the words with the program first, and the folder of list files if there is one."""
        if isinstance(command, FFmpegCommand):
            if not command.files:
                return command.argv(self.ffmpeg_path), []
            folder = stack.enter_context(_list_files(command.files, command.links))
            return command.argv(self.ffmpeg_path, folder=folder), [folder]
        words = [os.fspath(word) for word in command]
        if words and (words[0] == self.ffmpeg_path or _names_ffmpeg(words[0])):
            del words[0]
        return [self.ffmpeg_path, *words], []


class _LinkedToken(CancelToken):
    """A token of its own that also stops where another one does, so that ending one job ends no other."""

    __slots__ = ("_other",)

    def __init__(self, other: CancelToken | None) -> None:
        super().__init__()
        self._other = other

    @property
    def cancelled(self) -> bool:
        return super().cancelled or (self._other is not None and self._other.cancelled)

    def check(self) -> None:
        super().check()
        if self._other is not None:
            self._other.check()


def _with_global_options(argv: Sequence[str]) -> list[str]:
    """Add what makes FFmpeg run unattended: no banner, no questions, warnings only (unless a level was asked for)."""
    # Refusing existing outputs is done before FFmpeg starts; the names that it sees are temporary ones. Where no output
    # was found it has to refuse by itself.
    staged = bool(find_outputs(argv))
    missing = [option for option in _GLOBAL_OPTIONS if option not in argv and (staged or option != "-y")]
    kept = [word for word in argv[1:] if word != "-n" or not staged]
    level = [] if {"-loglevel", "-v"} & set(argv) else ["-loglevel", "warning"]
    return [argv[0], *missing, *level, *kept]


def _names_ffmpeg(word: str) -> bool:
    return not word.startswith("-") and os.path.splitext(os.path.basename(word))[0].startswith("ffmpeg")


def _named_descriptors(argv: Sequence[str]) -> set[int]:
    """Return the open descriptors that words name as files: in the child the number would be another file, or none."""
    found = set()
    for match in filter(None, map(_DESCRIPTOR.fullmatch, argv)):
        with contextlib.suppress(OSError, OverflowError):
            os.fstat(int(match[1]))
            found.add(int(match[1]))
    return {fd for fd in found if fd > 2}  # the first three are streams of FFmpeg's own


def _named_outputs(argv: Sequence[str]) -> tuple[str, ...]:
    return tuple(output.path for output in find_outputs(argv) if output.path is not None)


@contextlib.contextmanager
def _list_files(files: Mapping[str, str], links: Mapping[str, str]) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="ffzero-")
    try:
        for name, content in files.items():
            with open(os.path.join(folder, name), "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(content)
        for name, path in links.items():
            os.symlink(path, os.path.join(folder, name))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settle(
    done: asyncio.Future[ExecutionResult], result: ExecutionResult | None, failure: BaseException | None
) -> None:
    if done.done():
        return
    if failure is not None:
        # StopIteration cannot be raised into a Future.
        done.set_exception(RuntimeError(str(failure)) if isinstance(failure, StopIteration) else failure)
    elif result is not None:
        done.set_result(result)
