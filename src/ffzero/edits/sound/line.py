"""The output's line of samples: where on it the takes of a sound track lie, and what of them lies at a place.

All positions are samples of the output, 0 where its first packet's begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout
from ffzero.edits.media import Media
from ffzero.edits.sound.coding import SoundCoding, sound_coding
from ffzero.edits.sound.rendering import Neighbour, PlacedEffect, SoundPart
from ffzero.edits.takes import Take
from ffzero.timebase import Rounding, rescale, to_ticks
from ffzero.values import dataclass

__all__ = ["Lane", "SoundLine"]

_FADE_MS = 4


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
    """The takes of a sound track, side by side: copied packets stand on one grid, moved to the nearest place on it."""

    def __init__(self, placed: Sequence[Placed], pieces: Sequence[PieceLayout], coding: SoundCoding) -> None:
        self.coding = coding
        self.pieces = pieces
        first = placed[0].take
        assert isinstance(first, Take)
        self.first = placed[0]
        self.track, self.media = first.track, pieces[placed[0].piece].request.media
        self.description = first.descriptions()[0]
        self.rate = first.track.entries[self.description].sample_rate
        self.base = self.sample(first.track, first.media_start) - self.packet_start(first.track, first.first)
        self.half_fade = self.rate * _FADE_MS // 2000
        self.lanes = [self._lane(item) for item in placed]
        for lane, following in zip(self.lanes, self.lanes[1:], strict=False):
            if following.begin - lane.end <= self.half_fade:
                lane.end = following.begin
        last = self.lanes[-1]
        if last.item.unlike:
            self.copied_end = -(-last.end // max(1, coding.packet)) * max(1, coding.packet)
        else:
            self._reach(last)
            self.copied_end = self.packet_start(last.take.track, last.take.stop) + last.shift

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

    def packet_start(self, track: Track, number: int) -> int:
        if self.coding.packet:
            return number * self.coding.packet
        return self.sample(track, track.table.dts(number))

    def _lane(self, item: Placed) -> Lane:
        take = item.take
        assert isinstance(take, Take)
        begin, end = (
            self.base + to_ticks(time - self.first.at_s, self.rate, Rounding.NEAREST)
            for time in (item.at_s, item.end_s)
        )
        if item.unlike:
            own, rate = self._foreign(item, take.media_start)
            return Lane(
                item=item,
                take=take,
                media=self.pieces[item.piece].request.media,
                begin=begin,
                end=end,
                source=rescale(own, rate, self.rate, Rounding.NEAREST),
                at=begin,
            )
        source = self.sample(take.track, take.media_start)
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
        rate, packet = track.entries[description].sample_rate, sound_coding(track, description, media).packet
        table = track.table
        if not packet:
            return rescale(ticks - table.start_dts, track.timescale, rate, Rounding.NEAREST), rate
        number = table.first_at_or_after_dts(ticks)
        if number == table.count or table.dts(number) > ticks:
            number = max(0, number - 1)
        return number * packet + rescale(ticks - table.dts(number), track.timescale, rate, Rounding.NEAREST), rate

    def effects(self, lane: Lane) -> tuple[PlacedEffect, ...]:
        take, scale = lane.take, lane.take.track.timescale
        shift = take.start - take.media_start
        return tuple(
            PlacedEffect(
                effect=effect,
                first=self._place(lane, to_ticks(effect.start, scale, Rounding.NEAREST) - shift),
                stop=self._place(lane, to_ticks(effect.end, scale, Rounding.NEAREST) - shift),
            )
            for effect in self.pieces[lane.item.piece].request.sound_effects
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
        return self.first.at_s + max(Fraction(0), Fraction(at - self.base, self.rate))

    def neighbour(self, at: int, step: int) -> Neighbour | None:
        lane = self.lane_at(at + (step or 0))
        number = self.number(lane, at) + step
        inside = 0 <= number < lane.take.track.table.count
        return Neighbour(media=lane.media, track=lane.take.track, number=number) if inside else None

    def parts(self, low: int, high: int) -> Iterator[SoundPart]:
        """Yield the signal of a range of the output, piece by piece, with silence where none has any."""
        at = low
        for number, lane in enumerate(self.lanes):
            is_last = number == len(self.lanes) - 1
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
            gap = high if is_last else min(self.lanes[number + 1].begin, high)
            if gap > at:
                yield SoundPart(samples=gap - at)
                at = gap
