"""Pictures shown at given times: those of one file are decoded together, each group of pictures once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction

from ffzero.edits.frame_values import Frame, Line
from ffzero.edits.reading import FrameRequest
from ffzero.edits.slicing import PlacedPiece
from ffzero.errors import UsageError
from ffzero.frames.reading.forms import Forms
from ffzero.frames.reading.indexed import Point
from ffzero.frames.reading.stream import look_of, track_numbers, track_of
from ffzero.frames.reading.stretches import piece_at

__all__ = ["frames_at"]


def frames_at(request: FrameRequest, times: Sequence[Fraction]) -> list[Frame]:
    """Return the frames shown at times of the request's timeline, in the order asked. See ``Readable.frames_at``."""
    numbers = track_numbers(request)
    if len(numbers) != 1:
        raise UsageError("frames at given times are of one track")
    look_of(request)
    groups: dict[int, tuple[PlacedPiece, list[tuple[int, Fraction]]]] = {}
    for number, time in enumerate(times):
        place, source_time = piece_at(request.pieces, request.whole, time)
        key = next(at for at, piece in enumerate(request.pieces) if piece is place.piece)
        groups.setdefault(key, (place, []))[1].append((number, source_time))
    found: dict[int, Frame] = {}
    for key, (place, wanted) in groups.items():
        found |= _of_piece(request, key, place, wanted, numbers[0])
    return [found[number] for number in range(len(times))]


def _of_piece(
    request: FrameRequest, key: int, place: PlacedPiece, wanted: Sequence[tuple[int, Fraction]], track_id: int | None
) -> dict[int, Frame]:
    low = None if request.whole else place.piece.start
    with closing(track_of(place.piece, track_id, request)) as track:
        forms = Forms(look_of(request), track.turn)
        numbers: dict[Point, list[int]] = {}
        for number, time in wanted:
            numbers.setdefault(track.point_at(time, low), []).append(number)
        found: dict[int, Frame] = {}
        lines: dict[tuple[int, int], Line] = {}
        for picture, pts, point in track.points(numbers):
            shift = point.shift * track.base - track.origin
            line = lines.get((pts, point.shift))
            is_first = line is None
            if line is None:
                line = lines[pts, point.shift] = Line(
                    track=track.id,
                    time_base=track.base,
                    offset=shift + place.at - place.start,
                    first=_index(request, key, track_id, point, pts * track.base + shift),
                )
            form = forms.of(picture)
            for number in numbers[point]:
                # A frame for each time: to forget one, or to write to it, is nothing to the others.
                frame = Frame(picture, form, line, pts, 0)
                found[number] = frame.copy() if form.lends and not is_first else frame
                is_first = False
        return found


def _index(request: FrameRequest, key: int, track_id: int | None, point: Point, time: Fraction) -> Callable[[], int]:
    """Return what tells the index of a picture of the piece ``key`` that is shown at ``time`` of its file."""

    def count(number: int, start: Fraction | None, end: Fraction | None) -> int:
        with closing(track_of(request.pieces[number], track_id, request)) as track:
            return track.count(start, end)

    def index() -> int:
        if point.number is not None and request.whole:
            return point.number
        before = [count(number, piece.start, piece.end) for number, piece in enumerate(request.pieces[:key])]
        return sum(before) + count(key, None if request.whole else request.pieces[key].start, time)

    return index
