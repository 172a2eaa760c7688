"""Cues on the timeline, trimmed to what is shown, with empty ones in the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.runs import Runs
from ffzero.edits.laying.parts import Laid, Part, Placed, ended_at, len_ticks, literal_part, mapped, own_ticks
from ffzero.timebase import Rounding, to_ticks

__all__ = ["lay_cues"]

_LONGEST_TICKS = 2**31 - 1


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
                ended_at(parts, start, end)
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
    table = mapped(item, timescale)
    durations = table.durations.expand() if table.count <= 2 else None
    before = own_ticks(take, take.media_start - take.track.table.dts(take.first), timescale)
    after = own_ticks(take, take.track.table.dts(take.stop) - take.media_stop, timescale)
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
    return literal_part([empty_cue] * len(durations), durations, timescale)
