"""Which byte ranges of a file the chunks of several tables lie in, without looking at every chunk.

Tracks that are interleaved without gaps fill the file from the first chunk that is kept to the last, ragged ends aside.
Whether they do is a comparison of two sums, so the tables are halved only as far as something is missing between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.extents.coalesce import Int64Array, coalesce

__all__ = ["byte_runs"]

_FEW_CHUNKS = 1 << 13

Part = tuple[SampleTable, int, int]
"""Chunks ``[first, stop)`` of a table."""


def byte_runs(tables: Sequence[SampleTable], *, max_gap_bytes: int) -> tuple[Int64Array, Int64Array]:
    """Return the sorted, disjoint (starts, ends) of the ranges that cover the chunks of all tables.

    Gaps of at most ``max_gap_bytes`` are covered too. Where chunks overlap, a wider gap may be: what is returned always
    covers every chunk. Costs as many steps as there are gaps between chunks of tables that are in order.
    """
    starts: list[Int64Array] = []
    lengths: list[Int64Array] = []
    ordered = [(table, 0, table.chunk_count) for table in tables if table.chunk_count and table.chunks_in_order]
    pending: list[list[Part]] = [ordered] if ordered else []
    pending += [[(table, 0, table.chunk_count)] for table in tables if table.chunk_count and not table.chunks_in_order]
    while pending:
        parts = pending.pop()
        in_order = parts[0][0].chunks_in_order
        hull = _filled(parts, max_gap_bytes) if in_order else None
        if hull is not None:
            starts.append(np.array(hull[:1], np.int64))
            lengths.append(np.array([hull[1] - hull[0]], np.int64))
        elif _few(parts):
            ranges = [table.chunk_ranges(first, stop) for table, first, stop in parts]
            offsets, sizes = (np.concatenate(column) for column in zip(*ranges, strict=True))
            begins, ends = coalesce(offsets, sizes, max_gap_bytes=max_gap_bytes)
            starts.append(begins)
            lengths.append(ends - begins)
        else:
            pending += _halved(parts, in_order)
    if not starts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return coalesce(np.concatenate(starts), np.concatenate(lengths), max_gap_bytes=max_gap_bytes)


def _few(parts: list[Part]) -> bool:
    counts = [stop - first for _, first, stop in parts]
    return sum(counts) <= _FEW_CHUNKS or max(counts) == 1


def _halved(parts: list[Part], in_order: bool) -> list[list[Part]]:
    """Split chunks in two: those in order by their place in the file."""
    table, first, stop = max(parts, key=lambda part: part[2] - part[1])
    middle = (first + stop) // 2
    if not in_order:
        return [[(table, first, middle)], [(table, middle, stop)]]
    border = table.chunks.offsets.at(middle)
    cuts = [
        middle if one is table and (low, high) == (first, stop) else one.chunks.offsets.bisect_left(border, low, high)
        for one, low, high in parts
    ]
    lower = [(one, low, cut) for (one, low, _), cut in zip(parts, cuts, strict=True) if cut > low]
    upper = [(one, cut, high) for (one, _, high), cut in zip(parts, cuts, strict=True) if high > cut]
    return [lower, upper]


def _filled(parts: list[Part], max_gap_bytes: int) -> tuple[int, int] | None:
    """Return the range from the first byte of the chunks to the last if gaps in it cannot be wider than allowed."""
    ends = [_end(*part) for part in parts]
    if any(end is None for end in ends):
        return None
    start = min(table.chunks.offsets.at(first) for table, first, _ in parts)
    end = max(end for end in ends if end is not None)
    total = sum(table.chunks_bytes(first, stop) for table, first, stop in parts)
    return (start, end) if total <= end - start <= total + max_gap_bytes else None


def _end(table: SampleTable, first: int, stop: int) -> int | None:
    """Return the end of the chunk that reaches furthest; ``None`` where that would take looking at many."""
    offsets = table.chunks.offsets
    reach = offsets.at(stop - 1) - table.most_chunk_bytes  # chunks up to here end before the last one begins
    low = offsets.bisect_left(reach, first, stop)
    if stop - low > _FEW_CHUNKS:
        return None
    begins, sizes = table.chunk_ranges(low, stop)
    return int((begins + sizes).max())
