"""Picture takes on the timeline: exact times, composition offsets and one edit, whatever was coded between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ffzero.containers.isobmff.sample_table import SampleTable, Sizes
from ffzero.containers.runs import frozen
from ffzero.edits.laying.coded_tail import decoded_before, without_surplus
from ffzero.edits.laying.parts import Laid, Part, Placed, StandsFor, ended_at, len_ticks, mapped, own_ticks
from ffzero.edits.rendered import Rendered
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.edits.takes import Take
from ffzero.timebase import Rounding, to_ticks

__all__ = ["lay_pictures"]


def lay_pictures(placed: Sequence[Placed], timescale: int) -> Laid:
    """Set picture takes on the timeline; every take but the first must begin with its first shown picture."""
    tables = [mapped(item, timescale) for item in placed]
    first = placed[0]
    leads = _leads(placed, tables, timescale)
    media_time = max(0, leads[0])
    parts = _parts_from(placed, tables, leads, timescale, media_time)
    least = min(part.table.composition_range[0] for part in parts)
    if least < 0:
        media_time -= least
        parts = _parts_from(placed, tables, leads, timescale, media_time)
    last = placed[-1]
    assert not isinstance(last.take, RenderedSound)
    shown = to_ticks(last.at_s - first.at_s, timescale, Rounding.NEAREST)
    shown += own_ticks(last.take, last.take.media_stop - last.take.media_start, timescale)
    empty = to_ticks(first.at_s, timescale, Rounding.NEAREST)
    if any(isinstance(item.take, Rendered) for item in placed):
        within, surplus = without_surplus(decoded_before([part.table for part in parts], shown))
        media_time -= surplus
        parts = [replace(part, table=table) for part, table in zip(parts, within, strict=True)]
    split = [new for item, part in zip(placed, parts, strict=True) for new in _with_rewritten(part, item.rewritten)]
    return Laid(parts=tuple(split), timescale=timescale, media_time=media_time, shown_ticks=shown, empty_ticks=empty)


def _with_rewritten(part: Part, rewritten: Mapping[int, bytes]) -> Iterator[Part]:
    """Yield the part with some of its samples taken from memory."""
    at = 0
    for sample, data in sorted(rewritten.items()):
        if sample > at:
            yield replace(part, table=part.table.slice(at, sample))
        single = part.table.slice(sample, sample + 1)
        sizes = Sizes(count=1, column=frozen(np.array([len(data)], dtype=np.int64)))
        chunks = single.chunks.with_offsets(frozen(np.zeros(1, np.int64)))
        yield Part(piece=part.piece, table=replace(single, sizes=sizes, chunks=chunks), literal=data)
        at = sample + 1
    if at < part.table.count:
        yield replace(part, table=part.table.slice(at, part.table.count)) if at else part


def _leads(placed: Sequence[Placed], tables: Sequence[SampleTable], timescale: int) -> list[int]:
    """Return how long before it is shown each take is to be decoded: rendered ones as early as any that follow others.

    A picture shown at once could not be decoded before the reordered ones that come next. Copied ones whose last
    sample would be decoded when a more deeply reordered take is to begin are decoded earlier, too.
    """
    leads = [item.take.lead(timescale) for item in placed]
    deepest = max(leads[1:], default=0)
    leads = [
        max(lead, deepest) if isinstance(item.take, Rendered) else lead
        for item, lead in zip(placed, leads, strict=True)
    ]
    times = [to_ticks(item.at_s - placed[0].at_s, timescale, Rounding.NEAREST) for item in placed]
    starts = [time + min(0, table.composition_range[0]) for time, table in zip(times, tables, strict=True)]
    for number in range(len(placed) - 2, -1, -1):
        durations = tables[number].durations
        last = starts[number] - leads[number] + durations.sum_before(tables[number].count - 1)
        leads[number] += max(0, last + 1 - (starts[number + 1] - leads[number + 1]))
    return leads


def _parts_from(
    placed: Sequence[Placed], tables: Sequence[SampleTable], leads: Sequence[int], timescale: int, media_time: int
) -> list[Part]:
    """Return picture takes as parts, the first shown from ``media_time`` on.

    Where that is too early for what a later take reorders, composition offsets come out negative. FFmpeg shows the
    first picture of a cut track too early then, or finds fault, and an edit cannot start before 0: the offsets are to
    be made positive by a later ``media_time``. Rendered pictures are decoded that much before they are shown too, where
    there is room: GStreamer leaves out samples whose decoding time is not before the end of what is shown.
    """
    first = placed[0]
    parts: list[Part] = []
    end_dts = 0
    for number, (item, table) in enumerate(zip(placed, tables, strict=True)):
        wanted_pts = media_time + to_ticks(item.at_s - first.at_s, timescale, Rounding.NEAREST)
        own_lead = item.take.lead(timescale)
        below = min(0, table.composition_range[0])
        lead = max(leads[number], media_time) if isinstance(item.take, Rendered) else leads[number]
        dts = ended_at(parts, wanted_pts - lead + below, end_dts) if number else 0
        literal = item.take.rope if isinstance(item.take, Rendered) else None
        table = table.with_composition_shift(wanted_pts - own_lead - dts)
        parts.append(Part(piece=item.piece, table=table, literal=literal, instead_of=_instead_of(item.take)))
        end_dts = dts + len_ticks(table)
    return parts


def _instead_of(take: Take | Rendered | RenderedSound) -> StandsFor | None:
    if not isinstance(take, Rendered) or take.job.is_blank:
        return None
    job = take.job
    start = take.media_start - take.lead_ticks
    return StandsFor(track=take.track, start_ticks=start, first=job.decode_first, stop=job.decode_stop)
