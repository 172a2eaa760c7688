"""Where to begin reading so that a time is met, in containers with an index of their keyframes and in those without.

FFmpeg finds a time in MPEG transport and program streams by halving the file (libavformat/seek.c,
``ff_seek_frame_binary``): it lands on the packet at that time, keyframe or not. A decoder, and a copy, can only begin
at the next keyframe, which is late by up to the distance of keyframes.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.filters import filter_text
from ffzero.ffmpeg.model import Input, seconds_text
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike, parse_time
from ffzero.values import dataclass

__all__ = ["Seek", "copy_warnings", "seek"]

_UNINDEXED = frozenset((".ts", ".m2ts", ".mts", ".m2t", ".m2p", ".tp", ".trp", ".mpg", ".mpeg", ".vob", ".vro", ".ps"))
_MARGIN_S = 20
"""Twice the 250 frames that x264 and x265 leave between keyframes at most, at 25 frames a second."""

_ROUNDING_S = Fraction(1, 10)
"""No less than half a picture of any usual frame rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """An input, how many seconds of it come before what is wanted, and how long that is (``None``: to the end).

    The input's own duration would count from the first picture that can be decoded, wherever that is.
    """

    input: Input
    skip_s: Fraction
    length_s: Fraction | None = None

    @property
    def end_s(self) -> str | None:
        """Where what is wanted ends in the input, as FFmpeg reads it; ``None`` where nothing need be left out."""
        return seconds_text(self.skip_s + self.length_s) if self.skip_s and self.length_s is not None else None

    def output(self, settings: FFmpegSettings | None = None, *, has_chapters: bool = False) -> dict[str, Any]:
        """Return the fields of an ``Output`` that take what is wanted.

        Filters end what is coded: the option ``t`` looks at times rounded to the encoder's, and may miss a picture, so
        it comes later, where it need not end chapters.
        """
        options = {"ss": seconds_text(self.skip_s)} if self.skip_s else {}
        if settings is None or self.end_s is None or self.length_s is None:
            return {"options": options}
        if FFmpegCodec.COPY in (settings.video, settings.audio):
            return {"options": {**options, "t": seconds_text(self.length_s)}}
        return {
            "options": {**options, "t": seconds_text(self.length_s + (0 if has_chapters else _ROUNDING_S))},
            "filters": () if settings.video is None else (filter_text("trim", end=self.end_s),),
            "audio_filters": () if settings.audio is None else (filter_text("atrim", end=self.end_s),),
        }

    def filters(self) -> list[str]:
        """Return the video filters that take what is wanted within a graph."""
        if not self.skip_s:
            return []
        start = seconds_text(self.skip_s)
        return [filter_text("trim", start=start, end=self.end_s), filter_text("setpts", expr=f"PTS-{start}/TB")]


def seek(path: str | os.PathLike[str], start: TimeLike | None, duration: TimeLike | None = None) -> Seek:
    """Return how to decode a file from ``start`` (seconds; ``None``: its beginning), exact to the frame.

    The name's ending tells whether there is an index. Without one, reading begins up to 20 s early; where keyframes
    are further apart, the first pictures may be missing.
    """
    at = parse_time(0 if start is None else start)
    if not at or not _is_unindexed(path):
        return Seek(input=Input(path=path, start=start, duration=duration), skip_s=Fraction(0))
    skip = min(at, Fraction(_MARGIN_S))
    length = None if duration is None else parse_time(duration)
    return Seek(input=Input(path=path, start=at - skip), skip_s=skip, length_s=length)


def copy_warnings(path: str | os.PathLike[str], start: TimeLike | None) -> tuple[str, ...]:
    """Return what to know before copying from ``start``: no option of FFmpeg makes it go back to a keyframe here."""
    if start is None or not parse_time(start) or not _is_unindexed(path):
        return ()
    suffix = os.path.splitext(os.fspath(path))[1]
    return (f"{suffix} has no index: FFmpeg copies from the keyframe after the start; ffzero.cut_video is exact",)


def _is_unindexed(path: str | os.PathLike[str]) -> bool:
    return os.path.splitext(os.fspath(path))[1].lower() in _UNINDEXED
