"""Where a movie is parted into chunks: every so many seconds, key pictures or bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Literal, get_args

from ffzero.edits.movie import Movie
from ffzero.edits.parts.landmarks import key_pictures
from ffzero.edits.slicing import place_pieces
from ffzero.errors import UsageError
from ffzero.pipelines.packet_keys import scanned_keys
from ffzero.timebase import Rounding, TimeLike, parse_time, to_ticks

__all__ = ["ChunkUnit", "chunk_bounds", "chunk_length", "grouped"]

ChunkUnit = Literal["seconds", "keyframes", "bytes"]


def chunk_length(size: TimeLike, by: str) -> Fraction:
    """Return a chunk's size as a number of what it is counted in. Raises ``UsageError``."""
    if by not in get_args(ChunkUnit):
        raise UsageError(f"chunks are not counted in {by!r}", expected=", ".join(get_args(ChunkUnit)))
    length = parse_time(size)
    if not length:
        what = "a segment lasts longer than nothing" if by == "seconds" else f"a segment has some {by}"
        raise UsageError(what, found=size)
    if by == "keyframes" and length.denominator != 1:
        raise UsageError("a segment has a whole number of keyframes", found=size)
    return length


def chunk_bounds(movie: Movie, size: Fraction, by: str, *, at_keyframes: bool) -> Iterator[Fraction | None]:
    """Yield where the chunks begin and the last one ends, in the movie's time; ``None`` for its start and its end."""
    yield None
    if by == "seconds" and not at_keyframes:
        yield from _even(movie.start, _last_picture(movie), size)
    elif by == "bytes" and movie.media is None:
        yield from grouped(scanned_keys(movie.path), size, by)
    else:
        yield from grouped(_keys(movie, with_bytes=by == "bytes"), size, by, end=movie.duration)
    yield None


def _even(first: Fraction, last: Fraction, size: Fraction) -> Iterator[Fraction]:
    bound = (max(first, Fraction(0)) // size + 1) * size  # a clip begins at 0 at the earliest
    while bound <= last:
        yield bound
        bound += size


def grouped(
    keys: Iterable[tuple[Fraction, int]], size: Fraction, by: str, *, end: Fraction | None = None
) -> Iterator[Fraction]:
    """Yield the key pictures at which chunks begin, after the first.

    ``keys`` are the times of those after the first one, rising, each with the bytes before it. By seconds, the last key
    picture at or before each multiple of ``size``; by keyframes, each one of that number; by bytes, the last before a
    chunk would have more than ``size``, at least one.
    """
    if by == "seconds":
        last = ((end if end is not None else Fraction(0), 0),)
        for (time, _), (following, _) in pairwise((*keys, *last) if end is not None else keys):
            if -(-time // size) * size < following:
                yield time
        return
    count, begun = 1, 0
    latest: tuple[Fraction, int] | None = None
    for time, place in keys:
        if by == "keyframes":
            if count % size == 0:
                yield time
            count += 1
        else:
            if latest is not None and place - begun > size:
                yield latest[0]
                begun = latest[1]
            latest = time, place


def _keys(movie: Movie, *, with_bytes: bool) -> Iterator[tuple[Fraction, int]]:
    placed = place_pieces(movie[:].pieces)
    times = key_pictures(placed, closed=True)
    if movie.media is not None:
        times = [time for time in times if time > max(times[0], Fraction(0))]
    total, at = 0, Fraction(0)
    for time in times:
        if with_bytes:
            total += _bytes_between(movie, at, time)
            at = time
        yield time, total


def _bytes_between(movie: Movie, start: Fraction, stop: Fraction) -> int:
    """Return how many bytes of samples lie between two times, by their decoding times."""
    total = 0
    for track in movie.media.box.tracks if movie.media is not None else ():
        first, last = (
            track.table.first_at_or_after_dts(to_ticks(time, track.timescale, Rounding.NEAREST))
            for time in (start, stop)
        )
        total += track.table.sizes.sum(first, last)
    return total


def _last_picture(movie: Movie) -> Fraction:
    """Return when the last picture begins, or a little before: a segment after it would hold sound alone."""
    media = movie.media
    track = media.main_video if media is not None else None
    found = media.track_range(track) if media is not None and track is not None else None
    if track is None or found is None:
        return movie.duration
    return found[1] - Fraction(track.table.durations.at(track.table.count - 1), track.timescale)
