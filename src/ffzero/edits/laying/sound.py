"""Sound takes on the timeline as one continuous track.

At a joint the packet is chosen that comes closest, so that the error stays under half a packet and never adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from ffzero.containers.aac import silent_aac
from ffzero.edits.laying.parts import Laid, Part, Placed, ended_at, len_ticks, literal_part, mapped, own_ticks
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.takes import Take
from ffzero.timebase import Rounding, rescale, to_ticks

__all__ = ["lay_sound"]


def lay_sound(placed: Sequence[Placed], timescale: int) -> Laid:
    """Set sound (or data) takes on the timeline as one continuous track."""
    first = placed[0]
    media_time = first.take.lead(timescale)
    parts: list[Part] = []
    end = 0
    for number, item in enumerate(placed):
        if number:
            wanted = media_time + to_ticks(item.at_s - first.at_s, timescale, Rounding.NEAREST)
            item, start = _nearest_packet(item, wanted, end, timescale)
            if item.own.first >= item.own.stop:
                continue
            if start > end and parts:
                end = _quiet(parts, item, start, end) or ended_at(parts, start, end)
        table = mapped(item, timescale)
        parts.append(Part(piece=item.piece, table=table))
        end += len_ticks(table)
    last = placed[-1]
    stop = media_time + to_ticks(last.end_s - first.at_s, timescale, Rounding.NEAREST)
    least = max(1, own_ticks(first.take, _past_first_packet(first.own), timescale))
    return Laid(
        parts=tuple(parts),
        timescale=timescale,
        media_time=media_time,
        shown_ticks=max(least, min(stop, end) - media_time),
        empty_ticks=to_ticks(first.at_s, timescale, Rounding.NEAREST),
    )


def _quiet(parts: list[Part], item: Placed, start: int, end: int) -> int:
    """Fill up with silent packets before ``item``; return where they end, half a packet from ``start`` at most.

    Returns 0 where there are none of its codec. Without them players that count packets, not times (Chromium), would be
    early from here on.
    """
    take, timescale = item.own, parts[-1].table.timescale
    number = take.descriptions()[0]
    entry, coding = take.track.entries[number], sound_coding(take.track, number)
    packet = silent_aac(entry.aac.channels) if entry.aac is not None and not coding.reason else None
    if packet is None:
        return 0
    usual = rescale(coding.packet, entry.sample_rate, timescale, Rounding.NEAREST)
    # A last packet may say that it is short.
    end = ended_at(parts, min(start, max(end, end + usual - _last_ticks(parts))), end)
    count = round(Fraction((start - end) * entry.sample_rate, timescale * coding.packet))
    if not count:
        return end
    ends = [rescale(n * coding.packet, entry.sample_rate, timescale, Rounding.NEAREST) for n in range(count + 1)]
    durations = [after - before for before, after in pairwise(ends)]
    parts.append(literal_part([packet] * count, durations, timescale, item.descriptions[number]))
    return end + ends[-1]


def _last_ticks(parts: Sequence[Part]) -> int:
    durations = parts[-1].table.durations
    return durations.at(parts[-1].table.count - 1)


def _past_first_packet(take: Take) -> int:
    """Return the ticks an edit must last for FFmpeg to play anything of a track that ends in its first packet."""
    shown = take.first + take.hidden_before
    if not take.packet_ticks or take.stop > shown + 1:
        return 0
    return take.media_start - take.track.table.dts(shown) + 1


def _nearest_packet(item: Placed, wanted: int, end: int, timescale: int) -> tuple[Placed, int]:
    """Choose the packet at which a joined take starts, so that it comes closest to its time after what stands.

    Returns the take and where its first packet is to start: later than ``end`` only where a gap of more than a packet
    must stay a gap.
    """
    take, table = item.own, item.own.track.table

    def ideal(packet: int) -> int:
        return wanted + own_ticks(take, table.dts(packet) - take.media_start, timescale)

    def length(packet: int) -> int:
        return max(1, own_ticks(take, table.durations.at(packet), timescale))

    packet = take.first
    while packet < take.stop and end - ideal(packet) > length(packet) // 2:
        packet += table.sizes.unit_samples
    packet = min(packet, take.stop)
    gap = packet < take.stop and ideal(packet) - end > length(packet)
    return replace(item, take=replace(take, first=packet)), ideal(packet) if gap else end
