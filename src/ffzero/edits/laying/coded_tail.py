"""Decoding times of a track with coded pictures: before its end, and no earlier than its reordering asks for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.runs import Runs

__all__ = ["decoded_before", "without_surplus"]


def decoded_before(tables: Sequence[SampleTable], end_ticks: int) -> list[SampleTable]:
    """Return tables that follow one another, from dts 0 on, with every sample decoded before ``end_ticks``.

    GStreamer's qtdemux leaves out samples that are decoded as late as an edit lasts, counted from the beginning of the
    media. Only the last samples move, as little as it takes, one tick apart at the least; all are shown when they were.
    Nothing changes where there are fewer ticks than samples.
    """
    durations = Runs.concat([table.durations for table in tables], keep_runs=True)
    count = len(durations)
    latest = end_ticks - count
    first = bisect_right(range(count), latest, key=lambda sample: durations.sum_before(sample) - sample)
    if latest < 0 or first == count:
        return list(tables)
    old = durations.sums_before(first, count)
    new = np.minimum(old, latest + np.arange(first, count))
    between = np.diff(new, prepend=durations.sum_before(first - 1))
    kept = durations.slice(0, first - 1), durations.slice(count - 1, count)
    durations = Runs.concat([kept[0], Runs.encode(between), kept[1]], keep_runs=True)
    borders = np.cumsum([0, *(table.count for table in tables)]).tolist()
    moved: list[SampleTable] = []
    for table, (begin, stop) in zip(tables, pairwise(borders), strict=True):
        if stop >= first:  # the sample before the first that moves lasts less long
            table = replace(table, durations=durations.slice(begin, stop))
        if stop > first:
            low = max(begin, first)
            table = _shown_later(table, low - begin, (old - new)[low - first : stop - first])
        moved.append(table)
    return moved


def without_surplus(tables: Sequence[SampleTable]) -> tuple[list[SampleTable], int]:
    """Return tables with all composition offsets less by what each of them has, and by how much: 0 ticks or more.

    A source decodes its pictures early because of reordering that a few coded ones do not have. GStreamer's qtdemux
    takes offsets of twice the track's length for damage, and leaves out pictures of short cuts at lesser ones.
    """
    surplus = max(0, min(table.composition_range[0] for table in tables))
    return [table.with_composition_shift(-surplus) for table in tables], surplus


def _shown_later(table: SampleTable, first: int, ticks: np.ndarray) -> SampleTable:
    """Return the table with composition offsets from sample ``first`` on greater by ``ticks``."""
    offsets = table.composition or Runs.constant(table.count, 0)
    later = Runs.encode(offsets.expand(first, table.count) + ticks)
    return replace(table, composition=Runs.concat([offsets.slice(0, first), later]))
