"""What is laid, and what comes out: takes on the clip's timeline, parts of a track in decoding order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.runs import Runs, frozen
from ffzero.edits.rendered import Rendered
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.edits.takes import Take
from ffzero.extents.rope import Rope
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = ["Laid", "Part", "Placed", "StandsFor", "ended_at", "len_ticks", "literal_part", "mapped", "own_ticks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A take of piece ``piece``, to be shown from ``at_s`` to ``end_s`` on the clip's timeline."""

    piece: int
    take: Take | Rendered | RenderedSound
    at_s: Fraction
    end_s: Fraction
    descriptions: dict[int, int]
    """Sample entry numbers of the take's track, as numbers of the output track's."""
    rewritten: Mapping[int, bytes] = field(default_factory=dict)
    """New bytes of some of the kept samples, by their place among them."""
    unlike: str = ""
    """Why sound cannot stand beside that of other takes: all of it is to be coded like theirs."""

    @property
    def own(self) -> Take:
        """The take, where it can only be of the source's own samples."""
        assert isinstance(self.take, Take)
        return self.take


@dataclass(frozen=True, slots=True, kw_only=True)
class StandsFor:
    """Samples ``[first, stop)`` of a source's track, from decoding time ``start_ticks`` (the track's) on."""

    track: Track
    start_ticks: int
    first: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Samples of one track that lie together: in piece ``piece``'s source, or in ``literal``: bytes, or all of a rope.

    Literal ones stand with the samples of their piece, or behind everything where ``piece`` is -1: before the byte
    ``place`` of its source, or, without, where their track goes on. ``instead_of`` is what they were coded from.
    """

    piece: int
    table: SampleTable
    literal: bytes | Rope | None = None
    instead_of: StandsFor | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A track laid out: parts in decoding order (their tables join as they are), and its one edit.

    ``empty_ticks`` of nothing come first, then media from ``media_time`` for ``shown_ticks``; all on the track's
    ``timescale``.
    """

    parts: tuple[Part, ...]
    timescale: int
    media_time: int
    shown_ticks: int
    empty_ticks: int = 0


def mapped(item: Placed, timescale: int) -> SampleTable:
    """Return a take's table on another timescale, with the output track's sample entry numbers."""
    table = item.take.table(timescale)
    return replace(table, chunks=table.chunks.with_descriptions(item.descriptions))


def len_ticks(table: SampleTable) -> int:
    """Return the sum of a table's durations."""
    return table.durations.sum_before(table.count)


def own_ticks(take: Take | Rendered | RenderedSound, ticks: int, timescale: int) -> int:
    """Return ticks of the take's track on another timescale, to the nearest."""
    return rescale(ticks, take.track.timescale, timescale, Rounding.NEAREST)


def ended_at(parts: list[Part], dts: int, end_dts: int) -> int:
    """Move the end of the last part from ``end_dts`` to ``dts`` by the duration of its last sample.

    Changes ``parts``; returns where the end came to lie, for a sample lasts a tick at least.
    """
    last = parts[-1]
    old = last.table.durations.at(last.table.count - 1)
    new = max(1, old + dts - end_dts)
    parts[-1] = replace(last, table=last.table.with_last_duration(new))
    return end_dts + new - old


def literal_part(samples: Sequence[bytes], durations: Sequence[int], timescale: int, description: int = 0) -> Part:
    """Return samples from memory as a part, in ticks of ``timescale`` and by the output's sample entry number."""
    sizes = np.array([len(sample) for sample in samples], dtype=np.int64)
    one = np.ones(1, np.int64)
    chunks = Chunks(
        offsets=frozen(np.zeros(1, np.int64)),
        run_chunks=one,
        run_samples=one * len(samples),
        run_descriptions=one * description,
    )
    table = SampleTable(
        timescale=timescale,
        durations=Runs.encode(np.maximum(np.array(durations, dtype=np.int64), 1)),
        sizes=Sizes(count=len(samples), column=frozen(sizes)),
        chunks=chunks,
    )
    return Part(piece=-1, table=table, literal=b"".join(samples))
