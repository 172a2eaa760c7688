"""``ffzero concat``: files joined end to end."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import execute
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.writing import Writing, writing_options

__all__ = ["concat"]


@click.command()
@click.argument("inputs", type=click.Path(readable=False), nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--like",
    type=click.Path(readable=False),
    metavar="FILE",
    help="What files that differ are made like; by default what most of the time is like.",
)
@writing_options()
@click.pass_obj
def concat(
    console: Console,
    inputs: tuple[str, ...],
    like: str | None,
    writing: Writing,
) -> None:
    """Join the INPUT files end to end, coding again only what must be.

    Files whose size, codec, colour or frame rate differs are coded like the others; --dry-run shows which, and why.
    """
    start_quickly()
    execute(console, ffzero.concat(list(inputs), like=like), writing)
