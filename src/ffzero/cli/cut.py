"""``ffzero cut``: one time range of one file."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import execute
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.ranges import range_options, time_range
from ffzero.cli.writing import Writing, writing_options

__all__ = ["cut"]


@click.command()
@click.argument("input", type=click.Path(readable=False))
@range_options
@writing_options()
@click.pass_obj
def cut(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    writing: Writing,
) -> None:
    """Cut the frames from START up to END (or for DURATION) out of INPUT.

    The samples are not coded again, and where the filesystem can share data between files they are not even copied.
    """
    start_s, end_s = time_range(start, end, duration)
    start_quickly()
    with ffzero.open(input) as movie:
        execute(console, movie[start_s:end_s], writing)
