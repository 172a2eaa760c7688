"""What of a file is valid and still not handled by every player, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media

__all__ = ["player_risks"]

_WINDOW = 512
_DEEP = 2
_LARGEST_TIMESCALE = 1_000_000
_PREFERRED_TAGS = {"hev1": "hvc1", "dvhe": "dvh1", "avc3": "avc1"}


def player_risks(media: Media) -> list[str]:
    """Return the risks of an MP4 or MOV file; reads its first sample of each video track."""
    risks = list(_of_file(media))
    for track in media.box.tracks:
        role = media.role(track)
        risks += [f"{role} track {track.id}: {text}" for text in _of_track(media, track, role)]
    return risks


def _of_file(media: Media) -> Iterator[str]:
    order = [header.fourcc for header in media.box.top_level if header.fourcc in ("moov", "mdat")]
    if order[:1] == ["mdat"] and "moov" in order:
        yield "the index is behind the media (moov after mdat): playback over a network begins late"
    if media.box.fragments:
        yield f"{media.box.fragments} fragments, which older players do not read"
    videos = [track for track in media.box.tracks if media.role(track) == "video"]
    if len(videos) > 1:
        yield f"{len(videos)} video tracks: players show one of them, not always the same"


def _of_track(media: Media, track: Track, role: str) -> Iterator[str]:
    if not track.table.count:
        return
    yield from _of_edits(media, track, role)
    if len(track.entries) > 1:
        yield f"{len(track.entries)} sample entries: some players go on with the first"
    for entry in track.entries:
        if entry.fourcc in _PREFERRED_TAGS:
            yield f"{entry.fourcc}: Apple's players want {_PREFERRED_TAGS[entry.fourcc]}"
        if entry.encryption is not None:
            yield "encrypted"
    if track.timescale > _LARGEST_TIMESCALE:
        yield f"an odd timescale ({track.timescale} ticks a second): some players round or overflow"
    if role == "video":
        yield from _of_pictures(media, track)


def _of_edits(media: Media, track: Track, role: str) -> Iterator[str]:
    real = [edit for edit in track.edits if edit.media_time != -1]
    if len(track.edits) > len(real):
        yield "an empty edit (it begins late): some players start it at once"
    if len(real) > 1:
        yield f"{len(real)} edits: many players follow only the first"
    if role != "video":
        return
    spans = media.spans(track)
    column = track.table.pts_column(0, min(track.table.count, _WINDOW))
    before = int((column < min(span.media_start for span in spans)).sum()) if spans else 0
    stop = max(span.media_stop for span in spans) if spans else 0
    after = int((track.table.pts_column(max(0, track.table.count - _WINDOW), track.table.count) >= stop).sum())
    if before + after:
        yield f"an edit list hides {before + after} pictures: players that ignore it show them"


def _of_pictures(media: Media, track: Track) -> Iterator[str]:
    table = track.table
    unit = media.peek(track, 0)
    if unit is not None and unit.random_access is RandomAccess.OPEN:
        yield "it begins with an open group of pictures"
    elif unit is not None and unit.random_access not in (RandomAccess.OPEN, RandomAccess.CLOSED):
        yield "its first sample is no key picture"
    if table.sync is not None and (not len(table.sync) or int(table.sync[0])):
        yield "its first sample is not marked as a key picture"
    if table.composition is None:
        return
    if table.composition_range[0] < 0:
        yield "negative composition offsets"
    depth = _reordering(table.pts_column(0, min(table.count, _WINDOW)))
    if depth > _DEEP:
        yield f"pictures are reordered {depth} deep: small decoders hold two"


def _reordering(pts: np.ndarray) -> int:
    """Return the most pictures that are decoded before one that is shown before them."""
    return max((int((pts[max(0, at - 32) : at] > pts[at]).sum()) for at in range(1, len(pts))), default=0)
