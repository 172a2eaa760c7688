"""Packets of sound that last longer than what they decode to: behind such a one there is a hole.

Android's recorder writes a first packet that lasts two or three: it waits for the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.edits.laying.parts import Placed
from ffzero.edits.takes import Take, usual_duration

__all__ = ["HOLE_S", "without_holes"]

HOLE_S = Fraction(1, 40)
"""More than a packet of AAC: Chromium plays packets one after another, whatever their times: it leaves out holes."""

_MOST = 64
"""More holes than that are how the track was made: it stays whole."""


def without_holes(item: Placed, least_s: Fraction) -> Iterator[Placed]:
    """Yield a take of packets of one length in parts, with no hole of more than ``least_s`` in any of them.

    What would be shown of a hole alone is left out.
    """
    take = item.own
    usual = usual_duration(take.track.table)
    long = [] if take.drops else _long(take, usual + int(least_s * take.track.timescale))
    at = take.first
    for number in long:
        yield from _part(item, at, number + 1, take.track.table.dts(number) + usual)
        at = number + 1
    if not long:
        yield item
    elif at < take.stop:
        yield from _part(item, at, take.stop, take.media_stop)


def _long(take: Take, most_ticks: int) -> list[int]:
    """Return the packets that last longer than ``most_ticks``; none where there are very many."""
    runs = take.track.table.durations.slice(take.first, take.stop)
    if runs.extremes()[1] <= most_ticks:
        return []
    stops = np.cumsum(runs.counts)
    long = runs.values > most_ticks
    if int(runs.counts[long].sum()) > _MOST:
        return []
    ranges = zip((stops - runs.counts)[long].tolist(), stops[long].tolist(), strict=True)
    return [take.first + number for first, stop in ranges for number in range(first, stop)]


def _part(item: Placed, first: int, stop: int, end: int) -> Iterator[Placed]:
    take = item.own
    begin = take.media_start if first == take.first else take.track.table.dts(first)
    end = min(end, take.media_stop)
    if begin >= end:
        return
    hidden = take.hidden_before if first == take.first else 0
    part = replace(
        take,
        first=first,
        stop=stop,
        media_start=begin,
        media_stop=end,
        start=take.start + begin - take.media_start,
        shown=stop - first - hidden,
        hidden_before=hidden,
        hidden_after=take.hidden_after if stop == take.stop else 0,
    )
    at_s, end_s = (item.at_s + Fraction(ticks - take.media_start, take.track.timescale) for ticks in (begin, end))
    yield replace(item, take=part, at_s=at_s, end_s=item.end_s if end == take.media_stop else end_s)
