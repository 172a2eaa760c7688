"""From a track's media time to the movie's timeline: edit lists as they are really shown (ISO/IEC 14496-12 §8.6.6).

The timeline is the one that FFmpeg's demuxer reports, because a clip is held against what an accurate FFmpeg cut of the
source shows. It differs from the letter of the standard in three ways, each checked against FFmpeg in the tests:

* the first picture of an edit that starts between two pictures is shown at the edit's start;
* later edits of a video track are placed by their first picture in decoding order;
* in fragmented files an edit's duration is not applied, only its start.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffzero.containers.isobmff.model import Edit, Track
from ffzero.containers.isobmff.search import Shown, shown_between
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = ["Span", "presentation"]

ENDLESS = 1 << 61
_WINDOW = 100_000


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
    shown = [
        (span, found) for span in spans if (found := shown_between(track.table, span.media_start, span.media_stop))
    ]
    earliest = -1
    for span, found in shown:
        earliest = _earliest(track, span, found, earliest)
    correction = max(0, earliest - spans[0].start)
    for span, found in shown:
        shift = span.start - track.table.dts(found.first) - correction
        yield Span(media_start=span.media_start, media_stop=span.media_stop, shift=shift)


def _earliest(track: Track, span: Span, found: Shown, known: int) -> int:
    """Return the least time at which a picture of the span is shown, as FFmpeg finds it.

    It looks at pictures in decoding order and forgets what it found while that is negative, which matters in files with
    negative composition offsets only.
    """
    placed = span.start - track.table.dts(found.first)
    if known >= 0:
        return min(known, placed + found.first_pts)
    if found.first_pts + placed >= 0:
        return placed + found.first_pts
    column = track.table.pts_column(found.first, min(found.stop, found.first + _WINDOW))
    times = column[(column >= span.media_start) & (column < span.media_stop)] + placed
    later = np.flatnonzero(times >= 0)
    return int(times[later[0] :].min()) if len(later) else int(times[-1])
