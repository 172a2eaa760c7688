"""The rope as a file, held against ``io.BytesIO`` step by step."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.extents.reader import RopeReader
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.storage.memory import MemorySource

SOURCE = MemorySource(bytes(range(256)) * 4)
ROPE = Rope([Literal(b"head"), Extent(SOURCE, 100, 300), Literal(b"mid"), Extent(SOURCE, 0, 700)])
DATA = ROPE.read_at(0, ROPE.length)

steps = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 1200), st.just(0)),
    st.tuples(st.just("seek"), st.integers(-1200, 1200), st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])),
    st.tuples(st.just("readinto"), st.integers(0, 600), st.just(0)),
)


def act(file: io.RawIOBase | io.BytesIO, step: tuple[str, int, int]) -> object:
    kind, number, whence = step
    try:
        if kind == "read":
            return file.read(number), file.tell()
        if kind == "seek":
            # BytesIO clips a relative seek to before the start; files refuse it.
            base = {os.SEEK_SET: 0, os.SEEK_CUR: file.tell(), os.SEEK_END: len(DATA)}[whence]
            return file.seek(base + number), file.tell()
        buffer = bytearray(number)
        return file.readinto(buffer), bytes(buffer), file.tell()
    except ValueError:
        return ValueError


@given(st.lists(steps, max_size=20))
def test_reads_and_seeks_like_a_file(script: list[tuple[str, int, int]]) -> None:
    ours, plain = RopeReader(ROPE), io.BytesIO(DATA)
    for step in script:
        assert act(ours, step) == act(plain, step)


def test_seeks_relative_to_the_place_and_the_end() -> None:
    with RopeReader(ROPE, name="clip.mp4") as file:
        assert file.name == "clip.mp4"
        assert file.rope is ROPE
        assert file.seek(-3, os.SEEK_END) == ROPE.length - 3
        assert file.read() == DATA[-3:]
        assert file.seek(-10, os.SEEK_CUR) == ROPE.length - 10
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        with pytest.raises(ValueError, match="whence"):
            file.seek(0, 9)
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_works_under_a_buffered_reader() -> None:
    with io.BufferedReader(RopeReader(ROPE), 64) as file:
        file.seek(7)
        assert file.peek(5)[:5] == DATA[7:12]
        assert file.read() == DATA[7:]
