"""What commands that write one clip share: running it to its plan or its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ffzero.cli.console import Console
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.proof import verification_lines
from ffzero.cli.report import plan_fields, summary
from ffzero.cli.signals import cancellable
from ffzero.errors import VerificationError

if TYPE_CHECKING:
    from ffzero.api import Clip
    from ffzero.cli.writing import Writing

__all__ = ["execute"]


def execute(console: Console, clip: Clip, writing: Writing) -> None:
    """Write the clip and report what it cost, or show its plan. What ``--verify`` finds wrong ends it with status 1."""
    output = writing.output
    if writing.dry_run or output is None:
        if output is not None:
            _check(clip, output)
        plan = clip.plan(output=output, **writing.plan_options)
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
            result = clip.write(output, reporter=progress, cancel=cancel, **writing.options)
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


def _check(clip: Clip, output: str) -> None:
    """Raise what writing would raise for the output's name, were there nothing yet."""
    from ffzero.edits.pieces import refuse_sources
    from ffzero.storage.outputs import Destination

    Destination.examine(output, overwrite=True)
    refuse_sources(clip.pieces, output)
