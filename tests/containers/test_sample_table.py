"""The algebra of sample tables, held against lists of samples; and searches by time against looking at every sample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.containers.isobmff.byte_runs import byte_runs
from ffzero.containers.isobmff.chunks import Chunks, Sizes
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.search import first_pts_at_or_after, shown_between
from ffzero.containers.runs import Runs
from ffzero.errors import InvalidDataError
from ffzero.extents.coalesce import coalesce
from support.tables import Sample, samples_of, tables

pytestmark = pytest.mark.usefixtures("blocks")

Drawn = tuple[SampleTable, list[Sample]]


def drawn_range(data: st.DataObject, count: int) -> tuple[int, int]:
    first = data.draw(st.integers(0, count))
    return first, data.draw(st.integers(first, count))


def pts_of(samples: Sequence[Sample]) -> list[int]:
    starts = [0, *accumulate(sample.duration for sample in samples)]
    return [start + sample.composition for start, sample in zip(starts, samples, strict=False)]


@given(tables())
def test_tables_are_their_samples(drawn: Drawn) -> None:
    table, samples = drawn
    assert samples_of(table) == samples
    offsets, sizes = table.offsets_and_sizes(0, table.count)
    assert list(zip(offsets.tolist(), sizes.tolist(), strict=True)) == [(one.offset, one.size) for one in samples]
    assert table.pts_column(0, table.count).tolist() == pts_of(samples)
    assert table.composition_range == (min(s.composition for s in samples), max(s.composition for s in samples))


@given(tables(), st.data())
def test_slices(drawn: Drawn, data: st.DataObject) -> None:
    table, samples = drawn
    first, stop = drawn_range(data, len(samples))
    part = table.slice(first, stop)
    assert samples_of(part) == samples[first:stop]
    again, end = drawn_range(data, stop - first)
    assert samples_of(part.slice(again, end)) == samples[first + again : first + end]
    used = sorted({sample.description for sample in samples[first:stop]})
    assert table.chunks.descriptions_between(first, stop) == used


@pytest.mark.parametrize(("first", "stop"), [(-1, 1), (2, 1), (0, 1000)])
@given(drawn=tables())
def test_slices_outside_are_refused(drawn: Drawn, first: int, stop: int) -> None:
    with pytest.raises(ValueError, match="samples"):
        drawn[0].slice(first, stop)


@given(st.lists(tables(most=8), min_size=1, max_size=3), st.data())
def test_joins(drawn: list[Drawn], data: st.DataObject) -> None:
    cut = [(table, samples, *drawn_range(data, len(samples))) for table, samples in drawn]
    joined = SampleTable.concat([table.slice(first, stop) for table, _, first, stop in cut])
    expected = [sample for _, samples, first, stop in cut for sample in samples[first:stop]]
    assert samples_of(joined) == expected
    first, stop = drawn_range(data, len(expected))
    assert samples_of(joined.slice(first, stop)) == expected[first:stop]


@given(tables(), st.data())
def test_dropped_samples_leave_their_time_to_the_one_before(drawn: Drawn, data: st.DataObject) -> None:
    table, samples = drawn
    first, stop = drawn_range(data, len(samples))
    left = [*samples[:first], *samples[stop:]]
    if first and first < stop:
        gone = sum(sample.duration for sample in samples[first:stop])
        left[first - 1] = left[first - 1]._replace(duration=left[first - 1].duration + gone)
    assert samples_of(table.without(first, stop)) == left


@given(tables(), st.data())
def test_chunks_are_where_samples_lie(drawn: Drawn, data: st.DataObject) -> None:
    table, samples = drawn
    first, stop = drawn_range(data, len(samples))
    part = table.slice(first, stop)
    offsets, lengths = part.chunk_ranges()
    covered = sorted(
        (offset, offset + length) for offset, length in zip(offsets.tolist(), lengths.tolist(), strict=True)
    )
    assert sum(end - start for start, end in covered) == sum(sample.size for sample in samples[first:stop])
    for sample in samples[first:stop]:
        assert any(start <= sample.offset and sample.offset + sample.size <= end for start, end in covered)
    assert part.chunks_bytes(0, part.chunk_count) == int(lengths.sum())
    assert part.chunks_in_order == (offsets.tolist() == sorted(offsets.tolist()))
    assert not len(lengths) or part.most_chunk_bytes >= int(lengths.max())
    low, high = drawn_range(data, part.chunk_count)
    some = part.chunk_ranges(low, high)
    assert (some[0].tolist(), some[1].tolist()) == (offsets[low:high].tolist(), lengths[low:high].tolist())


@given(tables(), st.integers(-3, 3))
def test_the_first_sample_may_come_later(drawn: Drawn, ticks: int) -> None:
    table, samples = drawn
    first = samples[0]._replace(duration=samples[0].duration - ticks, composition=samples[0].composition - ticks)
    assert samples_of(table.with_first_later(ticks))[0] == first
    assert samples_of(table.with_first_later(ticks))[1:] == samples[1:]


@given(tables(), st.data())
def test_a_squeezed_lead_keeps_its_order_and_what_follows(drawn: Drawn, data: st.DataObject) -> None:
    table, samples = drawn
    count = data.draw(st.integers(0, len(samples) - 1))
    squeezed = table.squeezed(count)
    after = samples_of(squeezed)
    border = sum(sample.duration for sample in samples[:count])
    floor = min(0, *(sample.composition for sample in samples))
    assert [sample.duration for sample in after] == [1] * count + [sample.duration for sample in samples[count:]]
    old, new = pts_of(samples), pts_of(after)
    assert new[count:] == [time - border + count for time in old[count:]]
    early = [n for n in range(count) if old[n] < border + floor]
    assert sorted(early, key=lambda n: new[n]) == sorted(early, key=lambda n: old[n])
    assert all(count + floor - len(early) <= new[n] < count + floor for n in early)
    assert all(new[n] == old[n] - border + count for n in range(count) if n not in early)


@given(tables(), st.integers(1, 7))
def test_rescaling_is_exact(drawn: Drawn, factor: int) -> None:
    table, samples = drawn
    scaled = table.rescaled(1000 * factor)
    assert scaled.timescale == 1000 * factor
    assert [(s.duration, s.composition) for s in samples_of(scaled)] == [
        (s.duration * factor, s.composition * factor) for s in samples
    ]


@given(tables(), st.integers(1, 4000).filter(lambda scale: scale % 1000))
def test_resampling_rounds_each_time_to_the_nearest_tick(drawn: Drawn, timescale: int) -> None:
    table, samples = drawn
    resampled = table.resampled(timescale)
    ends = accumulate(sample.duration for sample in samples)
    expected = [(2 * end * timescale + 1000) // 2000 for end in ends]
    assert list(accumulate(sample.duration for sample in samples_of(resampled))) == expected


def test_resampling_goes_on_over_many_samples() -> None:
    count = 200_000
    table = one_chunk(count, Runs.constant(count, 1001), timescale=30_000)
    resampled = table.resampled(90_001)
    dts = resampled.durations.sums_before(0, count)
    exact = np.arange(count) * 1001 * 90_001 / 30_000
    assert np.abs(dts - exact).max() <= 0.5
    assert len(resampled.durations.merged().counts) > 1


@pytest.mark.parametrize("timescale", [1000 * 4_294_967, 4_294_967_291])
def test_times_that_would_wrap_are_refused(timescale: int) -> None:
    table = one_chunk(1 << 30, Runs.constant(1 << 30, 1 << 31), timescale=1000)
    with pytest.raises(InvalidDataError, match="too great"):
        table.resampled(timescale)


def one_chunk(count: int, durations: Runs, *, timescale: int) -> SampleTable:
    one = np.ones(1, np.int64)
    chunks = Chunks(offsets=one * 0, run_chunks=one, run_samples=one * count, run_descriptions=one * 0)
    return SampleTable(timescale=timescale, durations=durations, sizes=Sizes(count=count, uniform=1), chunks=chunks)


@given(tables(in_order=True), st.data())
def test_chunks_move_with_the_run_that_they_lie_in(drawn: Drawn, data: st.DataObject) -> None:
    table, _ = drawn
    starts = sorted(data.draw(st.sets(st.integers(100, 5000), max_size=4)) | {100})
    targets = [data.draw(st.integers(0, 1 << 40)) for _ in starts]
    moved = table.moved(np.array(starts), np.array(targets))
    offsets = table.chunks.offsets.rows().tolist()
    expected = []
    for offset in offsets:
        start, target = max(pair for pair in zip(starts, targets, strict=True) if pair[0] <= offset)
        expected.append(offset - start + target)
    assert moved.chunks.offsets.rows().tolist() == expected
    shuffled = table.rebased(np.array(offsets[::-1]))
    assert shuffled.moved(np.array(starts), np.array(targets)).chunks.offsets.rows().tolist() == expected[::-1]


@given(tables(), st.permutations([0, 1]))
def test_descriptions_are_renumbered(drawn: Drawn, order: list[int]) -> None:
    table, samples = drawn
    chunks = table.chunks.with_descriptions({0: order[0], 1: order[1]})
    assert np.repeat(chunks.run_descriptions, chunks.run_chunks * chunks.run_samples).tolist() == [
        order[sample.description] for sample in samples
    ]


def test_unknown_descriptions_are_errors() -> None:
    with pytest.raises(KeyError):
        one_chunk(3, Runs.constant(3, 1), timescale=1).chunks.with_descriptions({1: 0})


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(1, 9), st.integers(2, 6))
def test_packed_sound_counts_a_packet_once(counts: list[int], unit_bytes: int, unit: int) -> None:
    sizes = [Sizes(count=count * unit, uniform=1, unit_samples=unit, unit_bytes=unit_bytes) for count in counts]
    joined = Sizes.concat([*sizes, Sizes(count=2, column=np.array([5, 6]))])
    packets = [unit_bytes, *[0] * (unit - 1)] * sum(counts)
    assert joined.expand(0, joined.count).tolist() == [*packets, 5, 6]
    assert sum(part.sum(0, part.count) for part in sizes) == sum(counts) * unit_bytes


# Searches by time.


@st.composite
def reordered(draw: st.DrawFn) -> Drawn:
    table, samples = draw(tables(most=60))
    ticks = draw(st.integers(-20, 20))
    return table.with_composition_shift(ticks), [s._replace(composition=s.composition + ticks) for s in samples]


@given(reordered(), st.integers(-40, 140), st.integers(0, 80))
def test_shown_samples_are_found(drawn: Drawn, low: int, length: int) -> None:
    table, samples = drawn
    times = pts_of(samples)
    inside = [number for number, time in enumerate(times) if low <= time < low + length]
    found = shown_between(table, low, low + length)
    if not inside:
        assert found is None
        return
    assert found is not None
    assert (found.first, found.stop, found.count) == (inside[0], inside[-1] + 1, len(inside))
    assert (found.first_pts, found.last_pts) == (min(times[n] for n in inside), max(times[n] for n in inside))


@given(reordered(), st.integers(-40, 140))
def test_the_next_time_is_found(drawn: Drawn, low: int) -> None:
    table, samples = drawn
    assert first_pts_at_or_after(table, low) == min((time for time in pts_of(samples) if time >= low), default=None)


# Byte ranges of several tables.


@given(st.lists(tables(), min_size=1, max_size=3), st.integers(0, 900), st.integers(1, 9), st.data())
def test_byte_runs_are_what_all_chunks_make(drawn: list[Drawn], gap: int, few: int, data: st.DataObject) -> None:
    parts = [table.slice(*drawn_range(data, len(samples))) for table, samples in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ffzero.containers.isobmff.byte_runs._FEW_CHUNKS", few)
        starts, ends = byte_runs(parts, max_gap_bytes=gap)
    ranges = [part.chunk_ranges() for part in parts]
    offsets, lengths = (np.concatenate([pair[side] for pair in ranges]) for side in (0, 1))
    wanted = coalesce(offsets, lengths, max_gap_bytes=gap)
    assert np.all(starts[1:] > ends[:-1])
    for start, end in zip(*wanted, strict=True):
        assert np.any((starts <= start) & (end <= ends))
    if len(drawn) == 1:  # chunks of one table do not overlap: nothing more is taken
        assert (starts.tolist(), ends.tolist()) == (wanted[0].tolist(), wanted[1].tolist())


def test_an_interleaved_film_is_one_run_but_for_its_gap() -> None:
    chunk = np.arange(200_000) * 1000
    video = filled(chunk + (chunk >= 100_000_000) * 50_000, 700)
    audio = filled(chunk + 700 + (chunk >= 100_000_000) * 50_000, 300)
    starts, ends = byte_runs([video, audio.slice(150, 199_900)], max_gap_bytes=299)
    head = [(number * 1000, number * 1000 + 700) for number in range(150)]
    tail = [(number * 1000 + 50_000, number * 1000 + 50_700) for number in range(199_901, 200_000)]
    middle = [(150_000, 100_000_000), (100_050_000, 199_900_000 + 50_700)]
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == head + middle + tail


def filled(offsets: np.ndarray, size: int) -> SampleTable:
    count = len(offsets)
    chunks = Chunks(
        offsets=offsets.astype(">u8"),
        run_chunks=np.array([count]),
        run_samples=np.array([1]),
        run_descriptions=np.array([0]),
    )
    sizes = Sizes(count=count, column=np.full(count, size, ">u4"))
    return SampleTable(timescale=1000, durations=Runs.constant(count, 1), sizes=sizes, chunks=chunks)
