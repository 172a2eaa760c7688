"""An opened file: what it holds, and slices of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ffzero.containers.detect import detect
from ffzero.containers.info import MovieInfo
from ffzero.edits.describe import bitrate_of, describe, keyframes_of
from ffzero.edits.media import Media
from ffzero.errors import SourceError, TimeRangeError, UnsupportedError
from ffzero.storage.local import LocalSource
from ffzero.timebase import TimeLike, parse_time

if TYPE_CHECKING:
    from ffzero.edits.clip import Clip

__all__ = ["Movie", "open_movie"]

_SNIFF_BYTES = 4096


class Movie:
    """A media file, indexed. Slicing by time gives a ``Clip``; nothing of the media is read for it.

    MP4, MOV and fragmented MP4 are edited by their own index (``media`` is set); every other container goes through
    libav by stream copy. Use it as a context manager or not: it holds no descriptor open.
    """

    def __init__(self, path: str, container: str, media: Media | None) -> None:
        self.path = path
        self.container = container
        self.media = media
        self._info: MovieInfo | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of cached tables; clips made before stay usable."""
        self._info = None

    def __repr__(self) -> str:
        return f"<ffzero.Movie {self.path!r} {self.container}>"

    def info(self) -> MovieInfo:
        """Return what the file holds: container, tracks, chapters, tags, and what is special."""
        if self._info is None:
            if self.media is not None:
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
            return keyframes_of(self.media)
        from ffzero.containers.libav import keyframes

        return list(keyframes(self.path))

    def bitrate(self, bins: int) -> list[float] | None:
        """Return bytes of the main track in each of ``bins`` equal times of the movie; ``None`` where not indexed."""
        return bitrate_of(self.media, bins) if self.media is not None else None

    def __getitem__(self, times: slice) -> Clip:
        """Return the clip of ``[start, stop)``: seconds, ``"1:02.5"``, Fraction or timedelta; an end left out is open."""
        from ffzero.edits.clip import Clip, Piece

        if not isinstance(times, slice) or times.step is not None:
            raise TimeRangeError("a movie is sliced by times", hint="Write movie[10.5:40.5], or movie[:] for all of it")
        start = Fraction(0) if times.start is None else parse_time(times.start)
        end = None if times.stop is None else parse_time(times.stop)
        if end is not None and end <= start:
            raise TimeRangeError(f"the range ends at {times.stop!r}, not after its start at {times.start!r}")
        return Clip((Piece(movie=self, start=start, end=end),))

    def clip(self, start: TimeLike = 0, end: TimeLike | None = None) -> Clip:
        """Return the clip of ``[start, end)``; the same as slicing."""
        return self[start:end]  # type: ignore[misc]  # slices of times, not of ints


def open_movie(path: str | os.PathLike[str]) -> Movie:
    """Open and index a media file.

    Raises ``SourceNotFoundError``, ``InvalidDataError`` for damage, ``UnsupportedError`` for what is no media.
    """
    source = LocalSource.open(path)
    if not source.size_bytes:
        raise SourceError("the file is empty", path=source.path)
    head = source.read_at(0, min(_SNIFF_BYTES, source.size_bytes))
    container = detect(head)
    if container == "isobmff":
        from ffzero.containers.isobmff.movie import read_movie

        return Movie(source.path, container, Media(box=read_movie(source)))
    return Movie(source.path, container, None)


def require_media(movies: Sequence[Movie]) -> None:
    """Raise ``UnsupportedError`` unless every movie is edited by its own index."""
    for movie in movies:
        if movie.media is None:
            raise UnsupportedError(
                f"a {movie.container} file cannot be read as an unwritten clip yet",
                path=movie.path,
                hint="Write the clip to a file first",
            )
