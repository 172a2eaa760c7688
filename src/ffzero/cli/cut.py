"""``ffzero cut``: one time range of one file."""

from __future__ import annotations

from fractions import Fraction

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import check_output, execute, output_options
from ffzero.cli.text import clock
from ffzero.errors import TimeRangeError, UsageError
from ffzero.timebase import parse_time

__all__ = ["cut", "time_range"]

BOUNDARIES = ("auto", "keyframe", "edit-list", "render")


@click.command(short_help="Cut a time range out of a file.")
@click.argument("input", type=click.Path())
@click.option("-s", "--start", metavar="TIME", help="Where the cut begins; the file's beginning by default.")
@click.option(
    "-e", "--end", metavar="TIME", help="Where it ends (the frame there is not in it); the file's end by default."
)
@click.option("-d", "--duration", metavar="TIME", help="How long it is, instead of --end.")
@click.option(
    "--boundary",
    type=click.Choice(BOUNDARIES),
    default="auto",
    show_default=True,
    help="How the cut is made exact where it does not begin at a keyframe: move it to the keyframe before, hide the"
    " frames before it by an edit list, or code the frames up to the next keyframe anew.",
)
@output_options
@click.pass_obj
def cut(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    boundary: str,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Cut the frames from START up to END (or for DURATION) out of INPUT.

    The samples are not coded again, and where the filesystem can share data between files they are not even copied.
    """
    start_s, end_s = time_range(start, end, duration)
    output = check_output(output, dry_run=dry_run)
    with ffzero.open(input) as movie:
        clip = movie[start_s:end_s]
        execute(console, clip, output, boundary=boundary, dry_run=dry_run, overwrite=overwrite)


def time_range(start: str | None, end: str | None, duration: str | None) -> tuple[Fraction | None, Fraction | None]:
    """Return ``[start, end)`` in exact seconds; ``None`` is the file's own. Raises ``UsageError`` for nonsense."""
    if end is not None and duration is not None:
        raise UsageError("--end and --duration were both given", hint="Give one of them")
    start_s = _time("start", start)
    end_s = _time("end", end)
    duration_s = _time("duration", duration)
    if duration_s is not None:
        if duration_s == 0:
            raise TimeRangeError("the duration is zero")
        end_s = (start_s or Fraction(0)) + duration_s
    if end_s is not None and end_s <= (start_s or 0):
        raise TimeRangeError(f"the end ({clock(end_s)}) is not after the start ({clock(start_s or Fraction(0))})")
    return start_s, end_s


def _time(name: str, text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except TimeRangeError as error:
        raise TimeRangeError(f"--{name}: {error.message}", hint=error.hint) from None
