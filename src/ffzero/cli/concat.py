"""``ffzero concat``: files joined end to end."""

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

__all__ = ["concat"]


@click.command()
@click.argument("inputs", type=click.Path(), nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--like",
    type=click.Path(),
    metavar="FILE",
    help="What files that differ are made like; by default what most of the time is like.",
)
@boundary_option
@audio_option
@output_options
@engine_options
@proof_options
@click.pass_obj
def concat(
    console: Console,
    inputs: tuple[str, ...],
    like: str | None,
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
    """Join the INPUT files end to end, coding again only what must be.

    Files whose size, codec, colour or frame rate differs are coded like the others; --dry-run shows which, and why.
    """
    output = check_output(output, dry_run=dry_run)
    start_quickly()
    clip = ffzero.concat(list(inputs), like=like)
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
