"""``ffzero gif``: an animated GIF of a video, with a palette of its own."""

from __future__ import annotations

import os
from fractions import Fraction

import click

from ffzero.cli.console import Console
from ffzero.cli.ffmpeg_job import begin
from ffzero.cli.output import output_options
from ffzero.cli.ranges import range_options, time_range
from ffzero.errors import UsageError
from ffzero.ffmpeg.checks import frame_rate
from ffzero.ffmpeg.command import FFmpegCommandBuilder

__all__ = ["gif"]

_FPS = "12"
_WIDTH = 480


@click.command()
@click.argument("input", type=click.Path(readable=False))
@range_options
@click.option("--fps", metavar="RATE", default=_FPS, show_default=True, help="Frames a second, at most 100.")
@click.option("--width", type=int, default=_WIDTH, show_default=True, help="In pixels; the aspect is kept.")
@output_options
@click.pass_obj
def gif(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    fps: str,
    width: int,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Make a GIF of INPUT, or of its frames from START up to END; it repeats for ever."""
    start_s, end_s = time_range(start, end, duration)
    if output and os.path.splitext(output)[1].lower() != ".gif":
        raise UsageError("the output's name must end with .gif", path=output)
    rate = frame_rate(fps)
    job = begin(console, input, output, dry_run=dry_run, overwrite=overwrite)
    job.source.require_video()
    command = FFmpegCommandBuilder(binary=job.binary).build_command(
        "gif",
        input_path=input,
        output_path=job.output,
        start_time=start_s,
        duration=None if end_s is None else end_s - (start_s or Fraction(0)),
        fps=rate,
        width=width,
    )
    job.run(command, job.source.length(start_s, end_s))
