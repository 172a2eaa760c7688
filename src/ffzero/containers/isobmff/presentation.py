"""From a track's media time to the movie's timeline: edit lists as they are really shown (ISO/IEC 14496-12 §8.6.6).

The timeline is the one that FFmpeg's demuxer reports, because a clip is held against what an accurate FFmpeg cut of the
source shows. It differs from the letter of the standard in three ways, each checked against FFmpeg in the tests:

* the first picture of an edit that starts between two pictures is shown at the edit's start;
* later edits of a video track are placed by their first picture in decoding order;
* in fragmented files an edit's duration is not applied, only its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ffzero.containers.isobmff.model import Edit, Track
from ffzero.containers.isobmff.search import Shown, shown_between
from ffzero.timebase import Rounding, rescale

__all__ = ["Span", "presentation"]

ENDLESS = 1 << 61


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Media time ``[media_start, media_stop)`` shown at ``media + shift``; all in ticks of the track's timescale."""

    media_start: int
    media_stop: int
    shift: int

    @property
    def start(self) -> int:
        return self.media_start + self.shift

    @property
    def stop(self) -> int:
        return self.media_stop + self.shift


def presentation(track: Track) -> tuple[Span, ...]:
    """Return what of the track is shown when, in the order of the edit list; one span in all but odd files."""
    real = list(_placed_edits(track))
    if not real:
        return (_whole(track, 0),)
    if track.fragmented_edits:
        entry_start, edit = real[0]
        return (_whole(track, entry_start - edit.media_time),)
    spans = [
        Span(
            media_start=edit.media_time,
            media_stop=edit.media_time + _media_ticks(track, edit.duration, edit),
            shift=entry_start - edit.media_time,
        )
        for entry_start, edit in real
    ]
    return tuple(_as_ffmpeg_shows(track, spans)) if track.handler == "vide" else tuple(spans)


def _placed_edits(track: Track) -> Iterator[tuple[int, Edit]]:
    """Yield each non-empty edit with its start on the movie's timeline, in media ticks."""
    elapsed = 0
    for edit in track.edits:
        if edit.media_time != -1:
            yield elapsed, edit
        elapsed += _media_ticks(track, edit.duration, edit)


def _media_ticks(track: Track, movie_ticks: int, edit: Edit) -> int:
    if movie_ticks == 0 and edit.media_time != -1:
        return ENDLESS  # §8.6.6.1: zero stands for "to the end" while a file is being written
    return rescale(movie_ticks, track.movie_timescale, track.timescale, Rounding.NEAREST)


def _whole(track: Track, shift: int) -> Span:
    return Span(media_start=-ENDLESS, media_stop=ENDLESS, shift=shift)


def _as_ffmpeg_shows(track: Track, spans: list[Span]) -> Iterator[Span]:
    """Place the edits of a video track by the pictures in them."""
    empty_ticks = spans[0].start
    shown = [shown_between(track.table, span.media_start, span.media_stop) for span in spans]
    first_pictures = [
        span.start - track.table.dts(found.first) for span, found in zip(spans, shown, strict=True) if found
    ]
    earliest = min(
        (
            placed + found.first_pts
            for placed, found in zip(first_pictures, (found for found in shown if found), strict=True)
        ),
        default=0,
    )
    correction = max(0, earliest - empty_ticks)
    for span, found in zip(spans, shown, strict=True):
        if found is not None:
            yield _placed(span, found, track.table.dts(found.first), correction)


def _placed(span: Span, found: Shown, first_dts: int, correction: int) -> Span:
    return Span(
        media_start=span.media_start, media_stop=span.media_stop, shift=span.start - first_dts - correction
    )
