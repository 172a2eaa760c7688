"""Columns and runs-free tables against plain lists."""

from __future__ import annotations

import bisect
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.containers.columns import Column
from ffzero.containers.isobmff.moved_table import MovedTable
from ffzero.errors import TruncatedError
from ffzero.storage.memory import MemorySource

pytestmark = pytest.mark.usefixtures("blocks")

DTYPES = (">u4", ">u8", "u1", np.int64, ">i4")


@st.composite
def columns(draw: st.DrawFn) -> tuple[Column, list[int]]:
    parts: list[tuple[Column, list[int]]] = []
    for _ in range(draw(st.integers(1, 20))):
        rows = draw(st.lists(st.integers(0, 200), max_size=30))
        if draw(st.booleans()):
            rows.sort()
        first = draw(st.integers(0, len(rows)))
        shift = draw(st.integers(-(1 << 40), 1 << 40))
        column = Column.of(np.array(rows, draw(st.sampled_from(DTYPES)))).slice(first, len(rows)).shifted(shift)
        parts.append((column, [row + shift for row in rows[first:]]))
    if draw(st.booleans()):
        parts.append((Column.constant(7, 5), [5] * 7))
    return Column.concat([column for column, _ in parts]), [row for _, rows in parts for row in rows]


@given(columns(), st.data())
def test_columns_are_their_rows(drawn: tuple[Column, list[int]], data: st.DataObject) -> None:
    column, rows = drawn
    assert len(column) == len(rows)
    assert column.rows().tolist() == np.asarray(column).tolist() == rows
    assert [column.at(row) for row in range(len(rows))] == rows
    first = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(first, len(rows)))
    part = rows[first:stop]
    assert column.slice(first, stop).rows().tolist() == column.rows(first, stop).tolist() == part
    assert column.sum(first, stop) == sum(part)
    assert column.extremes(first, stop) == ((min(part), max(part)) if part else (0, 0))
    assert column.slice(first, stop).is_sorted() == (part == sorted(part))
    assert column == Column.of(np.array(rows, np.int64))
    with pytest.raises(IndexError):
        column.at(len(rows))


@given(st.lists(st.integers(0, 50), max_size=60).map(sorted), st.integers(-1, 51))
def test_sorted_columns_are_searched(rows: list[int], value: int) -> None:
    column = Column.concat([Column.of(np.array(rows[:20], ">u4")), Column.of(np.array(rows[20:], np.int64))])
    assert column.is_sorted()
    assert column.bisect_left(value) == bisect.bisect_left(rows, value)


def test_sortedness_is_seen_across_blocks() -> None:
    rows = np.arange(10_000)
    rows[4096] -= 2  # the first row of a block, less than the last of the one before
    assert not Column.of(rows).is_sorted()
    assert Column.of(rows).slice(0, 4096).is_sorted()
    assert Column.of(rows).slice(4096, 10_000).is_sorted()


def test_windows_that_continue_each_other_become_one() -> None:
    column = Column.of(np.arange(100))
    assert len(Column.concat([column.slice(0, 40), column.slice(40, 100)]).windows) == 1


@given(
    st.lists(st.integers(0, 1 << 31), min_size=1, max_size=40),
    st.sampled_from([4, 8]),
    st.sampled_from([4, 8]),
    st.data(),
)
def test_moved_tables_are_worked_out_when_read(rows: list[int], kept: int, width: int, data: st.DataObject) -> None:
    source = MemorySource(b"xyz" + np.array(rows, f">u{kept}").tobytes())
    moved = MovedTable(source=source, offset=3, count=len(rows), amount=1000, kept_width=kept, width=width)
    whole = (np.array(rows, np.int64) + 1000).astype(f">u{width}").tobytes()
    first = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - first))
    assert moved.size_bytes == len(whole)
    assert moved.read_at(first, length) == whole[first : first + length]
    assert pickle.loads(pickle.dumps(moved)) == moved
    with moved.descriptor() as fd:
        assert fd is None


@pytest.mark.parametrize(("offset", "length"), [(0, 9), (8, 1), (-1, 2), (0, 1 << 60)])
def test_moved_tables_end(offset: int, length: int) -> None:
    source = MemorySource(bytes(8))
    moved = MovedTable(source=source, offset=0, count=2, amount=1, kept_width=4, width=4)
    with pytest.raises(TruncatedError):
        moved.read_at(offset, length)
