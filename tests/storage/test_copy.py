"""Each way of copying, forced, on real filesystems; and what the report says of it."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ffzero.errors import CancelledError, DiskFullError, OutputError, SourceChangedError, TruncatedError
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.reporting import CancelToken, CopyReport, ProgressEvent
from ffzero.storage import copy as copy_module
from ffzero.storage.copy import DEFAULT_METHODS, CopyMethod, copy_rope
from ffzero.storage.kernel import shared_bytes
from ffzero.storage.local import LocalSource
from ffzero.storage.memory import MemfdSource, MemorySource

CLONE, KERNEL, BUFFERED = CopyMethod.CLONE, CopyMethod.KERNEL, CopyMethod.BUFFERED
WAYS = [DEFAULT_METHODS, (CLONE, BUFFERED), (CLONE, KERNEL), (KERNEL, BUFFERED), (BUFFERED,)]
BLOCK = 4096
SIZE = 3_000_123

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a call of Linux")


def make_source(folder: Path, size: int = SIZE, seed: int = 1) -> LocalSource:
    path = folder / f"source-{seed}"
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return LocalSource.open(path)


def written(rope: Rope, folder: Path, **options: object) -> tuple[CopyReport, bytes]:
    path = folder / "out"
    with path.open("w+b", buffering=0) as file:
        report = copy_rope(rope, file.fileno(), **options)  # type: ignore[arg-type]
    return report, path.read_bytes()


def content(rope: Rope) -> bytes:
    return rope.read_at(0, rope.length)


def check_sums(report: CopyReport, rope: Rope) -> None:
    assert report.bytes_total == rope.length
    assert report.bytes_shared + report.bytes_copied + report.bytes_literal == rope.length
    assert sum(report.methods.values()) == rope.length
    assert report.bytes_literal == rope.literal_bytes


def assorted(source: LocalSource) -> Rope:
    """Ranges of every alignment, long and short, with literals between."""
    pieces: list[Extent | Literal] = [Literal(b"h" * (BLOCK + 100))]
    pieces += [Extent(source, 3 * BLOCK + 100, 1_000_000), Extent(source, 77, 500_000), Literal(b"-" * 5)]
    pieces += [Extent(source, number * 1000, 10) for number in range(500)]
    pieces += [
        Extent(source, 0, source.size_bytes),
        Literal(b"end"),
        Extent(source, source.size_bytes - 70_000, 70_000),
    ]
    return Rope(pieces)


@pytest.mark.parametrize("methods", WAYS, ids=lambda ways: "+".join(way.name for way in ways))
def test_every_way_gives_the_same_bytes(tmp_path: Path, methods: tuple[CopyMethod, ...]) -> None:
    rope = assorted(make_source(tmp_path))
    report, data = written(rope, tmp_path, methods=methods)
    assert data == content(rope)
    check_sums(report, rope)


@pytest.mark.parametrize("methods", WAYS, ids=lambda ways: "+".join(way.name for way in ways))
def test_every_way_gives_the_same_bytes_where_blocks_are_shared(
    reflink_folder: Path, methods: tuple[CopyMethod, ...]
) -> None:
    rope = assorted(make_source(reflink_folder))
    report, data = written(rope, reflink_folder, methods=methods)
    assert data == content(rope)
    check_sums(report, rope)
    assert (report.bytes_shared > 0) == (CLONE in methods)
    assert report.methods.get("FICLONERANGE", 0) == report.bytes_shared


def test_alike_ranges_are_shared_but_for_their_ragged_ends(reflink_folder: Path) -> None:
    source = make_source(reflink_folder)
    rope = Rope([Literal(b"h" * (BLOCK + 1000)), Extent(source, 1000 + 5 * BLOCK, 2_000_000)])
    report, data = written(rope, reflink_folder)
    assert data == content(rope)
    assert report.bytes_shared == (1000 + 2_000_000) // BLOCK * BLOCK - BLOCK
    assert report.bytes_copied == 2_000_000 - report.bytes_shared < 2 * BLOCK
    with (reflink_folder / "out").open("rb") as file:
        assert shared_bytes(file.fileno(), 0, rope.length) == report.bytes_shared


def test_a_range_that_ends_both_files_is_shared_to_its_last_byte(reflink_folder: Path) -> None:
    source = make_source(reflink_folder)
    for start, head in ((0, 0), (BLOCK, BLOCK), (2 * BLOCK, 0)):
        rope = Rope([Literal(b"h" * head), Extent(source, start, source.size_bytes - start)])
        report, data = written(rope, reflink_folder)
        assert data == content(rope)
        assert (report.bytes_shared, report.bytes_copied) == (source.size_bytes - start, 0)
        assert report.methods.get("copy_file_range", 0) == 0


def test_a_range_of_another_phase_is_reported_as_copied(reflink_folder: Path) -> None:
    source = make_source(reflink_folder)
    rope = Rope([Literal(b"h" * 100), Extent(source, 0, 2_000_000)])
    report, data = written(rope, reflink_folder)
    assert data == content(rope)
    assert (report.bytes_shared, report.bytes_copied) == (0, 2_000_000)
    assert report.methods == {"copy_file_range": 2_000_000, "literal": 100}


def test_sharing_inside_copy_file_range_is_found_out(reflink_folder: Path) -> None:
    """XFS and Btrfs clone in copy_file_range where the whole call is block-aligned; the report must say so."""
    source = make_source(reflink_folder)
    os.sync()
    rope = Rope([Literal(b"h" * BLOCK), Extent(source, 2 * BLOCK, 300 * BLOCK)])
    report, data = written(rope, reflink_folder, methods=(KERNEL,))
    assert data == content(rope)
    assert report.methods["copy_file_range"] == 300 * BLOCK
    assert report.bytes_shared == 300 * BLOCK
    assert report.bytes_copied == 0


def test_other_filesystems_share_nothing_and_say_so(reflink_folder: Path, tmp_path: Path) -> None:
    source = make_source(tmp_path)
    rope = Rope([Extent(source, 0, source.size_bytes)])
    report, data = written(rope, reflink_folder)
    assert data == content(rope)
    assert (report.bytes_shared, report.bytes_copied) == (0, source.size_bytes)


@on_linux
def test_a_way_that_cannot_work_here_is_an_error_when_it_is_the_only_one(small_disk: Path) -> None:
    source = make_source(small_disk)  # tmpfs has no clones
    with pytest.raises(OutputError, match="none of the permitted ways"):
        written(Rope([Extent(source, 0, source.size_bytes)]), small_disk, methods=(CLONE,))


def refuse(code: int, calls: list[int]) -> Callable[..., int]:
    def call(*arguments: int) -> int:
        calls.append(1)
        raise OSError(code, os.strerror(code))

    return call


def scattered(source: LocalSource, count: int = 40) -> Rope:
    """Long ranges that do not continue each other, each alike to the first method."""
    return Rope(Extent(source, number % 2 * 100 * BLOCK, 16 * BLOCK) for number in range(count))


@pytest.mark.parametrize(
    ("code", "most_calls"),
    [
        (errno.EOPNOTSUPP, 1),
        (errno.EXDEV, 1),
        (errno.ENOSYS, 1),
        (errno.EPERM, 1),
        (errno.EINVAL, 8),
        (errno.ETXTBSY, 8),
        (errno.EIO, 8),
    ],
)
def test_refusals_fall_through_and_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, most_calls: int
) -> None:
    clones: list[int] = []
    copies: list[int] = []
    monkeypatch.setattr(copy_module, "clone_range", refuse(code, clones))
    monkeypatch.setattr(copy_module, "copy_range", refuse(code, copies))
    rope = scattered(make_source(tmp_path))
    report, data = written(rope, tmp_path)
    assert data == content(rope)
    assert report.methods == {"pread/pwrite": rope.length}
    assert (len(clones), len(copies)) == (most_calls, most_calls)


def test_only_whole_alike_blocks_are_asked_to_be_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []

    def note(source_fd: int, source_offset: int, length: int, fd: int, offset: int) -> None:
        asked.append((source_offset, length, offset))
        os.pwrite(fd, os.pread(source_fd, length, source_offset), offset)

    monkeypatch.setattr(copy_module, "clone_range", note)
    source = make_source(tmp_path)
    alike = Rope([Literal(b"h" * 100), Extent(source, 100, 1_000_000), Extent(source, 1_000_100 + BLOCK, 500_000)])
    rope = alike + Rope([Literal(b"odd"), Extent(source, 0, 900_000)])
    data = written(rope, tmp_path, methods=(CLONE, BUFFERED))[1]
    assert data == content(rope)
    assert len(asked) == 2
    assert all(number % BLOCK == 0 for call in asked for number in call)


def test_one_misfit_does_not_end_cloning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def every_other(source_fd: int, source_offset: int, length: int, fd: int, offset: int) -> None:
        calls.append(1)
        if len(calls) % 2:
            raise OSError(errno.EINVAL, "misfit")
        os.pwrite(fd, os.pread(source_fd, length, source_offset), offset)

    monkeypatch.setattr(copy_module, "clone_range", every_other)
    rope = scattered(make_source(tmp_path))
    report, data = written(rope, tmp_path, methods=(CLONE, BUFFERED))
    assert data == content(rope)
    assert len(calls) == 40
    assert report.bytes_shared == rope.length // 2


@on_linux
def test_partial_and_early_ending_kernel_copies_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([1000, 1, 70_000, 0])

    def partial(source_fd: int, source_offset: int, length: int, fd: int, offset: int) -> int:
        count = next(answers)
        os.pwrite(fd, os.pread(source_fd, count, source_offset), offset)
        return count

    monkeypatch.setattr(copy_module, "copy_range", partial)
    rope = Rope([Extent(make_source(tmp_path), 5, 2_000_000)])
    report, data = written(rope, tmp_path, methods=(KERNEL, BUFFERED))
    assert data == content(rope)
    assert report.methods == {"copy_file_range": 71_001, "pread/pwrite": 2_000_000 - 71_001}


@pytest.mark.parametrize("methods", WAYS, ids=lambda ways: "+".join(way.name for way in ways))
@pytest.mark.parametrize("change", ["touch", "truncate", "grow", "overwrite"])
@pytest.mark.parametrize("when", [0, 1, SIZE])
def test_a_source_that_changes_during_the_copy_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, methods: tuple[CopyMethod, ...], change: str, when: int
) -> None:
    monkeypatch.setattr(copy_module, "_EVENT_INTERVAL_S", 0.0)
    monkeypatch.setattr(copy_module, "_COPY_STEP_BYTES", 1 << 20)
    meddle = Meddler(make_source(tmp_path), change, when)
    with pytest.raises(SourceChangedError, match=r"size|mtime"):
        written(Rope([Extent(meddle.source, 0, SIZE)]), tmp_path, methods=methods, reporter=meddle)


@pytest.mark.parametrize("change", ["touch", "truncate", "grow", "overwrite"])
@pytest.mark.parametrize("when", [0, 1])
def test_a_source_that_changes_while_it_is_cloned_is_an_error(
    reflink_folder: Path, monkeypatch: pytest.MonkeyPatch, change: str, when: int
) -> None:
    monkeypatch.setattr(copy_module, "_EVENT_INTERVAL_S", 0.0)
    meddle = Meddler(make_source(reflink_folder), change, when)
    with pytest.raises(SourceChangedError, match=r"size|mtime"):
        written(Rope([Extent(meddle.source, 0, SIZE)]), reflink_folder, reporter=meddle)


def test_a_source_that_changes_while_another_is_copied_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_module, "_EVENT_INTERVAL_S", 0.0)
    first, second = make_source(tmp_path, seed=1), make_source(tmp_path, seed=2)
    rope = Rope([Extent(first, 0, SIZE), Extent(second, 0, SIZE)])
    with pytest.raises(SourceChangedError) as caught:
        written(rope, tmp_path, reporter=Meddler(first, "touch", SIZE + 1))
    assert caught.value.path == first.path


class Meddler:
    """A reporter that changes the source once ``when`` bytes are written."""

    def __init__(self, source: LocalSource, change: str, when: int) -> None:
        self.source, self.change, self.when = source, change, when
        self.done = False

    def __call__(self, event: ProgressEvent) -> None:
        if self.done or event.done < self.when:
            return
        self.done = True
        time.sleep(0.01)  # past the clock tick of the file's mtime
        if self.change == "touch":
            os.utime(self.source.path)
            return
        with open(self.source.path, "r+b") as file:
            if self.change == "overwrite":
                file.write(b"garbage")
            file.truncate({"truncate": 1000, "grow": SIZE + 1, "overwrite": SIZE}[self.change])


def test_a_source_that_changed_before_the_copy_is_an_error(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    os.truncate(source.path, 10)
    for rope in (Rope([Extent(source, 0, SIZE)]), Rope([Extent(source, 0, 5)])):
        with pytest.raises(SourceChangedError, match="size"):
            written(rope, tmp_path)


@on_linux
def test_a_source_that_ends_early_without_a_change_is_truncated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on network filesystems that say an old size: the identity holds, and yet there is no more."""
    source = make_source(tmp_path)
    monkeypatch.setattr(LocalSource, "_check", lambda self, fd: None)
    os.truncate(source.path, 1_000_000)
    with pytest.raises(TruncatedError):
        written(Rope([Extent(source, 0, SIZE)]), tmp_path)


@pytest.mark.parametrize("methods", [(KERNEL, BUFFERED), (BUFFERED,)])
def test_progress_and_cancellation_between_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, methods: tuple[CopyMethod, ...]
) -> None:
    monkeypatch.setattr(copy_module, "_EVENT_INTERVAL_S", 0.0)
    monkeypatch.setattr(copy_module, "_COPY_STEP_BYTES", 1 << 20)
    rope = Rope([Extent(make_source(tmp_path), 0, SIZE)])
    events: list[ProgressEvent] = []
    written(rope, tmp_path, methods=methods, reporter=events.append)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert (events[0].done, events[-1].done) == (0, SIZE)
    assert {event.total for event in events} == {SIZE}
    assert len(events) >= 4

    token = CancelToken()

    def stop(event: ProgressEvent) -> None:
        if event.done:
            token.cancel()

    with pytest.raises(CancelledError):
        written(rope, tmp_path, methods=methods, reporter=stop, cancel=token)


@pytest.mark.parametrize("methods", [(KERNEL, BUFFERED), (BUFFERED,)])
def test_a_full_disk_says_how_much_was_needed(
    small_disk: Path, tmp_path: Path, methods: tuple[CopyMethod, ...]
) -> None:
    source = make_source(tmp_path, size=20_000_000)
    rope = Rope([Literal(b"head"), Extent(source, 0, 20_000_000)])
    with pytest.raises(DiskFullError, match=r"20000004 bytes are needed, 83\d{5} bytes are free"):
        written(rope, small_disk, methods=methods)


def test_other_systems_copy_by_the_last_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has neither call; Windows lacks positional reads and writes besides."""
    rope = assorted(make_source(tmp_path))
    expected = content(rope)
    for missing in ("copy_file_range", "preadv", "pread", "pwrite", "fstatvfs", "statvfs"):
        monkeypatch.delattr(os, missing, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    report, data = written(rope, tmp_path)
    assert data == expected
    assert set(report.methods) == {"pread/pwrite", "literal"}
    assert report.bytes_shared == 0


def test_memory_sources_are_copied(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    sources = [MemorySource(data)] + ([MemfdSource(data)] if sys.platform.startswith("linux") else [])
    rope = Rope(Extent(source, 1, 200_000) for source in sources)
    report, out = written(rope, tmp_path)
    assert out == data[1:200_001] * len(sources)
    assert report.bytes_copied == rope.length
    assert report.bytes_literal == 0


def test_nothing_is_written_for_an_empty_rope(tmp_path: Path) -> None:
    report, data = written(Rope(), tmp_path)
    assert (data, report.bytes_total, dict(report.methods)) == (b"", 0, {})


def tiny_pieces(source: LocalSource) -> Iterator[Extent | Literal]:
    for number in range(50_000):
        yield Extent(source, number * 7919 % (SIZE - 30), 30)
        yield Literal(b"%06d" % number)


def test_a_hundred_thousand_tiny_pieces_are_gathered(tmp_path: Path) -> None:
    rope = Rope(tiny_pieces(make_source(tmp_path)))
    assert rope.piece_count == 100_000
    started = time.process_time()
    report, data = written(rope, tmp_path)
    assert time.process_time() - started < 1
    assert data == content(rope)
    assert report.bytes_literal == 300_000
