"""Merging of ranges, against the sets of bytes they cover."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.errors import InvalidDataError
from ffzero.extents.coalesce import coalesce

ranges = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 20)), max_size=30)


def merged(parts: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """The same, byte by byte."""
    out: list[tuple[int, int]] = []
    for byte in sorted({at for start, length in parts for at in range(start, start + length)}):
        if out and byte - out[-1][1] <= gap:
            out[-1] = (out[-1][0], byte + 1)
        else:
            out.append((byte, byte + 1))
    return out


@given(ranges, st.integers(0, 15))
def test_covers_the_same_bytes_and_the_small_gaps(parts: list[tuple[int, int]], gap: int) -> None:
    starts, ends = coalesce([p[0] for p in parts], [p[1] for p in parts], max_gap_bytes=gap)
    assert starts.dtype == ends.dtype == np.int64
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == merged(parts, gap)


def test_two_million_ranges_are_fast_sorted_or_not() -> None:
    offsets = np.arange(2_000_000, dtype=np.int64) * 100
    lengths = np.full(2_000_000, 60, np.int64)
    shuffled = np.random.default_rng(1).permutation(offsets)
    started = time.process_time()
    assert coalesce(offsets, lengths, max_gap_bytes=40)[1].tolist() == [1_999_999 * 100 + 60]
    assert coalesce(shuffled, lengths, max_gap_bytes=39)[0].size == 2_000_000
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("offsets", "lengths"), [([-1], [1]), ([1], [-1]), ([2**63 - 1], [1]), ([1, 2], [1]), ([[1]], [[1]])]
)
def test_impossible_ranges_are_refused(offsets: list[int], lengths: list[int]) -> None:
    with pytest.raises(InvalidDataError):
        coalesce(offsets, lengths, max_gap_bytes=0)


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        coalesce([1], [1], max_gap_bytes=-1)
