"""What flows through a media pipeline: clips, a few kilobytes of plan each, whatever they show."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Joinable, Movie, open_movie
from ffzero.edits.movie import concat as movie_concat
from ffzero.edits.pieces import Piece
from ffzero.errors import UsageError
from ffzero.pipelines.writing import write_clip
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, parse_time

if TYPE_CHECKING:  # copying needs none of it
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["Segment", "as_segment", "concat", "generate_video_segments", "is_job", "is_media"]


class Segment(Clip):
    """A clip on its way: what it shows, and what is still to be done when it is written.

    ``index`` is its number in its stream (``None`` outside one), ``settings`` how it will be coded (``None``: it is
    copied), ``output`` where the pipeline that it flows through writes it. Immutable, like every clip.
    """

    __slots__ = ("index", "output", "settings")

    def __init__(
        self,
        pieces: Iterable[Piece],
        *,
        index: int | None = None,
        settings: FFmpegSettings | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(pieces)
        self.index = index
        self.settings = settings
        self.output = output

    @property
    def start(self) -> Fraction:
        """Where its first piece begins in its file, in seconds."""
        return self.pieces[0].start or Fraction(0)

    @property
    def end(self) -> Fraction | None:
        """Where its last piece ends in its file, in seconds; ``None`` for the end of the file."""
        return self.pieces[-1].end

    def with_settings(self, settings: FFmpegSettings | None) -> Self:
        """Return the same clip, to be coded with ``settings`` when it is written; ``None`` copies it."""
        return type(self)(self.pieces, index=self.index, settings=settings, output=self.output)

    def write(
        self,
        output: str | os.PathLike[str],
        *,
        boundary: str = "auto",
        audio: str | None = None,
        overwrite: bool = False,
        fsync: bool = False,
        verify: bool = False,
        sidecar: bool = False,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> WriteResult:
        """Write the segment: copied like any clip, or, where it has settings, coded by FFmpeg; see ``Clip.write``."""
        return write_clip(
            Clip(self.pieces),
            output,
            self.settings,
            boundary=boundary,
            audio=audio,
            overwrite=overwrite,
            fsync=fsync,
            verify=verify,
            sidecar=sidecar,
            reporter=reporter,
            cancel=cancel,
        )

    def __add__(self, other: Clip) -> Self:
        if not isinstance(other, Clip):
            return NotImplemented
        joined = self._with((*self.pieces, *other.pieces))
        return joined.with_settings(_common_settings((self, other)))

    def __radd__(self, other: Clip) -> Self:
        if not isinstance(other, Clip):
            return NotImplemented
        return self._with((*other.pieces, *self.pieces))

    def _with(self, pieces: Iterable[Piece]) -> Self:
        return type(self)(pieces, index=self.index, settings=self.settings, output=self.output)


def is_media(data: object) -> bool:
    """Whether ``data`` is what ``as_segment`` takes for one input: a clip, a movie or a path."""
    return isinstance(data, str | os.PathLike | Clip | Movie)


def is_job(data: object) -> bool:
    """Whether ``data`` is (input, output) or (input, output, start, duration); the input may be a list to join."""
    return (
        isinstance(data, tuple)
        and len(data) in (2, 3, 4)
        and (is_media(data[0]) or isinstance(data[0], list))
        and isinstance(data[1], str | os.PathLike)
    )


def as_segment(data: Any) -> Segment:
    """Return what a stage works on: from a clip, a movie, a path, a list of these (joined), or a job; see ``is_job``.

    Opens and indexes files; reads no media. Raises ``UsageError`` for anything else, and like ``ffzero.open``.
    """
    if isinstance(data, Segment):
        return data
    if isinstance(data, Clip):
        return Segment(data.pieces)
    if isinstance(data, Movie):
        return Segment(data[:].pieces)
    if is_job(data):
        source, output, *times = data
        found = as_segment(source)
        if times:
            start, length = parse_time(times[0] or 0), times[1] if len(times) > 1 else None
            found = found.slice(start, None if length is None else start + parse_time(length))
        return Segment(found.pieces, index=found.index, settings=found.settings, output=output)
    if isinstance(data, str | os.PathLike):
        return Segment(open_movie(data)[:].pieces)
    if isinstance(data, list) and data:
        return _joined(data)
    raise UsageError(
        "not something to process",
        expected="a clip, a path, (input, output) or (input, output, start, duration)",
        found=type(data).__name__ if not isinstance(data, tuple | list) else f"{type(data).__name__} of {len(data)}",
    )


def _joined(items: list[Any]) -> Segment:
    clips = [item if is_media(item) else as_segment(item) for item in items]
    return Segment(movie_concat(clips).pieces, settings=_common_settings(clips))


def _common_settings(items: Iterable[Any]) -> FFmpegSettings | None:
    """Return the settings for a join: those of the segments that have some; ``UsageError`` where these differ."""
    found = {item.settings for item in items if isinstance(item, Segment) and item.settings is not None}
    if len(found) > 1:
        raise UsageError("segments with different settings cannot be joined", hint="Write one of them first")
    return found.pop() if found else None


def concat(items: Iterable[Joinable], *, like: Joinable | None = None) -> Clip:
    """Join clips, movies or paths (whole files) into one clip; segments keep their settings.

    Where their pictures differ, those are coded anew that are unlike ``like``, by default unlike most of the clip; see
    its plan. Raises ``UsageError`` for an empty list, and for segments with different settings.
    """
    clips = list(items)
    settings = _common_settings(clips)
    joined = movie_concat(clips, like=like)
    return joined if settings is None else Segment(joined.pieces, settings=settings)


def generate_video_segments(
    path: str | os.PathLike[str], chunk_size: TimeLike = 60, *, at_keyframes: bool | None = None
) -> Iterator[Segment]:
    """Yield the file in consecutive segments of ``chunk_size`` seconds that together are the whole, lazily.

    Each is a ``Clip``: ranges of the same opened file, half-open, without gap or overlap. With ``at_keyframes`` each
    begins at the keyframe at or before its time, so that it needs no hidden pictures; by default that is so for files
    that can only be cut there (all but MP4 and MOV; these are read through once). Raises like ``ffzero.open``, at once.
    """
    size = parse_time(chunk_size)
    if not size:
        raise UsageError("a segment lasts longer than nothing", found=chunk_size)
    movie = open_movie(path)
    if movie.media is None if at_keyframes is None else at_keyframes:
        return _segments(movie, _keyframe_bounds(movie, size))
    return _segments(movie, _even_bounds(movie.start, _last_picture(movie), size))


def _segments(movie: Movie, bounds: Iterable[Fraction | None]) -> Iterator[Segment]:
    for index, (start, end) in enumerate(pairwise(bounds)):
        yield Segment((Piece(input=movie.input, start=start, end=end),), index=index)


def _even_bounds(first: Fraction, last: Fraction, size: Fraction) -> Iterator[Fraction | None]:
    yield None
    bound = (first // size + 1) * size
    while bound <= last:
        yield bound
        bound += size
    yield None


def _keyframe_bounds(movie: Movie, size: Fraction) -> Iterator[Fraction | None]:
    """Yield the keyframes that are the last at or before a multiple of ``size``."""
    yield None
    keyframes = movie.keyframes()
    for time, following in pairwise([*keyframes, movie.duration]):
        if time > keyframes[0] and -(-time // size) * size < following:
            yield time
    yield None


def _last_picture(movie: Movie) -> Fraction:
    """Return when the last picture begins, or a little before: a segment after it would hold sound alone."""
    media = movie.media
    track = media.main_video if media is not None else None
    found = media.track_range(track) if media is not None and track is not None else None
    if track is None or found is None:
        return movie.duration
    return found[1] - Fraction(track.table.durations.at(track.table.count - 1), track.timescale)
