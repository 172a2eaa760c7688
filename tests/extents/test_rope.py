"""The rope's algebra against plain bytes, and its size and structure."""

from __future__ import annotations

import itertools
import pickle
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.errors import FFZeroError, InvalidDataError, TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.storage.memory import MemorySource

SOURCES = (MemorySource(bytes(range(97))), MemorySource(b"the quick brown fox jumps over the lazy dog"))


@st.composite
def pieces(draw: st.DrawFn) -> Extent | Literal:
    if draw(st.booleans()):
        return Literal(draw(st.binary(max_size=12)))
    source = draw(st.sampled_from(SOURCES))
    start = draw(st.integers(0, source.size_bytes))
    return Extent(source, start, draw(st.integers(0, source.size_bytes - start)))


piece_lists = st.lists(pieces(), max_size=30)
bounds = st.none() | st.integers(-400, 400)


def plain(parts: list[Extent | Literal]) -> bytes:
    return b"".join(
        part.data if isinstance(part, Literal) else part.source.data[part.offset : part.offset + part.length]  # type: ignore[attr-defined]
        for part in parts
    )


def read(rope: Rope) -> bytes:
    return rope.read_at(0, rope.length)


@given(piece_lists)
def test_a_rope_holds_the_bytes_of_its_pieces(parts: list[Extent | Literal]) -> None:
    rope, data = Rope(parts), plain(parts)
    assert read(rope) == data
    assert len(rope) == rope.length == len(data)
    assert bool(rope) == bool(data)
    assert rope.literal_bytes == sum(len(run.data) for run in rope.runs() if run.data is not None)


@given(piece_lists, bounds, bounds)
def test_slices_are_those_of_bytes(parts: list[Extent | Literal], start: int | None, stop: int | None) -> None:
    rope, data = Rope(parts), plain(parts)
    assert read(rope[start:stop]) == data[start:stop]


@given(piece_lists, bounds, bounds, bounds, bounds)
def test_slices_of_slices(
    parts: list[Extent | Literal], a: int | None, b: int | None, c: int | None, d: int | None
) -> None:
    rope = Rope(parts)
    assert read(rope[a:b][c:d]) == plain(parts)[a:b][c:d]


@given(st.lists(piece_lists, max_size=6))
def test_joins_are_those_of_bytes(lists: list[list[Extent | Literal]]) -> None:
    joined = Rope.concat(Rope(parts) for parts in lists)
    assert read(joined) == b"".join(plain(parts) for parts in lists)
    assert joined == Rope(part for parts in lists for part in parts)
    added = Rope()
    for parts in lists:
        added = added + Rope(parts)
    assert added == joined


@given(piece_lists, st.lists(st.integers(0, 400), max_size=8))
def test_cut_up_and_joined_again_is_equal_and_hashes_alike(parts: list[Extent | Literal], cuts: list[int]) -> None:
    rope = Rope(parts)
    edges = [0, *sorted(min(cut, rope.length) for cut in cuts), rope.length]
    again = Rope.concat(rope[a:b] for a, b in itertools.pairwise(edges))
    assert again == rope
    assert hash(again) == hash(rope)
    assert again.pieces == rope.pieces
    assert again.same_bytes(rope)


@given(piece_lists, bounds, bounds)
def test_pickled_slices_are_equal(parts: list[Extent | Literal], start: int | None, stop: int | None) -> None:
    part = Rope(parts)[start:stop]
    again = pickle.loads(pickle.dumps(part))
    assert again == part
    assert hash(again) == hash(part)
    assert read(again) == read(part)


@given(piece_lists, st.integers(0, 300), st.integers(0, 300))
def test_reads_at_an_offset_are_clipped_at_the_end(parts: list[Extent | Literal], offset: int, length: int) -> None:
    rope, data = Rope(parts), plain(parts)
    assert rope.read_at(offset, length) == data[offset : offset + length]
    buffer = bytearray(b"\xee" * length)
    count = rope.readinto(offset, buffer)
    assert buffer[:count] == data[offset : offset + length]
    assert set(buffer[count:]) <= {0xEE}


@given(piece_lists, piece_lists)
def test_equality_goes_by_structure_and_same_bytes_by_content(
    one: list[Extent | Literal], two: list[Extent | Literal]
) -> None:
    a, b = Rope(one), Rope(two)
    assert (a == b) == (a.pieces == b.pieces)
    assert a.same_bytes(b) == (plain(one) == plain(two))
    assert a.same_bytes(Rope([Literal(plain(one))]))


@given(piece_lists)
def test_runs_are_normalised(parts: list[Extent | Literal]) -> None:
    runs = list(Rope(parts).runs())
    assert all(run.length > 0 for run in runs)
    for before, after in itertools.pairwise(runs):
        if before.source is None:
            assert after.source is not None
        elif after.source == before.source:
            assert before.offset + before.length != after.offset
    seen = list(dict.fromkeys(run.source for run in runs if run.source is not None))
    assert list(Rope(parts).sources) == seen


def test_many_ranges_of_one_source() -> None:
    source = SOURCES[0]
    rope = Rope.from_ranges(source, [0, 10, 20, 50], [10, 10, 0, 3])
    assert rope.pieces == (Extent(source, 0, 20), Extent(source, 50, 3))


def test_a_slice_forgets_the_sources_it_no_longer_names() -> None:
    rope = Rope([Extent(SOURCES[0], 0, 10), Literal(b"x" * 100_000), Extent(SOURCES[1], 0, 10)])
    assert rope[100_005:].sources == (SOURCES[1],)
    assert len(pickle.dumps(rope[100_005:])) < 2000


@pytest.mark.parametrize(
    ("offset", "length", "error"),
    [
        (-1, 1, InvalidDataError),
        (0, -1, InvalidDataError),
        (2**63 - 1, 1, InvalidDataError),
        (np.int64(2**63 - 1), np.int64(2**63 - 1), InvalidDataError),
        (0, 98, TruncatedError),
        (98, 0, TruncatedError),
    ],
)
def test_impossible_extents_are_refused(offset: int, length: int, error: type[FFZeroError]) -> None:
    with pytest.raises(error):
        Extent(SOURCES[0], offset, length)
    with pytest.raises(error):
        Rope.from_ranges(SOURCES[0], [0, offset], [1, length])


class Vast:
    """A source of the largest size there can be."""

    name = "vast"
    size_bytes = 2**63 - 1

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        buffer[:] = b"v" * len(buffer)


def test_a_rope_that_would_be_too_long_is_refused() -> None:
    vast: ByteSource = Vast()
    half = Rope([Extent(vast, 0, 2**62), Literal(b"-")])
    with pytest.raises(InvalidDataError, match="longer"):
        Rope.concat([half, half])
    nearly = Rope([Extent(vast, 0, 2**63 - 1)])
    assert nearly.read_at(2**63 - 3, 100) == b"vv"
    assert nearly[-5:].length == 5


def test_indexing_and_steps_are_refused() -> None:
    rope = Rope([Literal(b"abc")])
    with pytest.raises(ValueError, match="step"):
        rope[::2]
    with pytest.raises(TypeError, match="sliced"):
        rope[0]  # type: ignore[index]
    with pytest.raises(ValueError, match="negative"):
        rope.read_at(-1, 1)
    with pytest.raises(ValueError, match="negative"):
        rope.read_at(0, -1)


class Counting(Vast):
    """Counts the reads that reach the source."""

    def __init__(self) -> None:
        self.reads = 0
        self.read_bytes = 0

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        self.reads += 1
        self.read_bytes += len(buffer)
        values = np.arange(offset_bytes, offset_bytes + len(buffer)) % 251
        buffer[:] = values.astype(np.uint8).tobytes()


def test_small_near_pieces_are_read_together_and_far_ones_are_not() -> None:
    source = Counting()
    near = np.random.default_rng(1).permutation(5000) * 700
    rope = Rope.from_ranges(source, near, np.full(5000, 100))
    data = np.frombuffer(read(rope), np.uint8).reshape(5000, 100)
    assert (data == (near[:, None] + np.arange(100)) % 251).all()
    assert source.reads <= 5
    far = Counting()
    Rope.from_ranges(far, np.arange(100) * 1_000_000, np.full(100, 10)).read_at(0, 1000)
    assert (far.reads, far.read_bytes) == (100, 1000)


def test_a_hundred_thousand_pieces_stay_fast() -> None:
    source = Counting()
    started = time.process_time()
    rope = Rope.from_ranges(source, np.arange(100_000) * 1000, np.full(100_000, 500))
    assert rope.piece_count == 100_000
    for start in range(0, rope.length, rope.length // 2000):
        rope.read_at(start, 16)
        rope[start : start + 2000].read_at(0, 8)
    assert Rope.concat([rope[i * 50_000 : (i + 1) * 50_000] for i in range(1000)]) == rope
    assert time.process_time() - started < 2
