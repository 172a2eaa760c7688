"""Timecode samples, written anew for what is shown of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from ffzero.containers.isobmff.sample_entry import TimecodeFormat
from ffzero.edits.laying.parts import Laid, Part, Placed, literal_part
from ffzero.timebase import Rounding, rescale, to_ticks

__all__ = ["lay_timecode"]


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
            parts.append(literal_part([data], [until_ticks - end], timescale, item.descriptions[number]))
            end = until_ticks
    return Laid(parts=tuple(parts), timescale=timescale, media_time=0, shown_ticks=end)


def _frames_between(form: TimecodeFormat | None, ticks: int, timescale: int) -> int:
    if form is None or not form.frame_duration or not form.timescale:
        return 0
    return rescale(ticks * form.timescale, timescale * form.frame_duration, 1, Rounding.NEAREST)
