"""``ffzero contact-sheet``: frames that are spread over a video, tiled into one picture, each with its time."""

from __future__ import annotations

import os
import re
import time as clock_of_system
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.output import check_output, output_options
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.ranges import range_options, time_range
from ffzero.cli.report import plan_fields
from ffzero.cli.signals import cancellable
from ffzero.cli.text import byte_count, clock, count, printable, seconds
from ffzero.errors import TimeRangeError, UsageError
from ffzero.reporting import ProgressEvent, WriteResult

if TYPE_CHECKING:
    import numpy as np

    from ffzero.api import Movie

__all__ = ["contact_sheet"]

_GRID = re.compile(r"([1-9]\d?)[xX]([1-9]\d?)", re.ASCII)
_MOST_PIXELS = 65_000
_LEAST_TILE = 16


@click.command("contact-sheet")
@click.argument("input", type=click.Path(readable=False))
@range_options
@click.option("--grid", default="4x3", show_default=True, metavar="COLUMNSxROWS", help="How many tiles.")
@click.option(
    "--width", default=1280, show_default=True, type=click.IntRange(_LEAST_TILE, _MOST_PIXELS), help="Of the sheet."
)
@click.option("--labels", is_flag=True, help="Write each tile's time into it.")
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG and WebP.  [default: 90]")
@output_options
@click.pass_obj
def contact_sheet(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    grid: str,
    width: int,
    labels: bool,
    quality: int | None,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Tile frames of INPUT into one JPEG, PNG or WebP: each is the exact frame in the middle of an equal part.

    A short video has a full sheet too, in which frames may come again.
    """
    begin, stop = time_range(start, end, duration)
    columns, rows = _grid(grid)
    if width // columns < _LEAST_TILE:
        raise UsageError(f"{columns} tiles do not fit into {width} pixels", hint="Give fewer columns or more --width")
    output = check_output(output, dry_run=dry_run)
    if output is not None:
        _check_name(output, quality)
    with ffzero.open(input) as movie:
        times = _times(movie, columns * rows, begin, stop)
        if dry_run or output is None:
            _show(console, times, output)
            return
        from ffzero.storage.outputs import Destination

        Destination.examine(output, overwrite=overwrite)
        begun = clock_of_system.perf_counter()
        with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
            sheet = None
            tiles = _tiles(movie, times, columns, width // columns, cancel)
            for number, (time, tile) in enumerate(tiles):
                if sheet is None:
                    sheet = _blank(tile.shape, columns, rows)
                _place(sheet, tile, number, columns, rows, clock(time) if labels else None)
                progress(ProgressEvent(stage="frames", done=number + 1, total=len(times), unit="frames"))
            assert sheet is not None
        _write(sheet, output, quality, overwrite=overwrite)
    _report(console, output, times, clock_of_system.perf_counter() - begun)


def _grid(text: str) -> tuple[int, int]:
    match = _GRID.fullmatch(text)
    if match is None:
        raise UsageError(f"--grid: not COLUMNSxROWS: {text!r}", hint="Grids are like 4x3, up to 99x99")
    return int(match[1]), int(match[2])


def _check_name(output: str, quality: int | None) -> None:
    from ffzero.frames.writing.images import ImageEncoder

    suffix = os.path.splitext(output)[1].lower()
    try:
        ImageEncoder(suffix, quality)
    except UsageError as error:
        raise error.located(path=output) from None


def _times(movie: Movie, number: int, begin: Fraction | None, stop: Fraction | None) -> list[Fraction]:
    """Return the middles of equal parts of the range, as far as there are pictures."""
    ends = [Fraction(movie.duration), *([] if stop is None else [stop])]
    ends += [Fraction(track.duration_s) for track in movie.info().tracks if track.kind == "video" and track.duration_s]
    low, high = begin or Fraction(0), min(ends)
    if high <= low:
        raise TimeRangeError("no picture lies in the range", path=movie.path, hint=f"The pictures end at {clock(high)}")
    return [low + (high - low) * (2 * place + 1) / (2 * number) for place in range(number)]


def _tiles(
    movie: Movie, times: Sequence[Fraction], columns: int, width: int, cancel: Any
) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Yield each tile with its frame's own time. A row is decoded at a time, so that few frames are held."""
    for first in range(0, len(times), columns):
        for frame in movie.frames_at(times[first : first + columns], size=f"{width}x", cancel=cancel):
            yield frame.time, frame.array


def _blank(tile: tuple[int, ...], columns: int, rows: int) -> np.ndarray:
    import numpy as np

    height, width = tile[0] * rows, tile[1] * columns
    if height > _MOST_PIXELS:
        raise UsageError(f"the sheet would be {height} pixels high", hint="Give fewer rows or less --width")
    return np.zeros((height, width, 3), np.uint8)


def _place(sheet: np.ndarray, tile: np.ndarray, number: int, columns: int, rows: int, label: str | None) -> None:
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    row, column = divmod(number, columns)
    target = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
    part = tile[:height, :width]  # pictures of another size, where a file changes it
    target[: part.shape[0], : part.shape[1]] = part
    if label is not None:
        from ffzero.cli.label import draw_label

        draw_label(target, label)


def _write(sheet: np.ndarray, output: str, quality: int | None, *, overwrite: bool) -> None:
    from av.video.frame import VideoFrame

    from ffzero.cli.frame_files import write_whole
    from ffzero.frames.writing.images import ImageEncoder

    picture = VideoFrame.from_ndarray(sheet, format="rgb24")
    data = ImageEncoder(os.path.splitext(output)[1].lower(), quality).encode(picture)
    write_whole(output, data, overwrite=overwrite)


def _show(console: Console, times: Sequence[Fraction], output: str | None) -> None:
    if console.json_wanted:
        console.object({**plan_fields({}, output), "times_s": [float(time) for time in times]})
    else:
        console.line(f"{count(len(times), 'tile')}: {', '.join(clock(time) for time in times)}")


def _report(console: Console, output: str, times: Sequence[Fraction], elapsed_s: float) -> None:
    size = os.path.getsize(output)
    if console.json_wanted:
        result = WriteResult(output=output, bytes_total=size, frames_rendered=1, elapsed_s=elapsed_s)
        console.object({**result.to_dict(), "times_s": [float(time) for time in times]})
        return
    what = f"{byte_count(size)}, {count(len(times), 'tile')}, {clock(times[0])} to {clock(times[-1])}"
    console.line(f"{printable(output)}: {what}, in {seconds(elapsed_s)}")
