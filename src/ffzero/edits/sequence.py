"""Takes of one track, set one after another on the clip's timeline as one sample table.

Pictures keep their exact times. Sound keeps one continuous track: at a joint the packet is chosen that comes closest,
so that the error stays under half a packet and never adds up. Cues are trimmed to the range and gaps between them
filled with empty ones. Timecode samples are written anew.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ffzero.containers.aac import silent_aac
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import TimecodeFormat
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.runs import Runs, frozen
from ffzero.edits.coded_tail import decoded_before, without_surplus
from ffzero.edits.rendered import Rendered
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.edits.takes import Take
from ffzero.extents.rope import Rope
from ffzero.timebase import Rounding, rescale, to_ticks
from ffzero.values import dataclass

__all__ = ["Laid", "Part", "Placed", "StandsFor", "lay_cues", "lay_pictures", "lay_sound", "lay_timecode"]

_LONGEST_TICKS = 2**31 - 1


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


def lay_pictures(placed: Sequence[Placed], timescale: int) -> Laid:
    """Set picture takes on the timeline; every take but the first must begin with its first shown picture."""
    tables = [_mapped(item, timescale) for item in placed]
    first = placed[0]
    leads = _leads(placed, timescale)
    media_time = max(0, leads[0])
    parts = _parts_from(placed, tables, leads, timescale, media_time)
    least = min(part.table.composition_range[0] for part in parts)
    if least < 0:
        media_time -= least
        parts = _parts_from(placed, tables, leads, timescale, media_time)
    last = placed[-1]
    assert not isinstance(last.take, RenderedSound)
    shown = to_ticks(last.at_s - first.at_s, timescale, Rounding.NEAREST)
    shown += _ticks(last.take, last.take.media_stop - last.take.media_start, timescale)
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


def _leads(placed: Sequence[Placed], timescale: int) -> list[int]:
    """Return how long before it is shown each take is to be decoded: rendered ones as early as any that follow others.

    A picture shown at once could not be decoded before the reordered ones that come next.
    """
    leads = [item.take.lead(timescale) for item in placed]
    deepest = max(leads[1:], default=0)
    return [
        max(lead, deepest) if isinstance(item.take, Rendered) else lead
        for item, lead in zip(placed, leads, strict=True)
    ]


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
        dts = _after(parts, wanted_pts - lead + below, end_dts) if number else 0
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


def _after(parts: list[Part], dts: int, end_dts: int) -> int:
    """Move the end of the last part to ``dts`` by the duration of its last sample; returns where it came to lie."""
    last = parts[-1]
    old = last.table.durations.at(last.table.count - 1)
    new = max(1, old + dts - end_dts)
    parts[-1] = replace(last, table=last.table.with_last_duration(new))
    return end_dts + new - old


def len_ticks(table: SampleTable) -> int:
    """Return the sum of a table's durations."""
    return table.durations.sum_before(table.count)


def _mapped(item: Placed, timescale: int) -> SampleTable:
    table = item.take.table(timescale)
    return replace(table, chunks=table.chunks.with_descriptions(item.descriptions))


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
                end = _quiet(parts, item, start, end) or _after(parts, start, end)
        table = _mapped(item, timescale)
        parts.append(Part(piece=item.piece, table=table))
        end += len_ticks(table)
    last = placed[-1]
    stop = media_time + to_ticks(last.end_s - first.at_s, timescale, Rounding.NEAREST)
    least = max(1, _ticks(first.take, _past_first_packet(first.own), timescale))
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
    end = _after(
        parts, min(start, max(end, end + usual - _last_ticks(parts))), end
    )  # a last one may say that it is short
    count = round(Fraction((start - end) * entry.sample_rate, timescale * coding.packet))
    if not count:
        return end
    ends = [rescale(n * coding.packet, entry.sample_rate, timescale, Rounding.NEAREST) for n in range(count + 1)]
    durations = [after - before for before, after in pairwise(ends)]
    parts.append(_literal_part([packet] * count, durations, timescale, item.descriptions[number]))
    return end + ends[-1]


def _last_ticks(parts: Sequence[Part]) -> int:
    durations = parts[-1].table.durations
    return durations.at(parts[-1].table.count - 1)


def _ticks(take: Take | Rendered | RenderedSound, ticks: int, timescale: int) -> int:
    """Return ticks of the take's track on another timescale, to the nearest."""
    return rescale(ticks, take.track.timescale, timescale, Rounding.NEAREST)


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
        return wanted + _ticks(take, table.dts(packet) - take.media_start, timescale)

    def length(packet: int) -> int:
        return max(1, _ticks(take, table.durations.at(packet), timescale))

    packet = take.first
    while packet < take.stop and end - ideal(packet) > length(packet) // 2:
        packet += table.sizes.unit_samples
    packet = min(packet, take.stop)
    gap = packet < take.stop and ideal(packet) - end > length(packet)
    return replace(item, take=replace(take, first=packet)), ideal(packet) if gap else end


def lay_cues(placed: Sequence[Placed], timescale: int, empty_cue: bytes | None, total_s: Fraction | None) -> Laid:
    """Set cues (subtitles, chapter titles) on the timeline, trimmed to it, with empty cues in the gaps.

    With ``empty_cue`` the track covers all of ``total_s`` where that is given, also without any cue.
    """
    parts: list[Part] = []
    end = 0
    for item in placed:
        table = _trimmed(item, timescale)
        start = to_ticks(item.at_s, timescale, Rounding.NEAREST)
        if start > end:
            if empty_cue is not None:
                parts.append(_silence(empty_cue, start - end, timescale))
            elif parts:
                _after(parts, start, end)
            end = start if empty_cue is not None or parts else end
        parts.append(Part(piece=item.piece, table=table))
        end += len_ticks(table)
    total = end if total_s is None else to_ticks(total_s, timescale, Rounding.NEAREST)
    if total > end and empty_cue is not None:
        parts.append(_silence(empty_cue, total - end, timescale))
        end = total
    lead = 0
    if empty_cue is None:
        lead = to_ticks(placed[0].at_s, timescale, Rounding.NEAREST)
    return Laid(parts=tuple(parts), timescale=timescale, media_time=0, shown_ticks=end, empty_ticks=lead)


def _trimmed(item: Placed, timescale: int) -> SampleTable:
    """Return a take's table with the first and last durations cut to what is shown."""
    take = item.own
    table = _mapped(item, timescale)
    durations = table.durations.expand() if table.count <= 2 else None
    before = _ticks(take, take.media_start - take.track.table.dts(take.first), timescale)
    after = _ticks(take, take.track.table.dts(take.stop) - take.media_stop, timescale)
    if durations is None:
        head = Runs.constant(1, max(1, table.durations.at(0) - before))
        tail = Runs.constant(1, max(1, table.durations.at(table.count - 1) - after))
        return replace(table, durations=Runs.concat([head, table.durations.slice(1, table.count - 1), tail]))
    durations[0] -= before
    durations[-1] -= after
    return replace(table, durations=Runs.encode(np.maximum(durations, 1)))


def _silence(empty_cue: bytes, ticks: int, timescale: int) -> Part:
    """Return as many empty cues as it takes: the writer's durations have 31 bits."""
    whole, rest = divmod(ticks, _LONGEST_TICKS)
    durations = [_LONGEST_TICKS] * whole + [rest] * (rest > 0)
    return _literal_part([empty_cue] * len(durations), durations, timescale)


def _literal_part(samples: Sequence[bytes], durations: Sequence[int], timescale: int, description: int = 0) -> Part:
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


def lay_timecode(placed: Sequence[Placed], timescale: int, counters: Sequence[Sequence[int]]) -> Laid:
    """Write each timecode sample anew: its counter plus the frames from it to the cut (QTFF "Timecode Sample Data").

    ``counters`` are the frame numbers read from the samples of each take.
    """
    parts: list[Part] = []
    end = 0
    for item, read in zip(placed, counters, strict=True):
        take, table = item.own, item.own.track.table
        for sample, counter in enumerate(read, take.first):
            began = table.dts(sample)
            start = max(began, take.media_start)
            stop = min(table.dts(sample + 1), take.media_stop) if sample + 1 < take.stop else take.media_stop
            until = item.at_s + Fraction(stop - take.media_start, take.track.timescale)
            until_ticks = max(end + 1, to_ticks(until, timescale, Rounding.NEAREST))
            (number,) = table.chunks.descriptions_between(sample, sample + 1)
            frames = _frames_between(take.track.entries[number].timecode, start - began, take.track.timescale)
            data = struct.pack(">I", (counter + frames) & 0xFFFFFFFF)
            parts.append(_literal_part([data], [until_ticks - end], timescale, item.descriptions[number]))
            end = until_ticks
    return Laid(parts=tuple(parts), timescale=timescale, media_time=0, shown_ticks=end)


def _frames_between(form: TimecodeFormat | None, ticks: int, timescale: int) -> int:
    if form is None or not form.frame_duration or not form.timescale:
        return 0
    return rescale(ticks * form.timescale, timescale * form.frame_duration, 1, Rounding.NEAREST)
