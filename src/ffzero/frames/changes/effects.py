"""The effects of a job, each applied to the pictures of its time; all others pass as they are."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.ranges import picture_takes
from ffzero.edits.rendering import PictureEffect, PictureJob, Target
from ffzero.edits.splicing import recoded
from ffzero.frames.changes.blending import Blending, Others
from ffzero.frames.changes.filters import FilterChain
from ffzero.frames.changes.fitting import converted
from ffzero.frames.changes.functions import FunctionEffect
from ffzero.frames.changes.mapped import Batches, OneByOne
from ffzero.frames.changes.targets import Model
from ffzero.frames.changes.windows import windowed
from ffzero.frames.pictures.decode import pictures
from ffzero.reporting import CancelToken
from ffzero.timebase import TOLERANCE, Rounding, to_ticks

__all__ = ["with_effects"]

Pictures = Iterator[tuple[SampleEntry, VideoFrame]]


def with_effects(job: PictureJob, frames: Pictures, cancel: CancelToken | None = None) -> Pictures:
    """Yield a job's pictures with its effects applied, in their order and with their times.

    Raises ``UsageError`` for a filter or function that fails, or does not give one picture for each.
    """
    for effect in job.effects:
        frames = _applied(job, effect, frames, cancel)
    return frames


class _Stage(Protocol):
    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]: ...

    def end(self) -> Iterator[VideoFrame]: ...

    def close(self) -> None: ...


def _applied(job: PictureJob, effect: PictureEffect, frames: Pictures, cancel: CancelToken | None) -> Pictures:
    timescale = job.track.timescale
    low, high = (
        to_ticks(time - TOLERANCE, timescale, Rounding.CEIL) - job.shift for time in (effect.start, effect.end)
    )
    if effect.map is not None and effect.map.has_window:
        yield from windowed(job, effect.map, lambda pts: low <= pts < high, frames, cancel)
        return
    zero = to_ticks(effect.start, timescale, Rounding.NEAREST) - job.shift
    stage: _Stage | None = None
    form, entry = "", None
    try:
        for entry, frame in frames:
            assert frame.pts is not None
            inside = low <= frame.pts < high
            changed = inside and form != (form := _form(frame))
            if stage is not None and (changed or not inside):
                yield from ((entry, done) for done in stage.end())
                stage = None
            if not inside:
                yield entry, frame
                continue
            if stage is None:
                stage = _stage(job, effect, Model(job=job, entry=entry, frame=frame), zero, cancel)
            yield from ((entry, done) for done in stage.add(frame))
        if stage is not None and entry is not None:
            yield from ((entry, done) for done in stage.end())
            stage = None
    finally:
        if stage is not None:
            stage.close()


def _form(frame: VideoFrame) -> str:
    return f"{frame.format.name} {frame.width}×{frame.height} {frame.colorspace} {frame.color_range}"


def _stage(job: PictureJob, effect: PictureEffect, model: Model, zero: int, cancel: CancelToken | None) -> _Stage:
    timescale, like = job.track.timescale, model.frame
    if effect.blend is not None:
        return Blending(job, effect, _others(job, effect, model, cancel))
    if effect.map is not None:
        return (Batches if effect.map.batch else OneByOne)(job, effect.map, like)
    if effect.function is None:
        return FilterChain(effect.filter, like, zero, timescale)
    return _Called(FunctionEffect(effect.function, like), zero, timescale)


def _others(job: PictureJob, effect: PictureEffect, model: Model, cancel: CancelToken | None) -> Others:
    """Yield the pictures that are mixed in, with their times from the effect's start in seconds."""
    blend = effect.blend
    assert blend is not None and blend.media.main_video is not None
    target = Target(media=job.media, track=job.track, description=0)
    stop = blend.start + effect.end - effect.start
    for take in picture_takes(blend.media, blend.media.main_video, blend.start, stop, snap=False):
        other = recoded(blend.media, take, "", target, blend.effects).job
        frames = with_effects(other, pictures(other, cancel=cancel), cancel)
        for _, frame in converted(other, frames, model):
            assert frame.pts is not None
            yield Fraction(frame.pts + other.shift, other.track.timescale) - blend.start, frame


class _Called:
    """A function as a stage: one picture out for each, at once."""

    def __init__(self, effect: FunctionEffect, zero: int, timescale: int) -> None:
        self._effect = effect
        self._zero = zero
        self._timescale = timescale

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        assert frame.pts is not None
        yield self._effect.apply(frame, Fraction(frame.pts - self._zero, self._timescale))

    def end(self) -> Iterator[VideoFrame]:
        return iter(())

    def close(self) -> None:
        pass
