"""Commands that make pictures from a video: thumbnail, contact sheet, GIF."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ffzero.errors import UsageError
from ffzero.ffmpeg.filters import chain, filter_text
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output, seconds_text
from ffzero.ffmpeg.parameters import chosen, number, whole
from ffzero.ffmpeg.seeking import seek
from ffzero.timebase import TimeLike, parse_time

__all__ = ["contact_sheet", "gif", "thumbnail"]

Path = str | os.PathLike[str]

_MOST_INPUTS = 64
_HELD_S = 10
_APART_S = 10
_JPEG = (".jpg", ".jpeg")
_SQUARE = "scale=w=iw*sar:h=ih,setsar=1"
"""A picture file's pixels are square; those of DVDs and HDV are not."""
_DITHERS = ("none", "bayer", "floyd_steinberg", "sierra2", "sierra2_4a", "heckbert", "burkes", "atkinson")


def thumbnail(
    *,
    input_path: Path,
    output_path: Path,
    time: TimeLike | None = None,
    width: int | None = None,
    height: int | None = None,
    quality: int = 2,
    last: bool = False,
) -> FFmpegCommand:
    """Take the picture at ``time`` (seconds), or a typical one of the first hundred where it is ``None``.

    It is the first one from ``time`` on; with ``last`` it is, where none follows, the last one, if that is not more
    than ten seconds before. ``width`` or ``height`` alone keeps the aspect; ``quality`` is a JPEG's, 1 (best) to 31.
    """
    if last and time is not None:
        return _last_picture(input_path, output_path, parse_time(time), _scaled(width, height), quality)
    filters = chain("" if time is not None else "thumbnail=100", _scaled(width, height))
    found = seek(input_path, time)
    return _one_picture(found.input, output_path, filters, quality, found.output()["options"])


def _last_picture(input_path: Path, output_path: Path, time: Fraction, scaled: str, quality: int) -> FFmpegCommand:
    one, filters = _held(input_path, time, _HELD_S)
    return _one_picture(one, output_path, chain(*filters, scaled), quality)


def _held(input_path: Path, time: Fraction, before_s: int) -> tuple[Input, list[str]]:
    """Return how to read the picture at ``time``: where none begins there, the last of the ``before_s`` seconds."""
    found = seek(input_path, max(Fraction(0), time - before_s))
    hold = filter_text("tpad", stop_mode="clone", stop_duration=before_s + 1)
    begin = filter_text("trim", start=seconds_text(min(time, Fraction(before_s))))
    return found.input, [*found.filters(), hold, begin]


def contact_sheet(
    *,
    input_path: Path,
    output_path: Path,
    columns: int = 4,
    rows: int = 4,
    width: int = 320,
    duration: TimeLike | None = None,
    interval: TimeLike | None = None,
    margin: int = 4,
    quality: int = 3,
) -> FFmpegCommand:
    """Tile pictures, each ``width`` pixels wide: one every ``interval`` seconds, or spread over ``duration``.

    Those that are spread are the middles of equal parts; where they are far apart each is sought for itself, so that a
    long file is not read through. Without either there is one every ten seconds. Where the pictures run out the tiles
    that are left stay black.
    """
    cells = whole("columns", columns, 1, 50) * whole("rows", rows, 1, 50)
    tile = filter_text("tile", layout=f"{columns}x{rows}", padding=whole("margin", margin, 0, 200), margin=margin)
    scaled = _scaled(width, None)
    spread = interval is None and duration is not None
    step = parse_time(duration) / cells if spread and duration is not None else parse_time(interval or _APART_S)
    if step <= 0 or interval == 0:
        raise UsageError("the interval between pictures must be longer than 0 s")
    if spread and step >= _APART_S and cells <= _MOST_INPUTS:
        times = [(number + Fraction(1, 2)) * step for number in range(cells)]
        return _sought_sheet(input_path, output_path, times, scaled, tile, quality)
    # round=near takes what is shown in the middle of each interval; start_time=0 fills the first cell where the
    # pictures begin late; eof_action=pass shows one of a video that is shorter than half an interval.
    pick = filter_text("fps", fps=1 / step, start_time=0, round="near", eof_action="pass")
    hold = filter_text("tpad", stop_mode="clone", stop_duration=seconds_text(step)) if spread else ""
    return _one_picture(Input(path=input_path), output_path, chain(hold, pick, scaled, tile), quality)


def _sought_sheet(
    input_path: Path, output_path: Path, times: Sequence[Fraction], scaled: str, tile: str, quality: int
) -> FFmpegCommand:
    found = [_held(input_path, time, 1) for time in times]
    first = filter_text("trim", end_frame=1)
    picked = [f"[{n}:V:0]{chain(*filters, first, scaled)}[p{n}]" for n, (_, filters) in enumerate(found)]
    labels = "".join(f"[p{number}]" for number in range(len(found)))
    graph = f"{';'.join(picked)};{labels}{chain(filter_text('concat', n=len(found)), tile)}[sheet]"
    # A decoder for each picture: one thread is enough, and keeps the memory small.
    inputs = tuple(dataclasses.replace(one, options={"threads": 1}) for one, _ in found)
    output = Output(path=output_path, maps=("[sheet]",), options=_picture_options(output_path, quality))
    return FFmpegCommand(inputs=inputs, outputs=(output,), filter_complex=graph)


def _one_picture(
    one: Input, output_path: Path, filters: str, quality: int, more: Mapping[str, object] | None = None
) -> FFmpegCommand:
    options = {**_picture_options(output_path, quality), **(more or {})}
    output = Output(path=output_path, maps=("0:V:0",), filters=(filters,) if filters else (), options=options)
    return FFmpegCommand(inputs=(one,), outputs=(output,))


def _picture_options(output_path: Path, quality: int) -> dict[str, object]:
    # update=1: the muxer takes the name as it is, and not as a pattern of numbers.
    options: dict[str, object] = {"frames:v": 1, "update": 1}
    if os.path.splitext(os.fspath(output_path))[1].lower() in _JPEG:
        options |= {"q:v": whole("quality", quality, 1, 31), "pix_fmt": "yuvj420p"}
    return options


def _scaled(width: int | None, height: int | None) -> str:
    if width is None and height is None:
        return _SQUARE
    sizes = [-2 if size is None else whole("size", size, 2, 65535) for size in (width, height)]
    return chain(_SQUARE, filter_text("scale", w=sizes[0], h=sizes[1]))


def gif(
    *,
    input_path: Path,
    output_path: Path,
    start_time: TimeLike | None = None,
    duration: TimeLike | None = None,
    fps: float | Fraction = 12,
    width: int | None = 480,
    colors: int = 256,
    dither: str = "bayer",
    loop: int = 0,
) -> FFmpegCommand:
    """Make an animated GIF with a palette of its own. ``loop`` 0 repeats for ever, -1 not at all."""
    rate = number("fps", fps, Fraction(1, 10), 100)  # a GIF counts hundredths of a second
    found = seek(input_path, start_time, duration)
    frames = chain(*found.filters(), filter_text("fps", fps=rate), _SQUARE, "" if width is None else _gif_width(width))
    palette = filter_text("palettegen", max_colors=whole("colors", colors, 4, 256), stats_mode="diff")
    kind = chosen("dither", dither, _DITHERS)
    use = filter_text("paletteuse", dither=kind, bayer_scale=4 if kind == "bayer" else None, diff_mode="rectangle")
    graph = f"[0:V:0]{frames},split[frames][seen];[seen]{palette}[palette];[frames][palette]{use}[out]"
    output = Output(path=output_path, maps=("[out]",), options={"f": "gif", "loop": whole("loop", loop, -1, 65535)})
    return FFmpegCommand(inputs=(found.input,), outputs=(output,), filter_complex=graph)


def _gif_width(width: int) -> str:
    return filter_text("scale", w=whole("width", width, 2, 65535), h=-1, flags="lanczos")
