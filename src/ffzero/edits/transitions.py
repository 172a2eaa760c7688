"""Cross-fades between clips: the last pictures of one become, one after another, the first ones of the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.edits.inputs import require_media
from ffzero.edits.pieces import Piece
from ffzero.edits.rendering import Blend, PictureEffect
from ffzero.edits.slicing import PlacedPiece, duration_of, place_pieces, slice_pieces
from ffzero.edits.takes import usual_duration
from ffzero.errors import TimeRangeError, UsageError
from ffzero.timebase import TimeLike, format_time, parse_time

__all__ = ["crossfaded"]


def crossfaded(
    first: Sequence[Piece], second: Sequence[Piece], duration: TimeLike | None, frames: int | None
) -> tuple[Piece, ...]:
    """Return pieces that show ``first``, fading into ``second`` at its end; see ``Clip.crossfade``."""
    require_media([piece.input for piece in (*first, *second)])
    first = _until_last_picture(first)
    length = _length(first[-1], duration, frames)
    for pieces in (first, second):
        whole = duration_of(pieces)
        if length >= whole:
            raise TimeRangeError(
                f"a cross-fade of {format_time(length)} is longer than a clip that it joins",
                hint=f"The clip is {format_time(whole)} long",
            )
    fading = place_pieces(first)
    begin = fading[-1].clip_time(fading[-1].end) - length
    coming = place_pieces(slice_pieces(second, None, length))
    found = [
        replace(place.piece, effects=(*place.piece.effects, *_blends(place, coming, begin, length))) for place in fading
    ]
    return (*found, *slice_pieces(second, length, None))


def _until_last_picture(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Return the pieces without the sound that goes on after the last picture."""
    last = pieces[-1]
    media = last.input.media
    assert media is not None
    shown = None if media.main_video is None else media.track_range(media.main_video)
    if shown is None:
        raise UsageError("a clip without pictures cannot be faded", path=last.input.path)
    if last.end is not None and last.end <= shown[1]:
        return pieces
    return (*pieces[:-1], replace(last, end=shown[1]))


def _length(last: Piece, duration: TimeLike | None, frames: int | None) -> Fraction:
    if (duration is None) is (frames is None):
        raise UsageError("a cross-fade takes a duration or a number of frames", hint="Give one of the two")
    if duration is not None:
        length = parse_time(duration)
    else:
        if isinstance(frames, bool) or not isinstance(frames, int):
            raise UsageError("a cross-fade has a whole number of frames", found=repr(frames))
        media = last.input.media
        assert media is not None and media.main_video is not None
        table = media.main_video.table
        length = Fraction(frames * usual_duration(table), table.timescale)
    if length <= 0:
        raise UsageError("a cross-fade lasts longer than nothing", found=duration if frames is None else frames)
    return length


def _blends(
    place: PlacedPiece, coming: Iterable[PlacedPiece], begin: Fraction, length: Fraction
) -> Iterator[PictureEffect]:
    """Yield what fades in over a piece: the parts of the next clip that are shown then."""
    for other in coming:
        low = max(place.at, begin + other.at)
        high = min(place.clip_time(place.end), begin + other.clip_time(other.end))
        if low >= high:
            continue
        media = other.piece.input.media
        assert media is not None
        blend = Blend(
            media=media,
            start=other.start + low - begin - other.at,
            effects=other.piece.effects,
            weight_first=(low - begin) / length,
            weight_last=(high - begin) / length,
        )
        shift = place.start - place.at
        yield PictureEffect(start=low + shift, end=high + shift, blend=blend)
