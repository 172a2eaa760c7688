"""Frames of a request one after another: stretch by stretch, of several tracks in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from fractions import Fraction

from ffzero.edits.frame_values import Frame, Line
from ffzero.edits.pieces import Piece
from ffzero.edits.reading import FrameRequest
from ffzero.errors import UsageError
from ffzero.frames.reading.containers import ContainerTrack
from ffzero.frames.reading.forms import Forms, Look, parse_size
from ffzero.frames.reading.indexed import IndexedTrack
from ffzero.frames.reading.steps import parse_step
from ffzero.frames.reading.stretches import Stretch, stretches
from ffzero.reporting import ProgressEvent

__all__ = ["FrameStream", "look_of", "track_numbers", "track_of"]

_REPORT_EVERY = 32


class FrameStream:
    """A request, checked: bad arguments and unknown tracks are told before anything is decoded."""

    def __init__(self, request: FrameRequest) -> None:
        self._request = request
        self._look = look_of(request)
        self._step = parse_step(request.step)
        self._tracks = track_numbers(request)
        self._stretches = list(stretches(request.pieces, request.whole, request.start, request.end))
        for stretch in self._stretches:
            for number in self._tracks:
                track_of(stretch.piece, number, request).close()

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the frames; closing the generator frees the decoders."""
        request, done = self._request, 0
        total = self._total()
        for frame in self._all():
            yield frame
            done += 1
            if not done % _REPORT_EVERY:
                request.reporter(ProgressEvent(stage="decode", done=done, total=total, unit="frames"))
        request.reporter(ProgressEvent(stage="decode", done=done, total=done, unit="frames"))

    def _all(self) -> Generator[Frame, None, None]:
        for stretch in self._stretches:
            if len(self._tracks) == 1:
                yield from self._of_track(stretch, self._tracks[0])
                continue
            streams = [self._of_track(stretch, number) for number in self._tracks]
            try:
                yield from heapq.merge(*streams, key=lambda frame: frame.time)
            finally:
                for stream in streams:
                    stream.close()

    def _of_track(self, stretch: Stretch, number: int | None) -> Generator[Frame, None, None]:
        request = self._request
        with closing(track_of(stretch.piece, number, request)) as track:
            forms = Forms(self._look, track.turn)
            form_of = forms.of
            lines: dict[int, Line] = {}

            def count(piece: Piece, start: Fraction | None, end: Fraction | None) -> int:
                return _count(piece, start, end, number, request)

            def first() -> int:
                return stretch.first_index(count)

            for picture, pts, shift, place in track.pictures(stretch.start, stretch.end, self._step):
                line = lines.get(shift)
                if line is None:
                    offset = shift * track.base + stretch.offset - track.origin
                    line = Line(
                        track=track.id, time_base=track.base, offset=offset, first=first if stretch.before else 0
                    )
                    lines[shift] = line
                yield Frame(picture, form_of(picture), line, pts, place)
            stretch.piece.input.check_same(opened=True)  # one cut short just seems to end

    def _total(self) -> int | None:
        """Return how many frames come, where that is known without reading for it."""
        if self._step is not None or len(self._tracks) != 1:
            return None
        if any(stretch.piece.input.media is None for stretch in self._stretches):
            return None
        return sum(
            _count(stretch.piece, stretch.start, stretch.end, self._tracks[0], self._request)
            for stretch in self._stretches
        )


def look_of(request: FrameRequest) -> Look:
    """Return what the request's frames are to be like. Raises ``UsageError``."""
    return Look(
        format=request.format,
        size=parse_size(request.size),
        rotate=request.rotate,
        writable=request.writable,
    )


def track_numbers(request: FrameRequest) -> Sequence[int | None]:
    """Return the IDs of the tracks asked for, ``None`` for the main one."""
    chosen = request.tracks
    if chosen is None or isinstance(chosen, int):
        return [chosen]
    given: object = chosen
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"not tracks: {given!r}", expected="an ID, several, or None")
    numbers = list(dict.fromkeys(chosen))
    if not numbers:
        raise UsageError("no track was asked for")
    return numbers


def track_of(piece: Piece, number: int | None, request: FrameRequest) -> IndexedTrack | ContainerTrack:
    """Return a video track of a piece's file to decode; it must be closed. Raises ``UsageError``."""
    media = piece.input.media
    if media is None:
        piece.input.check_same()
        return ContainerTrack(piece.input.path, number, request.cancel, threads=request.threads)
    return IndexedTrack.of(media, number, piece.effects, request.cancel, threads=request.threads)


def _count(
    piece: Piece, start: Fraction | None, end: Fraction | None, number: int | None, request: FrameRequest
) -> int:
    with closing(track_of(piece, number, request)) as track:
        return track.count(start, end)
