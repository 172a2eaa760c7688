"""Recordings of many hours, as their index alone: a real header around a payload that is nearly all hole.

A coded clip's sample table is repeated for the whole length. Its bytes are written only around given times, so cuts
there have real pictures; the rest of the file is sparse, takes no disk, and is never read by a cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

import ffzero
from benchmarks.media import LOOP_S
from ffzero.containers.isobmff.model import Edit, MovieBox, Track
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.isobmff.writer import OutputMovie, OutputTrack, Payload, write_movie
from ffzero.containers.runs import Runs
from ffzero.extents.rope import Rope
from ffzero.storage.local import LocalSource

__all__ = ["LAYOUTS", "Recording", "make_recording"]

LAYOUTS = {
    "camera": "half-second chunks, as cameras write",
    "ffmpeg": "one chunk per packet, as FFmpeg's muxer interleaves",
}
_CHUNK_S = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A made recording; ``chunks`` and ``samples`` count all tracks, ``header_bytes`` those before the payload."""

    path: Path
    layout: str
    hours: int
    samples: int
    chunks: int
    header_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    """One repetition: each track's samples, the offsets of its chunks and their sample counts, and all bytes."""

    tables: list[SampleTable]
    offsets: list[np.ndarray]
    counts: list[np.ndarray]
    data: bytes


def make_recording(loop_file: Path, output: Path, *, layout: str, hours: int, real_at_s: Iterable[float]) -> Recording:
    """Write a recording of ``hours`` in which the clips around ``real_at_s`` have their bytes."""
    box = _box(loop_file)
    loop = _interleaved(box, layout)
    repeats = hours * 3600 // LOOP_S
    tables = [
        _repeated(table, repeats, offsets, counts, len(loop.data))
        for table, offsets, counts in zip(loop.tables, loop.offsets, loop.counts, strict=True)
    ]
    header = _header(box, tables, repeats * len(loop.data), output)
    wanted = {0, repeats - 1}
    for time_s in real_at_s:
        wanted |= {int(time_s) // LOOP_S + near for near in (-1, 0, 1)}
    with output.open("wb") as file:
        file.write(header)
        for number in sorted(wanted & set(range(repeats))):
            file.seek(len(header) + number * len(loop.data))
            file.write(loop.data)
        file.truncate(len(header) + repeats * len(loop.data))
    return Recording(
        path=output,
        layout=layout,
        hours=hours,
        samples=sum(table.count for table in tables),
        chunks=sum(len(table.chunks.offsets) for table in tables),
        header_bytes=len(header),
        size_bytes=len(header) + repeats * len(loop.data),
    )


def _box(path: Path) -> MovieBox:
    media = ffzero.open(path).media
    assert media is not None
    return media.box


def _interleaved(box: MovieBox, layout: str) -> _Loop:
    """Lay the clip's samples in chunks, in order of decoding time."""
    tables = [_trimmed(track) for track in box.tracks]
    rows = []  # (time of the chunk's first sample, track, first sample, stop sample)
    for number, table in enumerate(tables):
        dts = table.durations.sums_before(0, table.count)
        slots = np.arange(table.count) if layout == "ffmpeg" else dts * _CHUNK_S.denominator // table.timescale
        starts = np.flatnonzero(np.diff(slots, prepend=-1))
        for first, stop in zip(starts.tolist(), [*starts[1:].tolist(), table.count], strict=True):
            rows.append((Fraction(int(dts[first]), table.timescale), number, first, stop))
    rows.sort()
    pieces: list[bytes] = []
    places: list[list[int]] = [[] for _ in tables]
    counts: list[list[int]] = [[] for _ in tables]
    position = 0
    for _, number, first, stop in rows:
        data = b"".join(_samples(box, box.tracks[number].table, first, stop))
        places[number].append(position)
        counts[number].append(stop - first)
        pieces.append(data)
        position += len(data)
    return _Loop(
        tables=tables,
        offsets=[np.array(offsets, np.int64) for offsets in places],
        counts=[np.array(each, np.int64) for each in counts],
        data=b"".join(pieces),
    )


def _trimmed(track: Track) -> SampleTable:
    """Return exactly ``LOOP_S`` seconds of samples, without sample groups."""
    count = track.table.first_at_or_after_dts(LOOP_S * track.timescale)
    table = track.table.slice(0, count)
    last = LOOP_S * track.timescale - table.durations.sum_before(count - 1)
    return replace(table.with_last_duration(last), groups=())


def _samples(box: MovieBox, table: SampleTable, first: int, stop: int) -> list[bytes]:
    offsets, sizes = table.offsets_and_sizes(first, stop)
    found = []
    for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
        data = bytearray(size)
        box.source.readinto_at(offset, memoryview(data))
        found.append(bytes(data))
    return found


def _repeated(
    table: SampleTable, repeats: int, offsets: np.ndarray, counts: np.ndarray, loop_bytes: int
) -> SampleTable:
    """Return the clip's table ``repeats`` times over, with chunk offsets from the start of the payload."""
    everywhere = (np.arange(repeats)[:, None] * loop_bytes + offsets[None, :]).reshape(-1)
    runs = Runs.encode(np.tile(counts, repeats))
    chunks = Chunks(
        offsets=everywhere,
        run_chunks=runs.counts,
        run_samples=runs.values,
        run_descriptions=np.zeros(len(runs.counts), np.int64),
    )
    durations = Runs(np.tile(table.durations.counts, repeats), np.tile(table.durations.values, repeats)).merged()
    composition = table.composition
    if composition is not None:
        composition = Runs(np.tile(composition.counts, repeats), np.tile(composition.values, repeats)).merged()
    sync = table.sync
    if sync is not None:
        sync = (np.arange(repeats)[:, None] * table.count + sync[None, :]).reshape(-1)
    column = np.tile(table.sizes.expand(0, table.count), repeats)
    return replace(
        table,
        durations=durations,
        composition=composition,
        sizes=Sizes(count=len(column), column=column),
        chunks=chunks,
        sync=sync,
    )


def _header(box: MovieBox, tables: list[SampleTable], payload_bytes: int, output: Path) -> bytes:
    """Return everything before the payload's first byte."""
    timescale = 1000
    tracks = []
    for track, table in zip(box.tracks, tables, strict=True):
        media_time = max((edit.media_time for edit in track.edits), default=0)
        shown = (table.durations.sum_before(table.count) - media_time) * timescale // table.timescale
        tracks.append(
            OutputTrack(
                header=track.header,
                handler_box=track.handler_box,
                language_code=track.language_code,
                entries=[entry.raw for entry in track.entries],
                table=table,
                edits=[Edit(duration=shown, media_time=media_time)],
                media_header=track.media_header,
                references={},
                extra_boxes=(),
                extra_media_boxes=(),
            )
        )
    movie = OutputMovie(
        file_type=box.file_type,
        timescale=timescale,
        header_box=box.header_box,
        tracks=tracks,
        user_data=b"",
        extra_boxes=(),
        before_data=Rope(),
    )
    with output.open("wb") as file:
        file.truncate(payload_bytes)  # a hole that stands for the payload while the header is made
    payload = Payload(rope=Rope.from_ranges(LocalSource.open(output), [0], [payload_bytes]), anchor=None)
    rope, base = write_movie(movie, payload)
    return rope.read_at(0, base)
