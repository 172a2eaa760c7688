"""What every ``Source`` must do."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ffzero.errors import TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.extents.rope import Extent, Rope
from ffzero.storage.base import Source
from ffzero.storage.local import LocalSource
from ffzero.storage.memory import MemfdSource, MemorySource

DATA = bytes(range(256)) * 1000
Maker = Callable[[bytes], Source]


@pytest.fixture(params=["local", "memory", "memfd"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    def local(data: bytes) -> Source:
        path = tmp_path / "source"
        path.write_bytes(data)
        return LocalSource.open(path)

    if request.param == "memfd" and not sys.platform.startswith("linux"):
        pytest.skip("memory files are of Linux")
    return {"local": local, "memory": MemorySource, "memfd": MemfdSource}[request.param]  # type: ignore[return-value]


def test_satisfies_both_protocols(make: Maker) -> None:
    source = make(DATA)
    assert isinstance(source, Source)
    assert isinstance(source, ByteSource)
    assert source.size_bytes == len(DATA)
    assert source.name


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 1), (255, 513), (len(DATA) - 1, 1), (len(DATA), 0)])
def test_reads_exactly_what_is_asked(make: Maker, offset: int, length: int) -> None:
    source = make(DATA)
    assert source.read_at(offset, length) == DATA[offset : offset + length]
    buffer = bytearray(length)
    source.readinto_at(offset, memoryview(buffer))
    assert buffer == DATA[offset : offset + length]


def test_reads_the_whole(make: Maker) -> None:
    assert make(DATA).read_at(0, len(DATA)) == DATA
    assert make(b"").read_at(0, 0) == b""


@pytest.mark.parametrize(("offset", "length"), [(len(DATA), 1), (len(DATA) - 1, 2), (2**62, 1), (0, 2**62)])
def test_reading_past_the_end_is_an_error(make: Maker, offset: int, length: int) -> None:
    source = make(DATA)
    with pytest.raises(TruncatedError) as caught:
        source.read_at(offset, length)
    assert caught.value.path == source.name
    if length < 100:
        with pytest.raises(TruncatedError):
            source.readinto_at(offset, memoryview(bytearray(length)))


def test_is_a_value(make: Maker) -> None:
    source = make(DATA)
    again = pickle.loads(pickle.dumps(source))
    assert again == source
    assert hash(again) == hash(source)
    assert again.read_at(1000, 1000) == DATA[1000:2000]
    assert source != MemorySource(b"other")
    assert source != MemfdSource(b"other") if sys.platform.startswith("linux") else True


def test_lends_a_descriptor_or_none(make: Maker) -> None:
    with make(DATA).descriptor() as fd:
        if fd is not None:
            assert os.pread(fd, 10, 300) == DATA[300:310]


def test_can_be_read_from_many_threads(make: Maker) -> None:
    source = make(DATA)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda i: source.read_at(i * 500, 500), range(500)))
    assert b"".join(parts) == DATA[:250_000]


def test_works_in_a_rope(make: Maker) -> None:
    source = make(DATA)
    rope = Rope([Extent(source, 5, 1000), Extent(source, 0, 5), Extent(source, 1005, 10)])
    assert rope.read_at(0, 2000) == DATA[5:1005] + DATA[:5] + DATA[1005:1015]
