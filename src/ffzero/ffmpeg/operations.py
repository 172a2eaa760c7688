"""Commands that make a video from a video: cut, transcode, scale, speed, subtitles, overlay."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.filters import chain, filter_text
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output, file_url, seconds_text
from ffzero.ffmpeg.parameters import chosen, number, whole
from ffzero.ffmpeg.seeking import copy_warnings, seek
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike, parse_time

__all__ = ["add_subtitles", "burn_subtitles", "change_speed", "cut", "overlay", "scale", "stream_maps", "transcode"]

Path = str | os.PathLike[str]

_SUBTITLE_CODECS = {".mp4": "mov_text", ".m4v": "mov_text", ".mov": "mov_text", ".webm": "webvtt", ".mkv": "srt"}
_FAMILIES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".mkv": "mkv", ".webm": "webm"}
_ATEMPO_MOST = Fraction(2)  # above it atempo drops samples instead of blending them (ffmpeg-filters)
_ATEMPO_LEAST = Fraction(1, 2)
_POSITIONS = {
    "top-left": ("{m}", "{m}"),
    "top": ("(W-w)/2", "{m}"),
    "top-right": ("W-w-{m}", "{m}"),
    "left": ("{m}", "(H-h)/2"),
    "center": ("(W-w)/2", "(H-h)/2"),
    "right": ("W-w-{m}", "(H-h)/2"),
    "bottom-left": ("{m}", "H-h-{m}"),
    "bottom": ("(W-w)/2", "H-h-{m}"),
    "bottom-right": ("W-w-{m}", "H-h-{m}"),
}


def stream_maps(input_path: Path, output_path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the maps for the pictures, all sound, and the subtitles where the container stays; and their options."""
    families = [_FAMILIES.get(os.path.splitext(os.fspath(path))[1].lower()) for path in (input_path, output_path)]
    if families[0] is not None and families[0] == families[1]:
        return ("0:V:0?", "0:a?", "0:s?"), {"c:s": "copy"}
    return ("0:V:0?", "0:a?"), {}


def cut(
    *,
    input_path: Path,
    output_path: Path,
    start_time: TimeLike = 0,
    duration: TimeLike | None = None,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Take ``duration`` seconds from ``start_time``; copied without settings, from the keyframe before.

    In MPEG transport and program streams a copy begins at the keyframe after it: the command's ``warnings`` say so.
    """
    if duration is not None and parse_time(duration) == 0:
        raise UsageError("a cut of duration 0 holds nothing")
    if settings is not None:
        return transcode(
            input_path=input_path, output_path=output_path, settings=settings, start_time=start_time, duration=duration
        )
    maps, _ = stream_maps(input_path, output_path)
    one = Input(path=input_path, start=start_time, duration=duration)
    output = Output(path=output_path, maps=maps, options={"c": "copy", "avoid_negative_ts": "make_zero"})
    return FFmpegCommand(inputs=(one,), outputs=(output,), notes=copy_warnings(input_path, start_time))


def transcode(
    *,
    input_path: Path,
    output_path: Path,
    settings: FFmpegSettings | None = None,
    start_time: TimeLike | None = None,
    duration: TimeLike | None = None,
    metadata: dict[str, str] | None = None,
) -> FFmpegCommand:
    """Encode anew, with ``FFmpegSettings()`` where none are given.

    Where the frame rate changes and the settings name none, FFmpeg drops pictures that come sooner than the average
    (``ffzero.transcode_video`` looks first, and keeps them).
    """
    maps, options = stream_maps(input_path, output_path)
    settings = settings or FFmpegSettings()
    found = seek(input_path, start_time, duration)
    fields = found.output(settings)
    fields["options"] |= options
    output = Output(path=output_path, maps=maps, settings=settings, metadata=metadata or {}, **fields)
    notes = copy_warnings(input_path, start_time) if settings.video is FFmpegCodec.COPY else ()
    return FFmpegCommand(inputs=(found.input,), outputs=(output,), notes=notes)


def scale(
    *,
    input_path: Path,
    output_path: Path,
    width: int | None = None,
    height: int | None = None,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Change the size in pixels; ``width`` or ``height`` alone keeps the aspect. The sound is copied by default."""
    settings = settings or FFmpegSettings(audio_codec=FFmpegCodec.COPY)
    if width is not None or height is not None:
        settings = settings.replace(width=width, height=height)
    if settings.width is None and settings.height is None:
        raise UsageError("scale needs a width or a height")
    return transcode(input_path=input_path, output_path=output_path, settings=settings)


def change_speed(
    *, input_path: Path, output_path: Path, speed: float | Fraction, settings: FFmpegSettings | None = None
) -> FFmpegCommand:
    """Play ``speed`` times as fast (0.05 to 100); the sound keeps its pitch."""
    factor = number("speed", speed, Fraction(1, 20), 100)
    settings = settings or FFmpegSettings()
    tempos = [filter_text("atempo", tempo=f"{float(part):g}") for part in _tempo_parts(factor)]
    output = Output(
        path=output_path,
        maps=("0:V:0?", "0:a?"),
        filters=() if settings.video is None else (filter_text("setpts", expr=f"(PTS-STARTPTS)/({factor})"),),
        audio_filters=() if settings.audio is None else tuple(tempos),
        settings=settings,
    )
    return FFmpegCommand(inputs=(Input(path=input_path),), outputs=(output,))


def _tempo_parts(factor: Fraction) -> list[Fraction]:
    parts = []
    while not _ATEMPO_LEAST <= factor <= _ATEMPO_MOST:
        step = _ATEMPO_MOST if factor > _ATEMPO_MOST else _ATEMPO_LEAST
        parts.append(step)
        factor /= step
    return [*parts, factor]


def burn_subtitles(
    *,
    input_path: Path,
    output_path: Path,
    subtitles_path: Path,
    style: str | None = None,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Draw subtitles (SRT, ASS, WebVTT) into the pictures; ``style`` is ASS style fields (``"FontSize=24"``)."""
    drawn = filter_text("subtitles", filename=file_url(subtitles_path), force_style=style)
    settings = settings or FFmpegSettings(audio_codec=FFmpegCodec.COPY)
    output = Output(path=output_path, maps=("0:V:0", "0:a?"), filters=(drawn,), settings=settings)
    return FFmpegCommand(inputs=(Input(path=input_path),), outputs=(output,))


def add_subtitles(
    *,
    input_path: Path,
    output_path: Path,
    subtitles_path: Path,
    language: str = "und",
    title: str | None = None,
    default: bool = False,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Add a subtitle track (the first) that players can turn on; ``language`` is ISO 639-2 (``"eng"``)."""
    if not (isinstance(language, str) and language.isascii() and language.isalpha() and 2 <= len(language) <= 3):
        raise UsageError(f"not a language code: {language!r}", hint='Codes are like "eng" or "zho"')
    suffix = os.path.splitext(os.fspath(output_path))[1].lower()
    maps, kept = stream_maps(input_path, output_path)
    maps = (*(one for one in maps if one != "0:s?"), "1:s:0", *(one for one in maps if one == "0:s?"))
    options: dict[str, Any] = {} if settings is not None else {"c:v": "copy", "c:a": "copy"}
    options |= {**kept, "c:s:0": _SUBTITLE_CODECS.get(suffix, "srt")}
    options["metadata:s:s:0"] = [f"language={language}", *([f"title={title}"] if title else [])]
    options["disposition:s:0"] = "default" if default else "0"
    output = Output(path=output_path, maps=maps, options=options, settings=settings)
    return FFmpegCommand(inputs=(Input(path=input_path), Input(path=subtitles_path)), outputs=(output,))


def overlay(
    *,
    input_path: Path,
    output_path: Path,
    overlay_path: Path,
    position: str = "top-right",
    x: int | None = None,
    y: int | None = None,
    margin: int = 16,
    width: int | None = None,
    opacity: float = 1.0,
    start_time: TimeLike | None = None,
    end_time: TimeLike | None = None,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Lay a picture or video over the video: at ``position`` with a ``margin`` in pixels, or at ``x``, ``y``.

    ``width`` is the overlay's in pixels (its aspect is kept), ``opacity`` 0 to 1; it is shown in
    [start_time, end_time) seconds.
    """
    words = _POSITIONS[chosen("position", position, tuple(_POSITIONS))]
    place = [one.format(m=whole("margin", margin, 0, 65535)) for one in words]
    for at, (name, given) in enumerate((("x", x), ("y", y))):
        if given is not None:
            place[at] = str(whole(name, given, -65535, 65535))
    alpha = number("opacity", opacity, 0, 1)
    settings = settings or FFmpegSettings(audio_codec=FFmpegCodec.COPY)
    top = chain(
        "" if width is None else filter_text("scale", w=whole("width", width, 1, 65535), h=-1),
        "format=rgba",
        "" if alpha == 1 else filter_text("colorchannelmixer", aa=f"{float(alpha):g}"),
    )
    lay = filter_text("overlay", x=place[0], y=place[1], enable=_shown(start_time, end_time))
    graph = f"[1:v:0]{top}[top];[0:V:0][top]{chain(lay, *settings.filters())}[out]"
    output = Output(path=output_path, maps=("[out]", "0:a?"), settings=settings, graph_video=True)
    return FFmpegCommand(
        inputs=(Input(path=input_path), Input(path=overlay_path)), outputs=(output,), filter_complex=graph
    )


def _shown(start_time: TimeLike | None, end_time: TimeLike | None) -> str | None:
    if start_time is None and end_time is None:
        return None
    start = parse_time(0 if start_time is None else start_time)
    until = "" if end_time is None else f"*lt(t,{seconds_text(parse_time(end_time))})"
    return f"gte(t,{seconds_text(start)}){until}"
