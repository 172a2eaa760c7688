"""The algebra of run-length columns, held against plain lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.containers.columns import Origin
from ffzero.containers.runs import Runs
from ffzero.errors import InvalidDataError
from ffzero.storage.memory import MemorySource

pytestmark = pytest.mark.usefixtures("blocks")


def stored(rows: list[tuple[int, int]], *, raw: bool) -> Runs:
    """Return rows as runs: of plain columns, or of pairs as an ``stts`` or ``ctts`` has them."""
    if not raw:
        return Runs(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.int64))
    pairs = b"".join(count.to_bytes(4, "big") + value.to_bytes(4, "big", signed=True) for count, value in rows)
    return Runs(
        np.frombuffer(pairs, ">u4")[0::2],
        np.frombuffer(pairs, ">i4")[1::2],
        Origin(source=MemorySource(pairs), offset=0),
    )


@st.composite
def runs(draw: st.DrawFn, *, least: int = -50) -> tuple[Runs, list[int]]:
    """Draw runs that went through a few operations, and the list that plain operations make."""
    rows = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(least, 50)), max_size=40))
    column, values = stored(rows, raw=draw(st.booleans())), [value for count, value in rows for _ in range(count)]
    for _ in range(draw(st.integers(0, 4))):
        match draw(st.sampled_from(["slice", "join", "keep", "scale", "shift", "last", "merge", "many"])):
            case "slice":
                first = draw(st.integers(0, len(values)))
                stop = draw(st.integers(first, len(values)))
                column, values = column.slice(first, stop), values[first:stop]
            case "join":
                column, values = Runs.concat([column, Runs.constant(3, 7), column]), values + [7] * 3 + values
            case "keep":
                column, values = Runs.concat([column, column], keep_runs=True), values * 2
            case "scale":
                column, values = column.scaled(3), [value * 3 for value in values]
            case "shift":
                column, values = column.shifted(5), [value + 5 for value in values]
            case "last":
                column, values = column.with_last(9), [*values[:-1], 9] if values else []
            case "merge":
                column = column.merged()
            case "many" if len(values) < 100:
                column = Runs.concat([column, *(Runs.constant(1, number % 3) for number in range(20))])
                values = values + [number % 3 for number in range(20)]
    return column, values


@given(runs(), st.data())
def test_runs_are_their_values(drawn: tuple[Runs, list[int]], data: st.DataObject) -> None:
    column, values = drawn
    first = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(first, len(values)))
    assert len(column) == len(values)
    assert column.expand().tolist() == values
    assert column.expand(first, stop).tolist() == column.slice(first, stop).expand().tolist() == values[first:stop]
    assert [column.at(index) for index in range(len(values))] == values
    assert [column.sum_before(index) for index in range(len(values) + 1)] == sums(values)
    assert column.sums_before(first, stop).tolist() == sums(values)[first:stop]
    assert column.extremes() == ((min(values), max(values)) if values else (0, 0))


@given(runs(), st.integers(1, 5))
def test_runs_are_counted(drawn: tuple[Runs, list[int]], step: int) -> None:
    column, values = drawn
    counts = column.counts.tolist()
    assert all(count > 0 for count in counts)
    assert np.repeat(column.values, column.counts).tolist() == values
    assert column.run_count == len(counts)
    assert [column.run_of(index) for index in range(len(values))] == np.repeat(range(len(counts)), counts).tolist()
    assert column.ends.tolist() == np.cumsum(counts).tolist()
    assert column.sums.tolist() == [sums(values)[end] for end in np.cumsum(counts)]
    passes = list(column.passes(step))
    assert [count for part, _ in passes for count in part.tolist()] == counts
    assert [value for _, part in passes for value in part.tolist()] == column.values.tolist()
    assert all(len(part) <= step for part, _ in passes)


@given(runs(least=0), st.integers(-2, 3000))
def test_sums_are_searched(drawn: tuple[Runs, list[int]], target: int) -> None:
    column, values = drawn
    reached = [index for index, total in enumerate(sums(values)) if total >= target]
    assert column.first_sum_at_least(target) == (reached[0] if reached else len(values) + 1)


@given(runs(), runs())
def test_equality_is_by_content(one: tuple[Runs, list[int]], two: tuple[Runs, list[int]]) -> None:
    assert (one[0] == two[0]) == (one[1] == two[1])
    assert one[0] == Runs.encode(one[1])


@given(runs())
def test_merged_runs_are_the_shortest(drawn: tuple[Runs, list[int]]) -> None:
    column, values = drawn
    merged = column.merged()
    assert merged.expand().tolist() == values
    assert not np.any(merged.values[1:] == merged.values[:-1])


@given(runs(), runs())
def test_a_joint_is_one_run_where_values_meet(one: tuple[Runs, list[int]], two: tuple[Runs, list[int]]) -> None:
    joined = Runs.concat([one[0], two[0]])
    assert joined.expand().tolist() == one[1] + two[1]
    if one[1] and two[1] and one[1][-1] == two[1][0]:
        assert joined.run_of(len(one[1]) - 1) == joined.run_of(len(one[1]))


def sums(values: list[int]) -> list[int]:
    return [0, *np.cumsum(np.array(values, np.int64)).tolist()]


def test_sums_are_exact_beyond_64_bits() -> None:
    column = Runs.constant(1 << 31, 1 << 30).scaled(1 << 20)
    assert column.sum_before(1 << 31) == 1 << 81


def test_stored_sums_that_do_not_fit_are_refused() -> None:
    column = stored([((1 << 32) - 1, (1 << 31) - 1)] * 3, raw=True)
    assert len(column) == 3 * ((1 << 32) - 1)
    with pytest.raises(InvalidDataError, match=r"2\*\*62"):
        column.sum_before(5)


@pytest.mark.parametrize("index", [-1, 6])
def test_indexes_outside_are_errors(index: int) -> None:
    column = Runs(np.array([2, 3]), np.array([1, 4]))
    with pytest.raises(IndexError):
        column.at(index)
    with pytest.raises(IndexError):
        column.sum_before(index)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="two equal columns"):
        Runs(np.array([1, 2]), np.array([1]))


def test_slices_hold_no_copy() -> None:
    column = Runs(np.ones(100_000, np.int64), np.arange(100_000))
    part = column.slice(10, 99_000)
    assert np.shares_memory(part.windows[0].table.values.array, column.windows[0].table.values.array)
