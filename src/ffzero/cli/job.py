"""What ``cut`` and ``concat`` share: their options, and running a clip to its plan or its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ffzero.cli.console import Console
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.report import plan_fields, summary
from ffzero.cli.signals import cancellable
from ffzero.errors import UsageError

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


def execute(console: Console, clip: Clip, output: str | None, *, boundary: str, dry_run: bool, overwrite: bool) -> None:
    """Write the clip and report what it cost, or show its plan."""
    if dry_run or output is None:
        plan = clip.plan(boundary=boundary, output=output)
        if console.json_wanted:
            console.object(plan_fields(plan.to_dict(), output))
        else:
            console.line(str(plan))
        return
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        result = clip.write(output, boundary=boundary, overwrite=overwrite, reporter=progress, cancel=cancel)
    if console.json_wanted:
        console.object(result.to_dict())
    else:
        console.lines(summary(result))
