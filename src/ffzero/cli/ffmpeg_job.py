"""What the commands that FFmpeg does share: showing its command line or running it, and telling what came out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction

from ffzero.cli.console import Console
from ffzero.cli.output import check_output
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.report import plan_fields
from ffzero.cli.signals import cancellable
from ffzero.cli.source import Source, look
from ffzero.cli.text import byte_count, clock, count, printable, seconds, shell_line
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.executor import ExecutionResult, FFmpegExecutor
from ffzero.ffmpeg.model import FFmpegCommand
from ffzero.reporting import WriteResult
from ffzero.storage.outputs import Destination

__all__ = ["FFmpegJob", "begin"]


class FFmpegJob:
    """One input, one output, and the commands between them."""

    def __init__(self, console: Console, source: Source, output: str, *, dry_run: bool, overwrite: bool) -> None:
        self.console = console
        self.source = source
        self.output = output
        self.dry_run = dry_run
        self.overwrite = overwrite
        self.binary = find_ffmpeg()
        self._replaces = os.path.lexists(output)

    def show(self, commands: Sequence[FFmpegCommand], *, note: str = "") -> None:
        """Print the commands, to be pasted into a shell, or as an object; ``note`` says what the lines cannot."""
        lines = [[*command.argv(self.binary.path)] for command in commands]
        if self.console.json_wanted:
            self.console.object({**plan_fields({"argv": lines[-1], "commands": lines}, self.output)})
            return
        self.console.lines([shell_line(line) for line in lines])
        if note:
            self.console.line(f"# {note}")

    def execute(self, command: FFmpegCommand, length_s: Fraction | None) -> ExecutionResult:
        """Run a command; ``length_s`` is how long its output will be."""
        with TerminalProgress(self.console.stderr) as progress, cancellable() as cancel:
            return FFmpegExecutor(self.binary.path).execute(
                command,
                cancel=cancel,
                reporter=progress,
                duration_s=None if length_s is None else float(length_s),
                overwrite=self.overwrite,
            )

    def tell(
        self, command: FFmpegCommand, done: ExecutionResult, *, warnings: Sequence[str] = (), copied: bool = False
    ) -> None:
        """Report the finished output."""
        from ffzero.edits.proof.proving import drop_old_record  # shows of commands would load it for nothing

        size = os.path.getsize(self.output) if os.path.isfile(self.output) else done.size_bytes or 0
        result = WriteResult(
            output=self.output,
            bytes_total=size,
            bytes_copied=size if copied else 0,
            bytes_rendered=0 if copied else size,
            frames_rendered=0 if copied else done.frames or 0,
            elapsed_s=done.elapsed_s,
            warnings=(*done.warnings, *warnings),
            methods={"ffmpeg": size},
        )
        result = drop_old_record(result, replaces=self._replaces)
        if self.console.json_wanted:
            self.console.object({**result.to_dict(), "argv": command.argv(self.binary.path)})
        else:
            self.console.lines(_summary(result, done))

    def run(
        self,
        command: FFmpegCommand,
        length_s: Fraction | None = None,
        *,
        warnings: Sequence[str] = (),
        copied: bool = False,
    ) -> None:
        """Show the command where only that is wanted, else run it and report."""
        if self.dry_run:
            self.show([command])
        else:
            self.tell(command, self.execute(command, length_s), warnings=warnings, copied=copied)


def begin(console: Console, source_path: str, output: str | None, *, dry_run: bool, overwrite: bool) -> FFmpegJob:
    """Look at the input and the output. Raises ``UsageError`` where they are one, and like ``look``."""
    name = check_output(output, dry_run=False)
    assert name is not None
    source = look(source_path)
    source.refuse_as_output(name)
    Destination.examine(name, overwrite=overwrite or dry_run)
    return FFmpegJob(console, source, name, dry_run=dry_run, overwrite=overwrite)


def _summary(result: WriteResult, done: ExecutionResult) -> list[str]:
    facts = [byte_count(result.bytes_total)]
    if result.frames_rendered:
        facts.append(count(result.frames_rendered, "frame"))
    lasts = done.time_s is not None and result.frames_rendered != 1  # a picture has no length
    if lasts:
        facts.append(clock(done.time_s or 0))
    speed = f" ({done.speed:.3g}x)" if done.speed and lasts else ""
    facts.append(f"in {seconds(done.elapsed_s)}{speed}")
    return [
        f"{printable(result.output)}: {', '.join(facts)}",
        *(f"  warning: {printable(warning)}" for warning in result.warnings),
    ]
