"""``ffzero cut``: one time range of one file."""

from __future__ import annotations

import click

import ffzero
from ffzero.cli.audio_mode import audio_option
from ffzero.cli.boundary import boundary_option
from ffzero.cli.console import Console
from ffzero.cli.engine import engine_options
from ffzero.cli.job import check_output, execute, output_options
from ffzero.cli.proof import Proof, proof_options
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.ranges import range_options, time_range

__all__ = ["cut"]


@click.command()
@click.argument("input", type=click.Path())
@range_options
@boundary_option
@audio_option
@output_options
@engine_options
@proof_options
@click.pass_obj
def cut(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    boundary: str,
    audio: str | None,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
    proof: Proof,
    jobs: int | None,
    engine: str | None,
) -> None:
    """Cut the frames from START up to END (or for DURATION) out of INPUT.

    The samples are not coded again, and where the filesystem can share data between files they are not even copied.
    """
    start_s, end_s = time_range(start, end, duration)
    output = check_output(output, dry_run=dry_run)
    start_quickly()
    with ffzero.open(input) as movie:
        clip = movie[start_s:end_s]
        execute(
            console,
            clip,
            output,
            boundary=boundary,
            audio=audio,
            dry_run=dry_run,
            overwrite=overwrite,
            proof=proof,
            jobs=jobs,
            engine=engine,
        )
