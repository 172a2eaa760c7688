"""From a clip's pieces to a layout: one clock for all tracks, what each track takes, what cannot be copied and why.

The clip's zero is the time of its first picture; all tracks are cut at that instant. Pictures belong to the clip when
their time lies in the half-open range asked for; sound is cut to the sample at the same two instants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.edits.compatibility import TrackKey, match_tracks
from ffzero.edits.layout import Layout, PieceLayout, PieceRequest, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.plan import Segment
from ffzero.edits.ranges import place_piece
from ffzero.edits.removed import beside_removed
from ffzero.edits.sound.joints import AUDIO_MODES
from ffzero.edits.takes import Take
from ffzero.edits.targets import rate_difference
from ffzero.edits.track_layer import TrackLayer
from ffzero.errors import UsageError

__all__ = ["lay_out"]

_FINE_TIMESCALE = 10_000
_BOUNDARIES = ("auto", "keyframe", "edit-list", "render")


def lay_out(requests: Sequence[PieceRequest], boundary: str, audio: str | None = None) -> Layout:
    """Decide what each track takes. Reads at most the few samples at cut points.

    Raises ``TimeRangeError`` where a piece shows nothing, ``EncryptedError`` for encrypted samples.
    """
    if boundary not in _BOUNDARIES:
        raise UsageError(f"unknown boundary {boundary!r}", expected=", ".join(_BOUNDARIES))
    if audio is not None and audio not in AUDIO_MODES:
        raise UsageError(f"unknown audio mode {audio!r}", expected=", ".join(AUDIO_MODES))
    if not requests:
        raise UsageError("a clip needs at least one piece")
    warnings: list[str] = []
    snap = boundary == "keyframe"
    pieces: list[PieceLayout] = []
    at = Fraction(0)
    for asked in requests:
        request = beside_removed(asked, warnings) if snap else asked
        pieces.append(place_piece(request, at, snap=snap, warnings=warnings))
        at += pieces[-1].end - pieces[-1].start
    tracks, segments = _lay_tracks(pieces, boundary, audio, warnings)
    warnings += _unlike_rates(pieces, tracks)
    main = requests[0].media.main_video
    shown = [track for track in tracks if (track.role == "video" if main is None else track.model.id == main.id)]
    frames = sum(item.take.shown for track in shown[:1] for item in track.placed if isinstance(item.take, Take))
    return Layout(
        boundary=boundary,
        pieces=tuple(pieces),
        tracks=tuple(tracks),
        segments=tuple(segments),
        frames=frames,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _unlike_rates(pieces: Sequence[PieceLayout], tracks: Sequence[TrackLayout]) -> list[str]:
    """Return a word on frame rates that differ: alone they are no reason to code pictures anew unless that is asked."""
    placed = next((track.placed for track in tracks if track.role == "video"), ())
    copied = list({id(item.take.track): item for item in placed if isinstance(item.take, Take)}.values())
    for item in copied[1:]:
        found = rate_difference(copied[0].take.track, item.take.track)
        if found is not None and found.second != "varying":
            first, second = (pieces[each.piece].request.media.name for each in (copied[0], item))
            return [
                f"frame rates differ: {found.first} in {first}, {found.second} in {second}; each part keeps its own "
                "(unless a file is named to be like)"
            ]
    return []


def _lay_tracks(
    pieces: Sequence[PieceLayout], boundary: str, audio: str | None, warnings: list[str]
) -> tuple[list[TrackLayout], list[Segment]]:
    media = list(dict.fromkeys(id(piece.request.media) for piece in pieces))
    by_id = {id(piece.request.media): piece.request.media for piece in pieces}
    first = by_id[media[0]]
    kept = [_kept_tracks(by_id[key], warnings) for key in media]
    match = match_tracks(
        *[[_track_key(by_id[key], track) for track in tracks] for key, tracks in zip(media, kept, strict=True)]
    )
    layouts: list[TrackLayout] = []
    segments: list[Segment] = []
    extra: list[dict[int, int | None]] = []
    """Tracks that the first movie lacks."""
    kinds = {row.tracks[0].kind for row in match.rows if row.tracks[0] is not None}
    for leftover in match.leftovers:
        other = by_id[media[leftover.movie]]
        kind = leftover.track.kind
        if kind in ("video", "audio") and kind not in kinds:
            late = {media[each.movie]: each.track.id for each in reversed(match.leftovers) if each.track.kind == kind}
            extra.append({key: late.get(key) for key in media})
            kinds.add(kind)
        if any(leftover.track.id == ids[media[leftover.movie]] for ids in extra):
            continue
        warnings.append(
            f"track {leftover.track.id} ({leftover.track.kind}, {leftover.track.language}) of {other.name} has no "
            f"match in {first.name}; it is left out"
        )
    rows: list[dict[int, int | None]] = [
        {key: (None if track is None else track.id) for key, track in zip(media, row.tracks, strict=True)}
        for row in match.rows
    ]
    for ids in (*rows, *extra):
        layout, found = TrackLayer(pieces, ids, boundary, audio, warnings).lay()
        if layout is not None:
            layout = _numbered(layout, {other.model.id for other in layouts})
            layouts.append(layout)
            found = [replace(segment, output_track=layout.model.id) for segment in found]
        segments += found
    segments.sort(key=lambda segment: segment.piece)
    return layouts, segments


def _numbered(layout: TrackLayout, taken: set[int]) -> TrackLayout:
    """Return a track with an ID that is not taken."""
    if layout.model.id not in taken:
        return layout
    header = replace(layout.model.header, track_id=max(taken) + 1)
    return replace(layout, model=replace(layout.model, header=header))


def _track_key(media: Media, track: Track) -> TrackKey:
    codec = track.entries[0].codec
    return TrackKey(id=track.id, kind=_kind(media.role(track)), language=track.language, codec=codec)


def _kind(role: str) -> str:
    return "subtitle" if role == "text" else role


def _kept_tracks(media: Media, warnings: list[str]) -> list[Track]:
    kept = []
    for track in media.box.tracks:
        role = media.role(track)
        if role == "hint":
            warnings.append(f"hint track {track.id} of {media.name} is left out: it points into the old file")
        elif not track.table.count:
            warnings.append(f"track {track.id} ({role}) of {media.name} holds no samples; it is left out")
        else:
            kept.append(track)
        if track.lost_boxes:
            warnings.append(f"track {track.id} of {media.name}: boxes {', '.join(track.lost_boxes)} are left out")
    return kept
