"""Where a piece really starts and ends, and what each kind of track takes of a range."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.edits.cutpoints import next_closed, take_pictures, take_sound
from ffzero.edits.layout import PieceLayout, PieceRequest
from ffzero.edits.media import Media
from ffzero.edits.takes import Take, usual_duration
from ffzero.errors import TimeRangeError
from ffzero.timebase import TOLERANCE, Rounding, format_time, rescale, to_ticks

__all__ = ["picture_takes", "place_piece", "sound_takes"]

_LATE_PICTURE_S = 1


def place_piece(request: PieceRequest, at: Fraction, *, snap: bool, warnings: list[str]) -> PieceLayout:
    """Find the source time at which a piece that is to lie at ``at`` really starts and ends."""
    media = request.media
    movie_start, movie_end = media.range
    end = movie_end if request.end is None else min(request.end, movie_end)
    start = request.start
    _check_range(request, movie_start, movie_end)
    main = media.main_video
    whole = PieceLayout(request=request, start=max(start, movie_start), end=end, at=at)
    if main is None:
        return whole
    takes = picture_takes(media, main, start, end, snap=snap, joined=at > 0)
    if not takes:
        if any(sound_takes(media, track, start, end, 0) for track in _sound_tracks(media)):
            return whole
        raise TimeRangeError(_no_picture(media, main, start, end), path=media.name)
    first = media.seconds(main, takes[0].start)
    if first - start > _LATE_PICTURE_S and not snap and not _shown_before(media, main, first):
        sound = [media.track_range(track) for track in _sound_tracks(media)]
        if any(found is not None and found[0] < first for found in sound):
            warnings.append(f"there is no picture before {format_time(first)}; the clip starts with sound alone")
            return whole
    if first - start > _LATE_PICTURE_S and not snap:
        warnings.append(
            f"the first picture after {format_time(start)} is at {format_time(first)}; the clip starts there"
        )
    if snap:
        last = takes[-1]
        end = max(media.seconds(main, last.start + last.media_stop - last.media_start), first)
        if request.end is None:
            end = max(end, movie_end)
    known = None if snap else tuple(takes)  # snapped ones are sought again in the range that they made
    return PieceLayout(request=request, start=first, end=end, at=at, takes=known)


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


def picture_takes(
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
            if snap and takes and take is not None and take.media_start < span.media_start:
                take = _from_next_key(media, track, span, (low - span.shift, high - span.shift))
            if take is not None:
                takes.append(_ending_at(take, span, to_ticks(end, track.timescale, Rounding.NEAREST)))
    return takes


def _from_next_key(media: Media, track: Track, span: Span, between: tuple[int, int]) -> Take | None:
    """Return a take that is to follow others from the next key picture of its edit on: earlier ones are not shown."""
    low = next_closed(track, max(between[0], span.media_start), min(between[1], span.media_stop), media.peek)
    return None if low is None else take_pictures(track, span, low, between[1], media.peek, snap=True, closed=True)


def _ending_at(take: Take, span: Span, end_ticks: int) -> Take:
    """Let the last picture last until the end asked for, not to the tolerance before it."""
    stop = min(max(take.media_stop, end_ticks - span.shift), take.natural_stop)
    return take if stop <= take.media_stop else replace(take, media_stop=stop)


def sound_takes(media: Media, track: Track, start: Fraction, end: Fraction, preroll: int) -> list[Take]:
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


def _packet_ticks(track: Track) -> int:
    """Return what one audio packet decodes to, in ticks, where it is the same for all and known; else 0."""
    entry = track.entries[0]
    if entry.kind != "audio" or not entry.frame_samples or track.table.sizes.unit_bytes is not None:
        return 0
    usual = usual_duration(track.table)
    coded = rescale(entry.frame_samples, entry.sample_rate or track.timescale, track.timescale, Rounding.NEAREST)
    return usual if usual in (coded, coded * 2, coded // 2) else coded  # SBR doubles, and need not be signalled
