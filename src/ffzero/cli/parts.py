"""Parts of one movie, each written to a file of its own: their plans, the writing, and one report of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ffzero.cli.console import Console
from ffzero.cli.draw import columns
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.proof import verification_lines
from ffzero.cli.report import plan_fields, summary
from ffzero.cli.signals import cancellable
from ffzero.cli.text import byte_count, clock, count, printable
from ffzero.errors import CancelledError, FFZeroError, VerificationError
from ffzero.reporting import ProgressEvent, Reporter, WriteResult

if TYPE_CHECKING:
    from ffzero.api import Clip, Plan
    from ffzero.cli.writing import Writing

__all__ = ["show_parts", "write_parts"]

_SUMS = (
    "bytes_total",
    "bytes_shared",
    "bytes_copied",
    "bytes_rendered",
    "bytes_header",
    "frames_copied",
    "frames_rendered",
    "elapsed_s",
)


def show_parts(
    console: Console, pattern: str | None, names: Sequence[str | None], plans: Sequence[Plan], notes: Sequence[str]
) -> None:
    """Show what would be written; ``notes`` are warnings of the whole."""
    warnings = _distinct([notes, *(plan.warnings for plan in plans)])
    parts = [plan_fields(plan.to_dict(), name) for name, plan in zip(names, plans, strict=True)]
    if console.json_wanted:
        sums = {key: _sum(part[key] for part in parts) for key in _SUMS}
        head = {**plan_fields({}, pattern), **sums, "segments": [], "warnings": warnings}
        console.object({**head, "parts": parts})
        return
    console.line(f"{count(len(plans), 'part')}:")
    labels = [f"part {number}" if name is None else printable(name) for number, name in enumerate(names, 1)]
    console.lines(columns([_row(label, plan) for label, plan in zip(labels, plans, strict=True)]))
    for plan in plans:
        console.lines([f"  to be coded anew: {printable(str(render))}" for render in plan.renders])
    console.lines([f"  warning: {printable(warning)}" for warning in warnings])


def _row(label: str, plan: Plan) -> list[str]:
    frames = plan.frames_copied + plan.frames_rendered
    return [label, _range(plan), count(frames, "frame") if frames else "", _size(plan)]


def _size(plan: Plan) -> str:
    return "" if plan.bytes_total is None else byte_count(plan.bytes_total)


def _range(plan: Plan) -> str:
    start_s, end_s = plan.pieces[0]["start_s"], plan.pieces[-1]["end_s"]
    return f"{clock(start_s)} to {'the end' if end_s is None else clock(end_s)}"


def write_parts(
    console: Console,
    pattern: str,
    names: Sequence[str],
    parts: Sequence[Clip],
    plans: Sequence[Plan],
    notes: Sequence[str],
    writing: Writing,
) -> None:
    """Write the parts one after another, then report. Those written before one fails stay; the error says how many.

    Where a part is found wrong the others are written nevertheless, and the exit status is 1.
    """
    results: list[WriteResult] = []
    is_wrong = False
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        for name, part in zip(names, parts, strict=True):
            reporter = _within(progress, len(results), plans)
            try:
                results.append(part.write(name, reporter=reporter, cancel=cancel, **writing.options))
            except VerificationError as error:
                results.append(error.result)
                is_wrong = True
            except FFZeroError as error:
                if results and not isinstance(error, CancelledError):
                    console.message(f"ffzero: {len(results)} of {len(parts)} parts were written, up to {results[-1]}")
                raise
    _report(console, pattern, results, plans, notes)
    if is_wrong:
        raise click.exceptions.Exit(1)


def _within(progress: Reporter, number: int, plans: Sequence[Plan]) -> Reporter:
    """Return a reporter of one part that tells of all of them: in bytes where all are known, else in seconds."""
    sizes = [plan.bytes_total for plan in plans if plan.bytes_total is not None]
    unit = "bytes"
    if len(sizes) < len(plans):
        unit, sizes = "seconds", [int(plan.duration_s) for plan in plans]
    before, total, stage = sum(sizes[:number]), sum(sizes), count(len(plans), "part")
    slow = "render" if plans[number].needs_render else "write"
    reached = 0

    def report(event: ProgressEvent) -> None:
        nonlocal reached
        if event.total and event.stage in (slow, "copy"):
            reached = max(reached, min(event.done, event.total) * sizes[number] // event.total)
        progress(ProgressEvent(stage=stage, done=before + reached, total=total, unit=unit))

    return report


def _report(
    console: Console, pattern: str, results: Sequence[WriteResult], plans: Sequence[Plan], notes: Sequence[str]
) -> None:
    sums: dict[str, Any] = {key: _sum(getattr(result, key) for result in results) for key in _SUMS}
    methods: Counter[str] = Counter()
    for result in results:
        methods.update(result.methods)
    warnings = tuple(_distinct([notes, *(result.warnings for result in results)]))
    total = WriteResult(output=pattern, methods=methods, warnings=warnings, **sums)
    if console.json_wanted:
        console.object({**total.to_dict(), "parts": [result.to_dict() for result in results]})
        return
    console.lines(columns([_written(result, plan) for result, plan in zip(results, plans, strict=True)]))
    head, *costs = summary(total)
    console.lines([f"{count(len(results), 'part')}{head.removeprefix(printable(pattern))}", *costs])
    for result in results:
        if result.verification is not None:
            console.lines(verification_lines(result.verification, colour=console.colour))


def _written(result: WriteResult, plan: Plan) -> list[str]:
    frames = result.frames_copied + result.frames_rendered
    return [printable(result), _range(plan), count(frames, "frame") if frames else "", byte_count(result.bytes_total)]


def _sum(values: Iterable[Any]) -> Any:
    """Return the sum, ``None`` where one is not known."""
    found = list(values)
    return None if None in found else sum(found)


def _distinct(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(text for group in groups for text in group))
