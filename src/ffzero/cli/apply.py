"""``ffzero apply``: an effect on a time range of a file; all else of it is copied."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.job import execute
from ffzero.cli.ranges import range_options, time_range
from ffzero.cli.writing import Writing, writing_options
from ffzero.errors import UsageError

__all__ = ["apply"]


@click.command()
@click.argument("input", type=click.Path(readable=False))
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="CHAIN",
    help='An FFmpeg filter chain for the pictures, such as "boxblur=10" or "drawtext=text=Hello"; its clock begins at'
    " START. Given several times, they are applied one after another.",
)
@click.option(
    "--audio-filter",
    "audio_filters",
    multiple=True,
    metavar="CHAIN",
    help='An FFmpeg filter chain for the sound, such as "volume=0".',
)
@range_options
@writing_options(audio=False)
@click.pass_obj
def apply(
    console: Console,
    /,
    input: str,
    filters: tuple[str, ...],
    audio_filters: tuple[str, ...],
    start: str | None,
    end: str | None,
    duration: str | None,
    writing: Writing,
) -> None:
    """Apply effects to INPUT from START up to END (or for DURATION) and keep the rest as it is.

    Only the groups of pictures that the range touches are coded again.
    """
    if not filters and not audio_filters:
        raise UsageError("no effect was named", hint='Give --filter CHAIN (such as "boxblur=10") or --audio-filter')
    start_s, end_s = time_range(start, end, duration)
    with ffzero.open(input) as movie:
        clip = movie[:]
        for chain in filters:
            clip = clip.apply(chain, start_s, end_s)
        for chain in audio_filters:
            clip = clip.apply_audio(chain, start_s, end_s)
        execute(console, clip, writing)
