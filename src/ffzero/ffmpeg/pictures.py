"""Commands that make pictures from a video: thumbnail, contact sheet, GIF."""

from __future__ import annotations

import os
from fractions import Fraction

from ffzero.errors import UsageError
from ffzero.ffmpeg.filters import chain, filter_text
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output
from ffzero.ffmpeg.parameters import chosen, number, whole
from ffzero.timebase import TimeLike, parse_time

__all__ = ["contact_sheet", "gif", "thumbnail"]

Path = str | os.PathLike[str]

_JPEG = (".jpg", ".jpeg")
_DITHERS = ("none", "bayer", "floyd_steinberg", "sierra2", "sierra2_4a", "heckbert", "burkes", "atkinson")


def thumbnail(
    *,
    input_path: Path,
    output_path: Path,
    time: TimeLike | None = None,
    width: int | None = None,
    height: int | None = None,
    quality: int = 2,
) -> FFmpegCommand:
    """Take the picture at ``time`` (seconds), or a typical one of the first hundred where it is ``None``.

    ``width`` or ``height`` alone keeps the aspect; ``quality`` is a JPEG's, 1 (best) to 31.
    """
    filters = chain("" if time is not None else "thumbnail=100", _scaled(width, height))
    return _one_picture(Input(path=input_path, start=time), output_path, filters, quality)


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

    Without either, one every ten seconds.
    """
    cells = whole("columns", columns, 1, 50) * whole("rows", rows, 1, 50)
    step = parse_time(10 if interval is None else interval)
    if interval is None and duration is not None:
        step = parse_time(duration) / cells
    if step <= 0:
        raise UsageError("the interval between pictures must be longer than 0 s")
    tile = filter_text("tile", layout=f"{columns}x{rows}", padding=whole("margin", margin, 0, 200), margin=margin)
    # round=up would skip the first cell; start_time=0 fills it where the pictures begin late.
    pick = filter_text("fps", fps=1 / step, start_time=0, round="near")
    return _one_picture(Input(path=input_path), output_path, chain(pick, _scaled(width, None), tile), quality)


def _one_picture(one: Input, output_path: Path, filters: str, quality: int) -> FFmpegCommand:
    # update=1: the muxer takes the name as it is, and not as a pattern of numbers.
    options: dict[str, object] = {"frames:v": 1, "update": 1}
    if os.path.splitext(os.fspath(output_path))[1].lower() in _JPEG:
        options |= {"q:v": whole("quality", quality, 1, 31), "pix_fmt": "yuvj420p"}
    output = Output(path=output_path, maps=("0:V:0",), filters=(filters,) if filters else (), options=options)
    return FFmpegCommand(inputs=(one,), outputs=(output,))


def _scaled(width: int | None, height: int | None) -> str:
    if width is None and height is None:
        return ""
    sizes = [-2 if size is None else whole("size", size, 2, 65535) for size in (width, height)]
    return filter_text("scale", w=sizes[0], h=sizes[1])


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
    frames = chain(filter_text("fps", fps=rate), "" if width is None else _gif_width(width))
    palette = filter_text("palettegen", max_colors=whole("colors", colors, 4, 256), stats_mode="diff")
    kind = chosen("dither", dither, _DITHERS)
    use = filter_text("paletteuse", dither=kind, bayer_scale=4 if kind == "bayer" else None, diff_mode="rectangle")
    graph = f"[0:V:0]{frames},split[frames][seen];[seen]{palette}[palette];[frames][palette]{use}[out]"
    one = Input(path=input_path, start=start_time, duration=duration)
    output = Output(path=output_path, maps=("[out]",), options={"f": "gif", "loop": whole("loop", loop, -1, 65535)})
    return FFmpegCommand(inputs=(one,), outputs=(output,), filter_complex=graph)


def _gif_width(width: int) -> str:
    return filter_text("scale", w=whole("width", width, 2, 65535), h=-1, flags="lanczos")
