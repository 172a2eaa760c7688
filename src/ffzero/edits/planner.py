"""From a clip's pieces to a layout: one clock for all tracks, what each track takes, what cannot be copied and why.

The clip's zero is the time of its first picture; all tracks are cut at that instant. Pictures belong to the clip when
their time lies in the half-open range asked for; sound is cut to the sample at the same two instants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.audio_preroll import audio_preroll_samples
from ffzero.containers.isobmff.model import Track
from ffzero.edits.compatibility import TrackKey, match_tracks
from ffzero.edits.cues import empty_cue
from ffzero.edits.layout import Layout, PieceLayout, PieceRequest, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.plan import Render, Segment
from ffzero.edits.ranges import picture_takes, place_piece, sound_takes
from ffzero.edits.renders import copied, lacking, mismatch, missing, unclean
from ffzero.edits.sample_entries import EntryPool
from ffzero.edits.sequence import Placed
from ffzero.edits.takes import Take
from ffzero.errors import EncryptedError, UnsupportedError, UsageError
from ffzero.timebase import common_timescale

__all__ = ["lay_out"]

_FINE_TIMESCALE = 10_000
_BOUNDARIES = ("auto", "keyframe", "edit-list", "render")


def lay_out(requests: Sequence[PieceRequest], boundary: str) -> Layout:
    """Decide what each track takes. Reads at most the few samples at cut points.

    Raises ``TimeRangeError`` where a piece shows nothing, ``EncryptedError`` for encrypted samples.
    """
    if boundary not in _BOUNDARIES:
        raise UsageError(f"unknown boundary {boundary!r}", expected=", ".join(_BOUNDARIES))
    if not requests:
        raise UsageError("a clip needs at least one piece")
    warnings: list[str] = []
    snap = boundary == "keyframe"
    pieces: list[PieceLayout] = []
    at = Fraction(0)
    for request in requests:
        pieces.append(place_piece(request, at, snap=snap, warnings=warnings))
        at += pieces[-1].end - pieces[-1].start
    tracks, segments = _lay_tracks(pieces, boundary, warnings)
    main = requests[0].media.main_video
    frames = 0
    for track in tracks:
        if main is not None and track.model is main:
            frames = sum(item.take.shown for item in track.placed)
    return Layout(
        boundary=boundary,
        pieces=tuple(pieces),
        tracks=tuple(tracks),
        segments=tuple(segments),
        frames=frames,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _lay_tracks(
    pieces: Sequence[PieceLayout], boundary: str, warnings: list[str]
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
    kinds = {row.tracks[0].kind for row in match.rows if row.tracks[0] is not None}
    for leftover in match.leftovers:
        other = by_id[media[leftover.movie]]
        if leftover.track.kind in ("video", "audio") and leftover.track.kind not in kinds:
            segments += lacking(pieces, other, leftover.track.kind)
            kinds.add(leftover.track.kind)
            continue
        warnings.append(
            f"track {leftover.track.id} ({leftover.track.kind}, {leftover.track.language}) of {other.name} has no "
            f"match in {first.name}; it is left out"
        )
    for row in match.rows:
        ids = {key: (None if track is None else track.id) for key, track in zip(media, row.tracks, strict=True)}
        layout, found = _lay_track(pieces, ids, boundary, warnings)
        segments += found
        if layout is not None:
            layouts.append(layout)
    segments.sort(key=lambda segment: segment.piece)
    return layouts, segments


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


def _lay_track(
    pieces: Sequence[PieceLayout], ids: dict[int, int | None], boundary: str, warnings: list[str]
) -> tuple[TrackLayout | None, list[Segment]]:
    """Lay one output track over all pieces; returns it with the segments that tell of it."""
    first_media = pieces[0].request.media
    first_id = ids[id(first_media)]
    assert first_id is not None
    model = first_media.box.track(first_id)
    role = first_media.role(model)
    pool = EntryPool(model)
    placed: list[Placed] = []
    segments: list[Segment] = []
    for number, piece in enumerate(pieces):
        media = piece.request.media
        track_id = ids[id(media)]
        if track_id is None:
            segments += missing(role, number, piece, model)
            continue
        track = media.box.track(track_id)
        takes = _takes(media, track, role, piece, boundary, has_before=bool(placed))
        descriptions, differences = pool.mapping(track, takes)
        if differences:
            segments.append(mismatch(number, piece, track, role, takes, differences))
            continue
        for take in takes:
            _refuse(media, take)
            placed.append(_place(number, piece, media, take, descriptions))
    if not placed and role == "text" and empty_cue(model.entries[0].codec) is not None:
        entries = (model.entries[0].raw,)
        return TrackLayout(
            model=model, media=first_media, role=role, entries=entries, timescale=model.timescale, placed=()
        ), segments
    if not placed:
        if not any(isinstance(segment, Render) for segment in segments):
            warnings.append(f"track {model.id} ({role}) has nothing in the range; it is left out")
        return None, segments
    if role == "video":
        segments += unclean(placed, pieces, boundary)
    segments += [copied(item, pieces, role) for item in placed]
    timescale = _output_timescale(role, placed)
    layout = TrackLayout(
        model=model, media=first_media, role=role, entries=tuple(pool.raw), timescale=timescale, placed=tuple(placed)
    )
    return layout, segments


def _output_timescale(role: str, placed: Sequence[Placed]) -> int:
    """Return the timescale of an output track: the least on which all times are whole, but samples for sound.

    FFmpeg takes the ticks that an edit trims for samples, so packets of constant length get a timescale that makes them
    so. Past 32 bits the greatest serves, and times are rounded to its ticks.
    """
    scales = [item.take.track.timescale for item in placed]
    model = placed[0].take
    if role == "audio" and model.packet_ticks:
        entry = model.track.entries[model.descriptions()[0]]
        samples = {entry.frame_samples, entry.frame_samples * 2}
        if len(set(scales)) > 1 or model.packet_ticks not in samples:
            return entry.sample_rate or max(scales)
        return scales[0]
    common = common_timescale(scales, limit=2**32 - 1) or max(scales)
    joints = [(item.at_s - placed[0].at_s) * common for item in placed]
    if role == "video" and (model.squeezed or any(joint.denominator > 1 for joint in joints)):
        # Hidden samples take a tick each, and a joint may fall between two ticks: let that be little.
        common *= -(-_FINE_TIMESCALE // common)
    return common


def _takes(media: Media, track: Track, role: str, piece: PieceLayout, boundary: str, *, has_before: bool) -> list[Take]:
    start, end = piece.start, piece.end
    if piece.takes is not None and track is media.main_video:
        return list(piece.takes)
    if role == "video":
        snap = boundary == "keyframe" and track is media.main_video
        return picture_takes(media, track, start, end, snap=snap, joined=has_before)
    preroll = 0
    if role == "audio" and not has_before:
        preroll = _preroll(track)
    takes = sound_takes(media, track, start, end, preroll)
    return [_whole_still(take) for take in takes] if role == "still" else takes


def _whole_still(take: Take) -> Take:
    """Show a still picture from its own beginning: players drop a picture that the edit begins inside of."""
    start = take.track.table.dts(take.first)
    return replace(take, media_start=start, media_stop=start + take.media_stop - take.media_start)


def _preroll(track: Track) -> int:
    """Return the packets that the decoder needs before the first: the codec's own, or the file's ``roll`` group."""
    packets = max(audio_preroll_samples(entry) for entry in track.entries)
    for group in track.table.groups:
        if group.grouping_type in ("roll", "prol"):
            distances = [
                int.from_bytes(entry[:2], "big", signed=True) for entry in group.descriptions if len(entry) >= 2
            ]
            packets = max([packets, *(-distance for distance in distances if -64 <= distance < 0)])
    return packets


def _place(number: int, piece: PieceLayout, media: Media, take: Take, descriptions: dict[int, int]) -> Placed:
    start = media.seconds(take.track, take.start)
    at = piece.at + max(Fraction(0), start - piece.start)
    if abs(start - piece.start) * take.track.timescale <= 1:
        at = piece.at  # the same instant, but for the rounding to this track's ticks
    length = media.seconds(take.track, take.media_stop - take.media_start)
    return Placed(piece=number, take=take, at_s=at, end_s=at + length, descriptions=descriptions)


def _refuse(media: Media, take: Take) -> None:
    """Raise for samples that cannot be carried over as they are."""
    if take.track.external:
        raise UnsupportedError(
            f"the samples of track {take.track.id} lie in another file (a reference movie)",
            path=media.name,
            hint="Make it self-contained first (ffmpeg -i FILE -c copy OUT)",
        )
    for number in take.descriptions():
        encryption = take.track.entries[number].encryption
        if encryption is not None and (encryption.is_protected or take.track.aux_boxes):
            raise EncryptedError(
                f"track {take.track.id} is encrypted ({encryption.scheme}); its sample auxiliary data cannot be "
                "carried over yet",
                path=media.name,
                hint="Decrypt the file first (ffmpeg -decryption_key KEY -i FILE -c copy OUT)",
            )
