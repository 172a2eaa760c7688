"""``ffzero stream``: a file, or one that is being recorded, in chunks through Python functions and joined again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.draw import columns
from ffzero.cli.journal_rest import rest_told
from ffzero.cli.memory_use import resident_bytes
from ffzero.cli.output import check_output, output_options
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.ranges import FiniteRange, time_of
from ffzero.cli.report import plan_fields, summary
from ffzero.cli.signals import cancellable
from ffzero.cli.split import size_in_bytes
from ffzero.cli.text import byte_count, clock, count, printable
from ffzero.errors import UsageError
from ffzero.reporting import ProgressEvent, Reporter

if TYPE_CHECKING:
    from ffzero.pipelines.bounds import ChunkUnit
    from ffzero.pipelines.stages import ErrorHandler

__all__ = ["stream"]

_CHUNK = {"seconds": "60", "keyframes": "30", "bytes": "100M"}
_POLICY = re.compile(r"(raise|skip)|retry(?::(\d{1,4}))?(?::(skip))?", re.ASCII)
_MEMORY_EVERY_S = 0.5


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(readable=False), metavar="INPUT...")
@click.option(
    "--call",
    "calls",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="A function that takes each chunk as a clip and returns a clip (return clip.map(...)), a path, or None to"
    " leave it out; MODULE is a module or a .py file. Given several times, they follow one another.",
)
@click.option("--chunk", metavar="SIZE", help="How large a chunk is: 60s, 1:00, or with --by a number or 100M.")
@click.option(
    "--by",
    type=click.Choice(["seconds", "keyframes", "bytes"]),
    default="seconds",
    help="What chunks are counted in.  [default: seconds]",
)
@click.option("--follow", is_flag=True, help="INPUT is being recorded: go on as it grows.")
@click.option(
    "--idle", default=10.0, type=FiniteRange(0), metavar="SECONDS", help="With --follow: its end.  [default: 10]"
)
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Chunks at a time.  [default: 1]")
@click.option(
    "--engine",
    metavar="ENGINE",
    help="Where the functions run: local (processes), threads, dask://HOST:PORT, ray://HOST:PORT."
    "  [default: local with --jobs, else this process]",
)
@click.option(
    "--on-error",
    default="raise",
    metavar="POLICY",
    help="What becomes of a chunk that fails: raise, skip, retry:N or retry:N:skip.  [default: raise]",
)
@click.option("--restart", is_flag=True, help="Throw away what an interrupted job left, and begin anew.")
@output_options
@click.pass_obj
def stream(
    console: Console,
    /,
    inputs: tuple[str, ...],
    calls: tuple[str, ...],
    chunk: str | None,
    by: ChunkUnit,
    follow: bool,
    idle: float,
    jobs: int | None,
    engine: str | None,
    on_error: str,
    restart: bool,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Process INPUT in chunks with a Python function and join what it returns.

    Finished chunks are kept beside OUTPUT until it is whole: after a crash or Ctrl-C the same command goes on from
    there. Chunks that the function returns as they are cost nothing; without --call all of them are copied.
    """
    from ffzero.pipelines.entry_points import load_stage

    output = check_output(output, dry_run=dry_run)
    size, policy = _chunk_size(chunk, by), _policy(on_error)
    stages = [load_stage(name) for name in calls]
    if follow and len(inputs) > 1:
        raise UsageError("one file at a time can be followed")
    source: Any = inputs[0] if len(inputs) == 1 else list(inputs)
    if dry_run or output is None:
        if follow:
            raise UsageError("what is still to be recorded has no plan", hint="Leave out --dry-run or --follow")
        _check(output, engine)
        _show(console, source, size, by, output)
        return
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        reporter = _WithMemory(progress)
        with rest_told(console, output):
            result = ffzero.process_stream(
                source,
                output,
                stages,
                chunk_size=size,
                by=by,
                follow=follow,
                idle_timeout=idle,
                jobs=jobs,
                engine=engine or ("local" if (jobs or 1) > 1 else None),
                on_error=policy,
                restart=restart,
                overwrite=overwrite,
                reporter=reporter,
                cancel=cancel,
            )
    _report(console, result, reporter.peak_bytes)


def _check(output: str | None, engine: str | None) -> None:
    """Raise what a run would raise for its engine's name and its output's folder."""
    from ffzero.engines.opening import check_engine
    from ffzero.storage.outputs import Destination

    if engine is not None:
        check_engine(engine)
    if output is not None:
        Destination.examine(output, overwrite=True)


def _report(console: Console, result: ffzero.StreamResult, memory_bytes: int | None) -> None:
    if console.json_wanted:
        console.object({**result.to_dict(), "memory_bytes": memory_bytes})
        return
    head, *costs = summary(replace(result, segments=()))
    console.line(head)
    console.lines([*_chunk_lines(result, memory_bytes), *costs])


def _chunk_size(text: str | None, by: str) -> Fraction:
    given = _CHUNK[by] if text is None else text.strip()
    if by == "bytes":
        return Fraction(size_in_bytes("chunk", given))
    if by == "keyframes":
        if not given.isascii() or not given.isdigit() or not int(given):
            raise UsageError(f"--chunk: not a number of keyframes: {given!r}")
        return Fraction(int(given))
    size = time_of("chunk", given.removesuffix("s"))
    if not size:
        raise UsageError("--chunk: a chunk lasts longer than nothing", found=given)
    return size


def _policy(text: str) -> ErrorHandler:
    from ffzero.pipelines.stages import ErrorPolicy, Retry

    match = _POLICY.fullmatch(text.strip())
    if match is None or match.group(2) == "0":
        raise UsageError(f"--on-error: not a policy: {text!r}", expected="raise, skip, retry:N or retry:N:skip")
    if match.group(1):
        return ErrorPolicy.SKIP if match.group(1) == "skip" else ErrorPolicy.RAISE
    then = ErrorPolicy.SKIP if match.group(3) else ErrorPolicy.RAISE
    return Retry(int(match.group(2) or 3), delay_s=0.5, then=then)


class _WithMemory:
    """Adds the memory in use to what is told of chunks, looked up twice a second at most."""

    def __init__(self, inner: Reporter, measure: Callable[[], int | None] = resident_bytes) -> None:
        self._inner = inner
        self._measure = measure
        self._due_s = 0.0
        self._bytes: int | None = None
        self.peak_bytes: int | None = None

    def __call__(self, event: ProgressEvent) -> None:
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + _MEMORY_EVERY_S
            self._bytes = self._measure()
            self.peak_bytes = max(self.peak_bytes or 0, self._bytes or 0) or None
        if event.stage == "chunks":
            details = {**event.details, "memory_bytes": self._bytes}
            event = ProgressEvent(
                stage=event.stage, done=event.done, total=event.total, unit=event.unit, details=details
            )
        self._inner(event)


def _chunk_lines(result: ffzero.StreamResult, memory_bytes: int | None) -> list[str]:
    facts = [count(result.chunks, "chunk")]
    if result.chunks_resumed:
        facts.append(f"{result.chunks_resumed} from an earlier run")
    if result.chunks_dropped:
        facts.append(f"{result.chunks_dropped} left out")
    if memory_bytes:
        facts.append(f"{byte_count(memory_bytes)} of memory at most")
    return [f"  {', '.join(facts)}", *(f"  skipped {one['where']}: {one['error']}" for one in result.skipped)]


def _show(console: Console, source: str | Sequence[str], size: Fraction, by: ChunkUnit, output: str | None) -> None:
    segments = list(ffzero.generate_video_segments(source, size, by=by, at_keyframes=True))
    rows = [
        {
            "chunk": segment.index,
            "input": segment.pieces[0].input.path,
            "start_s": float(segment.start),
            "end_s": None if segment.end is None else float(segment.end),
        }
        for segment in segments
    ]
    if console.json_wanted:
        console.object({**plan_fields({"segments": rows}, output), "chunks": len(rows)})
        return
    console.line(f"{count(len(rows), 'chunk')}:")
    console.lines(columns([_row(row) for row in rows]))


def _row(row: dict[str, Any]) -> list[str]:
    end = "the end" if row["end_s"] is None else clock(row["end_s"])
    return [str(row["chunk"]), f"{clock(row['start_s'])} to {end}", printable(row["input"])]
