"""An opened file: what it holds, and slices of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

from ffzero.containers.index import SampleIndex
from ffzero.containers.info import MovieInfo
from ffzero.containers.isobmff.expand import sample_index
from ffzero.edits.clip import Clip
from ffzero.edits.inputs import Input, open_input, require_media
from ffzero.edits.mapping import MapFormat, MapFunction, Window
from ffzero.edits.media import Media
from ffzero.edits.parts.removal import TimeRange
from ffzero.edits.pieces import Piece
from ffzero.edits.reading import Readable
from ffzero.edits.rendering import PictureFunction
from ffzero.edits.sound.rendering import SoundFunction
from ffzero.errors import TimeRangeError, UsageError
from ffzero.reporting import CancelToken, Reporter, no_report
from ffzero.timebase import TimeLike, parse_time

__all__ = ["Joinable", "Movie", "concat", "crossfade", "listed", "open_movie"]


class Movie(Readable):
    """A media file, indexed. Slicing by time gives a ``Clip``; nothing of the media is read for it.

    MP4, MOV and fragmented MP4 are edited by their own index (``media`` is set); every other container goes through
    libav by stream copy. Use it as a context manager or not: it holds no descriptor open.
    """

    def __init__(self, source: Input) -> None:
        self.input = source
        self._info: MovieInfo | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.input,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of cached tables; clips made before stay usable."""
        self._info = None

    def _reading(self) -> tuple[tuple[Piece, ...], bool]:
        return (Piece(input=self.input, start=None, end=None),), True

    @property
    def path(self) -> str:
        return self.input.path

    @property
    def container(self) -> str:
        """The container family: ``isobmff``, ``matroska``, ``mpegts``, ..."""
        return self.input.container

    @property
    def media(self) -> Media | None:
        """The index, for MP4 and MOV."""
        return self.input.media

    def __repr__(self) -> str:
        return f"<ffzero.Movie {self.path!r} {self.container}>"

    def info(self) -> MovieInfo:
        """Return what the file holds: container, tracks, chapters, tags, and what is special."""
        if self._info is None:
            if self.media is not None:
                from ffzero.edits.describe import describe

                self._info = describe(self.media)
            else:
                from ffzero.containers.libav import probe

                self._info = probe(self.path)
        return self._info

    @property
    def start(self) -> Fraction:
        """Time of the first picture or sound, in seconds."""
        return self.media.range[0] if self.media is not None else self.info().start_s

    @property
    def duration(self) -> Fraction:
        """Time at which the last picture or sound ends, in seconds of the movie's timeline."""
        if self.media is not None:
            return self.media.range[1]
        return self.info().duration_s

    def keyframes(self) -> list[Fraction]:
        """Return the times of the main video track's random access pictures, in seconds, sorted."""
        if self.media is not None:
            from ffzero.edits.describe import keyframes_of

            return keyframes_of(self.media)
        from ffzero.containers.libav import keyframes

        return list(keyframes(self.path))

    def bitrate(self, bins: int) -> list[float] | None:
        """Return bytes of the main track in each of ``bins`` equal times of the movie; ``None`` where not indexed."""
        if self.media is None:
            return None
        from ffzero.edits.describe import bitrate_of

        return bitrate_of(self.media, bins)

    def samples(self, track: int | None = None, first: int = 0, stop: int | None = None) -> SampleIndex:
        """Return samples ``[first, stop)`` of a track as read-only numpy columns, in decoding order.

        ``track`` is the track's ID, by default the main video's (or the first track's). MP4 and MOV only. Raises
        ``UsageError`` for an unknown track, and for more samples than fit one index.
        """
        require_media([self.input])
        assert self.media is not None
        tracks = {item.id: item for item in self.media.box.tracks}
        chosen = (self.media.main_video or self.media.box.tracks[0]) if track is None else tracks.get(track)
        if chosen is None:
            raise UsageError(f"no track {track}", path=self.path, expected=f"one of {sorted(tracks)}")
        return sample_index(chosen.table, first, stop)

    def __getitem__(self, times: slice) -> Clip:
        """Return the clip of ``[start, stop)``: seconds, ``"1:02.5"``, Fraction or timedelta; one left out is open."""
        if not isinstance(times, slice) or times.step is not None:
            raise TimeRangeError("a movie is sliced by times", hint="Write movie[10.5:40.5], or movie[:] for all of it")
        return self.clip(times.start, times.stop)

    def clip(self, start: TimeLike | None = None, end: TimeLike | None = None) -> Clip:
        """Return the clip of ``[start, end)``; the same as slicing."""
        first = None if start is None else parse_time(start)
        stop = None if end is None else parse_time(end)
        if stop is not None and stop <= (first or 0):
            raise TimeRangeError(f"the range ends at {end}, not after its start at {start or 0}")
        return Clip((Piece(input=self.input, start=first, end=stop),))

    def remove(self, ranges: Iterable[TimeRange]) -> Clip:
        """Return the clip of all but the ranges; see ``Clip.remove``."""
        return self[:].remove(ranges)

    def apply(self, effect: str | PictureFunction, start: TimeLike | None = None, end: TimeLike | None = None) -> Clip:
        """Return the whole movie with an effect on the pictures of ``[start, end)``; see ``Clip.apply``."""
        return self[:].apply(effect, start, end)

    def map(
        self,
        function: MapFunction,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        format: MapFormat = "rgb24",
        window: Window = 0,
        batch: int | None = None,
        writable: bool = True,
    ) -> Clip:
        """Return the whole movie with a function called with each picture of ``[start, end)``; see ``Clip.map``."""
        return self[:].map(function, start, end, format=format, window=window, batch=batch, writable=writable)

    def apply_audio(
        self, effect: str | SoundFunction, start: TimeLike | None = None, end: TimeLike | None = None
    ) -> Clip:
        """Return the whole movie with an effect on the sound of ``[start, end)``; see ``Clip.apply_audio``."""
        return self[:].apply_audio(effect, start, end)

    def split(
        self,
        at: Iterable[TimeLike] | None = None,
        *,
        every: TimeLike | None = None,
        size_bytes: int | None = None,
        chapters: bool = False,
        scenes: bool | float = False,
        boundary: str = "auto",
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> list[Clip]:
        """Return the movie's parts; see ``Clip.split``."""
        return self[:].split(
            at,
            every=every,
            size_bytes=size_bytes,
            chapters=chapters,
            scenes=scenes,
            boundary=boundary,
            reporter=reporter,
            cancel=cancel,
        )


def open_movie(path: str | os.PathLike[str]) -> Movie:
    """Open and index a media file.

    Raises ``SourceNotFoundError``, ``InvalidDataError`` for damage, ``UnsupportedError`` for what is no media.
    """
    return Movie(open_input(path))


Joinable = Clip | Movie | str | os.PathLike[str]


def concat(items: Iterable[Joinable], *, like: Joinable | None = None) -> Clip:
    """Join clips, movies or paths (whole files) into one clip.

    Where their pictures or their sound differ, those are coded anew that are unlike ``like`` (of a clip, its first
    piece's file), by default unlike most of the clip: in its size with bars where the shape differs, its orientation,
    form, colour and rate. Raises ``UsageError`` for an empty list.
    """
    pieces: list[Piece] = []
    opened: dict[str, Input] = {}
    for item in listed(items):
        pieces += item.pieces if isinstance(item, Clip) else (_whole(item, opened),)
    if like is None:
        return Clip(pieces)
    wanted = like.pieces[0].input if isinstance(like, Clip) else _whole(like, opened).input
    require_media([wanted])
    return Clip(replace(piece, like=wanted) for piece in pieces)


def listed(items: Iterable[Joinable]) -> list[Joinable]:
    """Return what is to be joined as a list. Raises ``UsageError`` for what is none: a path would go by letters."""
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise UsageError("joining takes a list of files, movies and clips", found=repr(items), hint="Give [a, b]")
    return list(items)


def _whole(item: Movie | str | os.PathLike[str], opened: dict[str, Input]) -> Piece:
    """Return all of a movie or file; a file is opened once."""
    if isinstance(item, Movie):
        return Piece(input=item.input, start=None, end=None)
    if not isinstance(item, str | os.PathLike):
        raise UsageError(f"neither a file's path nor a movie nor a clip: {item!r}")
    name = os.path.abspath(item)
    if name not in opened:
        opened[name] = open_input(item)
    return Piece(input=opened[name], start=None, end=None)


def crossfade(
    first: Joinable, second: Joinable, duration: TimeLike | None = None, *, frames: int | None = None
) -> Clip:
    """Return the clip of ``first`` fading into ``second``; see ``Clip.crossfade``."""
    opened: dict[str, Input] = {}
    before, after = (item if isinstance(item, Clip) else Clip((_whole(item, opened),)) for item in (first, second))
    return before.crossfade(after, duration, frames=frames)
