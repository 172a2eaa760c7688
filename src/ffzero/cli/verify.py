"""``ffzero verify``: an output against the plan that it was made by."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.audio_mode import audio_option
from ffzero.cli.boundary import boundary_option
from ffzero.cli.console import Console
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.proof import verification_lines
from ffzero.cli.ranges import range_options, time_range
from ffzero.cli.signals import cancellable
from ffzero.errors import UsageError

__all__ = ["verify"]


@click.command()
@click.argument("output", type=click.Path(readable=False))
@click.option(
    "--plan",
    type=click.Path(readable=False),
    metavar="FILE",
    help="The record of the edit (see --sidecar of cut); OUTPUT.ffzero.json by default.",
)
@click.option(
    "--source",
    "sources",
    type=click.Path(readable=False),
    multiple=True,
    metavar="FILE",
    help="Instead of a record: what it was cut out of (with --start and --end), or each of what was joined.",
)
@range_options
@boundary_option
@audio_option
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def verify(
    console: Console,
    /,
    output: str,
    plan: str | None,
    sources: tuple[str, ...],
    start: str | None,
    end: str | None,
    duration: str | None,
    boundary: str,
    audio: str | None,
    json_wanted: bool,
) -> None:
    """Check OUTPUT, a file that ffzero wrote, sample by sample and picture by picture.

    Copied samples must be the source's bit for bit, every picture there once, in order and at its time, coded ones as
    good as the source's (45 dB PSNR or VMAF 97), and sound within a packet of where it belongs. What not every player
    handles is named. The exit status is 1 where something is wrong.
    """
    start_s, end_s = time_range(start, end, duration)
    if plan is not None and sources:
        raise UsageError("--plan and --source were both given", hint="Give one of them")
    if not sources and (start_s is not None or end_s is not None):
        raise UsageError("times were given without --source", hint="Name the file that it was cut out of")
    if len(sources) > 1 and (start_s is not None or end_s is not None):
        raise UsageError("times were given for several sources", hint="Keep a record with --sidecar when you cut")
    against = None
    if sources:
        against = ffzero.concat(list(sources)) if len(sources) > 1 else ffzero.open(sources[0])[start_s:end_s]
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        found = ffzero.verify(output, against or plan, boundary=boundary, audio=audio, reporter=progress, cancel=cancel)
    if console.json_wanted:
        console.object(found.to_dict())
    else:
        console.lines(verification_lines(found.to_dict(), colour=console.colour))
    if not found.passed:
        raise click.exceptions.Exit(1)
