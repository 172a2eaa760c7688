"""Merge byte ranges that overlap, touch, or lie close together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ffzero.errors import InvalidDataError

__all__ = ["Int64Array", "check_ranges", "coalesce"]

Int64Array = npt.NDArray[np.int64]


def coalesce(offsets: npt.ArrayLike, lengths: npt.ArrayLike, *, max_gap_bytes: int) -> tuple[Int64Array, Int64Array]:
    """Return the (starts, ends) of the disjoint ranges that cover all of the given ones.

    ``offsets`` and ``lengths`` are equally long int64 columns in bytes, in any order, overlapping or not; empty ranges
    are dropped. Ranges whose gap is at most ``max_gap_bytes`` become one. The result is sorted and half-open. Sorted
    input is not sorted again. Raises ``InvalidDataError`` for a negative value or an end past 2**63 - 1.
    """
    first = np.ascontiguousarray(offsets, dtype=np.int64)
    size = np.ascontiguousarray(lengths, dtype=np.int64)
    check_ranges(first, size)
    if max_gap_bytes < 0:
        raise ValueError(f"max_gap_bytes is negative: {max_gap_bytes}")
    if not size.all():
        first, size = first[size > 0], size[size > 0]
    if first.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if (first[1:] < first[:-1]).any():
        order = np.argsort(first, kind="stable")
        first, size = first[order], size[order]
    reach = np.maximum.accumulate(first + size)
    breaks = np.flatnonzero(first[1:] - reach[:-1] > max_gap_bytes)
    starts = first[np.concatenate(([0], breaks + 1))]
    ends = reach[np.concatenate((breaks, [first.size - 1]))]
    return starts, ends


def check_ranges(offsets: Int64Array, lengths: Int64Array) -> None:
    """Raise ``InvalidDataError`` unless both are equal-length vectors of ranges within [0, 2**63 - 1)."""
    if offsets.ndim != 1 or offsets.shape != lengths.shape:
        raise InvalidDataError("offsets and lengths differ in shape", expected=offsets.shape, found=lengths.shape)
    if offsets.size == 0:
        return
    if int(offsets.min()) < 0 or int(lengths.min()) < 0:
        raise InvalidDataError("a byte range has a negative offset or length")
    # int64 wraps silently: two non-negative terms whose sum does not fit always turn negative.
    if int((offsets + lengths).min()) < 0:
        raise InvalidDataError("a byte range ends past 2**63 - 1")
