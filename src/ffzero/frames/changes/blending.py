"""Pictures mixed with those of another clip that are shown at the same time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.rendering import Blend, PictureEffect, PictureJob
from ffzero.edits.takes import usual_duration
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.planes import raw_planes
from ffzero.timebase import TOLERANCE

__all__ = ["Blending", "Others"]

Others = Generator[tuple[Fraction, VideoFrame]]


class Blending:
    """Mixes pictures with ``others``: of the same form, with their times in seconds from the effect's start."""

    def __init__(self, job: PictureJob, effect: PictureEffect, others: Others) -> None:
        assert effect.blend is not None
        self._job = job
        self._effect = effect
        self._blend: Blend = effect.blend
        self._half_step = Fraction(usual_duration(job.track.table), 2 * job.track.timescale)
        self._others = others
        self._shown: VideoFrame | None = None
        self._next = next(self._others, None)

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        assert frame.pts is not None
        time = Fraction(frame.pts + self._job.shift, self._job.track.timescale) - self._effect.start
        while self._next is not None and (self._shown is None or self._next[0] <= time + TOLERANCE):
            self._shown, self._next = self._next[1], next(self._others, None)
        if self._shown is None:
            raise UnsupportedError("there is no picture to fade to", path=self._blend.media.name)
        yield _mixed(frame, self._shown, float(self._weight(time)))

    def end(self) -> Iterator[VideoFrame]:
        return iter(())

    def close(self) -> None:
        self._others.close()

    def _weight(self, time: Fraction) -> Fraction:
        """Return the other's share: that of the middle of the picture's time."""
        blend, length = self._blend, self._effect.end - self._effect.start
        along = min(Fraction(1), max(Fraction(0), (time + self._half_step) / length))
        return blend.weight_first + (blend.weight_last - blend.weight_first) * along


def _mixed(frame: VideoFrame, other: VideoFrame, weight: float) -> VideoFrame:
    """Return the frame with ``weight`` (0 to 1) of the other's samples in its own."""
    frame.make_writable()
    dtype = np.dtype("<u2" if max(component.bits for component in frame.format.components) > 8 else np.uint8)
    for mine, yours in zip(raw_planes(frame), raw_planes(other), strict=True):
        own = mine.view(dtype)
        mixture = own * np.float32(1 - weight) + yours.view(dtype) * np.float32(weight)
        np.copyto(own, np.rint(mixture), casting="unsafe")
    return frame
