"""Commands that pack a video for streaming: HLS (RFC 8216) and DASH (ISO/IEC 23009-1)."""

from __future__ import annotations

import os
import re
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output, file_url, seconds_text
from ffzero.ffmpeg.parameters import chosen
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike, parse_time

__all__ = ["dash", "hls"]

Path = str | os.PathLike[str]

_NUMBER_PATTERN = re.compile(r"%[\dd]")


def hls(
    *,
    input_path: Path,
    output_path: Path,
    segment_duration: TimeLike = 6,
    segment_type: str = "mpegts",
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Write a playlist (``.m3u8``) and beside it segments of about ``segment_duration`` seconds; copied by default.

    ``segment_type`` is ``"mpegts"`` or ``"fmp4"``. Segments begin at keyframes, so copied ones may be longer.
    """
    stem = _stem(output_path, ".m3u8")
    kind = chosen("segment_type", segment_type, ("mpegts", "fmp4"))
    folder = os.path.dirname(file_url(output_path))
    if _NUMBER_PATTERN.search(folder):
        raise UsageError(
            "FFmpeg would read a number pattern in the folder's name", path=output_path, hint="Use a folder without %"
        )
    suffix = ".ts" if kind == "mpegts" else ".m4s"
    options: dict[str, Any] = {
        "f": "hls",
        "hls_time": _seconds(segment_duration),
        "hls_playlist_type": "vod",
        "hls_segment_type": kind,
        "hls_segment_filename": f"{folder}/{stem}-%05d{suffix}",
    }
    if kind == "fmp4":
        options["hls_fmp4_init_filename"] = f"{stem}-init.mp4"
    return _packed(input_path, output_path, options, settings, segment_duration)


def dash(
    *,
    input_path: Path,
    output_path: Path,
    segment_duration: TimeLike = 4,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Write a manifest (``.mpd``) and beside it fragmented MP4 segments; copied by default."""
    stem = _stem(output_path, ".mpd")
    options: dict[str, Any] = {
        "f": "dash",
        "seg_duration": _seconds(segment_duration),
        "use_template": 1,
        "use_timeline": 1,
        "dash_segment_type": "mp4",
        "init_seg_name": f"{stem}-init-$RepresentationID$.m4s",
        "media_seg_name": f"{stem}-$RepresentationID$-$Number%05d$.m4s",
    }
    return _packed(input_path, output_path, options, settings, segment_duration)


def _packed(
    input_path: Path,
    output_path: Path,
    options: dict[str, Any],
    settings: FFmpegSettings | None,
    segment_duration: TimeLike,
) -> FFmpegCommand:
    if settings is None:
        options = {"c": "copy", **options}
    else:
        # A segment can only begin at a keyframe: have one there.
        options = {"force_key_frames:v": f"expr:gte(t,n_forced*{_seconds(segment_duration)})", **options}
        if settings.codes("hevc") and options.get("hls_segment_type") != "mpegts":
            options["tag:v"] = "hvc1"  # as Apple's HLS authoring specification demands
    output = Output(path=output_path, maps=("0:V:0?", "0:a:0?"), options=options, settings=settings)
    return FFmpegCommand(inputs=(Input(path=input_path),), outputs=(output,))


def _seconds(value: TimeLike) -> str:
    seconds = parse_time(value)
    if not 0 < seconds <= 3600:
        raise UsageError(f"segment_duration: {value!r} is not between 0 and 3600 s")
    return seconds_text(seconds)


def _stem(output_path: Path, suffix: str) -> str:
    """Return the playlist's name without what means something in a playlist or a template."""
    stem, ending = os.path.splitext(os.path.basename(os.fspath(output_path)))
    if ending.lower() != suffix:
        raise UsageError(f"the output's name must end with {suffix}", path=output_path)
    return re.sub(r"[^\w-]", "_", stem).lstrip("-") or "stream"
