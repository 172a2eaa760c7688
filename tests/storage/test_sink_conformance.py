"""What every ``Sink`` must do."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ffzero.errors import CancelledError, FFZeroError, SourceChangedError
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.reporting import CancelToken, ProgressEvent
from ffzero.storage.base import Sink
from ffzero.storage.local import LocalSource
from ffzero.storage.memory import MemorySource
from ffzero.storage.sinks import FileSink, MemorySink, StreamSink


@dataclass
class Case:
    sink: Sink
    result: Callable[[], bytes | None]
    takes_back: bool = True


@pytest.fixture(params=["file", "replacing file", "memory", "memfd", "stream"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    out = tmp_path / "out.bin"
    if request.param == "file":
        return Case(FileSink(out), lambda: out.read_bytes() if out.exists() else None)
    if request.param == "replacing file":
        out.write_bytes(b"before")
        return Case(FileSink(out, overwrite=True), lambda: None if out.read_bytes() == b"before" else out.read_bytes())
    if request.param == "stream":
        stream = io.BytesIO()
        return Case(StreamSink(stream), stream.getvalue, takes_back=False)
    if request.param == "memfd" and not sys.platform.startswith("linux"):
        pytest.skip("memory files are of Linux")
    memory = MemorySink(memfd=request.param == "memfd")
    return Case(memory, lambda: memory.data if memory._source is not None else None)


@pytest.fixture
def rope(tmp_path: Path) -> Rope:
    (tmp_path / "in").write_bytes(os.urandom(3_000_000))
    source = LocalSource.open(tmp_path / "in")
    return Rope(
        [Literal(b"header"), Extent(source, 17, 2_500_000), Extent(MemorySource(b"memory" * 99), 3, 500), Literal(b"!")]
    )


def test_satisfies_the_protocol(case: Case) -> None:
    assert isinstance(case.sink, Sink)


def test_holds_the_rope_and_reports_every_byte(case: Case, rope: Rope) -> None:
    events: list[ProgressEvent] = []
    report = case.sink.put(rope, reporter=events.append)
    assert case.result() == rope.read_at(0, rope.length)
    assert report.bytes_total == rope.length
    assert report.bytes_shared + report.bytes_copied + report.bytes_literal == rope.length
    assert report.bytes_literal == 7
    assert sum(report.methods.values()) == rope.length
    assert (events[0].done, events[-1].done, events[-1].total) == (0, rope.length, rope.length)


def test_takes_an_empty_rope(case: Case) -> None:
    assert case.sink.put(Rope()).bytes_total == 0
    assert case.result() in (b"", None)


def test_shows_nothing_after_cancellation(case: Case, rope: Rope, tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        case.sink.put(rope, cancel=token)
    check_nothing(case, tmp_path)


def test_shows_nothing_after_a_source_failed(case: Case, rope: Rope, tmp_path: Path) -> None:
    os.utime(tmp_path / "in", ns=(1, 1))
    with pytest.raises(SourceChangedError):
        case.sink.put(rope)
    check_nothing(case, tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError, FFZeroError])
def test_shows_nothing_after_the_reporter_stopped_it(
    case: Case, rope: Rope, tmp_path: Path, error: type[BaseException]
) -> None:
    def stop(event: ProgressEvent) -> None:
        raise error("stop")

    with pytest.raises(error, match="stop"):
        case.sink.put(rope, reporter=stop)
    check_nothing(case, tmp_path)


def check_nothing(case: Case, folder: Path) -> None:
    if case.takes_back:
        assert case.result() is None
    assert {path.name for path in folder.iterdir()} <= {"in", "out.bin"}
