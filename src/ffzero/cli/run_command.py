"""``ffzero run``: any FFmpeg command line, with progress, errors in words, and outputs that are whole or absent."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TextIO

import click

from ffzero.cli.console import Console, StdoutError
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.ranges import FiniteRange
from ffzero.cli.signals import cancellable
from ffzero.cli.source import look
from ffzero.cli.text import byte_count, clock, count, printable, seconds, shell_line
from ffzero.errors import FFZeroError, UsageError
from ffzero.ffmpeg.executor import ExecutionResult, FFmpegExecutor
from ffzero.ffmpeg.raw import RawCommand, RawInput
from ffzero.ffmpeg.run import Streams
from ffzero.reporting import Reporter, no_report

__all__ = ["run"]

_OWN = {"--json": 0, "--dry-run": 0, "--timeout": 1, "-h": 0, "--help": 0}
"""The command's own options, and how many words follow each."""


class _Run(click.Command):
    """Leaves everything from the first word that is not its own to FFmpeg, with or without ``--`` before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = 0
        while own < len(args) and (args[own] in _OWN or args[own].startswith("--timeout=")):
            own += 1 + _OWN.get(args[own], 0)
        rest = args[own:]
        if rest[:1] == ["--"]:
            del rest[0]
        return super().parse_args(ctx, [*args[:own], "--", *rest])


@click.command("run", cls=_Run, options_metavar="[OPTIONS] --")
@click.option("--timeout", type=FiniteRange(min=0, min_open=True), metavar="SECONDS", help="End it after that.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and what would become of its outputs.")
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="ARGS...")
@click.pass_obj
def run(console: Console, /, words: tuple[str, ...], timeout: float | None, dry_run: bool, json_wanted: bool) -> None:
    """Run FFmpeg with ARGS, as they would follow `ffmpeg`.

    An output has a temporary name until FFmpeg ended well; HLS, DASH, segments and numbered pictures are moved when all
    of them are there. Pipes, devices, addresses and what -f tee writes are written as FFmpeg goes. An existing output
    is refused without -y among ARGS. FFmpeg's own messages are shown where ARGS say how many (-v info), and where
    nothing is written (-f null).
    """
    program, arguments = _program(list(words))
    executor = FFmpegExecutor(program, timeout_s=timeout)
    command = RawCommand.read([executor.ffmpeg_path, *arguments])
    _refuse_inputs_as_outputs(command)
    _refuse_twins(command)
    if dry_run:
        _show(console, command)
        return
    if console.json_wanted and command.writes_standard_output and command.outputs:
        raise UsageError("standard output cannot take both the output and --json", hint="Leave --json out")
    if command.seems_cut_short:
        console.message("ffzero: no output was found among the words: FFmpeg runs with them as they are")
    job = _Job(console, executor, command)
    done = job.go()
    if console.json_wanted:
        console.object({**_fields(done, command), "log": done.stderr_tail})
    elif not job.stdout.used and not command.analyses:
        console.lines(_summary(done, command))


def _program(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the program if one is named by its path, and the words without it."""
    if words and words[0] in ("ffmpeg", "ffmpeg.exe"):
        return None, _some(words[1:])
    if words and os.path.basename(words[0]).startswith("ffmpeg") and os.path.dirname(words[0]) and words[1:]:
        return words[0], words[1:]
    return None, _some(words)


def _some(words: list[str]) -> list[str]:
    if not words:
        raise UsageError("nothing was given to run", hint="Give FFmpeg's words: ffzero run -- -i in.mov out.mp4")
    return words


def _refuse_inputs_as_outputs(command: RawCommand) -> None:
    for one in command.inputs:
        for output in command.outputs:
            if one.path and output.path and not output.several_files and _is_same_file(one.path, output.path):
                raise UsageError("the output is the input", path=output.path, hint="Give the output another name")


def _refuse_twins(command: RawCommand) -> None:
    paths = [os.path.realpath(output.path) for output in command.outputs if output.path and "\0" not in output.path]
    for path in paths:
        if paths.count(path) > 1 and not _is_device(path):
            raise UsageError("two outputs have this name", path=path, hint="Give each a name of its own")


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


def _is_same_file(first: str, second: str) -> bool:
    try:
        return os.path.isfile(first) and os.path.samefile(first, second)
    except (OSError, ValueError):
        return False


def _fate(command: RawCommand) -> list[tuple[str, str]]:
    """Return each output with what becomes of it while FFmpeg runs."""
    found = []
    for output in command.outputs:
        if output.path is None:
            how = "written as FFmpeg goes"
        elif output.several_files:
            how = "its files are moved there when all is well"
        elif _is_device(output.path):
            how = "written as FFmpeg goes"
        else:
            how = "there when all is well"
        found.append((command.argv[output.index], how))
    return found


def _show(console: Console, command: RawCommand) -> None:
    if console.json_wanted:
        outputs = [{"output": name, "how": how} for name, how in _fate(command)]
        console.object(
            {"dry_run": True, "argv": command.argv, "outputs": outputs, "warnings": command.written_straight()}
        )
        return
    console.line(shell_line(command.argv))
    console.lines([f"# {printable(name)}: {how}" for name, how in _fate(command)])
    console.lines([f"# {printable(note)}" for note in command.other_files()])


class _Job:
    """One run, and where its streams lead."""

    def __init__(self, console: Console, executor: FFmpegExecutor, command: RawCommand) -> None:
        self.console = console
        self.executor = executor
        self.command = command
        self.stdout = _Outlet(console.stdout)
        self.stderr = _Outlet(console.stderr)

    def go(self) -> ExecutionResult:
        """Run it. Raises like ``FFmpegExecutor.execute``, and ``StdoutError``."""
        words, tells = list(self.command.argv[1:]), self.command.chooses_level
        if self.command.analyses and not tells:
            words, tells = ["-loglevel", "info", *([] if self.command.has("stats") else ["-nostats"]), *words], True
        quiet = self.console.json_wanted
        streams = Streams(
            stdin=_standard_input(),
            on_stdout=None if quiet else self.stdout.write,
            on_stderr=self.stderr.write if tells and not quiet else None,
        )
        try:
            with TerminalProgress(self.console.stderr) as progress, cancellable() as cancel:
                # A bar and FFmpeg's messages would write over each other.
                reporter: Reporter = no_report if streams.on_stderr else progress
                return self.executor.execute(
                    [self.command.argv[0], *words],
                    cancel=cancel,
                    reporter=reporter,
                    duration_s=self._length_s() if self.console.stderr.isatty() else None,
                    overwrite=self.command.has("y"),
                    streams=streams,
                )
        except FFZeroError:
            if self.stdout.failure is not None:
                raise StdoutError from self.stdout.failure
            raise

    def _length_s(self) -> float | None:
        """Return how long the output will be, as far as the words and the inputs say."""
        lengths = [length for one in self.command.inputs if (length := _input_length(one)) is not None]
        if self.command.length_s is not None:
            lengths = [min([self.command.length_s, *([max(lengths)] if lengths else [])])]
        return float(max(lengths)) if lengths else None


def _input_length(one: RawInput) -> Fraction | None:
    if one.endless or one.path is None or not os.path.isfile(one.path):
        return one.length_s
    try:
        duration_s = look(one.path).duration_s
    except FFZeroError:
        return one.length_s
    if duration_s is None:
        return one.length_s
    rest_s = max(Fraction(0), duration_s - one.start_s)
    return rest_s if one.length_s is None else min(rest_s, one.length_s)


class _Outlet:
    """Passes a stream of FFmpeg's on to one of ours, straight to its descriptor where it has one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self.used = False
        self.failure: OSError | None = None

    def write(self, data: bytes) -> None:
        """Called in a thread. Raises ``OSError`` where nobody reads any more."""
        self.used = True
        try:
            write = self._descriptor_writer()
            while data:
                data = data[write(data) :]
        except OSError as error:
            self.failure = error
            raise

    def _descriptor_writer(self) -> Callable[[bytes], int]:
        try:
            fd = self._stream.fileno()
        except (OSError, io.UnsupportedOperation):
            return self._write_text
        return lambda data: os.write(fd, data)

    def _write_text(self, data: bytes) -> int:
        self._stream.write(self._decode.decode(data))
        return len(data)


def _standard_input() -> int | None:
    """Return our standard input for FFmpeg, unless it is a terminal, which FFmpeg is not to ask."""
    try:
        return None if sys.stdin is None or sys.stdin.isatty() else sys.stdin.fileno()
    except (OSError, ValueError):
        return None


def _fields(done: ExecutionResult, command: RawCommand) -> dict[str, Any]:
    return {
        "argv": command.argv,
        "outputs": done.outputs,
        "returncode": done.returncode,
        "elapsed_s": done.elapsed_s,
        "frames": done.frames,
        "time_s": done.time_s,
        "size_bytes": done.size_bytes,
        "speed": done.speed,
        "warnings": [*done.warnings, *command.written_straight()],
    }


def _summary(done: ExecutionResult, command: RawCommand) -> list[str]:
    facts = []
    if done.frames:
        facts.append(count(done.frames, "frame"))
    if done.time_s:
        facts.append(clock(done.time_s))
    speed = f" ({done.speed:.3g}x)" if done.speed and done.time_s else ""
    facts.append(f"in {seconds(done.elapsed_s)}{speed}")
    return [
        *(f"{printable(name)}: {_size(name)}" for name in done.outputs),
        f"  {', '.join(facts)}",
        *(f"  warning: {printable(note)}" for note in (*done.warnings, *command.written_straight())),
    ]


def _size(name: str) -> str:
    return byte_count(os.path.getsize(name)) if os.path.isfile(name) else "written"
