"""What the writer makes of tables and a payload: where things lie, and which fields are wide. No media is there."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.containers.isobmff.chunks import Chunks, Sizes
from ffzero.containers.isobmff.model import Edit, MovieBox, TrackHeader
from ffzero.containers.isobmff.moved_table import MovedTable
from ffzero.containers.isobmff.movie import read_movie
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.writer import BLOCK, OutputMovie, OutputTrack, Payload, shifted, write_movie
from ffzero.containers.runs import Runs
from ffzero.edits.ffmpeg_input import FFmpegInput
from ffzero.errors import UnsupportedError
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.storage.local import LocalSource
from support.boxes import find, walk
from support.tables import Sample, box, full, samples_of, tables

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Hole:
    """A source of zeros, as long as one likes."""

    size_bytes: int
    name: str = "hole"

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        buffer[:] = bytes(len(buffer))


@dataclass(frozen=True)
class RopeSource:
    """A rope as a file to be read."""

    rope: Rope
    name: str = "rope"

    @property
    def size_bytes(self) -> int:
        return self.rope.length

    def readinto_at(self, offset_bytes: int, buffer: memoryview, /) -> None:
        self.rope.readinto(offset_bytes, buffer)


HEADER = TrackHeader(
    track_id=1,
    flags=3,
    creation_time=7,
    modification_time=8,
    duration=0,
    layer=-1,
    alternate_group=2,
    volume=0x100,
    matrix=(0, 0x10000, 0, -0x10000, 0, 0, 0x1E00000, 0, 0x40000000),
    width=640 << 16,
    height=360 << 16,
)
ENTRY = box("data", bytes(6), b"\0\1")


def track(table: SampleTable, *, header: TrackHeader = HEADER, edits: tuple[Edit, ...] = ()) -> OutputTrack:
    return OutputTrack(
        header=header,
        handler_box=full("hdlr", 0, bytes(4), b"meta", bytes(12), b"\0"),
        language_code=0x15C7,  # "eng"
        entries=[ENTRY, ENTRY],
        table=table,
        edits=edits,
        media_header=full("nmhd", 0),
        references={"cdsc": (2,), "none": ()},
        extra_boxes=[box("odd ", b"1"), box("tapt", b"2")],
        extra_media_boxes=[full("elng", 0, b"en-GB\0")],
        extra_information_boxes=[box("even", b"3")],
    )


def movie(*tracks: OutputTrack, before: bytes = b"", timescale: int = 1000, header_box: bytes = b"") -> OutputMovie:
    return OutputMovie(
        file_type=box("ftyp", b"isom", bytes(4)),
        timescale=timescale,
        header_box=header_box,
        tracks=tracks,
        user_data=box("udta", b""),
        extra_boxes=[box("more", b"4")],
        before_data=Rope([Literal(before)]),
    )


def table_at(*offsets: int, size: int = 10) -> SampleTable:
    """Return one sample for each offset."""
    count = len(offsets)
    return SampleTable(
        timescale=1000,
        durations=Runs.constant(count, 40),
        sizes=Sizes(count=count, uniform=size),
        chunks=Chunks(
            offsets=np.array(offsets, np.int64),
            run_chunks=np.array([count]),
            run_samples=np.array([1]),
            run_descriptions=np.array([0]),
        ),
    )


def payload(length: int, anchor: tuple[int, int] | None = None) -> Payload:
    return Payload(rope=Rope([Extent(Hole(length), 0, length)]), anchor=anchor)


def written(output: OutputMovie, data: Payload) -> tuple[Rope, int, MovieBox]:
    rope, header = write_movie(output, data)
    assert rope.length == header + data.rope.length
    return rope, header, read_movie(RopeSource(rope))


def kinds(data: bytes) -> list[bytes]:
    return [part.kind for part in walk(data)]


# Where things lie.


@given(tables(), st.integers(0, 1 << 40), st.integers(0, 5000), st.binary(max_size=50))
def test_the_anchor_lies_at_the_phase_of_its_source(
    drawn: tuple[SampleTable, list[Sample]], in_source: int, in_payload: int, before: bytes
) -> None:
    table, samples = drawn
    extra = box("uuid", before) if before else b""
    rope, header, read = written(movie(track(table), before=extra), payload(60_000, (in_payload, in_source)))
    assert (header + in_payload - in_source) % BLOCK == 0
    assert samples_of(read.tracks[0].table) == [one._replace(offset=one.offset + header) for one in samples]
    boxes = [(one.fourcc, one.size) for one in read.top_level]
    assert boxes[0] == ("ftyp", 16)
    assert boxes[-1] == ("mdat", 60_008)
    assert sum(size for kind, size in boxes if kind == "free") < BLOCK + 8
    assert rope.read_at(header - 4, 4) == b"mdat"


def test_every_padding_makes_whole_boxes() -> None:
    _, unpadded, _ = written(movie(track(table_at(0, 10))), payload(20))
    for padding in (*range(20), *range(20, BLOCK, 97), BLOCK - 1):
        phase = (unpadded + padding) % BLOCK
        _, header, read = written(movie(track(table_at(0, 10))), payload(20, (0, phase)))
        assert header % BLOCK == phase
        assert [one.fourcc for one in read.top_level if one.fourcc != "free"] == ["ftyp", "moov", "mdat"]


def test_without_an_anchor_there_is_no_padding() -> None:
    _, _, read = written(movie(track(table_at(0))), payload(10))
    assert [one.fourcc for one in read.top_level] == ["ftyp", "moov", "mdat"]


def test_boxes_stand_in_their_order_and_survive() -> None:
    rope, header, read = written(movie(track(table_at(0), edits=(Edit(duration=40, media_time=0),))), payload(10))
    data = rope.read_at(0, header)
    assert kinds(data) == [
        *[b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"tapt", b"edts", b"elst", b"tref", b"mdia", b"mdhd", b"hdlr"],
        *[b"elng", b"minf", b"nmhd", b"even", b"dinf", b"dref", b"stbl", b"stsd", b"stts", b"stsc", b"stsz", b"stco"],
        *[b"odd ", b"more", b"udta", b"mdat"],
    ]
    (found,) = read.tracks
    assert found.header == replace(HEADER, duration=40)
    assert found.language == "eng"
    assert found.references == {"cdsc": (2,)}
    assert found.edits == (Edit(duration=40, media_time=0),)
    assert [entry.raw for entry in found.entries] == [ENTRY, ENTRY]


def test_the_next_track_number_is_free() -> None:
    rope, header, _ = written(
        movie(track(table_at(0)), track(table_at(0), header=replace(HEADER, track_id=9))), payload(10)
    )
    data = rope.read_at(0, header)
    (mvhd,) = find(data, "moov/mvhd")
    assert data[mvhd.end - 4 : mvhd.end] == struct.pack(">I", 10)


# Which fields are wide.


@pytest.mark.parametrize("length", [(1 << 32) - 9, (1 << 32) - 8, 5 * GIB])
def test_the_media_box_is_wide_where_needed(length: int) -> None:
    rope, header, read = written(movie(track(table_at(0))), payload(length))
    wide = length + 8 >= 1 << 32
    assert rope.read_at(header - (12 if wide else 4), 4) == b"mdat"
    assert read.top_level[-1].size == length + (16 if wide else 8)


def offset_boxes(rope: Rope, header: int) -> list[bytes]:
    return [kind for kind in kinds(rope.read_at(0, header)) if kind in (b"stco", b"co64")]


def test_only_tracks_that_reach_so_far_get_wide_offsets() -> None:
    near, far = table_at(0, 10, 20), table_at(30, 6 * GIB - 10)
    rope, header, read = written(movie(track(near), track(far, header=replace(HEADER, track_id=2))), payload(6 * GIB))
    assert offset_boxes(rope, header) == [b"stco", b"co64"]
    assert [sample.offset - header for one in read.tracks for sample in samples_of(one.table)] == [
        *[0, 10, 20],
        *[30, 6 * GIB - 10],
    ]


@given(st.integers(-(3 * BLOCK), 3 * BLOCK), st.integers(1, 1500))
def test_offsets_near_the_border_are_right(distance: int, count: int) -> None:
    last = (1 << 32) + distance
    offsets = (*range(0, 10 * count, 10), last)
    rope, header, read = written(
        movie(track(table_at(*offsets)), track(table_at(*offsets[:-1]), header=replace(HEADER, track_id=2))),
        payload(last + 10),
    )
    found = read.tracks[0].table.chunks.offsets.rows()
    assert (found - header).tolist() == list(offsets)
    assert last + header < 1 << 32 or offset_boxes(rope, header)[0] == b"co64"
    assert offset_boxes(rope, header)[1] == b"stco"


def test_narrow_offsets_stay_where_the_payload_ends_before_4_gib() -> None:
    rope, header, _ = written(movie(track(table_at(0, 4 * GIB - 100_000))), payload(4 * GIB - 99_990))
    assert offset_boxes(rope, header) == [b"stco"]


@pytest.mark.parametrize("duration", [40, (1 << 31) - 1])
def test_long_times_take_version_1(duration: int) -> None:
    table = replace(table_at(0, 10, 20), durations=Runs.constant(3, duration))
    edit = Edit(duration=3 * duration, media_time=2 * duration)
    rope, header, read = written(movie(track(table, edits=(edit,))), payload(30))
    data = rope.read_at(0, header)
    wide = duration > 40
    for path in ("moov/mvhd", "moov/trak/tkhd", "moov/trak/edts/elst", "moov/trak/mdia/mdhd"):
        (found,) = find(data, path)
        assert data[found.body] == wide, path
    assert read.duration == 3 * duration
    assert read.tracks[0].header.duration == 3 * duration
    assert read.tracks[0].edits == (edit,)
    assert read.tracks[0].table.dts(3) == 3 * duration


def test_late_dates_take_version_1() -> None:
    late = replace(HEADER, creation_time=1 << 33)
    rope, header, read = written(movie(track(table_at(0), header=late)), payload(10))
    assert read.tracks[0].header.creation_time == 1 << 33
    (mdhd,) = find(rope.read_at(0, header), "moov/trak/mdia/mdhd")
    assert rope.read_at(mdhd.body, 12) == bytes.fromhex("01000000 0000000200000000")


@pytest.mark.parametrize("version", [0, 1])
def test_movie_headers_keep_what_is_not_time(version: int) -> None:
    rest = struct.pack(">IHHII9I6I", 0x20000, 0x80, 0, 0, 0, *range(1, 10), *[0] * 6)
    times = struct.pack(">QQIQ", 1 << 34, 5, 600, 1) if version else struct.pack(">IIII", 4, 5, 600, 1)
    old = bytes([version, 0, 0, 0]) + times + rest + struct.pack(">I", 99)
    rope, header, _ = written(movie(track(table_at(0)), header_box=old), payload(10))
    data = rope.read_at(0, header)
    (mvhd,) = find(data, "moov/mvhd")
    assert data[mvhd.body] == version  # a date past 2040 needs it
    assert rest in data[mvhd.body : mvhd.end]
    head = struct.pack(">QQI", 1 << 34, 5, 1000) if version else struct.pack(">III", 4, 5, 1000)
    assert data[mvhd.body + 4 :].startswith(head)


# What does not go.


def test_an_index_past_4_gib_is_refused() -> None:
    huge = replace(track(table_at(0)), extra_boxes=[_Huge(b"")])
    with pytest.raises(UnsupportedError, match="larger than 4 GiB"):
        write_movie(movie(huge), payload(10))


class _Huge(bytes):
    def __len__(self) -> int:
        return 1 << 32


def test_tables_are_moved_run_by_run() -> None:
    moved = shifted(table_at(100, 150, 4000), np.array([100, 4000]), np.array([0, 60]))
    assert moved.chunks.offsets.rows().tolist() == [0, 50, 60]


# Large indexes.


def test_a_large_index_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.mp4"
    table = table_at(*range(0, 3000, 10))
    rope, _ = write_movie(movie(track(table)), payload(3000))
    path.write_bytes(rope.read_at(0, rope.length))
    monkeypatch.setattr("ffzero.containers.isobmff.movie._MAPPED_FROM_BYTES", 1)
    mapped = read_movie(LocalSource.open(path)).tracks[0].table
    monkeypatch.setattr("ffzero.containers.isobmff.movie._MAPPED_FROM_BYTES", 1 << 30)
    assert samples_of(mapped) == samples_of(read_movie(LocalSource.open(path)).tracks[0].table)
    assert not mapped.chunks.offsets.windows[0].stored.array.flags.writeable


def test_ffmpeg_reads_moved_tables_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("chunk_boxes", "stbl"):
        monkeypatch.setattr(f"ffzero.containers.isobmff.{module}.LONG_BYTES", 1)
    path = tmp_path / "in.mp4"
    rope, header = write_movie(movie(track(table_at(*range(0, 3000, 10)))), payload(3000))
    path.write_bytes(rope.read_at(0, rope.length))
    source = LocalSource.open(path)
    (found,) = read_movie(source).tracks
    table = shifted(found.table, np.array([header]), np.array([0]))
    again, size = write_movie(movie(track(table)), Payload(rope=Rope([Extent(source, header, 3000)]), anchor=None))
    assert any(isinstance(one, MovedTable) for one in again.sources)
    with FFmpegInput.of(again) as arguments:
        listing = Path(arguments.url.removeprefix("concatf:")).read_text().splitlines()
        parts = [re.fullmatch(r"subfile,,start,(\d+),end,(\d+),,:(.*)", line) for line in listing]
        data = b"".join(Path(part[3]).read_bytes()[int(part[1]) : int(part[2])] for part in parts if part)
    assert data == again.read_at(0, size + 3000) == rope.read_at(0, rope.length)
