"""Effects on a range of a clip, put onto the pieces that lie there: arithmetic on times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.edits.inputs import require_media
from ffzero.edits.mapping import PictureMap
from ffzero.edits.pieces import Piece
from ffzero.edits.rendering import PictureEffect, PictureFunction
from ffzero.edits.slicing import place_pieces
from ffzero.edits.sound.rendering import SoundEffect, SoundFunction
from ffzero.errors import TimeRangeError, UsageError
from ffzero.timebase import TimeLike, format_time, parse_time

__all__ = ["on_range", "with_effect", "with_map", "with_sound_effect"]


def with_effect(
    pieces: Sequence[Piece], effect: str | PictureFunction, start: TimeLike | None, end: TimeLike | None
) -> tuple[Piece, ...]:
    """Return the pieces with an effect on ``[start, end)`` of the time that they take one after another.

    Its clock begins at ``start`` in each piece that it touches: on the first of them, and goes on in the next.
    """
    _check(effect)

    def put(piece: Piece, low: Fraction, high: Fraction) -> Piece:
        return piece.with_effect(_made(effect, low, high))

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
        return piece.with_effect(PictureEffect(start=low, end=high, map=placed))

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
