"""Pictures of MP4 and MOV by the sample table: a range one after another, every n-th, or those shown at given times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate

import numpy as np
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import ENDLESS, Span
from ffzero.containers.isobmff.search import Shown, shown_between
from ffzero.edits.cutpoints import take_pictures
from ffzero.edits.media import Media
from ffzero.edits.ranges import picture_takes
from ffzero.edits.rendering import PictureEffect, PictureJob
from ffzero.edits.takes import Take
from ffzero.errors import UnsupportedError, UsageError
from ffzero.frames.changes.orientation import Turn, turn_between
from ffzero.frames.reading.steps import Step
from ffzero.frames.reading.tracks import Run, TrackDecoder
from ffzero.reporting import CancelToken
from ffzero.timebase import TOLERANCE, Rounding, to_ticks
from ffzero.values import dataclass

__all__ = ["IndexedTrack", "Point"]

_UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_BEYOND_S = Fraction(1)
_MOST_SKIPPED = 8
"""Samples that are rather decoded than passed over by emptying the decoder and beginning again."""
_MOST_WANTED = 4096

Picture = tuple[VideoFrame, int, int, int]
"""A picture, its pts, the shift of its edit in ticks, and its number from 0 in the range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A picture that is shown at some time: its pts, and the shift of its edit, in ticks; its number in the track.

    Where there is no index ``pts`` is the time itself and the picture the last that is not after it, nor before
    ``least``; its number is not known.
    """

    pts: int
    shift: int = 0
    number: int | None = None
    least: int | None = None


class IndexedTrack:
    """A video track of an indexed movie, to be decoded. ``close`` frees the decoder's threads."""

    def __init__(
        self,
        media: Media,
        track: Track,
        effects: Sequence[PictureEffect] = (),
        cancel: CancelToken | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        self.media, self.track = media, track
        self.base = Fraction(1, track.timescale)
        self._effects = tuple(effects)
        self._cancel = cancel
        self._decoder = TrackDecoder(media, track, cancel, threads=threads)

    @classmethod
    def of(
        cls,
        media: Media,
        track: int | None,
        effects: Sequence[PictureEffect] = (),
        cancel: CancelToken | None = None,
        *,
        threads: int | None = None,
    ) -> IndexedTrack:
        """Choose a track by ID, or the main one. Raises ``UsageError``, ``UnsupportedError`` where there is none."""
        tracks = [one for one in media.box.tracks if media.role(one) in ("video", "still") and one.table.count]
        pictures = {one.id: one for one in tracks}
        if track is not None:
            if track not in pictures:
                raise UsageError(f"no video track {track}", path=media.name, expected=f"one of {sorted(pictures)}")
            return cls(media, pictures[track], effects, cancel, threads=threads)
        main = media.main_video or next(iter(pictures.values()), None)
        if main is None:
            raise UnsupportedError("there are no pictures in it", path=media.name)
        return cls(media, main, effects, cancel, threads=threads)

    def close(self) -> None:
        self._decoder.close()

    @property
    def origin(self) -> Fraction:
        """What is taken from times for the movie's: nothing, edits tell."""
        return Fraction(0)

    @property
    def id(self) -> int:
        return self.track.id

    @property
    def turn(self) -> Turn | None:
        """How pictures are turned when they are shown."""
        return turn_between(self.track.header.matrix, _UPRIGHT)

    def count(self, start: Fraction | None, end: Fraction | None) -> int:
        """Return how many pictures begin in ``[start, end)``; looks at the table only."""
        low, high = self._ticks(start, -ENDLESS), self._ticks(end, ENDLESS)
        return sum(found.count for found in (self._shown(span, low, high) for span in self._spans()) if found)

    def pictures(self, start: Fraction | None, end: Fraction | None, step: Step | None) -> Iterator[Picture]:
        """Yield the pictures in ``[start, end)``, or those of them that a step takes."""
        takes = self._takes(start, end)
        if step is None:
            first = 0
            for take in takes:
                shift = take.start - take.media_start
                for picture, pts, number in self._taken(take):
                    yield picture, pts, shift, first + number
                first += take.shown
            return
        yield from self._stepped(takes, start, end, step)

    def point_at(self, time: Fraction, low: Fraction | None = None) -> Point:
        """Return the picture shown at a time: the last that is not after it, else the first, from ``low`` on."""
        least = self._ticks(low, -ENDLESS)
        limit = to_ticks(time + TOLERANCE, self.track.timescale, Rounding.FLOOR)
        best: Point | None = None
        first: Point | None = None
        counted = 0
        for span in self._spans():
            skipped = self._shown(span, -ENDLESS, least)
            whole = self._shown(span, least, ENDLESS)
            before = counted + (skipped.count if skipped is not None else 0)
            if whole is None:
                counted = before
                continue
            if first is None or whole.first_pts + span.shift < first.pts + first.shift:
                first = Point(pts=whole.first_pts, shift=span.shift, number=before)
            found = self._shown(span, least, limit + 1)
            if found is not None and (best is None or found.last_pts + span.shift >= best.pts + best.shift):
                best = Point(pts=found.last_pts, shift=span.shift, number=before + found.count - 1)
            counted = before + whole.count
        if best is None and first is None:
            raise UnsupportedError("no picture of its track is shown then", path=self.media.name)
        return best or first  # type: ignore[return-value]  # one of them was found

    def points(self, wanted: Iterable[Point]) -> Iterator[tuple[VideoFrame, int, Point]]:
        """Decode pictures, each group of pictures once; they come out in groups, with their pts."""
        by_pts: dict[int, list[Point]] = {}
        for point in wanted:
            by_pts.setdefault(point.pts, []).append(point)
        if self._effects:
            yield from self._altered(by_pts)
            return
        for run in self._runs((pts, number) for number, pts in enumerate(sorted(by_pts))):
            for picture, pts, _ in self._decoder.pictures(run):
                yield from ((picture, pts, point) for point in by_pts[pts])

    def _altered(self, by_pts: dict[int, list[Point]]) -> Iterator[tuple[VideoFrame, int, Point]]:
        """Decode from where the effects begin: what a filter makes of a picture may depend on those before it."""
        left = {(point.pts, point.shift) for points in by_pts.values() for point in points}
        times = [(pts + shift) * self.base for pts, shift in left]
        low, high = min(times), max(times) + self.base
        touching = [effect.start for effect in self._effects if effect.start < high and effect.end > low]
        for picture, pts, shift, _ in self.pictures(max(Fraction(0), min([low, *touching])), high, None):
            if (pts, shift) in left:
                left.discard((pts, shift))
                yield from ((picture, pts, point) for point in by_pts[pts] if point.shift == shift)
            if not left:
                return

    def _takes(self, start: Fraction | None, end: Fraction | None) -> list[Take]:
        low, high = self.media.track_range(self.track) or (Fraction(0), Fraction(0))
        low = min(low, Fraction(0)) if start is None else start
        return picture_takes(self.media, self.track, low, high + _BEYOND_S if end is None else end, snap=False)

    def _taken(self, take: Take) -> Iterator[tuple[VideoFrame, int, int]]:
        run = Run(
            first=take.first,
            stop=take.stop,
            low=take.media_start,
            high=take.media_stop,
            first_pts=take.media_start,
        )
        shift = take.start - take.media_start
        if not any(_touches(effect, take, shift) for effect in self._effects):
            yield from self._decoder.pictures(run)
            return
        from ffzero.frames.changes.effects import with_effects

        job = PictureJob(
            media=self.media,
            track=self.track,
            decode_first=take.first,
            decode_stop=take.stop,
            pts_first=take.media_start,
            pts_stop=take.media_stop,
            frames=take.shown,
            shift=shift,
            effects=self._effects,
        )
        entry = self.track.entries[take.descriptions()[0]]
        decoded = ((entry, picture) for picture, _, _ in self._decoder.pictures(run))
        for number, (_, picture) in enumerate(with_effects(job, decoded, self._cancel)):
            assert picture.pts is not None
            yield picture, picture.pts, number

    def _stepped(
        self, takes: Sequence[Take], start: Fraction | None, end: Fraction | None, step: Step
    ) -> Iterator[Picture]:
        columns = [self._times(take) for take in takes]
        starts = [0, *accumulate(len(column) for column in columns)]
        shifts = [take.start - take.media_start for take in takes]
        if not starts[-1]:
            return
        shown = np.concatenate([column + shift for column, shift in zip(columns, shifts, strict=True)])
        ends = (self.media.track_range(self.track) or (Fraction(0), Fraction(0)))[1]
        until = ends if end is None else min(end, ends)
        chosen = step.chosen(shown, self.track.timescale, start, until)
        for number, take in enumerate(takes):
            low, high = np.searchsorted(chosen, (starts[number], starts[number + 1]))
            mine = chosen[low:high]
            if not len(mine):
                continue
            pairs = zip(columns[number][mine - starts[number]].tolist(), mine.tolist(), strict=True)
            if any(_touches(effect, take, shifts[number]) for effect in self._effects):
                wanted = dict(pairs)
                for picture, pts, _ in self._taken(take):
                    if pts in wanted:
                        yield picture, pts, shifts[number], wanted[pts]
                continue
            for run in self._runs(pairs):
                for picture, pts, at in self._decoder.pictures(run):
                    yield picture, pts, shifts[number], at

    def _times(self, take: Take) -> np.ndarray:
        column = self.track.table.pts_column(take.first, take.stop)
        return np.unique(column[(column >= take.media_start) & (column < take.media_stop)])

    def _runs(self, pairs: Iterable[tuple[int, int]]) -> Iterator[Run]:
        """Yield what to decode for pictures in rising order of time, given as (pts, number)."""
        first = stop = -1
        wanted: dict[int, int] = {}
        everywhere = Span(media_start=-ENDLESS, media_stop=ENDLESS, shift=0)
        for pts, number in pairs:
            take = take_pictures(self.track, everywhere, pts, pts + 1, self.media.peek)
            assert take is not None
            goes_on = first <= take.first <= stop + _MOST_SKIPPED and len(wanted) < _MOST_WANTED
            if wanted and not goes_on:
                yield _run(first, stop, wanted)
                wanted = {}
            if not wanted:
                first, stop = take.first, take.stop
            wanted[pts] = number
            stop = max(stop, take.stop)
        if wanted:
            yield _run(first, stop, wanted)

    def _spans(self) -> Sequence[Span]:
        return self.media.spans(self.track)

    def _shown(self, span: Span, low: int, high: int) -> Shown | None:
        low, high = max(low - span.shift, span.media_start), min(high - span.shift, span.media_stop)
        return shown_between(self.track.table, low, high) if low < high else None

    def _ticks(self, time: Fraction | None, default: int) -> int:
        return default if time is None else to_ticks(time - TOLERANCE, self.track.timescale, Rounding.CEIL)


def _run(first: int, stop: int, wanted: dict[int, int]) -> Run:
    times = list(wanted)
    return Run(first=first, stop=stop, low=times[0], high=times[-1] + 1, first_pts=times[0], wanted=wanted)


def _touches(effect: PictureEffect, take: Take, shift: int) -> bool:
    scale = take.track.timescale
    return effect.start * scale < take.media_stop + shift and effect.end * scale > take.media_start + shift
