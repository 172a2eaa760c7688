"""Effects on a range of a clip, put onto the pieces that lie there: arithmetic on times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.search import shown_between
from ffzero.edits.inputs import require_media
from ffzero.edits.mapping import PictureMap
from ffzero.edits.pieces import Piece
from ffzero.edits.rendering import PictureEffect, PictureFunction
from ffzero.edits.slicing import place_pieces
from ffzero.edits.sound.rendering import SoundEffect, SoundFunction
from ffzero.errors import TimeRangeError, UnsupportedError, UsageError
from ffzero.timebase import TOLERANCE, Rounding, TimeLike, format_time, parse_time, to_ticks

__all__ = ["on_range", "with_effect", "with_map", "with_sound_effect"]


def with_effect(
    pieces: Sequence[Piece], effect: str | PictureFunction, start: TimeLike | None, end: TimeLike | None
) -> tuple[Piece, ...]:
    """Return the pieces with an effect on ``[start, end)`` of the time that they take one after another.

    Its clock begins at ``start`` in each piece that it touches: on the first of them, and goes on in the next. Where no
    picture begins in the range, it is on the one that is shown then.
    """
    _check(effect)

    def put(piece: Piece, low: Fraction, high: Fraction) -> Piece:
        return piece.with_effect(_made(effect, _from_picture(piece, low, high), high))

    _require(pieces, "video", "there are no pictures that it could be applied to")
    return on_range(pieces, start, end, put)


def with_map(
    pieces: Sequence[Piece], mapping: PictureMap, start: TimeLike | None, end: TimeLike | None
) -> tuple[Piece, ...]:
    """Return the pieces with a function called with the pictures of ``[start, end)``.

    Times that it is told count from the clip's start, over all pieces; its neighbours are of the same piece.
    """
    low_clip = Fraction(0) if start is None else parse_time(start)

    def put(piece: Piece, low: Fraction, high: Fraction) -> Piece:
        assert piece.input.media is not None
        first, stop = piece.start or Fraction(0), piece.input.media.range[1] if piece.end is None else piece.end
        placed = replace(mapping, zero=low - low_clip, reach_start=first, reach_end=stop)
        return piece.with_effect(PictureEffect(start=_from_picture(piece, low, high), end=high, map=placed))

    _require(pieces, "video", "there are no pictures that it could be applied to")
    return on_range(pieces, start, end, put)


def with_sound_effect(
    pieces: Sequence[Piece], effect: str | SoundFunction, start: TimeLike | None, end: TimeLike | None
) -> tuple[Piece, ...]:
    """As ``with_effect`` for sound; in each piece that it touches, the effect is one of its own."""
    _check(effect, option="-af", example="volume=0")

    def put(piece: Piece, low: Fraction, high: Fraction) -> Piece:
        if isinstance(effect, str):
            made = SoundEffect(start=low, end=high, filter=effect)
        else:
            made = SoundEffect(start=low, end=high, function=effect)
        return replace(piece, sound_effects=(*piece.sound_effects, made))

    _require(pieces, "audio", "there is no sound that it could be applied to")
    return on_range(pieces, start, end, put)


def on_range(
    pieces: Sequence[Piece],
    start: TimeLike | None,
    end: TimeLike | None,
    put: Callable[[Piece, Fraction, Fraction], Piece],
) -> tuple[Piece, ...]:
    """Return the pieces, those that lie in ``[start, end)`` with what ``put(piece, low, high)`` makes of them.

    ``low`` and ``high`` are the range on the timeline of the piece's input, and may reach beyond the piece.
    """
    require_media([piece.input for piece in pieces])
    placed = place_pieces(pieces)
    duration = placed[-1].clip_time(placed[-1].end)
    low = Fraction(0) if start is None else parse_time(start)
    high = duration if end is None else parse_time(end)
    if low >= duration:
        raise TimeRangeError(
            f"nothing of the clip from {format_time(low)} on", hint=f"The clip is {format_time(duration)} long"
        )
    if high <= low:
        raise TimeRangeError(f"the effect's range ends at {format_time(high)}, not after its start")
    found = []
    for place in placed:
        shift = place.start - place.at
        inside = low + shift < place.end and high + shift > place.start
        found.append(put(place.piece, low + shift, high + shift) if inside else place.piece)
    return tuple(found)


def _require(pieces: Sequence[Piece], role: str, message: str) -> None:
    """Raise ``UnsupportedError`` where an effect would alter nothing, for no piece has such a track."""
    require_media([piece.input for piece in pieces])
    media = [piece.input.media for piece in pieces if piece.input.media is not None]
    if not any(one.role(track) == role and track.table.count for one in media for track in one.box.tracks):
        raise UnsupportedError(message, path=pieces[0].input.path, hint="`ffzero inspect` shows what is there")


def _from_picture(piece: Piece, low: Fraction, high: Fraction) -> Fraction:
    """Return where an effect begins: earlier than ``low`` where the only picture shown in its range does."""
    media = piece.input.media
    track = media.main_video if media is not None else None
    if media is None or track is None or low < (piece.start or 0):
        return low
    first, stop = (to_ticks(time - TOLERANCE, track.timescale, Rounding.CEIL) for time in (low, high))
    for span in media.spans(track):
        if span.start <= first < span.stop:
            if shown_between(track.table, first - span.shift, max(stop, first + 1) - span.shift) is not None:
                return low
            before = shown_between(track.table, span.media_start, first - span.shift)
            begun = low if before is None else media.seconds(track, before.last_pts + span.shift)
            return max(begun, piece.start or Fraction(0))
    return low


def _made(effect: str | PictureFunction, start: Fraction, end: Fraction) -> PictureEffect:
    if isinstance(effect, str):
        return PictureEffect(start=start, end=end, filter=effect)
    return PictureEffect(start=start, end=end, function=effect)


def _check(effect: object, option: str = "-vf", example: str = "boxblur=10") -> None:
    if isinstance(effect, str):
        if not effect.strip() or "\0" in effect:
            raise UsageError(f"not a filter chain: {effect!r}", hint=f'Write it as for ffmpeg {option}: "{example}"')
    elif not callable(effect):
        raise UsageError(f"not an effect: {effect!r}", hint="Give an FFmpeg filter chain or a function")
