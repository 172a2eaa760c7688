"""``ffzero thumbnail``: one picture of a video, or a sheet of many."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from typing import Any

import click

from ffzero.cli.console import Console
from ffzero.cli.ffmpeg_job import FFmpegJob, begin
from ffzero.cli.output import output_options
from ffzero.cli.ranges import time_of
from ffzero.errors import FFmpegError, UsageError
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.model import FFmpegCommand

__all__ = ["thumbnail"]

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff")
_SHEET = re.compile(r"(\d{1,2})[xX](\d{1,2})", re.ASCII)
_DEFAULT_AT = Fraction(1, 10)
_TILE_WIDTH = 320
_EMPTY = "Output file is empty"
"""What FFmpeg says where no picture came; some muxers then fail for another reason, others do not fail."""


@click.command()
@click.argument("input", type=click.Path(readable=False))
@click.option("--at", metavar="TIME", help="The picture of that time; after a tenth of the video by default.")
@click.option("--width", type=int, help="In pixels, of the picture or of each tile; the aspect is kept.")
@click.option("--sheet", metavar="COLUMNSxROWS", help="Tile pictures that are spread evenly over the video.")
@output_options
@click.pass_obj
def thumbnail(
    console: Console,
    /,
    input: str,
    at: str | None,
    width: int | None,
    sheet: str | None,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Write a picture of INPUT as JPEG, PNG, WebP, AVIF, BMP or TIFF, as the output's name says."""
    at_s = time_of("at", at)
    tiles = _tiles(sheet)
    if tiles and at_s is not None:
        raise UsageError("--at and --sheet were both given", hint="Give one of them")
    _check_name(output)
    job = begin(console, input, output, dry_run=dry_run, overwrite=overwrite)
    job.source.require_video()
    if tiles:
        _sheet(job, *tiles, width or _TILE_WIDTH)
    else:
        _picture(job, at_s, width)


def _tiles(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = _SHEET.fullmatch(text)
    if match is None:
        raise UsageError(f"--sheet: not COLUMNSxROWS: {text!r}", hint="Sheets are like 4x3")
    return int(match[1]), int(match[2])


def _check_name(output: str | None) -> None:
    if output and os.path.splitext(output)[1].lower() not in _SUFFIXES:
        raise UsageError("the name says no kind of picture", path=output, hint=f"End it with {', '.join(_SUFFIXES)}")


def _build(job: FFmpegJob, operation: str, **parameters: Any) -> FFmpegCommand:
    return FFmpegCommandBuilder(binary=job.binary).build_command(
        operation, input_path=job.source.path, output_path=job.output, **parameters
    )


def _picture(job: FFmpegJob, at_s: Fraction | None, width: int | None) -> None:
    if at_s is not None:
        job.source.length(at_s, None)
    elif job.source.duration_s is not None:
        at_s = job.source.duration_s * _DEFAULT_AT
    at_s = at_s or Fraction(0)
    commands = [
        _build(job, "thumbnail", time=at_s, width=width),
        _build(job, "thumbnail", time=at_s, width=width, last=True),
        _build(job, "thumbnail", time=0, width=width),
    ]
    _first_that_writes(job, commands)


def _sheet(job: FFmpegJob, columns: int, rows: int, width: int) -> None:
    tiles = {"columns": columns, "rows": rows, "width": width}
    commands = [_build(job, "contact_sheet", **tiles)]
    if job.source.duration_s:
        commands.insert(0, _build(job, "contact_sheet", **tiles, duration=job.source.duration_s))
    _first_that_writes(job, commands)


def _first_that_writes(job: FFmpegJob, commands: list[FFmpegCommand]) -> None:
    """Run the first command; where it finds no picture (the file is shorter than it says), the next one."""
    if job.dry_run:
        job.show(commands[:1])
        return
    for command in commands[:-1]:
        try:
            done = job.execute(command, None)
        except FFmpegError as error:
            if error.returncode != 0 and _EMPTY not in error.stderr_tail:
                raise
        else:
            job.tell(command, done)
            return
    job.run(commands[-1])
