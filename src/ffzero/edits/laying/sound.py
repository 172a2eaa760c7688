"""Sound takes on the timeline as one continuous track.

At a joint the packet is chosen that comes closest, so that the error stays under half a packet and never adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from ffzero.containers.aac import silent_aac
from ffzero.containers.packet_samples import WHOLE_PACKETS
from ffzero.edits.laying.parts import Laid, Part, Placed, ended_at, len_ticks, literal_part, mapped, own_ticks
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.holes import HOLE_S, without_holes
from ffzero.edits.takes import Take, usual_duration
from ffzero.timebase import Rounding, rescale, to_ticks
from ffzero.values import dataclass

__all__ = ["lay_sound"]


def lay_sound(placed: Sequence[Placed], timescale: int) -> Laid:
    """Set sound (or data) takes on the timeline as one continuous track."""
    first = placed[0]
    media_time = first.take.lead(timescale)
    parts: list[Part] = []
    end = 0
    before = first
    for item in placed:
        if item is not first:
            wanted = media_time + to_ticks(item.at_s - first.at_s, timescale, Rounding.NEAREST)
            silence = _silence(item)
            end = _in_time(parts, before, end, silence)
            item, start = _nearest_packet(item, wanted, end, timescale)
            if item.own.first >= item.own.stop:
                continue
            if start > end:
                end = ended_at(parts, start, end) if silence is None else _quiet(parts, silence, start, end)
        before = item
        for number, part in enumerate(_unbroken(item) if len(placed) > 1 else [item]):
            table = mapped(part, timescale)
            end = _filled(parts, part, end) if number else end
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """A packet of silence, ``samples`` of them at ``rate``, of an output's sample entry."""

    packet: bytes
    samples: int
    rate: int
    description: int

    def ticks(self, packets: int, timescale: int) -> int:
        return rescale(packets * self.samples, self.rate, timescale, Rounding.NEAREST)


def _silence(item: Placed) -> _Silence | None:
    """Return silence that can stand beside a take, where there is such of its codec.

    Without it players that count packets, not times (Chromium), would be early from each hole on.
    """
    number = item.own.descriptions()[0]
    entry = item.own.track.entries[number]
    packet = silent_aac(entry.aac.channels) if entry.aac is not None else None
    coding = sound_coding(item.own.track, number) if packet is not None else None
    if packet is None or coding is None or coding.reason:
        return None
    return _Silence(packet=packet, samples=coding.packet, rate=entry.sample_rate, description=item.descriptions[number])


def _unbroken(item: Placed) -> list[Placed]:
    """Return a take in parts without a hole in them, where silence can fill it."""
    parts = list(without_holes(item, HOLE_S)) if _silence(item) is not None else []
    return parts if len(parts) > 1 else [item]


def _in_time(parts: list[Part], before: Placed, end: int, silence: _Silence | None) -> int:
    """Let the last packet, of ``before``, last as long as what it decodes to; return its end.

    The last of a file often says that it is shorter: its end is not to be heard. Decoders give all of it, so what comes
    behind it would be late, at each joint a little more. One that says that it is longer has a hole behind it, which
    silence is to fill.
    """
    timescale = parts[-1].table.timescale
    usual, last = own_ticks(before.take, _decoded_ticks(before.own), timescale), _last_ticks(parts)
    if last < usual or (silence is not None and usual and last - usual > HOLE_S * timescale):
        return ended_at(parts, end + usual - last, end)
    return end


def _decoded_ticks(take: Take) -> int:
    """Return what each packet decodes to, whatever it says, in ticks of its track; 0 where it says it itself."""
    codec = take.track.entries[take.descriptions()[0]].codec
    if codec == "opus":
        return usual_duration(take.track.table)
    return take.packet_ticks if codec in WHOLE_PACKETS else 0


def _quiet(parts: list[Part], silence: _Silence, start: int, end: int) -> int:
    """Fill up with silent packets before ``start``; return where they end, half a packet from it at most."""
    timescale = parts[-1].table.timescale
    count = round(Fraction((start - end) * silence.rate, timescale * silence.samples))
    if not count:
        return end
    ends = [silence.ticks(packets, timescale) for packets in range(count + 1)]
    durations = [after - before for before, after in pairwise(ends)]
    parts.append(literal_part([silence.packet] * count, durations, timescale, silence.description))
    return end + ends[-1]


def _filled(parts: list[Part], item: Placed, end: int) -> int:
    """Fill the hole at the end of what stands with silent packets; return its end, which stays.

    There are as many as keep those that count packets within half of one from the times, over all holes before.
    """
    silence, timescale = _silence(item), parts[-1].table.timescale
    if silence is None:
        return end
    start = ended_at(parts, end + silence.ticks(1, timescale) - _last_ticks(parts), end)
    ratio = Fraction(silence.rate, timescale * silence.samples)
    lacking = round(end * ratio) - sum(part.table.count for part in parts)
    room = int((end - start) * ratio)
    count = min(max(lacking, room), room + 1)
    usual = silence.ticks(1, timescale)
    durations = [usual] * (count - 1) + [end - start - usual * (count - 1)]
    if not count or durations[-1] < 1:
        return ended_at(parts, end, start)
    parts.append(literal_part([silence.packet] * count, durations, timescale, silence.description))
    return end


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
