"""What ``cut`` and ``concat`` share: their options, and running a clip to its plan or its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ffzero.cli.console import Console
from ffzero.cli.engine import workers
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.proof import NO_PROOF, Proof, verification_lines
from ffzero.cli.report import plan_fields, summary
from ffzero.cli.signals import cancellable
from ffzero.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from ffzero.api import Clip

__all__ = ["check_output", "execute", "output_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def output_options(command: _Command) -> _Command:
    """Give a command ``-o``, ``--dry-run``, ``--json`` and ``-y``."""
    for option in (
        click.option("-y", "--yes", "overwrite", is_flag=True, help="Replace OUTPUT if it exists."),
        click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object."),
        click.option("--dry-run", is_flag=True, help="Show the plan; write nothing."),
        click.option("-o", "--output", type=click.Path(), metavar="OUTPUT", help="The file to write."),
    ):
        command = option(command)
    return command


def check_output(output: str | None, *, dry_run: bool) -> str | None:
    """Return ``output`` if it can name a file. Raises ``UsageError`` where it is missing or means standard output."""
    if output is None and not dry_run:
        raise UsageError("no output was named", hint="Give one with -o OUTPUT, or only look at the plan with --dry-run")
    if output == "":
        raise UsageError("the output's name is empty")
    if output == "-":
        raise UsageError("standard output cannot be written to", hint="Give a file (./- for one of that name)")
    return output


def execute(
    console: Console,
    clip: Clip,
    output: str | None,
    *,
    boundary: str,
    audio: str | None = None,
    dry_run: bool,
    overwrite: bool,
    proof: Proof = NO_PROOF,
    jobs: int | None = None,
    engine: str | None = None,
) -> None:
    """Write the clip and report what it cost, or show its plan. What ``proof`` finds wrong ends it with status 1."""
    proof.check(dry_run=dry_run)
    if dry_run or output is None:
        plan = clip.plan(boundary=boundary, output=output, audio=audio)
        if console.json_wanted:
            console.object(plan_fields(plan.to_dict(), output))
        else:
            if console.stdout.isatty():
                from ffzero.cli.plan_picture import plan_picture

                console.lines(
                    plan_picture(plan.to_dict(), width=console.width, blocks=console.blocks, colour=console.colour)
                )
            console.line(str(plan))
        return
    is_wrong = False
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        try:
            result = clip.write(
                output,
                boundary=boundary,
                audio=audio,
                overwrite=overwrite,
                reporter=progress,
                cancel=cancel,
                **proof.options,
                **workers(jobs, engine),
            )
        except VerificationError as error:
            result, is_wrong = error.result, True
    if console.json_wanted:
        console.object(result.to_dict())
    else:
        console.lines(summary(result))
        if result.verification is not None:
            console.lines(verification_lines(result.verification, colour=console.colour))
    if is_wrong:
        raise click.exceptions.Exit(1)
