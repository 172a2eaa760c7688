"""The samples of a clip, laid one piece after another: ranges of the sources, and what was coded anew between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ffzero.containers.isobmff.byte_runs import byte_runs
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.writer import BLOCK, Payload, shifted
from ffzero.edits.interleaving import interleaved
from ffzero.edits.laying.parts import Laid, Part
from ffzero.errors import TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.extents.rope import Extent, Literal, Rope

__all__ = ["lay_payload"]

_BRIDGED_GAP_BYTES = 8192
"""Gaps up to this between wanted chunks are taken along: cheaper than another extent with a phase of its own."""
_PHASED_RUN_BYTES = 65536
"""Runs from this size on get filler before them, so that their blocks can be shared."""
_BEHIND = 1 << 62
"""Stands for a place behind every byte of a source."""
_Numbered = tuple[int, int, Part]
"""A part of a track: the track's number, the part's, and the part."""


def lay_payload(sources: Sequence[ByteSource], laid: Sequence[Laid]) -> tuple[Payload, list[SampleTable]]:
    """Lay the bytes of all pieces one after another; returns them with each track's table in payload offsets.

    ``sources`` are the pieces' files.
    """
    stretches = [[one for part in item.parts for one in interleaved(part)] for item in laid]
    parts: list[_Numbered] = [
        (track, number, part) for track, own in enumerate(stretches) for number, part in enumerate(own)
    ]
    builder = _PayloadBuilder()
    placed: dict[tuple[int, int], SampleTable] = {}
    for piece, source in enumerate(sources):
        own = [entry for entry in parts if entry[2].piece == piece]
        placed |= builder.add_piece(source, own)
    for track, number, part in parts:
        if part.piece < 0:
            placed[track, number] = builder.add_literal_part(part)
    tables = [
        SampleTable.concat([placed[track, number] for number in range(len(own))]) for track, own in enumerate(stretches)
    ]
    return Payload(rope=Rope.concat(builder.ropes), anchor=builder.anchor), tables


class _PayloadBuilder:
    """Appends runs of sources, each large one at the phase of the first (see ``Payload.anchor``)."""

    def __init__(self) -> None:
        self.ropes: list[Rope] = []
        self.length = 0
        self.anchor: tuple[int, int] | None = None

    def add_literal(self, data: bytes | Rope) -> int:
        at = self.length
        self.ropes.append(data if isinstance(data, Rope) else Rope([Literal(data)]))
        self.length += len(data)
        return at

    def add_literal_part(self, part: Part) -> SampleTable:
        """Append a literal part; returns its table in payload offsets."""
        at = self.add_literal(part.literal or b"")
        return shifted(part.table, np.zeros(1, np.int64), np.array([at]))

    def add_piece(self, source: ByteSource, parts: Sequence[_Numbered]) -> dict[tuple[int, int], SampleTable]:
        """Append what a piece takes of its source, literal parts where their track goes on; returns their tables."""
        copied = [(track, number, part.table) for track, number, part in parts if part.literal is None]
        tables = [table for _, _, table in copied]
        starts, ends = byte_runs(tables, max_gap_bytes=_BRIDGED_GAP_BYTES)
        _check_end(source, ends)
        places = ((_before_chunk(at, tables), entry) for at, entry in _literal_places(parts))
        waiting = sorted(places, key=lambda entry: (entry[0], *entry[1][:2]))
        if all(table.chunks_in_order for table in tables):
            starts, ends = _split(starts, ends, [at for at, _ in waiting])
        placed: dict[tuple[int, int], SampleTable] = {}
        targets = np.empty(len(starts), np.int64)
        for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            while waiting and waiting[0][0] <= start:
                track, number, part = waiting.pop(0)[1]
                placed[track, number] = self.add_literal_part(part)
            targets[index] = self._add_run(source, start, end - start)
        for _, (track, number, part) in waiting:
            placed[track, number] = self.add_literal_part(part)
        for track, number, table in copied:
            placed[track, number] = shifted(table, starts, targets)
        return placed

    def _add_run(self, source: ByteSource, start: int, length: int) -> int:
        if length >= _PHASED_RUN_BYTES:
            if self.anchor is None:
                self.anchor = (self.length, start)
            filler = (start - self.anchor[1] - (self.length - self.anchor[0])) % BLOCK
            if filler:
                self.add_literal(bytes(filler))
        at = self.length
        self.ropes.append(Rope([Extent(source, start, length)]))
        self.length += length
        return at


def _check_end(source: ByteSource, ends: np.ndarray) -> None:
    if len(ends) and int(ends[-1]) > source.size_bytes:
        raise TruncatedError(
            "samples of the clip lie beyond the end of the file",
            path=source.name,
            offset_bytes=source.size_bytes,
            expected=f"{int(ends[-1])} bytes",
            found=source.size_bytes,
            hint="The file is incomplete; a clip that ends earlier can still be made",
        )


def _literal_places(parts: Sequence[_Numbered]) -> Iterator[tuple[int, _Numbered]]:
    """Yield each literal part with the byte of the source that it is to stand before (see ``Part``)."""
    following: dict[int, int] = {}
    for track, number, part in reversed(parts):
        if part.literal is None:
            following[track] = part.table.chunks.offsets.at(0)
        else:
            place = following.get(track, _BEHIND) if part.place is None else part.place
            yield place, (track, number, part)


def _split(starts: np.ndarray, ends: np.ndarray, places: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Split runs at those of the places that lie inside of one."""
    cuts = np.array(sorted({place for place in places if place < _BEHIND}), np.int64)
    run = np.searchsorted(starts, cuts, side="right") - 1
    cuts = cuts[(run >= 0) & (cuts > starts[run]) & (cuts < ends[run])] if len(starts) else cuts[:0]
    return np.sort(np.concatenate((starts, cuts))), np.sort(np.concatenate((ends, cuts)))


def _before_chunk(place: int, tables: Sequence[SampleTable]) -> int:
    """Return a place, moved to the beginning of the chunk that it lies inside of, if it does."""
    for table in tables:
        if not table.chunk_count or not table.chunks_in_order:
            continue
        before = table.chunks.offsets.bisect_left(place)
        if before:
            (offset,), (size,) = table.chunk_ranges(before - 1, before)
            place = int(offset) if offset + size > place else place
    return place
