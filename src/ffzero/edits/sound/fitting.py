"""What of a sound track can stand beside what is coded anew: takes whose packets fit, and where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout
from ffzero.edits.sound.coding import SoundCoding, sound_coding
from ffzero.edits.takes import Take, usual_duration
from ffzero.values import dataclass

__all__ = ["Silences", "fitting", "unfit"]

_LATE_S = Fraction(1, 1000)
"""Later than that sound needs an edit list to begin in its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """Where pieces have no sound: from ``first_s`` of the clip to the first take, from the last to ``last_s``."""

    first_s: Fraction | None = None
    last_s: Fraction | None = None
    between: bool = False

    @classmethod
    def of(cls, placed: Sequence[Placed], pieces: Sequence[PieceLayout], *, fills_holes: bool) -> Silences:
        """With ``fills_holes`` also where the first piece's sound begins late."""
        heard = [item.piece for item in placed]
        begins_late = bool(heard[0]) or (fills_holes and placed[0].at_s - pieces[0].at > _LATE_S)
        last = pieces[-1]
        return cls(
            first_s=pieces[0].at if begins_late else None,
            last_s=last.at + last.end - last.start if heard[-1] < len(pieces) - 1 else None,
            between=len(set(heard)) < heard[-1] - heard[0] + 1,
        )

    @property
    def is_any(self) -> bool:
        return self.first_s is not None or self.last_s is not None or self.between


def fitting(item: Placed, coding: SoundCoding) -> Placed:
    """Return a take that is to be coded where its packets can stand beside the model's only if nothing is."""
    take = item.own
    used = take.descriptions()
    if item.unlike or coding.reason or len(used) > 1:
        return item
    if item.descriptions[used[0]]:
        return replace(item, descriptions={used[0]: 0}, unlike="its sample entry is another")
    if sound_coding(take.track, used[0]).packet != coding.packet:
        return replace(item, unlike="its packets are of another length")
    return item


def unfit(placed: Sequence[Placed], coding: SoundCoding, entries: int, longest_s: int | None) -> str:
    if entries > 1 or len({item.descriptions[number] for item in placed for number in item.take.descriptions()}) > 1:
        return "the pieces' sound has several sample entries"
    for number, item in enumerate(placed):
        take = item.take
        assert isinstance(take, Take)
        if item.unlike:
            continue
        if sound_coding(take.track, take.descriptions()[0]).packet != coding.packet:
            return "the pieces' packets differ in length"
        if coding.packet and not _is_even(take, coding.packet):
            return "packets are not all of one length, or there are gaps between them"
        if longest_s is not None and number and item.at_s - placed[number - 1].end_s > longest_s:
            return f"there is no sound for more than {longest_s} seconds"
    return ""


def _is_even(take: Take, packet: int) -> bool:
    """Whether the packets follow one another without gaps, all of one length but for the jitter of their times."""
    table, entry = take.track.table, take.track.entries[take.descriptions()[0]]
    ticks = Fraction(packet * take.track.timescale, entry.sample_rate)
    if packet == 1 or abs(usual_duration(table) - ticks) > ticks / 8:
        return packet == 1
    times = table.durations.sums_before(take.first, take.stop).astype(np.float64)
    late = times - np.arange(len(times)) * float(ticks)
    return bool(late.max() - late.min() <= ticks)
