"""Pictures at another track's rate: each time of its grid shows the picture that is shown then, so some come twice."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.rendering import PictureJob
from ffzero.edits.takes import usual_duration
from ffzero.edits.targets import rate_difference
from ffzero.frames.changes.graphs import FrameGraph
from ffzero.timebase import Rounding, common_timescale, rescale
from ffzero.values import dataclass

__all__ = ["Grid", "paced", "timescale_of"]

_NO_LIMIT = 2**31 - 1

Pictures = Iterator[tuple[SampleEntry, VideoFrame]]


def timescale_of(job: PictureJob) -> int:
    """Return the timescale on which a job's pictures get their times: its track's, and its target's too."""
    if job.target is None:
        return job.track.timescale
    scales = (job.track.timescale, job.target.track.timescale)
    return common_timescale(scales, limit=_NO_LIMIT) or max(scales)


def paced(job: PictureJob, frames: Pictures) -> Pictures:
    """Yield a job's pictures (``pts`` in ticks of its track) at its target's rate, where that is constant.

    The first is shown from the job's first time on, the last to its end. Where the target has no constant rate, or the
    job's track the same one, each picture keeps its own time.
    """
    scale = timescale_of(job)
    assert job.target is not None
    if rate_difference(job.target.track, job.track) is None:
        for entry, frame in frames:
            assert frame.pts is not None
            frame.pts = rescale(frame.pts, job.track.timescale, scale, Rounding.NEAREST)
            yield entry, frame
        return
    whole = job.part_of or job
    grid = Grid(
        start=rescale(whole.pts_first, job.track.timescale, scale, Rounding.NEAREST),
        stop=rescale(whole.pts_stop, job.track.timescale, scale, Rounding.NEAREST),
        step=Fraction(usual_duration(job.target.track.table) * scale, job.target.track.timescale),
    )
    scaling = Fraction(scale, job.track.timescale)
    first = grid.numbers_before(job.pts_first * scaling) if job.pts_first > whole.pts_first else 0
    stop = grid.numbers_before(job.pts_stop * scaling) if job.pts_stop < whole.pts_stop else grid.count
    yield from _on_grid(grid, first, stop, frames, scaling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Times from ``start`` on, ``step`` apart; the last lasts until ``stop``, from half a step to one and a half."""

    start: int
    stop: int
    step: Fraction

    @property
    def count(self) -> int:
        return max(1, round((self.stop - self.start) / self.step))

    def time(self, number: int) -> int:
        return self.start + round(number * self.step)

    def numbers_before(self, time: Fraction) -> int:
        """Return how many of the times come, with half a step, to ``time`` at most: a picture before it is theirs."""
        numbers = (time - self.start) / self.step - Fraction(1, 2)
        return max(0, min(self.count, numbers.__floor__() + 1))


def _on_grid(grid: Grid, first: int, last: int, frames: Pictures, scaling: Fraction) -> Pictures:
    at, held = first, None
    for entry, frame in frames:
        assert frame.pts is not None
        if held is not None:
            stop = grid.numbers_before(frame.pts * scaling)
            yield from _repeated(held, grid, at, stop)
            at = max(at, stop)
        held = entry, frame
    if held is not None:
        yield from _repeated(held, grid, at, last)


def _repeated(held: tuple[SampleEntry, VideoFrame], grid: Grid, first: int, stop: int) -> Pictures:
    """Yield a picture for each of the times; an encoder keeps what it is given, so each is a frame of its own."""
    entry, frame = held
    for number in range(first, stop):
        shown = frame if number + 1 == stop else _another(frame)
        shown.pts = grid.time(number)
        yield entry, shown


def _another(frame: VideoFrame) -> VideoFrame:
    """Return a frame with the same samples, which are shared."""
    frame.time_base = frame.time_base or Fraction(1, 90_000)
    return FrameGraph(frame, [], frame.format.name).one(frame)
