"""Sample tables for tests: samples as plain values, a naive writer of ``stbl`` boxes, and what a table says of each."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.stbl import parse_sample_table
from ffzero.storage.memory import MemorySource

__all__ = ["Sample", "box", "full", "parsed", "read_table", "samples_of", "stbl_bytes", "tables"]


class Sample(NamedTuple):
    """One sample; ``group`` is the description of its ``roll`` group, if any."""

    offset: int
    size: int
    duration: int
    composition: int
    sync: bool
    dependency: int
    group: bytes | None
    description: int


def box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def full(kind: str, version: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *parts)


def parsed(data: bytes, kind: str = "stbl") -> View:
    """Return the payload of a box as the reader sees it in a file that begins with it."""
    return View(data=memoryview(data), offset=0, path=kind, source_name="test", fourcc=kind, source=MemorySource(data))


def read_table(data: bytes, timescale: int = 1000) -> SampleTable:
    return parse_sample_table(parsed(data), timescale, 1 << 40)


def _rows(layout: str, rows: Sequence[Sequence[int]]) -> bytes:
    return struct.pack(">I", len(rows)) + b"".join(struct.pack(layout, *row) for row in rows)


def stbl_bytes(samples: Sequence[Sample], chunk_sizes: Sequence[int], *, wide: bool = False, cut: int = 3) -> bytes:
    """Write the samples' boxes one run at a time: runs of at most ``cut`` equal values, as awkward files have them."""
    firsts = [sum(chunk_sizes[:number]) for number in range(len(chunk_sizes))]
    roll = list(dict.fromkeys(sample.group for sample in samples if sample.group is not None))
    chunks = zip(firsts, chunk_sizes, strict=True)
    return b"".join(
        (
            full("stts", 0, _rows(">II", _runs([sample.duration for sample in samples], cut))),
            full("ctts", 1, _rows(">Ii", _runs([sample.composition for sample in samples], cut))),
            full("stss", 0, _rows(">I", [[n + 1] for n, sample in enumerate(samples) if sample.sync])),
            full("sdtp", 0, bytes(sample.dependency for sample in samples)),
            full("stsz", 0, struct.pack(">I", 0), _rows(">I", [[sample.size] for sample in samples])),
            full("stsc", 0, _rows(">III", [(n + 1, c, samples[f].description + 1) for n, (f, c) in enumerate(chunks)])),
            full("co64" if wide else "stco", 0, _rows(">Q" if wide else ">I", [[samples[n].offset] for n in firsts])),
            full("sgpd", 1, b"roll", struct.pack(">I", 2), struct.pack(">I", len(roll)), *roll),
            full(
                "sbgp",
                0,
                b"roll",
                _rows(">II", _runs([roll.index(s.group) + 1 if s.group else 0 for s in samples], cut)),
            ),
        )
    )


def _runs(values: Sequence[int], cut: int) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    for value in values:
        if rows and rows[-1][1] == value and rows[-1][0] < cut:
            rows[-1] = (rows[-1][0] + 1, value)
        else:
            rows.append((1, value))
    return rows


def samples_of(table: SampleTable) -> list[Sample]:
    """Return what a table says of each sample, asked one sample at a time."""
    sync = None if table.sync is None else set(table.sync.tolist())
    out = []
    for n in range(table.count):
        offsets, sizes = table.offsets_and_sizes(n, n + 1)
        run, _, _ = table.chunks.locate(n)
        groups = [group for group in table.groups if group.indices.at(n)]
        out.append(
            Sample(
                offset=int(offsets[0]),
                size=int(sizes[0]),
                duration=table.dts(n + 1) - table.dts(n),
                composition=table.pts(n) - table.dts(n),
                sync=sync is None or n in sync,
                dependency=0 if table.dependency is None else int(table.dependency[n]),
                group=groups[0].descriptions[groups[0].indices.at(n) - 1] if groups else None,
                description=int(table.chunks.run_descriptions[run]),
            )
        )
    return out


@st.composite
def tables(draw: st.DrawFn, *, most: int = 24, in_order: bool = False) -> tuple[SampleTable, list[Sample]]:
    """Draw a table read from bytes, and its samples. Chunks lie apart, ``in_order`` or anywhere; none overlap."""
    chunk_sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=most // 2))
    places = list(range(len(chunk_sizes))) if in_order else draw(st.permutations(range(len(chunk_sizes))))
    samples: list[Sample] = []
    for place, count in zip(places, chunk_sizes, strict=True):
        offset, description = 100 + place * 1000 + draw(st.integers(0, 40)), draw(st.integers(0, 1))
        for _ in range(count):
            size = draw(st.integers(0, 200))
            samples.append(
                Sample(
                    offset=offset,
                    size=size,
                    duration=draw(st.integers(0, 5)),
                    composition=draw(st.integers(-6, 9)),
                    sync=draw(st.booleans()),
                    dependency=draw(st.integers(0, 255)),
                    group=draw(st.sampled_from((None, b"\0\1", b"\xff\xfe"))),
                    description=description,
                )
            )
            offset += size
    samples[0] = samples[0]._replace(sync=True)
    data = stbl_bytes(samples, chunk_sizes, wide=draw(st.booleans()), cut=draw(st.integers(1, 4)))
    return read_table(data), samples
