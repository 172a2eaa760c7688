"""The output's line of samples: where on it the takes of a sound track lie, and what of them lies at a place.

All positions are samples of the output, 0 where its first packet's begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout
from ffzero.edits.media import Media
from ffzero.edits.rendering import Target
from ffzero.edits.sound.coding import SoundCoding, sound_coding, stated_rate
from ffzero.edits.sound.rendering import Neighbour, PlacedEffect, SoundPart
from ffzero.edits.takes import Take
from ffzero.timebase import Rounding, rescale, to_ticks
from ffzero.values import dataclass

__all__ = ["Lane", "SoundLine"]

_FADE_MS = 4
_ROUNDED = 2
"""So many samples apart are the ends of an effect and its piece that only were rounded."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """A take on the output's line of samples: its sample ``source`` sounds at ``at``, which ends at ``end``."""

    item: Placed
    take: Take
    media: Media
    begin: int
    end: int
    source: int
    at: int

    @property
    def shift(self) -> int:
        return self.at - self.source


class SoundLine:
    """The takes of a sound track, side by side: copied packets stand on one grid, moved to the nearest place on it.

    ``model`` is what all of it is coded like. Where ``start_s`` is stated, there is silence from that time of the clip
    on until the first take; where ``end_s`` is, from the last take to then.
    """

    def __init__(
        self,
        placed: Sequence[Placed],
        pieces: Sequence[PieceLayout],
        coding: SoundCoding,
        model: Target,
        start_s: Fraction | None = None,
        end_s: Fraction | None = None,
    ) -> None:
        self.coding = coding
        self.pieces = pieces
        self.track, self.media, self.description = model.track, model.media, model.description
        self.rate = model.track.entries[model.description].sample_rate
        self.half_fade = self.rate * _FADE_MS // 2000
        self.is_silent_first, self.is_silent_last = start_s is not None, end_s is not None
        self.start_s = placed[0].at_s if start_s is None else start_s
        self.end_s = placed[-1].end_s if end_s is None else end_s
        self.base = self._base(placed)
        self.end = self.base + self._samples(self.end_s)
        self.lanes = [self._lane(item) for item in placed]
        for lane, following in zip(self.lanes, self.lanes[1:], strict=False):
            if following.begin - lane.end <= self.half_fade:
                lane.end = following.begin
        first, last = self.lanes[0], self.lanes[-1]
        if not (first.item.unlike or self.is_silent_first):
            first.take = _slipped(first.take, _slip(first.take, coding.packet, self.rate), self.rate)
        self.ends_coded = self.is_silent_last or bool(last.item.unlike)
        if self.ends_coded:
            self.copied_end = -(-self.end // max(1, coding.packet)) * max(1, coding.packet)
        else:
            self._reach(last)
            self.copied_end = self.packet_start(last.take.track, last.take.stop) + last.shift

    def _base(self, placed: Sequence[Placed]) -> int:
        """Return how many samples come before what is shown: copied packets' own, or what a decoder needs at least.

        So many that the first that is copied, if it is not the first of all, is in its time to the sample.
        """
        first = placed[0]
        if not (first.unlike or self.is_silent_first):
            return self._source(first.own) - self.packet_start(first.own.track, first.own.first)
        copied = next((item for item in placed if not item.unlike), None)
        if copied is None or self.coding.packet <= 1:
            return self.coding.delay
        grid = self._source(copied.own) - self._samples(copied.at_s)
        return self.coding.delay + (grid - self.coding.delay) % self.coding.packet

    def _samples(self, time_s: Fraction) -> int:
        """Return how many samples of the clip come before a time of it."""
        return to_ticks(time_s - self.start_s, self.rate, Rounding.NEAREST)

    def _reach(self, last: Lane) -> None:
        """Take a packet more where those of the last take, moved to the grid, end before the clip does."""
        packet, count = self.coding.packet, last.take.track.table.count
        if packet > 1 and last.take.stop < count and last.take.stop * packet + last.shift < last.end:
            last.take = replace(last.take, stop=last.take.stop + 1, shown=last.take.shown + 1)

    def sample(self, track: Track, ticks: int) -> int:
        """Return a media time as a sample of the track."""
        table, packet = track.table, self.coding.packet
        if not packet:
            return rescale(ticks - table.start_dts, track.timescale, self.rate, Rounding.NEAREST)
        number = table.first_at_or_after_dts(ticks)
        if number == table.count or table.dts(number) > ticks:
            number = max(0, number - 1)
        return number * packet + rescale(ticks - table.dts(number), track.timescale, self.rate, Rounding.NEAREST)

    def _source(self, take: Take) -> int:
        """Return where a take's sound begins, as a sample of the track."""
        return self.sample(take.track, take.media_start) + _slip(take, self.coding.packet, self.rate)

    def packet_start(self, track: Track, number: int) -> int:
        if self.coding.packet:
            return number * self.coding.packet
        return self.sample(track, track.table.dts(number))

    def _lane(self, item: Placed) -> Lane:
        take = item.take
        assert isinstance(take, Take)
        begin, end = (self.base + self._samples(time) for time in (item.at_s, item.end_s))
        if item.unlike:
            own, rate = self._foreign(item, take.media_start)
            own += _slip(take, sound_coding(take.track, take.descriptions()[0]).packet, rate)
            return Lane(
                item=item,
                take=take,
                media=self.pieces[item.piece].request.media,
                begin=begin,
                end=end,
                source=rescale(own, rate, self.rate, Rounding.NEAREST),
                at=begin,
            )
        source = self._source(take)
        shift, packet = begin - source, max(1, self.coding.packet)
        return Lane(
            item=item,
            take=take,
            media=self.pieces[item.piece].request.media,
            begin=begin,
            end=end,
            source=source,
            at=source + packet * round(Fraction(shift, packet)),
        )

    def _foreign(self, item: Placed, ticks: int) -> tuple[int, int]:
        """Return a media time as a sample of a take that is coded otherwise, at its own rate, and that rate."""
        track, media = item.own.track, self.pieces[item.piece].request.media
        description = item.own.descriptions()[0]
        rate, packet = stated_rate(track, description), sound_coding(track, description, media).packet
        table = track.table
        if not packet:
            return rescale(ticks - table.start_dts, track.timescale, rate, Rounding.NEAREST), rate
        number = table.first_at_or_after_dts(ticks)
        if number == table.count or table.dts(number) > ticks:
            number = max(0, number - 1)
        return number * packet + rescale(ticks - table.dts(number), track.timescale, rate, Rounding.NEAREST), rate

    def effects(self, lane: Lane) -> tuple[PlacedEffect, ...]:
        """Return the effects of a lane's piece, on samples of its track, at the rate that its sample entry states."""
        take, scale = lane.take, lane.take.track.timescale
        shift = take.start - take.media_start
        begin, end = self._place(lane, take.media_start), self._place(lane, take.media_stop)
        effects = [
            (
                effect,
                self._place(lane, to_ticks(effect.start, scale, Rounding.NEAREST) - shift),
                self._place(lane, to_ticks(effect.end, scale, Rounding.NEAREST) - shift),
            )
            for effect in self.pieces[lane.item.piece].request.sound_effects
        ]
        return tuple(
            PlacedEffect(
                effect=effect,
                first=first,
                stop=stop,
                opens=abs(first - begin) <= _ROUNDED,
                closes=abs(stop - end) <= _ROUNDED,
                follows=any(abs(other - first) <= _ROUNDED for _, _, other in effects),
                precedes=any(abs(other - stop) <= _ROUNDED for _, other, _ in effects),
            )
            for effect, first, stop in effects
            if first < stop
        )

    def _place(self, lane: Lane, ticks: int) -> int:
        return self._foreign(lane.item, ticks)[0] if lane.item.unlike else self.sample(lane.take.track, ticks)

    def boundary(self, at: int, *, after: bool) -> int:
        """Return the beginning of a packet of any length next to a position."""
        lane = self.lane_at(at)
        table, scale = lane.take.track.table, lane.take.track.timescale
        ticks = table.start_dts + rescale(at - lane.shift, self.rate, scale, Rounding.NEAREST)
        number = table.first_at_or_after_dts(ticks)
        if not after and (number == table.count or table.dts(number) > ticks):
            number = max(0, number - 1)
        return self.packet_start(lane.take.track, number) + lane.shift

    def lane_at(self, at: int) -> Lane:
        found = [lane for lane in self.lanes if lane.begin <= at]
        return found[-1] if found else self.lanes[0]

    def number(self, lane: Lane, at: int) -> int:
        """Return the packet of a lane that begins at a position of the output."""
        if self.coding.packet:
            return (at - lane.shift) // self.coding.packet
        table = lane.take.track.table
        ticks = table.start_dts + rescale(at - lane.shift, self.rate, lane.take.track.timescale, Rounding.NEAREST)
        return table.first_at_or_after_dts(ticks)

    def seconds(self, at: int) -> Fraction:
        return self.start_s + max(Fraction(0), Fraction(at - self.base, self.rate))

    def neighbour(self, at: int, step: int) -> Neighbour | None:
        lane = self.lane_at(at + (step or 0))
        number = self.number(lane, at) + step
        inside = 0 <= number < lane.take.track.table.count
        return Neighbour(media=lane.media, track=lane.take.track, number=number) if inside else None

    def parts(self, low: int, high: int) -> Iterator[SoundPart]:
        """Yield the signal of a range of the output, piece by piece, with silence where none has any."""
        at = low
        if self.is_silent_first and at < self.lanes[0].begin:
            at = min(self.lanes[0].begin, high)
            yield SoundPart(samples=at - low)
        for number, lane in enumerate(self.lanes):
            is_last = number == len(self.lanes) - 1 and not self.is_silent_last
            stop = high if is_last else min(lane.end, high)
            if stop > at:
                yield SoundPart(
                    samples=stop - at,
                    media=lane.media,
                    track=lane.take.track,
                    first=at - lane.shift,
                    effects=self.effects(lane),
                )
                at = stop
            gap = high if number == len(self.lanes) - 1 else min(self.lanes[number + 1].begin, high)
            if gap > at:
                yield SoundPart(samples=gap - at)
                at = gap


def _slip(take: Take, packet: int, rate: int) -> int:
    """Return by how many samples the packet that a take begins in is later than most of its packets.

    Packets follow one another in time; the few whose times do not are played where the others are in theirs. 0 where
    it is too little to matter, or its packets have no one length.
    """
    if packet <= 1:
        return 0
    table = take.track.table
    numbers = np.arange(take.first, take.stop)
    times = table.durations.sums_before(take.first, take.stop)[: len(numbers)] * (rate / take.track.timescale)
    late = times - numbers * float(packet)
    number = min(take.stop - 1, max(take.first, table.first_at_or_after_dts(take.media_start + 1) - 1))
    slip = round(float(late[number - take.first] - np.median(late)))
    ticks = take.media_start + rescale(slip, rate, take.track.timescale, Rounding.NEAREST)
    return slip if abs(slip) > packet // 8 and table.dts(take.first) <= ticks < take.media_stop else 0


def _slipped(take: Take, samples: int, rate: int) -> Take:
    """Return a take that is shown from so many samples later on."""
    ticks = rescale(samples, rate, take.track.timescale, Rounding.NEAREST)
    return replace(take, media_start=take.media_start + ticks, start=take.start + ticks) if ticks else take
