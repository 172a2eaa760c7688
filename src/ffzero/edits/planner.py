"""From a clip's pieces to a plan: one clock for all tracks, what each track takes, what cannot be copied and why.

The clip's zero is the time of its first picture; all tracks are cut at that instant. Pictures belong to the clip when
their time lies in the half-open range asked for; sound is cut to the sample at the same two instants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ffzero.containers.isobmff.audio_preroll import audio_preroll_samples
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.compatibility import Difference, Outcome, TrackKey, compare_entries, explain, match_tracks
from ffzero.edits.cues import empty_cue
from ffzero.edits.cutpoints import Take, next_clean_sync, take_pictures, take_sound, usual_duration
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.sequence import Placed
from ffzero.errors import EncryptedError, TimeRangeError, UnsupportedError, UsageError
from ffzero.timebase import TOLERANCE, Rounding, common_timescale, format_time, rescale, to_ticks

__all__ = ["Layout", "PieceRequest", "TrackLayout", "lay_out"]

_LATE_PICTURE_S = 1
_BOUNDARIES = ("auto", "keyframe", "edit-list", "render")


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRequest:
    """A piece of a clip: ``[start, end)`` of a movie's timeline in seconds; ``end`` is ``None`` for the whole rest."""

    media: Media
    start: Fraction
    end: Fraction | None


@dataclass(frozen=True, kw_only=True)
class PieceLayout:
    """Where a piece really lies: source time ``[start, end)``, at ``at`` on the clip's timeline."""

    request: PieceRequest
    start: Fraction
    end: Fraction
    at: Fraction


@dataclass(frozen=True, kw_only=True)
class TrackLayout:
    """One output track: the model it takes its header from, sample entries, and takes in order."""

    model: Track
    media: Media
    role: str
    entries: tuple[bytes, ...]
    timescale: int
    placed: tuple[Placed, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All that is decided before a byte is named."""

    boundary: str
    pieces: tuple[PieceLayout, ...]
    tracks: tuple[TrackLayout, ...]
    segments: tuple[Segment, ...]
    frames: int
    warnings: tuple[str, ...]

    @property
    def duration(self) -> Fraction:
        last = self.pieces[-1]
        return last.at + last.end - last.start


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
        start, end = _piece_range(request, snap, bool(pieces), warnings)
        pieces.append(PieceLayout(request=request, start=start, end=end, at=at))
        at += end - start
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


def _piece_range(request: PieceRequest, snap: bool, joined: bool, warnings: list[str]) -> tuple[Fraction, Fraction]:
    """Return the source time at which the piece really starts and ends."""
    media = request.media
    movie_start, movie_end = media.range
    end = movie_end if request.end is None else min(request.end, movie_end)
    start = request.start
    _check_range(request, movie_start, movie_end)
    main = media.main_video
    if main is None:
        return max(start, movie_start), end
    takes = _picture_takes(media, main, start, end, snap=snap, joined=joined)
    if not takes:
        if any(_sound_takes(media, track, start, end, 0) for track in _sound_tracks(media)):
            return max(start, movie_start), end
        raise TimeRangeError(_no_picture(media, main, start, end), path=media.name)
    first = media.seconds(main, takes[0].start)
    if first - start > _LATE_PICTURE_S and not snap and not _shown_before(media, main, first):
        sound = [media.track_range(track) for track in _sound_tracks(media)]
        if any(found is not None and found[0] < first for found in sound):
            warnings.append(f"there is no picture before {format_time(first)}; the clip starts with sound alone")
            return max(start, movie_start), end
    if first - start > _LATE_PICTURE_S and not snap:
        warnings.append(
            f"the first picture after {format_time(start)} is at {format_time(first)}; the clip starts there"
        )
    if snap:
        last = takes[-1]
        end = max(media.seconds(main, last.start + last.media_stop - last.media_start), first)
        if request.end is None:
            end = max(end, movie_end)
    return first, end


def _check_range(request: PieceRequest, movie_start: Fraction, movie_end: Fraction) -> None:
    if request.end is not None and request.end <= request.start:
        raise TimeRangeError(
            f"the range ends at {format_time(request.end)}, not after its start at {format_time(request.start)}"
        )
    if request.start >= movie_end or (request.end is not None and request.end <= movie_start):
        raise TimeRangeError(
            f"nothing to show from {format_time(request.start)} on",
            path=request.media.name,
            hint=f"The movie runs from {format_time(movie_start)} to {format_time(movie_end)}",
        )


def _no_picture(media: Media, main: Track, start: Fraction, end: Fraction) -> str:
    found = media.track_range(main)
    where = f"; pictures run from {format_time(found[0])} to {format_time(found[1])}" if found else ""
    return f"no picture begins in [{format_time(start, digits=6)}, {format_time(end, digits=6)}){where}"


def _shown_before(media: Media, main: Track, first: Fraction) -> bool:
    found = media.track_range(main)
    return found is not None and found[0] < first


def _sound_tracks(media: Media) -> list[Track]:
    return [track for track in media.box.tracks if media.role(track) == "audio"]


def _picture_takes(
    media: Media, track: Track, start: Fraction, end: Fraction, *, snap: bool, joined: bool = False
) -> list[Take]:
    """Return the takes of a picture track, one for each edit that the range touches.

    ``joined`` takes follow other pictures, so one that may be snapped goes back to where a decoder starts afresh.
    """
    low = to_ticks(start - TOLERANCE, track.timescale, Rounding.CEIL)
    high = to_ticks(end - TOLERANCE, track.timescale, Rounding.CEIL)
    takes: list[Take] = []
    for span in media.spans(track):
        if span.start < high and span.stop > low:
            closed = snap and (joined or bool(takes))
            take = take_pictures(track, span, low - span.shift, high - span.shift, media.peek, snap=snap, closed=closed)
            if take is not None:
                takes.append(_ending_at(take, span, to_ticks(end, track.timescale, Rounding.NEAREST)))
    return takes


def _ending_at(take: Take, span: Span, end_ticks: int) -> Take:
    """Let the last picture last until the end asked for, not to the tolerance before it."""
    stop = min(max(take.media_stop, end_ticks - span.shift), take.natural_stop)
    return take if stop <= take.media_stop else replace(take, media_stop=stop)


def _sound_takes(media: Media, track: Track, start: Fraction, end: Fraction, preroll: int) -> list[Take]:
    low = to_ticks(start, track.timescale, Rounding.NEAREST)
    high = to_ticks(end, track.timescale, Rounding.NEAREST)
    takes: list[Take] = []
    packet = _packet_ticks(track)
    for span in media.spans(track):
        early = 0 if takes else preroll
        take = take_sound(track, span, low - span.shift, high - span.shift, preroll=early, packet_ticks=packet)
        if take is not None:
            takes.append(take)
    return takes


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
    for leftover in match.leftovers:
        name = by_id[media[leftover.movie]].name
        warnings.append(
            f"track {leftover.track.id} ({leftover.track.kind}, {leftover.track.language}) of {name} has no match in "
            f"{first.name}; it is left out"
        )
    layouts, segments = [], []
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
    pool = _EntryPool(model)
    placed: list[Placed] = []
    segments: list[Segment] = []
    for number, piece in enumerate(pieces):
        media = piece.request.media
        track_id = ids[id(media)]
        if track_id is None:
            segments += _missing(role, number, piece, model)
            continue
        track = media.box.track(track_id)
        takes = _takes(media, track, role, piece, boundary, has_before=bool(placed))
        descriptions, mismatch = pool.mapping(track, takes)
        if mismatch:
            segments.append(_mismatch(number, piece, track, role, takes, mismatch))
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
        segments += _unclean(placed, pieces, boundary)
    segments += [_copied(item, pieces, role) for item in placed]
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
    return common_timescale(scales, limit=2**32 - 1) or max(scales)


def _takes(media: Media, track: Track, role: str, piece: PieceLayout, boundary: str, *, has_before: bool) -> list[Take]:
    start, end = piece.start, piece.end
    if role == "video":
        snap = boundary == "keyframe" and track is media.main_video
        return _picture_takes(media, track, start, end, snap=snap, joined=has_before)
    preroll = 0
    if role == "audio" and not has_before:
        preroll = _preroll(track)
    takes = _sound_takes(media, track, start, end, preroll)
    return [_whole_still(take) for take in takes] if role == "still" else takes


def _whole_still(take: Take) -> Take:
    """Show a still picture from its own beginning: players drop a picture that the edit begins inside of."""
    start = take.track.table.dts(take.first)
    return replace(take, media_start=start, media_stop=start + take.media_stop - take.media_start)


def _packet_ticks(track: Track) -> int:
    """Return what one audio packet decodes to, in ticks, where it is the same for all and known; else 0."""
    entry = track.entries[0]
    if entry.kind != "audio" or not entry.frame_samples or track.table.sizes.unit_bytes is not None:
        return 0
    usual = usual_duration(track.table)
    coded = rescale(entry.frame_samples, entry.sample_rate or track.timescale, track.timescale, Rounding.NEAREST)
    return usual if usual in (coded, coded * 2, coded // 2) else coded  # SBR doubles, and need not be signalled


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


class _EntryPool:
    """The sample entries of an output track, and how those of each input map onto them."""

    def __init__(self, model: Track) -> None:
        self.model = model
        self.raw: list[bytes] = []
        self._entries: list[SampleEntry] = []

    def mapping(self, track: Track, takes: Sequence[Take]) -> tuple[dict[int, int], tuple[Difference, ...]]:
        """Return track description -> output description for what is used, or why there is none."""
        used = sorted({number for take in takes for number in take.descriptions()})
        mapping: dict[int, int] = {}
        rotation = _rotation_difference(self.model, track)
        if rotation and takes:
            return {}, (rotation,)
        for number in used:
            entry = track.entries[number]
            place, differences = self._place(entry)
            if place is None:
                return {}, differences
            mapping[number] = place
        return mapping, ()

    def _place(self, entry: SampleEntry) -> tuple[int | None, tuple[Difference, ...]]:
        for place, known in enumerate(self._entries):
            verdict = compare_entries(known, entry)
            if verdict.outcome is Outcome.SAME:
                return place, ()
            if verdict.outcome is Outcome.DIFFERENT and place == 0:
                return None, verdict.differences
        self._entries.append(entry)
        self.raw.append(entry.raw[:14] + b"\0\1" + entry.raw[16:])  # the output has one data reference: itself
        return len(self.raw) - 1, ()


def _rotation_difference(model: Track, track: Track) -> Difference | None:
    if model.handler != "vide" or model.header.matrix[:6] == track.header.matrix[:6]:
        return None
    return Difference(what="rotation or flip", first=str(model.header.matrix[:5]), second=str(track.header.matrix[:5]))


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


def _missing(role: str, number: int, piece: PieceLayout, model: Track) -> Iterable[Segment]:
    """Pictures and sound that a piece lacks must be made; cues and data may simply be absent."""
    if role not in ("video", "audio"):
        return
    yield Render(
        piece=number,
        input=piece.request.media.name,
        track=model.id,
        kind=role,
        source_start_s=piece.start,
        source_end_s=piece.end,
        frames=0,
        decode_from_sample=None,
        reason=f"this input has no {role} track to match track {model.id} of the first",
    )


def _mismatch(
    number: int, piece: PieceLayout, track: Track, role: str, takes: Sequence[Take], differences: tuple[Difference, ...]
) -> Render:
    return Render(
        piece=number,
        input=piece.request.media.name,
        track=track.id,
        kind=role,
        source_start_s=piece.start,
        source_end_s=piece.end,
        frames=sum(take.shown for take in takes),
        decode_from_sample=takes[0].first if takes else None,
        reason=f"cannot join the first input's {role}: {explain(differences)}",
    )


def _unclean(placed: Sequence[Placed], pieces: Sequence[PieceLayout], boundary: str) -> Iterable[Render]:
    """Yield what must be rendered of a picture track: around interior boundaries, or all where no edit may hide."""
    for index, item in enumerate(placed):
        media = pieces[item.piece].request.media
        if not item.take.starts_cleanly if index else item.take.hidden_before and boundary == "render":
            yield _front_render(item, media, interior=index > 0)
        if item.take.hidden_after and (index < len(placed) - 1 or boundary == "render"):
            yield _tail_render(item, media, interior=index < len(placed) - 1)


def _front_render(item: Placed, media: Media, *, interior: bool) -> Render:
    take = item.take
    sync = next_clean_sync(take.track, take.media_start, media.peek)
    stop = take.media_stop if sync is None else min(take.media_stop, take.track.table.pts(sync))
    where = "a joint" if interior else "the start"
    reason = f"{where} falls inside a group of pictures"
    if not take.hidden_before:
        reason = f"{where} falls at a picture at which no decoder starts afresh (open group of pictures)"
    return _render(item, media, take.media_start, stop, reason)


def _tail_render(item: Placed, media: Media, *, interior: bool) -> Render:
    take, table = item.take, item.take.track.table
    column = table.pts_column(max(take.first, take.stop - 256), take.stop)
    late = int((column >= take.media_stop).argmax())
    first = int(column[late:].min()) if late < len(column) else take.media_stop
    where = "a joint" if interior else "the end"
    return _render(item, media, first, take.media_stop, f"the last pictures before {where} need later ones to decode")


def _render(item: Placed, media: Media, first: int, stop: int, reason: str) -> Render:
    take = item.take
    column = take.track.table.pts_column(take.first, take.stop)
    shift = take.start - take.media_start
    return Render(
        piece=item.piece,
        input=media.name,
        track=take.track.id,
        kind="video",
        source_start_s=media.seconds(take.track, first + shift),
        source_end_s=media.seconds(take.track, stop + shift),
        frames=int(((column >= first) & (column < stop)).sum()),
        decode_from_sample=take.first,
        reason=reason,
    )


def _copied(item: Placed, pieces: Sequence[PieceLayout], role: str) -> Copy:
    take = item.take
    media = pieces[item.piece].request.media
    dropped = sum(stop - first for first, stop in take.drops)
    reason = take.note
    if dropped:
        dropped_text = f"{dropped} leading pictures that nothing shown needs are left out"
        reason = f"{reason}; {dropped_text}" if reason else dropped_text
    return Copy(
        piece=item.piece,
        input=media.name,
        track=take.track.id,
        kind=role,
        first_sample=take.first,
        stop_sample=take.stop,
        samples=take.stop - take.first - dropped,
        start_s=item.at_s,
        end_s=item.end_s,
        source_start_s=media.seconds(take.track, take.start),
        hidden_before=take.hidden_before,
        hidden_after=take.hidden_after,
        reason=reason,
    )
