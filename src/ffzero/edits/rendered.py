"""Pictures that are coded anew, standing among takes: what they are before they are coded, and as a table after."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.runs import Runs, frozen
from ffzero.edits.coded_samples import CodedSamples
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.extents.rope import Rope
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = ["Rendered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Pictures of a track to be coded anew, shown for media time ``[media_start, media_stop)``.

    Ticks are the track's; ``start`` is ``media_start`` on the movie's timeline. Each picture is decoded ``lead_ticks``
    before it is shown, as those that are copied beside it are, so that decoding times rise across the joint.
    """

    squeezed: ClassVar[int] = 0
    hidden_before: ClassVar[int] = 0
    hidden_after: ClassVar[int] = 0

    job: PictureJob
    media_start: int
    media_stop: int
    start: int
    reason: str
    lead_ticks: int = 0
    coded: CodedPictures | None = None

    @property
    def track(self) -> Track:
        return self.job.track

    @property
    def shown(self) -> int:
        return self.job.frames

    @property
    def description(self) -> int:
        """The sample entry number of the source's pictures."""
        if self.job.is_blank and self.job.target is not None:
            return self.job.target.description
        chunks = self.track.table.chunks
        return chunks.descriptions_between(self.job.decode_stop - 1, self.job.decode_stop)[0]

    def descriptions(self) -> list[int]:
        return [self.description]

    def with_coded(self, coded: CodedPictures) -> Rendered:
        return replace(self, coded=coded)

    @property
    def rope(self) -> Rope:
        """The coded samples, one after another."""
        assert self.coded is not None
        return CodedSamples.of(self.coded.samples).rope

    def lead(self, timescale: int) -> int:
        """Return the time from the beginning of ``table(timescale)`` to ``media_start``, in its ticks."""
        return rescale(self.lead_ticks, self.track.timescale, timescale, Rounding.NEAREST)

    def table(self, timescale: int) -> SampleTable:
        """Return the coded samples as a table whose dts begins at 0; they lie in one chunk, at 0, of entry 0."""
        coded = self.coded
        assert coded is not None
        sizes = np.array(CodedSamples.of(coded.samples).sizes, np.int64)
        count = len(sizes)
        scale = coded.timescale or self.track.timescale
        stop = rescale(self.media_stop, self.track.timescale, scale, Rounding.NEAREST)
        ends = np.array([*coded.pts[1:], max(coded.pts[-1] + 1, stop)], np.int64)
        one = np.ones(1, np.int64)
        table = SampleTable(
            timescale=scale,
            durations=Runs.encode(ends - np.array(coded.pts, np.int64)),
            sizes=Sizes(count=count, column=frozen(sizes)),
            chunks=Chunks(
                offsets=frozen(np.zeros(1, np.int64)),
                run_chunks=one,
                run_samples=one * count,
                run_descriptions=np.zeros(1, np.int64),
            ),
            sync=frozen(np.array(coded.sync, np.int64)),
        ).resampled(timescale)
        return table.with_composition_shift(self.lead(timescale))
