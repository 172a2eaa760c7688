"""The boxes that say where samples lie: ``stsz``, ``stz2``, ``stsc``, ``stco`` and ``co64`` (ISO/IEC 14496-12 §8.7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from ffzero.containers.columns import Column, Origin, Window
from ffzero.containers.isobmff.boxes import View, full_box, full_box_head
from ffzero.containers.isobmff.chunks import Chunks, Sizes
from ffzero.containers.isobmff.moved_table import MovedTable
from ffzero.containers.runs import frozen
from ffzero.errors import InvalidDataError
from ffzero.extents.rope import Extent

__all__ = [
    "LONG_BYTES",
    "ChunkOffsets",
    "Part",
    "origin_of",
    "parse_chunks",
    "parse_stsz",
    "parse_stz2",
    "stsc_box",
    "stsz_box",
]

_MAX_SAMPLES = 1 << 50
LONG_BYTES = 64 << 10
"""Shorter stretches of tables are written anew: a piece of its own would cost more than it saves."""
_PASS_ROWS = 1 << 16
_U32_DTYPE = np.dtype(">u4")
_MOVABLE = (_U32_DTYPE, np.dtype(">u8"))


def origin_of(view: View, at: int) -> Origin | None:
    """Return where the rows of a table that begins ``at`` bytes into a box lie."""
    return None if view.source is None else Origin(source=view.source, offset=view.offset + at)


def parse_stsz(view: View, file_size: int) -> Sizes:
    """§8.7.3.2. Raises ``InvalidDataError`` where samples of one size are more than a file of ``file_size`` holds."""
    uniform, count = view.u32(4), view.u32(8)
    if uniform:
        if count * uniform > file_size * 256:
            raise view.error("more samples are declared than the file could hold", 8, found=count)
        return Sizes(count=count, uniform=uniform)
    return Sizes(count=count, column=Column.of(view.array(">u4", count, 12), origin_of(view, 12)))


def parse_stz2(view: View) -> Sizes:
    """§8.7.3.3: sizes of 4, 8 or 16 bits."""
    field, count = view.u8(7), view.u32(8)
    if field == 16:
        return Sizes(count=count, column=view.array(">u2", count, 12))
    if field == 8:
        return Sizes(count=count, column=view.array("u1", count, 12))
    if field != 4:
        raise view.error("field size of stz2", 7, expected="4, 8 or 16", found=field)
    packed = view.array("u1", (count + 1) // 2, 12)
    nibbles = np.stack((packed >> 4, packed & 15), axis=1).reshape(-1)
    return Sizes(count=count, column=frozen(nibbles[:count]))


def parse_chunks(boxes: dict[str, View], stbl: View) -> Chunks:
    """§8.7.4 ``stsc`` with §8.7.5 ``stco``/``co64``, found among an ``stbl``'s boxes."""
    where = boxes.get("co64") or boxes.get("stco")
    stsc = boxes.get("stsc")
    if where is None or stsc is None:
        raise stbl.error(
            "the track has samples but no chunk table", expected="stsc and stco or co64", found=list(boxes)
        )
    dtype = ">u8" if where.fourcc == "co64" else ">u4"
    where.need(8)
    rows = where.array(dtype, min(where.u32(4), (len(where) - 8) // np.dtype(dtype).itemsize), 8)
    offsets = Column.of(rows, origin_of(where, 8))
    least, most = offsets.extremes() if dtype == ">u8" else (0, 0)
    if least < 0 or most >= 1 << 62:
        raise where.error("chunk offset out of range", 8, found=int(rows.max()))
    stsc.need(8)
    entries = stsc.array(">u4", 3 * min(stsc.u32(4), (len(stsc) - 8) // 12), 8).reshape(-1, 3)
    return _chunk_runs(stsc, entries, offsets)


def _chunk_runs(stsc: View, entries: np.ndarray, offsets: Column) -> Chunks:
    total = len(offsets)
    if len(entries) and int(entries[:, 0].max()) > total:
        entries = entries[entries[:, 0] <= total]
    if total and (not len(entries) or int(entries[0, 0]) != 1):
        raise stsc.error("the first run must begin at chunk 1", 8, found=int(entries[0, 0]) if len(entries) else None)
    firsts = entries[:, 0].astype(np.uint32)
    if bool((firsts[1:] < firsts[:-1]).any()):
        raise stsc.error("chunk runs are not in order", 8)
    run_chunks: np.ndarray = np.diff(np.append(firsts, np.uint32(total + 1)))
    samples, descriptions = entries[:, 1], entries[:, 2]
    if len(samples) and int(samples.min()) == 0:
        kept = samples > 0
        rows = offsets.rows()[np.repeat(kept, run_chunks.astype(np.int64))]  # chunks without samples do not exist
        offsets, run_chunks, samples, descriptions = (
            Column.of(rows),
            run_chunks[kept],
            samples[kept],
            descriptions[kept],
        )
    chunks = Chunks(
        offsets=offsets, run_chunks=run_chunks, run_samples=samples, run_descriptions=_from_zero(descriptions)
    )
    try:
        count = chunks.sample_count
    except InvalidDataError:
        count = _MAX_SAMPLES
    if count >= _MAX_SAMPLES:
        raise stsc.error("more samples are declared than any file holds", 8)
    return chunks


def _from_zero(descriptions: np.ndarray) -> np.ndarray:
    """Return 1-based sample description numbers from 0 (0 is taken for 1); broadcast where all are alike."""
    if len(descriptions) and int(descriptions.min()) == int(descriptions.max()):
        return np.broadcast_to(np.int64(max(int(descriptions[0]), 1) - 1), descriptions.shape)
    numbers: np.ndarray = np.maximum(descriptions, 1) - 1
    return numbers.astype(np.uint32)


class ChunkOffsets:
    """An ``stco`` or ``co64`` box whose offsets are known once the header's size is: each is ``base`` plus its own."""

    def __init__(self, offsets: Column, *, wide: bool) -> None:
        self.offsets = offsets
        self.wide = wide

    @property
    def length(self) -> int:
        return 16 + len(self.offsets) * self._width

    @property
    def _width(self) -> int:
        return 8 if self.wide else 4

    def pieces(self, base: int) -> Iterator[bytes | Extent]:
        """Yield the box; long stretches of a file's table become ranges of a source that adds to it when read.

        Raises ``InvalidDataError`` where an offset does not fit.
        """
        least, most = self.offsets.extremes()
        if least + base < 0 or most + base >= 1 << (63 if self.wide else 32):
            raise InvalidDataError("a chunk offset does not fit its table", found=most + base)
        fourcc = "co64" if self.wide else "stco"
        yield full_box_head(fourcc, self.length - 12) + struct.pack(">I", len(self.offsets))
        for window in self.offsets.shifted(base).windows:
            moved = _moved_table(window, self._width)
            if moved is None:
                yield _stored_bytes(window, f">u{self._width}")
            else:
                yield Extent(moved, 0, moved.size_bytes)


def _moved_table(window: Window, width: int) -> MovedTable | None:
    stored, count = window.stored, window.stop - window.first
    if stored.origin is None or count * width < LONG_BYTES or stored.array.dtype not in _MOVABLE:
        return None
    kept_width = stored.array.dtype.itemsize
    return MovedTable(
        source=stored.origin.source,
        offset=stored.origin.offset + window.first * kept_width,
        count=count,
        amount=window.shift,
        kept_width=kept_width,
        width=width,
    )


Part: TypeAlias = bytes | Extent | ChunkOffsets
"""A piece of a header: bytes, a range of a source, or chunk offsets that wait for the place of the payload."""


def stsc_box(chunks: Chunks) -> list[Part]:
    """§8.7.4, in the fewest runs."""
    rows: list[bytes] = []
    chunk, last = 1, (-1, -1)
    passes = zip(chunks.samples.passes(_PASS_ROWS), chunks.descriptions.passes(_PASS_ROWS), strict=True)
    for (counts, samples), (_, descriptions) in passes:
        starts = np.flatnonzero(_changes(samples, last[0]) | _changes(descriptions, last[1]))
        table = np.empty((len(starts), 3), ">u4")
        table[:, 0] = (np.cumsum(counts) - counts)[starts] + chunk
        table[:, 1] = samples[starts]
        table[:, 2] = descriptions[starts] + 1
        rows.append(table.tobytes())
        chunk, last = chunk + int(counts.sum()), (int(samples[-1]), int(descriptions[-1]))
    size = sum(map(len, rows))
    return [full_box_head("stsc", 4 + size) + struct.pack(">I", size // 12), *rows]


def _changes(values: np.ndarray, before: int) -> np.ndarray:
    """Return where a value is not the one before it."""
    changes = np.empty(len(values), np.bool_)
    changes[0] = values[0] != before
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def stsz_box(sizes: Sizes) -> list[Part]:
    """§8.7.3.2."""
    if sizes.column is None:
        return [full_box("stsz", 0, 0, struct.pack(">II", sizes.uniform or 0, sizes.count))]
    parts: list[Part] = [full_box_head("stsz", 8 + 4 * sizes.count) + struct.pack(">II", 0, sizes.count)]
    for window in sizes.column.windows:
        stored, count = window.stored, window.stop - window.first
        if stored.origin is None or stored.array.dtype != _U32_DTYPE or window.shift or 4 * count < LONG_BYTES:
            parts.append(_stored_bytes(window, ">u4"))
        else:
            parts.append(Extent(stored.origin.source, stored.origin.offset + 4 * window.first, 4 * count))
    return parts


def _stored_bytes(window: Window, dtype: str) -> bytes:
    """Return a window's rows as big-endian numbers that they fit into."""
    out = np.empty(window.stop - window.first, dtype)
    for at in range(0, len(out), _PASS_ROWS):
        stop = min(len(out), at + _PASS_ROWS)
        out[at:stop] = window.stored.rows(window.first + at, window.first + stop) + window.shift
    return out.tobytes()
