"""A stretch of a sample table, expanded into a ``SampleIndex``."""

from __future__ import annotations

import numpy as np

from ffzero.containers.index import SampleIndex
from ffzero.containers.isobmff.sample_table import SampleTable

__all__ = ["sample_index"]


def sample_index(table: SampleTable, first: int = 0, stop: int | None = None) -> SampleIndex:
    """Return samples ``[first, stop)`` of ``table`` as columns, all new arrays. Raises ``UsageError`` if too many."""
    stop = table.count if stop is None else min(stop, table.count)
    first = min(max(first, 0), stop)
    SampleIndex.check_bound(stop - first)
    offsets, sizes = table.offsets_and_sizes(first, stop)
    part = table.slice(first, stop)
    is_sync = np.ones(stop - first, np.bool_)
    if part.sync is not None:
        is_sync[:] = False
        is_sync[part.sync] = True
    samples = part.chunks.run_chunks * part.chunks.run_samples
    return SampleIndex(
        first=first,
        timescale=table.timescale,
        offset_bytes=offsets,
        size_bytes=sizes,
        dts_ticks=table.durations.sums_before(first, stop) + table.start_dts,
        pts_ticks=table.pts_column(first, stop).copy(),
        duration_ticks=table.durations.expand(first, stop).copy(),
        is_sync=is_sync,
        description=np.repeat(part.chunks.run_descriptions, samples).astype(np.int64),
    )
