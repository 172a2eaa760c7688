"""PySceneDetect's scene lists to clips and back."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie
from ffzero.reporting import CancelToken, Reporter, no_report

__all__ = ["clips_of_scenes", "scene_list"]

_RATE = Fraction(1000)
"""Told where a movie has no one rate; times are exact whatever it is."""


def clips_of_scenes(source: Movie | Clip, scenes: Iterable[tuple[Any, Any]]) -> list[Clip]:
    """Return a clip for each scene of a PySceneDetect ``SceneList`` (pairs of ``FrameTimecode``), cut at its frames.

    PySceneDetect rounds times of frames; those meant are the nearest ones. Its times count from the source's start.
    """
    whole = source if isinstance(source, Clip) else source[:]
    half = _half_frame(whole)
    clips = []
    for start, end in scenes:
        low, high = (max(Fraction(0), _seconds(time) - half) for time in (start, end))
        clips.append(whole.slice(low or None, high))
    return clips


def scene_list(
    source: Movie | Clip,
    *,
    threshold: float | None = None,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> list[tuple[Any, Any]]:
    """Find scene changes (see ``Clip.split``) and return them as PySceneDetect's ``SceneList``, for its own functions.

    Raises ``UnsupportedError`` where PySceneDetect is not installed.
    """
    parts = source.split(scenes=True if threshold is None else threshold, reporter=reporter, cancel=cancel)
    from scenedetect.common import FrameTimecode, Timecode  # type: ignore[import-untyped]  # no type marker

    rate = _rate(source if isinstance(source, Clip) else source[:]) or _RATE

    def stamp(time: Fraction) -> Any:
        return FrameTimecode(Timecode(pts=time.numerator, time_base=Fraction(1, time.denominator)), fps=rate)

    found, at = [], Fraction(0)
    for part in parts:
        found.append((stamp(at), stamp(at + part.duration)))
        at += part.duration
    return found


def _seconds(time: Any) -> Fraction:
    return Fraction(time.pts) * Fraction(time.time_base)


def _rate(clip: Clip) -> Fraction | None:
    tracks = Movie(clip.pieces[0].input).info().tracks
    return next((track.frame_rate for track in tracks if track.kind == "video" and track.frame_rate), None)


def _half_frame(clip: Clip) -> Fraction:
    return 1 / (2 * (_rate(clip) or _RATE))
