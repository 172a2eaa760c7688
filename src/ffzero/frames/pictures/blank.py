"""Black pictures, where a part of a clip has none."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.rendering import PictureJob
from ffzero.edits.takes import usual_duration
from ffzero.frames.changes.graphs import range_of
from ffzero.frames.changes.pacing import Grid, timescale_of
from ffzero.frames.changes.targets import Model
from ffzero.frames.pictures.planes import raw_planes
from ffzero.reporting import CancelToken

__all__ = ["blank_pictures"]

_BLACK_OF_LIMITED_RANGE = 16


def blank_pictures(
    job: PictureJob, model: Model, cancel: CancelToken | None = None
) -> Iterator[tuple[SampleEntry, VideoFrame]]:
    """Yield the black pictures of a blank job, at the usual rate of its track."""
    grid = Grid(start=job.pts_first, stop=job.pts_stop, step=Fraction(usual_duration(job.track.table)))
    assert timescale_of(job) == job.track.timescale
    for number in range(grid.count):
        if cancel is not None:
            cancel.check()
        frame = _black(model.frame)
        frame.pts, frame.time_base = grid.time(number), Fraction(1, job.track.timescale)
        yield model.entry, frame


def _black(like: VideoFrame) -> VideoFrame:
    frame = VideoFrame(like.width, like.height, like.format.name)
    bits = max(component.bits for component in like.format.components)
    dtype = np.dtype("<u2" if bits > 8 else np.uint8)
    luma = 0 if like.format.is_rgb or range_of(like) == "pc" else _BLACK_OF_LIMITED_RANGE << (bits - 8)
    for number, plane in enumerate(raw_planes(frame)):
        plane.view(dtype)[:] = luma if number == 0 or like.format.is_rgb else 1 << (bits - 1)
    frame.colorspace, frame.color_range = like.colorspace, like.color_range
    frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
    return frame
