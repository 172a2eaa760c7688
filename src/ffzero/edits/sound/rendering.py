"""Sound to be coded anew: what a job asks for, what comes back, and how it stands among takes.

Places in sound are counted in samples. Those of a track count from its first packet: packet ``k`` of ``P`` samples each
decodes to ``[k * P, (k + 1) * P)``, as every decoder has it, the coder's delay included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.runs import Runs, frozen
from ffzero.edits.media import Media
from ffzero.edits.references import by_reference, named_track
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = [
    "CodedSound",
    "Neighbour",
    "PlacedEffect",
    "RenderedSound",
    "SoundEffect",
    "SoundFunction",
    "SoundJob",
    "SoundPart",
]

_USUAL_BLOCK = 4096

SoundFunction = Callable[[np.ndarray], np.ndarray]
"""Takes all the samples of an effect's range, float32 of shape (samples, channels) in [-1, 1], and returns as many. The
array is the function's own to write to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundEffect:
    """What is done to the sound in ``[start, end)``, seconds of its input's timeline.

    Either an FFmpeg filter chain, whose clock begins at ``start`` and which must keep the number of samples, or a
    function.
    """

    start: Fraction
    end: Fraction
    filter: str = ""
    function: SoundFunction | None = None

    @property
    def name(self) -> str:
        return self.filter or getattr(self.function, "__name__", "a function")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEffect:
    """An effect on samples ``[first, stop)`` of a track.

    It is faded in and out inside of its range, but not where it ``opens`` or ``closes`` a piece (nothing is heard there
    of the sound before or after it), nor where it ``follows`` or ``precedes`` another effect.
    """

    effect: SoundEffect
    first: int
    stop: int
    opens: bool = False
    closes: bool = False
    follows: bool = False
    precedes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPart:
    """``samples`` samples of a track from its sample ``first`` on, both at the job's rate.

    What lies before or after all that the track has is silence; so is all of a part without a track.
    """

    samples: int
    media: Media | None = None
    track: Track | None = None
    first: int = 0
    effects: tuple[PlacedEffect, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.media is None or self.track is None:
            return by_reference(self)
        return by_reference(self, track=named_track(self.track, self.media))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A copied packet beside coded ones: sample ``number`` of a track."""

    media: Media
    track: Track
    number: int

    def __reduce__(self) -> tuple[Any, ...]:
        return by_reference(self, track=named_track(self.track, self.media))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundJob:
    """Sound to be coded like that of sample entry ``description`` of a track.

    ``parts``, one after another, are the signal; where one ends and another begins they are cross-faded over ``fade``
    samples. The packets wanted are those for ``samples`` samples from ``lead`` on: what comes before and after is there
    for the coder's state. ``packet`` is how many samples each has, 0 where they may have any number; ``before`` and
    ``after`` are the copied packets that will stand beside them. Up to ``spare_before`` packets before and
    ``spare_after`` behind may be given back too, where they meet those better, and stand for the copied ones there.
    """

    media: Media
    track: Track
    description: int
    parts: tuple[SoundPart, ...]
    lead: int
    samples: int
    packet: int
    fade: int
    before: Neighbour | None = None
    after: Neighbour | None = None
    spare_before: int = 0
    spare_after: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return by_reference(self, track=named_track(self.track, self.media))

    @property
    def entry(self) -> SampleEntry:
        return self.track.entries[self.description]

    @property
    def packets(self) -> int:
        """How many packets come out."""
        return self.samples // self.packet if self.packet else len(self.blocks)

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many samples each packet has where they may have any number: none more than the source's."""
        count = -(-self.samples // (self.entry.frame_samples or _USUAL_BLOCK))
        return tuple(self.samples * (n + 1) // count - self.samples * n // count for n in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSound:
    """Packets, and how many samples each decodes to. They decode by the sample entry of the job.

    ``taken_before`` and ``taken_after`` of them are spare ones of the job.
    """

    packets: tuple[bytes, ...]
    samples: tuple[int, ...]
    taken_before: int = 0
    taken_after: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSound:
    """Sound to be coded anew that stands among takes of a track; ``lead_samples`` of it come before what is shown.

    ``start`` and ``stop`` are where it lies on its input's timeline, in samples of the output's rate.
    """

    squeezed: ClassVar[int] = 0
    hidden_before: ClassVar[int] = 0
    hidden_after: ClassVar[int] = 0

    job: SoundJob
    reason: str
    source_start_s: Fraction
    lead_samples: int = 0
    coded: CodedSound | None = None

    @property
    def track(self) -> Track:
        return self.job.track

    @property
    def shown(self) -> int:
        return self.job.packets if self.coded is None else len(self.coded.packets)

    @property
    def samples(self) -> int:
        return self.job.samples if self.coded is None else sum(self.coded.samples)

    @property
    def rate(self) -> int:
        return self.job.entry.sample_rate

    def descriptions(self) -> list[int]:
        return [self.job.description]

    def with_coded(self, coded: CodedSound) -> RenderedSound:
        return replace(self, coded=coded)

    @property
    def data(self) -> bytes:
        """The coded packets, one after another."""
        assert self.coded is not None
        return b"".join(self.coded.packets)

    def lead(self, timescale: int) -> int:
        return rescale(self.lead_samples, self.rate, timescale, Rounding.NEAREST)

    def table(self, timescale: int) -> SampleTable:
        """Return the packets as a table whose dts begins at 0; they lie in one chunk, at 0."""
        assert self.coded is not None
        sizes = np.array([len(packet) for packet in self.coded.packets], np.int64)
        count, one = len(sizes), np.ones(1, np.int64)
        alike = self.track.table.sizes
        return SampleTable(
            timescale=self.rate,
            durations=Runs.encode(np.array(self.coded.samples, np.int64)),
            sizes=replace(alike, count=count) if self.job.packet == 1 else Sizes(count=count, column=frozen(sizes)),
            chunks=Chunks(
                offsets=frozen(np.zeros(1, np.int64)),
                run_chunks=one,
                run_samples=one * count,
                run_descriptions=one * self.job.description,
            ),
        ).resampled(timescale)
