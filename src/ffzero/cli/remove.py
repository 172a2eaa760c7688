"""``ffzero remove``: a file without some of its time ranges."""

from __future__ import annotations

from fractions import Fraction

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import execute
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.ranges import time_of
from ffzero.cli.writing import Writing, writing_options
from ffzero.errors import TimeRangeError, UsageError

__all__ = ["remove"]


@click.command()
@click.argument("input", type=click.Path(readable=False))
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="START-END",
    help="What to take out (the frame at END stays), such as 1:02-1:05.5; without START from the beginning, without END"
    " to the end. Give it as often as there are ranges.",
)
@writing_options()
@click.pass_obj
def remove(
    console: Console,
    /,
    input: str,
    ranges: tuple[str, ...],
    writing: Writing,
) -> None:
    """Take the ranges out of INPUT and join what is left.

    Ranges may overlap and come in any order; their times are those of INPUT.
    """
    if not ranges:
        raise UsageError("nothing to take out was named", hint="Give --range START-END")
    parsed = [_parsed(text) for text in ranges]
    start_quickly()
    with ffzero.open(input) as movie:
        execute(console, movie.remove(parsed), writing)


def _parsed(text: str) -> tuple[Fraction | None, Fraction | None]:
    start, dash, end = text.partition("-")
    if not dash or not (start.strip() or end.strip()):
        raise TimeRangeError(f"--range: not a range of times: {text!r}", hint="Write START-END, such as 1:02-1:05.5")
    first, last = (time_of("range", part.strip() or None) for part in (start, end))
    if last is not None and last <= (first or 0):
        raise TimeRangeError(f"--range: the range {text} does not end after its start")
    return first, last
