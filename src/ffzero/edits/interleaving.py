"""Coded samples in stretches of half a second, each where the source's own of that time lie: beside what is copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.containers.runs import frozen
from ffzero.edits.laying.parts import Part, StandsFor
from ffzero.extents.rope import Literal, Rope

__all__ = ["interleaved"]

_STRETCH_S = Fraction(1, 2)


def interleaved(part: Part) -> Iterator[Part]:
    """Yield a part in stretches, where it is coded samples of more than a second that stand for some of the source."""
    table, instead = part.table, part.instead_of
    if part.literal is None or instead is None or table.sizes.unit_bytes is not None:
        yield part
        return
    step = int(_STRETCH_S * table.timescale)
    times = np.concatenate(([0], np.cumsum(table.durations.expand())))
    if times[-1] <= 2 * step:
        yield part
        return
    rope = part.literal if isinstance(part.literal, Rope) else Rope([Literal(part.literal)])
    _, sizes = table.offsets_and_sizes(0, table.count)
    bytes_before = np.concatenate(([0], np.cumsum(sizes))).tolist()
    firsts = [0, *(np.flatnonzero(np.diff(times[:-1] // step)) + 1).tolist()]
    for first, stop in zip(firsts, [*firsts[1:], table.count], strict=True):
        stretch = table.slice(first, stop)
        yield replace(
            part,
            table=replace(stretch, chunks=stretch.chunks.with_offsets(frozen(np.zeros(1, np.int64)))),
            literal=rope[bytes_before[first] : bytes_before[stop]],
            place=_place(instead, Fraction(int(times[first]), table.timescale)),
        )


def _place(instead: StandsFor, after_s: Fraction) -> int:
    """Return the byte of the source at which that of the samples lies which is decoded so many seconds later."""
    table = instead.track.table
    sample = table.first_at_or_after_dts(instead.start_ticks + int(after_s * instead.track.timescale))
    sample = min(max(sample, instead.first), instead.stop - 1)
    offsets, _ = table.offsets_and_sizes(sample, sample + 1)
    return int(offsets[0])
