"""A sound track laid out of copied and coded packets, which follow one another as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.runs import Runs
from ffzero.edits.laying.parts import Laid, Part, Placed, StandsFor
from ffzero.edits.layout import PieceLayout
from ffzero.edits.sound.beside import beside_pieces
from ffzero.edits.sound.rendering import CodedSound, RenderedSound
from ffzero.edits.takes import Take
from ffzero.timebase import Rounding, to_ticks

__all__ = ["has_coded_sound", "lay_joined_sound", "with_coded_sound", "without_first", "without_last"]


def has_coded_sound(placed: Sequence[Placed]) -> bool:
    return any(isinstance(item.take, RenderedSound) for item in placed)


def lay_joined_sound(placed: Sequence[Placed], timescale: int, pieces: Sequence[PieceLayout]) -> Laid:
    """Set takes between which packets were coded anew on the timeline: the planner put them on one grid already."""
    first, last = placed[0], placed[-1]
    media_time = first.take.lead(timescale)
    packet = next(item.take.job.packet for item in placed if isinstance(item.take, RenderedSound))
    parts: list[Part] = []
    end = 0
    for item in placed:
        table = item.take.table(timescale)
        table = replace(table, chunks=table.chunks.with_descriptions(item.descriptions))
        if packet > 1 and isinstance(item.take, Take):
            # The grid is what packets decode to; a source's times may be off it by their rounding.
            table = replace(table, durations=Runs.constant(table.count, packet))
        parts += _parts(item, table, pieces)
        end += table.durations.sum_before(table.count)
    stop = media_time + to_ticks(last.end_s - first.at_s, timescale, Rounding.NEAREST)
    return Laid(
        parts=tuple(parts),
        timescale=timescale,
        media_time=media_time,
        shown_ticks=max(1, min(stop, end) - media_time),
        empty_ticks=to_ticks(first.at_s, timescale, Rounding.NEAREST),
    )


def _parts(item: Placed, table: SampleTable, pieces: Sequence[PieceLayout]) -> Iterable[Part]:
    take = item.take
    if not isinstance(take, RenderedSound):
        return [Part(piece=item.piece, table=table)]
    tracks = [part.track for part in take.job.parts]
    track = tracks[0]
    if track is None or any(other is not track for other in tracks) or not track.table.count:
        return beside_pieces(table, take.data, item.at_s, item.piece, pieces)
    start = to_ticks(take.source_start_s, track.timescale, Rounding.NEAREST)
    instead = StandsFor(track=track, start_ticks=start, first=0, stop=track.table.count)
    return [Part(piece=item.piece, table=table, literal=take.data, instead_of=instead)]


def with_coded_sound(item: Placed, coded: CodedSound) -> Placed:
    """Return stand-ins for coded sound with it; packets that it took from its neighbours make it longer."""
    take = item.take
    assert isinstance(take, RenderedSound)
    before, after = (Fraction(taken * take.job.packet, take.rate) for taken in (coded.taken_before, coded.taken_after))
    take = replace(take, coded=coded, source_start_s=take.source_start_s - before)
    return replace(item, take=take, at_s=item.at_s - before, end_s=item.end_s + after)


def without_last(item: Placed, packets: int) -> Placed:
    """Return copied packets less the last, which were coded anew too."""
    take = item.own
    stop = take.stop - packets
    end_s = item.end_s - Fraction(take.track.table.dts(take.stop) - take.track.table.dts(stop), take.track.timescale)
    return replace(item, take=replace(take, stop=stop, shown=take.shown - packets), end_s=end_s)


def without_first(item: Placed, before: RenderedSound) -> Placed:
    """Return copied packets less those that were coded anew with what stands before them."""
    packets = before.coded.taken_after if before.coded is not None else 0
    if not packets or not isinstance(item.take, Take):
        return item
    take, table = item.take, item.take.track.table
    first = take.first + packets
    later = table.dts(first) - table.dts(take.first)
    found = replace(
        take,
        first=first,
        media_start=take.media_start + later,
        start=take.start + later,
        shown=take.shown - packets,
    )
    return replace(item, take=found, at_s=item.at_s + Fraction(later, take.track.timescale))
