"""``ffzero concat``: files joined end to end."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import check_output, execute, output_options

__all__ = ["concat"]


@click.command(short_help="Join files end to end.")
@click.argument("inputs", type=click.Path(), nargs=-1, required=True, metavar="INPUT...")
@output_options
@click.pass_obj
def concat(
    console: Console,
    inputs: tuple[str, ...],
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Join the INPUT files end to end, without coding anything again.

    Their tracks must agree; where they don't, the message says in what.
    """
    output = check_output(output, dry_run=dry_run)
    clip = ffzero.concat(list(inputs))
    execute(console, clip, output, boundary="auto", dry_run=dry_run, overwrite=overwrite)
