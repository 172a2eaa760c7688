"""What flows through a media pipeline: clips, a few kilobytes of plan each, whatever they show."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from ffzero.edits.clip import Clip
from ffzero.edits.inputs import Input, open_input
from ffzero.edits.movie import Joinable, Movie, listed, open_movie
from ffzero.edits.movie import concat as movie_concat
from ffzero.edits.parts.landmarks import key_pictures
from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import place_pieces, slice_pieces
from ffzero.errors import UsageError
from ffzero.pipelines.bounds import ChunkUnit, chunk_bounds, chunk_length, grouped
from ffzero.pipelines.writing import write_clip
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, format_time, parse_time

if TYPE_CHECKING:  # copying needs none of it
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = [
    "Segment",
    "SegmentSource",
    "as_clip",
    "as_segment",
    "concat",
    "generate_video_segments",
    "is_job",
    "is_media",
    "numbered",
    "opened",
    "range_text",
]

SegmentSource = Joinable | Iterable[Joinable]
"""One file or clip, or several one after another."""


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
        engine: Any = None,
        jobs: int | None = None,
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
            engine=engine,
            jobs=jobs,
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


def range_text(segment: Segment) -> str:
    """Return the range of its source that a segment shows, in words."""
    end = "the end" if segment.end is None else format_time(segment.end)
    return f"{format_time(segment.start)} to {end} of {segment.pieces[0].input.path}"


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
    clips = listed(items)
    settings = _common_settings(clips)
    joined = movie_concat(clips, like=like)
    return joined if settings is None else Segment(joined.pieces, settings=settings)


def generate_video_segments(
    source: SegmentSource,
    chunk_size: TimeLike = 60,
    *,
    by: ChunkUnit = "seconds",
    at_keyframes: bool | None = None,
    follow: bool = False,
    idle_timeout: float = 10.0,
    cancel: CancelToken | None = None,
    stop: CancelToken | None = None,
) -> Iterator[Segment]:
    """Yield the source in consecutive segments of ``chunk_size`` that together are the whole, lazily.

    Each is a ``Clip``: ranges of the same opened file, half-open, without gap or overlap. ``source`` is a path, a clip
    or movie, or a sequence of these, taken one after another (a file named again and again is opened once); a segment
    never spans two. ``by`` tells what ``chunk_size`` counts: ``"seconds"``, ``"keyframes"`` (so many groups of pictures
    each), or ``"bytes"`` of media (at most so many, but one group of pictures at least).

    With ``at_keyframes`` each begins at a keyframe at or before its time, so that it needs no hidden pictures; by
    default that is so for files that can only be cut there (all but MP4 and MOV; these are read through once), and
    whenever ``by`` is not seconds. Raises like ``ffzero.open``, at once for a single source.

    With ``follow`` the source is one file that is still being recorded: fragmented MP4, or what libav can read from
    front to back (MPEG-TS, Matroska). Segments then begin at keyframes, and each comes as soon as its end is known; the
    generator waits for more, and ends when the file has not grown for ``idle_timeout`` seconds, or ``stop`` is set:
    what is there then is the rest. A file that shrinks or is replaced meanwhile is a ``SourceChangedError``. ``cancel``
    ends the waiting with ``CancelledError``.
    """
    size = chunk_length(chunk_size, by)
    if not 0 <= idle_timeout < math.inf:
        raise UsageError("no time to wait", found=idle_timeout, expected="seconds (idle_timeout), from 0 up")
    if follow:
        from ffzero.pipelines.following import follow_segments

        if not isinstance(source, str | os.PathLike):
            raise UsageError("what is followed is one file, by its path", found=type(source).__name__)
        path = os.fspath(source)
        return numbered(follow_segments(path, size, by, idle_timeout_s=idle_timeout, cancel=cancel, stop=stop))
    if isinstance(source, str | os.PathLike | Clip | Movie):
        return numbered(_parts(as_clip(source), size, by, at_keyframes))
    return numbered(part for each in source for part in _parts(as_clip(each), size, by, at_keyframes))


def as_clip(source: str | os.PathLike[str] | Clip | Movie) -> Clip:
    """Return a source as a clip; a path that was opened a moment ago, and is the same file, is not opened again."""
    if isinstance(source, Clip):
        return source
    return (source if isinstance(source, Movie) else Movie(opened(source)))[:]


def opened(path: str | os.PathLike[str]) -> Input:
    """Open a file, or return it as it was opened before where it is still the same."""
    status = os.stat(path) if os.path.exists(path) else None
    if status is None:
        return open_input(path)  # which says what is wrong with it
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return _opened(os.path.abspath(os.fspath(path)), identity)


@lru_cache(maxsize=16)
def _opened(path: str, identity: tuple[int, ...]) -> Input:
    return open_input(path)


def numbered(parts: Iterable[tuple[Piece, ...]]) -> Iterator[Segment]:
    """Yield the parts as segments with their numbers."""
    return (Segment(pieces, index=index) for index, pieces in enumerate(parts))


def _parts(clip: Clip, size: Fraction, by: ChunkUnit, at_keyframes: bool | None) -> Iterator[tuple[Piece, ...]]:
    piece = clip.pieces[0]
    if len(clip.pieces) == 1 and piece == Piece(input=piece.input, start=None, end=None):
        movie = Movie(piece.input)
        keyed = movie.media is None if at_keyframes is None else at_keyframes
        for start, end in pairwise(chunk_bounds(movie, size, by, at_keyframes=keyed)):
            yield (replace(piece, start=start, end=end),)
        return
    yield from _parts_of_edit(clip, size, by, at_keyframes)


def _parts_of_edit(clip: Clip, size: Fraction, by: ChunkUnit, at_keyframes: bool | None) -> Iterator[tuple[Piece, ...]]:
    """Yield the chunks of what was cut and joined already, in times of its own."""
    if by == "bytes":
        for part in clip.split(size_bytes=int(size)):
            yield part.pieces
        return
    length = clip.duration
    if by == "keyframes" or at_keyframes:
        keys = [(time, 0) for time in key_pictures(place_pieces(clip.pieces), closed=True) if time]
        bounds = [Fraction(0), *grouped(keys, size, by, end=length), None]
    else:
        bounds = [*(number * size for number in range(-(-length // size))), None]
    for start, end in pairwise(bounds):
        yield slice_pieces(clip.pieces, start, end)
