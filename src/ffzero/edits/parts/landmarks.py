"""Where a clip can be cut so that its parts together are the whole: its pictures, key pictures and chapters.

All times are seconds of the clip's own timeline. Nothing is decoded; of coded pictures only candidates are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.containers.info import Chapter
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.search import first_pts_at_or_after
from ffzero.containers.nal import RandomAccess
from ffzero.edits.cutpoints import closed_stop
from ffzero.edits.inputs import Input
from ffzero.edits.media import Media
from ffzero.edits.slicing import PlacedPiece
from ffzero.timebase import TOLERANCE, Rounding, to_ticks

__all__ = ["chapters_of", "cut_exactly", "key_pictures", "picture_at_or_after"]


def cut_exactly(placed: Sequence[PlacedPiece]) -> bool:
    """Whether a cut may fall on any picture; else it falls on key pictures (see ``write_clip``)."""
    return all(part.piece.input.media is not None for part in placed)


def picture_at_or_after(placed: Sequence[PlacedPiece], time: Fraction) -> Fraction | None:
    """Return when the first picture at or after ``time`` begins, ``None`` behind the last one.

    A piece without pictures has something to show at any time. Pieces that ffzero does not index count as such.
    """
    for part in placed:
        source_time = part.start + max(time - part.at, Fraction(0))
        if source_time >= part.end:
            continue
        media = part.piece.input.media
        track = media.main_video if media is not None else None
        if media is None or track is None:
            return max(time, part.at)
        found = _picture(media, track, source_time)
        if found is not None and found < part.end - TOLERANCE:
            return part.clip_time(found)
    return None


def _picture(media: Media, track: Track, time: Fraction) -> Fraction | None:
    low = to_ticks(time - TOLERANCE, track.timescale, Rounding.CEIL)
    found = []
    for span in media.spans(track):
        if span.stop > low:
            pts = first_pts_at_or_after(track.table, max(low - span.shift, span.media_start))
            if pts is not None and pts < span.media_stop:
                found.append(media.seconds(track, pts + span.shift))
    return min(found, default=None)


def key_pictures(placed: Sequence[PlacedPiece], *, closed: bool) -> list[Fraction]:
    """Return when the key pictures begin at which a cut takes no other picture along, sorted.

    Where pictures shown before a key picture are decoded after it, a cut there leaves it hidden at the end of the part
    before; with ``closed`` only those count where nothing need be hidden. Looks at the key pictures of H.264 and HEVC;
    a container that ffzero does not index is read through.
    """
    times: set[Fraction] = set()
    known: dict[int, list[Fraction]] = {}
    for part in placed:
        source = part.piece.input
        if id(source) not in known:
            known[id(source)] = list(_keys(source, closed=closed))
        inside = (time for time in known[id(source)] if part.start - TOLERANCE <= time < part.end - TOLERANCE)
        times.update(part.clip_time(max(time, part.start)) for time in inside)
        if part.at:
            times.add(part.at)  # whatever is decoded there, another piece begins
    return sorted(times)


def _keys(source: Input, *, closed: bool) -> Iterator[Fraction]:
    media = source.media
    if media is None:
        from ffzero.containers.libav import closed_keyframes

        yield from closed_keyframes(source.path)[1:]  # before the first one nothing can be decoded
        return
    track = media.main_video
    if track is None:
        return
    numbers = track.table.sync_candidates()
    for number in np.arange(track.table.count) if numbers is None else numbers:
        pts = track.table.pts(int(number))
        spans = [span for span in media.spans(track) if span.media_start <= pts < span.media_stop]
        if spans and _serves(media, track, int(number), closed=closed):
            yield from (media.seconds(track, pts + span.shift) for span in spans)


def _serves(media: Media, track: Track, sample: int, *, closed: bool) -> bool:
    wanted = (RandomAccess.CLOSED,) if closed else (RandomAccess.CLOSED, RandomAccess.OPEN)
    unit = media.peek(track, sample)
    if unit is not None and unit.random_access not in wanted:
        return False
    return not closed or closed_stop(track.table, sample) == track.table.pts(sample)


def chapters_of(placed: Sequence[PlacedPiece]) -> tuple[Chapter, ...]:
    """Return the chapters of the pieces' files, those of each clipped to what the piece shows."""
    found = []
    for part in placed:
        for chapter in _chapters(part.piece.input):
            start, end = max(chapter.start_s, part.start), min(chapter.end_s, part.end)
            if start < end:
                found.append(replace(chapter, start_s=part.clip_time(start), end_s=part.clip_time(end)))
    return tuple(found)


def _chapters(source: Input) -> Sequence[Chapter]:
    if source.media is None:
        from ffzero.containers.libav import probe

        return probe(source.path).chapters
    from ffzero.edits.describe import describe

    return describe(source.media).chapters
