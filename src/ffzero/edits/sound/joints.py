"""Sound where pieces meet or an effect changes it: which packets are coded anew, and which go on being copied.

Copied packets stand on one grid all along the track. A piece's packets are moved to the nearest place on it, so that
its sound is at most half a packet off and no error adds up; where nothing of a piece is copied it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout
from ffzero.edits.rendering import Target
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.fitting import Silences, fitting, unfit
from ffzero.edits.sound.holes import HOLE_S, without_holes
from ffzero.edits.sound.line import Lane, SoundLine
from ffzero.edits.sound.rendering import RenderedSound, SoundJob

__all__ = ["AUDIO_MODES", "join_sound"]

AUDIO_MODES = ("copy", "joint", "encode")

_LEAST_COPIED_PACKETS = 2
_TAIL_PACKETS = 3
_LONGEST_SILENCE_S = 10
_WHOLE_S = Fraction(1, 20)
"""A piece that begins or ends so near its file's sound's end is whole there."""
_FREE_PACKET = 4096
_SILENCE = "there is no sound: silence"


def join_sound(
    placed: Sequence[Placed],
    pieces: Sequence[PieceLayout],
    audio: str | None,
    model: Target,
    entries: int = 1,
    *,
    fills_holes: bool = False,
) -> tuple[list[Placed], str]:
    """Return takes of one sound track with those packets between them that are to be coded anew, all like ``model``.

    Where pieces have no sound there will be silence, but with ``"copy"``. With ``fills_holes``, or where something else
    is coded, so there is where a piece's sound ends before its pictures or begins after them, and where there is a hole
    in it.

    ``audio`` is ``"copy"``, ``"joint"``, ``"encode"``, or ``None``: joints where a piece was cut inside and the codec's
    packets, only copied, would click. Also returns why nothing can be coded, empty where it can or need not be.
    """
    joints = len(placed) > 1 and (audio == "joint" or (audio is None and _cut_inside(placed, pieces)))
    effects = any(pieces[item.piece].request.sound_effects for item in placed)
    parts = [part for item in placed for part in without_holes(item, HOLE_S)] if len(placed) > 1 else list(placed)
    silences = Silences.of(placed, pieces, fills_holes=fills_holes) if audio != "copy" else Silences()
    holes = silences.is_any or (fills_holes and _has_hole(parts))
    mended = holes or any(item.unlike for item in placed)
    if not (joints or effects or mended or audio == "encode"):
        return list(placed), ""
    coding = sound_coding(model.track, model.description, model.media)
    if audio is None and not effects and not mended and not coding.clicks:
        return list(placed), ""
    if coding.packet <= 1 or not parts:
        parts = list(placed)
    if effects or mended or audio == "encode":
        parts = [fitting(item, coding) for item in parts]
        entries = 1
    reason = coding.reason or unfit(parts, coding, entries, longest_s=None if silences.is_any else _LONGEST_SILENCE_S)
    if reason:
        return list(placed), reason
    line = SoundLine(parts, pieces, coding, model, silences.first_s, silences.last_s)
    return list(_Joiner(line, all_anew=audio == "encode").laid()), ""


def _cut_inside(placed: Sequence[Placed], pieces: Sequence[PieceLayout]) -> bool:
    """Whether any of the joints is not one of a file's own end to another's own beginning."""
    for number, item in enumerate(placed):
        found = pieces[item.piece].request.media.track_range(item.take.track)
        piece = pieces[item.piece]
        if found is None:
            continue
        if number and piece.start - found[0] > _WHOLE_S:
            return True
        if number < len(placed) - 1 and found[1] - piece.end > _WHOLE_S:
            return True
    return False


def _has_hole(placed: Sequence[Placed]) -> bool:
    return any(item.at_s - before.end_s > HOLE_S for before, item in pairwise(placed))


class _Joiner:
    """Takes on a line of samples, and the packets between them that are coded anew."""

    def __init__(self, line: SoundLine, *, all_anew: bool) -> None:
        self.line = line
        self.coding = line.coding
        self.lanes = line.lanes
        self.all_anew = all_anew

    def laid(self) -> Iterator[Placed]:
        """Yield what is copied and what is coded, in order."""
        runs = list(self._runs())
        for lane in self.lanes:
            if not any(self._copied(lane, low, high) for low, high in self._between(runs)):
                lane.at = lane.begin if lane is not self.lanes[0] else lane.at
        at = 0
        for number, (low, high, reason) in enumerate(runs):
            if low > at:
                yield self._copy(at, low)
            following = runs[number + 1][0] if number + 1 < len(runs) else self.line.copied_end
            yield self._coded(low, high, reason, self._spare(low - at), self._spare(following - high))
            at = high
        if at < self.line.copied_end and not self.all_anew:
            yield self._copy(at, self.line.copied_end)

    def _between(self, runs: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
        at = 0
        for low, high, _ in runs:
            yield at, low
            at = high
        yield at, (at if self.all_anew else self.line.copied_end)

    @staticmethod
    def _copied(lane: Lane, low: int, high: int) -> bool:
        return low < high and lane.begin < high and lane.end > low

    def _runs(self) -> Iterator[tuple[int, int, str]]:
        """Yield the ranges to be coded, on the grid of packets, each with its reason; they lie apart."""
        if self.all_anew:
            packet = max(1, self.coding.packet)
            yield 0, -(-self.line.end // packet) * packet, "all sound is coded anew"
            return
        changes = sorted(self._changes())
        while changes:
            low, high, reason = changes.pop(0)
            first, stop = self._around(low, high)
            while changes and self._around(*changes[0][:2])[0] - stop < self._least_copied():
                _, other, why = changes.pop(0)
                reason = reason if why in reason else f"{reason}; {why}"
                high = max(high, other)
                first, stop = self._around(low, high)
            yield first, stop, reason

    def _least_copied(self) -> int:
        return _LEAST_COPIED_PACKETS * (self.coding.packet or _FREE_PACKET)

    def _changes(self) -> Iterator[tuple[int, int, str]]:
        """Yield each range in which the sound is not that of copied packets."""
        begin, end = self.lanes[0].begin, self.lanes[-1].end
        if self.line.is_silent_first:
            yield 0, begin + self.line.half_fade, _SILENCE
        if self.line.is_silent_last:
            yield end - self.line.half_fade, self.line.end, _SILENCE
        for lane, following in zip(self.lanes, self.lanes[1:], strict=False):
            reason = "a joint: the pieces' packets do not go on from one another"
            if following.begin - lane.end > 2 * self.line.half_fade:
                reason = _SILENCE
            yield lane.end - self.line.half_fade, following.begin + self.line.half_fade, reason
        for lane in self.lanes:
            if lane.item.unlike:
                yield lane.begin - self.line.half_fade, lane.end + self.line.half_fade, lane.item.unlike
                continue
            for placed in self.line.effects(lane):
                low, high = max(placed.first + lane.shift, lane.begin), min(placed.stop + lane.shift, lane.end)
                if low < high:
                    yield low, high, f"sound effect {placed.effect.name}"

    def _around(self, low: int, high: int) -> tuple[int, int]:
        """Return the packets to be coded for a change in ``[low, high)``, as the range of samples that they make."""
        before, after, packet = self.coding.before, self.coding.after, self.coding.packet
        if packet:
            first, stop = (low // packet - before) * packet, (-(-high // packet) + after) * packet
        else:
            first, stop = self.line.boundary(low, after=False), self.line.boundary(high, after=True)
        if min(first, low) <= self.line.base:
            first = 0
        end = self.line.copied_end
        if self.line.ends_coded and high >= self.line.end:
            stop = end
        if not packet or stop > end - packet:
            stop = min(stop, end) if stop < end else end
        return max(0, first), max(stop, first)

    def _copy(self, low: int, high: int) -> Placed:
        """Return the packets of the lane that lies in a range between what is coded."""
        lane = self.line.lane_at(high - 1)
        take, table = lane.take, lane.take.track.table
        stop = take.stop if high >= self.line.copied_end else min(self.line.number(lane, high), table.count)
        end_s = lane.item.end_s if stop == take.stop else self.line.seconds(high)
        if low == 0:
            shown = stop - take.first - take.hidden_before
            return replace(lane.item, take=replace(take, stop=stop, shown=shown), end_s=end_s)
        first = self.line.number(lane, low)
        begin = table.dts(first)
        found = replace(
            take,
            first=first,
            stop=stop,
            media_start=begin,
            media_stop=max(begin + 1, take.media_stop if stop == take.stop else table.dts(stop)),
            start=begin + take.start - take.media_start,
            shown=stop - first,
            hidden_before=0,
        )
        return replace(lane.item, take=found, at_s=self.line.seconds(low), end_s=end_s)

    def _spare(self, copied: int) -> int:
        """Return how many of the copied packets beside coded ones may be coded too; two runs share them."""
        packet = self.coding.packet
        return max(0, min(self.coding.spare, copied // packet // 2 - 1)) if packet else 0

    def _coded(self, low: int, high: int, reason: str, spare_before: int, spare_after: int) -> Placed:
        packet = self.coding.packet
        lead = (self.coding.warm + spare_before) * packet if packet > 1 and low else 0
        tail = (_TAIL_PACKETS + spare_after) * packet if packet > 1 else 0
        lane = self.line.lane_at(max(low, self.line.base))
        job = SoundJob(
            media=self.line.media,
            track=self.line.track,
            description=self.line.description,
            parts=tuple(self.line.parts(low - lead, high + tail)),
            lead=lead,
            samples=high - low,
            packet=packet,
            fade=2 * self.line.half_fade,
            before=self.line.neighbour(low, -1) if low else None,
            after=self.line.neighbour(high, 0) if high < self.line.copied_end and not self.all_anew else None,
            spare_before=spare_before if low else 0,
            spare_after=spare_after,
        )
        rendered = RenderedSound(
            job=job, reason=reason, source_start_s=self._source_start(lane, low), lead_samples=self.line.base
        )
        return Placed(
            piece=self._piece(lane, low),
            take=rendered,
            at_s=self.line.seconds(low),
            end_s=min(self.line.seconds(high), self.line.end_s),
            descriptions={self.line.description: 0},
        )

    def _piece(self, lane: Lane, low: int) -> int:
        """Return the piece that coded sound is told of: the first where silence comes before all takes."""
        return 0 if self.line.is_silent_first and low < lane.begin else lane.item.piece

    def _source_start(self, lane: Lane, low: int) -> Fraction:
        if self.line.is_silent_first and low < lane.begin:
            return self.line.pieces[0].start
        start = Fraction(lane.take.start, lane.take.track.timescale) + Fraction(low - lane.at, self.line.rate)
        return max(Fraction(0), start)
