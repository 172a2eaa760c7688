"""``-o``, ``--dry-run``, ``--json`` and ``-y``, which commands that write share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ffzero.errors import UsageError

__all__ = ["check_output", "output_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def output_options(command: _Command) -> _Command:
    """Give a command ``-o``, ``--dry-run``, ``--json`` and ``-y``."""
    for option in (
        click.option("-y", "--yes", "overwrite", is_flag=True, help="Replace OUTPUT if it exists."),
        click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object."),
        click.option("--dry-run", is_flag=True, help="Show the plan; write nothing."),
        click.option("-o", "--output", type=click.Path(readable=False), metavar="OUTPUT", help="The file to write."),
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
