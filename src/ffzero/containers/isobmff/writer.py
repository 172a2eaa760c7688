"""Writing a movie: ``ftyp``, ``moov``, padding and ``mdat``, first to last, around a payload rope (ISO/IEC 14496-12).

The writer knows sample tables and ropes, no clips. The payload is never touched: the header's size is made such that
the payload's anchor lies at the same offset modulo 4096 as in its source, so that a filesystem can share its blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ffzero.containers.isobmff.boxes import box, full_box
from ffzero.containers.isobmff.model import Edit, TrackHeader
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.stbl import ChunkOffsets, Part, table_boxes
from ffzero.errors import UnsupportedError
from ffzero.extents.rope import Extent, Literal, Piece, Rope
from ffzero.values import dataclass

__all__ = ["BLOCK", "OutputMovie", "OutputTrack", "Payload", "write_movie"]

BLOCK = 4096
"""Block size that payloads are phase-matched to; every common filesystem's is this or divides it."""

_U32 = 1 << 32
_SELF_CONTAINED = full_box("dref", 0, 0, struct.pack(">I", 1), full_box("url ", 0, 1))


@dataclass(frozen=True, kw_only=True)
class OutputTrack:
    """A track to write. ``table``'s chunk offsets count from the start of the payload; ``edits`` are in movie ticks."""

    header: TrackHeader
    handler_box: bytes
    language_code: int
    entries: Sequence[bytes]
    table: SampleTable
    edits: Sequence[Edit]
    media_header: bytes
    references: dict[str, tuple[int, ...]]
    extra_boxes: Sequence[bytes]
    extra_media_boxes: Sequence[bytes]
    extra_information_boxes: Sequence[bytes] = ()


@dataclass(frozen=True, kw_only=True)
class OutputMovie:
    """A movie to write. ``header_box`` is an ``mvhd`` payload whose rate, volume and matrix are taken over."""

    file_type: bytes
    timescale: int
    header_box: bytes
    tracks: Sequence[OutputTrack]
    user_data: bytes
    extra_boxes: Sequence[bytes]
    before_data: Rope
    """Whole boxes that stand between ``moov`` and ``mdat``."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """The samples' bytes. ``anchor`` is (offset in the payload, offset in its source) of the run to phase-match."""

    rope: Rope
    anchor: tuple[int, int] | None


def write_movie(movie: OutputMovie, payload: Payload) -> tuple[Rope, int]:
    """Return the whole file as a rope, and the number of its bytes that are not payload.

    Long stretches of sample tables that stay as they were are named in the file that they came from, not held. Raises
    ``UnsupportedError`` for times and sizes that do not fit the boxes.
    """
    mdat_header = 16 if payload.rope.length + 8 >= _U32 else 8
    tables = [table_boxes(track.table, wide_offsets=False) for track in movie.tracks]
    parts = _moov(movie, tables)
    fixed = len(movie.file_type) + movie.before_data.length + mdat_header
    if fixed + _size(parts) + 2 * BLOCK + payload.rope.length >= _U32:
        growth = sum(4 * len(track.table.chunks.offsets) for track in movie.tracks)
        reach = fixed + _size(parts) + growth + 2 * BLOCK
        parts = _moov(movie, [_widened(table, reach) for table in tables])
    base = fixed + _size(parts)
    padding = _padding(base, payload.anchor)
    base += padding
    tail = box("free", bytes(padding - 8)) if padding else b""
    if mdat_header == 16:
        tail += struct.pack(">I4sQ", 1, b"mdat", payload.rope.length + 16)
    else:
        tail += struct.pack(">I4s", payload.rope.length + 8, b"mdat")
    header = Rope(_pieces([movie.file_type, *parts], base))
    return Rope.concat([header, movie.before_data, Rope([Literal(tail)]), payload.rope]), base


def _widened(table: Sequence[Part], reach: int) -> list[Part]:
    """Return a table's boxes with 64-bit chunk offsets where they are needed ``reach`` bytes further on."""
    return [
        ChunkOffsets(part.offsets, wide=part.offsets.extremes()[1] + reach >= _U32)
        if isinstance(part, ChunkOffsets)
        else part
        for part in table
    ]


def _pieces(parts: Iterable[Part], base: int) -> Iterator[Piece]:
    """Yield the header's pieces with chunk offsets counted from ``base``."""
    for part in parts:
        if isinstance(part, ChunkOffsets):
            yield from _pieces(part.pieces(base), base)
        else:
            yield part if isinstance(part, Extent) else Literal(part)


def _size(parts: Iterable[Part]) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.length for part in parts)


def _padding(base: int, anchor: tuple[int, int] | None) -> int:
    """Return the size of the ``free`` box (0, or 8 and more) that brings the anchor to its source's phase."""
    if anchor is None:
        return 0
    padding = (anchor[1] - anchor[0] - base) % BLOCK
    return padding if padding == 0 or padding >= 8 else padding + BLOCK


def _container(fourcc: str, parts: Sequence[Part]) -> list[Part]:
    size = 8 + _size(parts)
    if size >= _U32:
        raise UnsupportedError("the index would be larger than 4 GiB", found=size)
    return [struct.pack(">I4s", size, fourcc.encode("latin-1")), *parts]


def _moov(movie: OutputMovie, tables: Sequence[Sequence[Part]]) -> list[Part]:
    parts: list[Part] = [_mvhd(movie)]
    for track, table in zip(movie.tracks, tables, strict=True):
        parts += _trak(track, table)
    parts += movie.extra_boxes
    if movie.user_data:
        parts.append(movie.user_data)
    return _container("moov", parts)


def _movie_duration(track: OutputTrack) -> int:
    return sum(edit.duration for edit in track.edits)


def _times(version: int, creation: int, modification: int) -> bytes:
    if version:
        return struct.pack(">QQ", creation, modification)
    return struct.pack(">II", min(creation, _U32 - 1), min(modification, _U32 - 1))


def _mvhd(movie: OutputMovie) -> bytes:
    """§8.2.2: times, rate, volume and matrix as in the source, duration and timescale anew."""
    raw = movie.header_box
    old_version = raw[0] if raw else 0
    creation = modification = 0
    rest = struct.pack(">IHHII9I6I", 0x10000, 0x100, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000, *[0] * 6)
    if raw:
        creation, modification = struct.unpack_from(">QQ" if old_version else ">II", raw, 4)
        begin = 4 + (28 if old_version else 16)
        rest = raw[begin : begin + 76] if len(raw) >= begin + 76 else rest
    duration = max(map(_movie_duration, movie.tracks), default=0)
    version = 1 if duration >= _U32 - 1 or creation >= _U32 or modification >= _U32 else 0
    next_id = max((track.header.track_id for track in movie.tracks), default=0) + 1
    middle = struct.pack(">IQ" if version else ">II", movie.timescale, duration)
    return full_box(
        "mvhd", version, 0, _times(version, creation, modification), middle, rest, struct.pack(">I", next_id)
    )


def _trak(track: OutputTrack, table: Sequence[Part]) -> list[Part]:
    parts: list[Part] = [_tkhd(track)]
    parts += [extra for extra in track.extra_boxes if extra[4:8] == b"tapt"]  # QuickTime wants it before edts
    if track.edits:
        parts.append(box("edts", _elst(track.edits)))
    if track.references:
        kinds = [box(kind, struct.pack(f">{len(ids)}I", *ids)) for kind, ids in track.references.items() if ids]
        if kinds:
            parts.append(box("tref", *kinds))
    parts += _mdia(track, table)
    parts += [extra for extra in track.extra_boxes if extra[4:8] != b"tapt"]
    return _container("trak", parts)


def _tkhd(track: OutputTrack) -> bytes:
    """§8.3.2."""
    head, duration = track.header, _movie_duration(track)
    version = 1 if max(duration + 1, head.creation_time, head.modification_time) >= _U32 else 0
    return full_box(
        "tkhd",
        version,
        head.flags,
        _times(version, head.creation_time, head.modification_time),
        struct.pack(">IIQ" if version else ">III", head.track_id, 0, duration),
        bytes(8),
        struct.pack(">hhhH", head.layer, head.alternate_group, head.volume, 0),
        struct.pack(">9iII", *head.matrix, head.width, head.height),
    )


def _elst(edits: Sequence[Edit]) -> bytes:
    """§8.6.6."""
    wide = any(edit.duration >= _U32 or edit.media_time >= 1 << 31 for edit in edits)
    layout = ">QqI" if wide else ">IiI"
    entries = [struct.pack(layout, edit.duration, edit.media_time, edit.rate) for edit in edits]
    return full_box("elst", 1 if wide else 0, 0, struct.pack(">I", len(entries)), *entries)


def _mdia(track: OutputTrack, table: Sequence[Part]) -> list[Part]:
    duration = track.table.durations.sum_before(track.table.count)
    head = track.header
    version = 1 if max(duration + 1, head.creation_time, head.modification_time) >= _U32 else 0
    mdhd = full_box(
        "mdhd",
        version,
        0,
        _times(version, head.creation_time, head.modification_time),
        struct.pack(">IQ" if version else ">II", track.table.timescale, duration),
        struct.pack(">HH", track.language_code, 0),
    )
    stsd = full_box("stsd", 0, 0, struct.pack(">I", len(track.entries)), *track.entries)
    stbl = _container("stbl", [stsd, *table])
    minf: list[Part] = [track.media_header] if track.media_header else []
    minf += [*track.extra_information_boxes, box("dinf", _SELF_CONTAINED), *stbl]
    return _container("mdia", [mdhd, track.handler_box, *track.extra_media_boxes, *_container("minf", minf)])


def shifted(table: SampleTable, starts: np.ndarray, targets: np.ndarray) -> SampleTable:
    """Return ``table`` with chunk offsets moved: those from ``starts[i]`` on lie from ``targets[i]`` on."""
    return table.moved(starts, targets)
