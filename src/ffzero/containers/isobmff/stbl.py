"""The boxes of a sample table: each parser beside its writer (ISO/IEC 14496-12 §8.5-8.9).

What the standard demands is checked where it protects memory or meaning; what real files get wrong is mended in a way
that is named here: a short ``stts`` goes on with its last duration, a short ``ctts`` with zero, ``stss`` is sorted, and
samples without a chunk do not exist.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ffzero.containers.columns import Origin
from ffzero.containers.isobmff.boxes import View, full_box, full_box_head
from ffzero.containers.isobmff.chunk_boxes import (
    LONG_BYTES,
    ChunkOffsets,
    Part,
    origin_of,
    parse_chunks,
    parse_stsz,
    parse_stz2,
    stsc_box,
    stsz_box,
)
from ffzero.containers.isobmff.group_boxes import group_boxes, parse_groups
from ffzero.containers.isobmff.sample_table import Chunks, SampleGroup, SampleTable, Sizes
from ffzero.containers.run_table import RunWindow
from ffzero.containers.runs import Runs, frozen
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.extents.rope import Extent

__all__ = ["ChunkOffsets", "Part", "parse_groups", "parse_sample_entries", "parse_sample_table", "table_boxes"]


def parse_sample_table(stbl: View, timescale: int, file_size: int) -> SampleTable:
    """Return the table in an ``stbl`` box. Columns stay views of the box's bytes; nothing is expanded per sample."""
    boxes = stbl.child_map(lenient=True)
    groups = parse_groups(stbl.children(lenient=True))
    if "stsz" not in boxes and "stz2" not in boxes:
        return _with_count(_empty_table(timescale), 0, groups)
    sizes = parse_stz2(boxes["stz2"]) if "stz2" in boxes else parse_stsz(boxes["stsz"], file_size)
    chunks = parse_chunks(boxes, stbl) if sizes.count else _empty_table(timescale).chunks
    count = min(sizes.count, chunks.sample_count)
    durations = _fit(_parse_stts(boxes["stts"]), count) if "stts" in boxes else Runs.constant(count, 0)
    try:
        durations.sum_before(count)
    except InvalidDataError as error:
        raise stbl.error("sample durations overflow") from error
    table = SampleTable(
        timescale=timescale,
        durations=durations,
        composition=_fit(_parse_ctts(boxes["ctts"]), count, pad=0) if "ctts" in boxes else None,
        sizes=sizes.slice(0, count),
        chunks=chunks,
        sync=_parse_sync(boxes.get("stss"), count),
        partial_sync=_parse_numbers(boxes["stps"], count) if "stps" in boxes else None,
        dependency=_parse_sdtp(boxes.get("sdtp"), count),
    )
    return _with_count(table, count, groups)


def _empty_table(timescale: int) -> SampleTable:
    none = np.zeros(0, np.int64)
    chunks = Chunks(offsets=none, run_chunks=none, run_samples=none, run_descriptions=none)
    return SampleTable(
        timescale=timescale, durations=Runs(none, none), sizes=Sizes(count=0, uniform=0), chunks=chunks, sync=None
    )


def _with_count(table: SampleTable, count: int, groups: Iterable[SampleGroup]) -> SampleTable:
    fitted = tuple(replace(group, indices=_fit(group.indices, count, pad=0)) for group in groups)
    if count == 0:
        return replace(table, groups=fitted)
    whole = table.chunks.sample_count == count
    return replace(table, groups=fitted, chunks=table.chunks if whole else table._slice_chunks(0, count))


def _fit(runs: Runs, count: int, pad: int | None = None) -> Runs:
    """Cut or lengthen a column to ``count`` values (with ``pad``, or the last value)."""
    have = len(runs)
    if have == count:
        return runs
    if have > count:
        return runs.slice(0, count)
    value = pad if pad is not None else (runs.at(have - 1) if have else 0)
    return Runs.concat([runs, Runs.constant(count - have, value)])


def _pairs(view: View, dtype: str) -> tuple[np.ndarray, np.ndarray, Origin | None]:
    """Read entry_count, then that many (u32, ``dtype``) pairs: two views, and where they lie."""
    view.need(8)
    count = min(view.u32(4), (len(view) - 8) // 8)  # a count past the box's end is cut to what is there
    return view.array(">u4", 2 * count, 8)[0::2], view.array(dtype, 2 * count, 8)[1::2], origin_of(view, 8)


def _parse_stts(view: View) -> Runs:
    """§8.6.1.2. A delta with the top bit set is a writer's negative one; 1 keeps dts rising, as FFmpeg does."""
    counts, values, origin = _pairs(view, ">i4")
    if len(values) and int(values.min()) < 0:
        return Runs(counts, np.where(values < 0, 1, values).astype(np.int64))
    return Runs(counts, values, origin)


def _parse_ctts(view: View) -> Runs:
    """§8.6.1.3. Offsets are read as signed in version 0 too: QuickTime wrote negative ones there."""
    return Runs(*_pairs(view, ">i4"))


def _parse_numbers(view: View, count: int) -> np.ndarray:
    view.need(8)
    numbers = view.array(">u4", min(view.u32(4), (len(view) - 8) // 4), 8).astype(np.int64) - 1
    if len(numbers) and (np.any(numbers[1:] <= numbers[:-1]) or numbers[0] < 0 or numbers[-1] >= count):
        numbers = np.unique(numbers[(numbers >= 0) & (numbers < count)])
    return frozen(numbers)


def _parse_sync(view: View | None, count: int) -> np.ndarray | None:
    """§8.6.2. No box: every sample is a sync sample. An empty one: only the first can be taken for one."""
    if view is None:
        return None
    numbers = _parse_numbers(view, count)
    if not len(numbers) and view.u32(4) == 0:
        return frozen(np.zeros(min(1, count), np.int64))
    return numbers


def _parse_sdtp(view: View | None, count: int) -> np.ndarray | None:
    if view is None or len(view) - 4 < count:
        return None
    return view.array("u1", count, 4)


def parse_sample_entries(stsd: View) -> list[bytes]:
    """Return the sample entries of an ``stsd`` verbatim, each a whole box (§8.5.2)."""
    stsd.need(8)
    entries = []
    for child in stsd.children(8, lenient=True):
        entries.append(child.as_box())
        if len(entries) == stsd.u32(4):
            break
    if not entries:
        raise stsd.error("no sample entry", 4)
    return entries


def table_boxes(table: SampleTable, *, wide_offsets: bool) -> list[Part]:
    """Return the boxes of ``table`` below ``stbl``, less ``stsd``; chunk offsets are left relative.

    Long stretches of tables that stay as they were are ranges of the file that they came from. Raises
    ``UnsupportedError`` for durations and composition offsets that do not fit.
    """
    parts = _counted_pairs("stts", 0, table.durations)
    composition = table.composition
    if composition is not None and composition.extremes() != (0, 0):
        parts += _counted_pairs("ctts", 1 if composition.extremes()[0] < 0 else 0, composition)
    if table.sync is not None:
        parts.append(_numbers("stss", table.sync))
    if table.partial_sync is not None and len(table.partial_sync):
        parts.append(_numbers("stps", table.partial_sync))
    if table.dependency is not None:
        parts.append(full_box("sdtp", 0, 0, table.dependency.tobytes()))
    parts += [*stsc_box(table.chunks), *stsz_box(table.sizes), ChunkOffsets(table.chunks.offsets, wide=wide_offsets)]
    for group in table.groups:
        parts += group_boxes(group)
    return parts


def _counted_pairs(fourcc: str, version: int, runs: Runs) -> list[Part]:
    least, most = runs.extremes()
    if most >= 1 << 31 or least < (-1 << 31 if version else 0):
        raise UnsupportedError(f"a time does not fit {fourcc}", expected="31 bits", found=most if least >= 0 else least)
    count = runs.run_count
    parts: list[Part] = [full_box_head(fourcc, 4 + 8 * count, version) + struct.pack(">I", count)]
    for window in runs.windows:
        parts += _pair_rows(window)
    return parts


def _pair_rows(window: RunWindow) -> list[Part]:
    """Return a window's runs as pairs: first and last may be cut, those between lie in the file as they are."""
    (low, high), origin = window.run_range, window.table.origin
    if origin is None or not window.is_plain or 8 * (high - low - 2) < LONG_BYTES:
        return [_pair_bytes(window.counts(), window.values())]
    begin, end = window.table.start_of(low + 1), window.table.start_of(high - 1)
    head, tail = window._replace(stop=begin), window._replace(first=end)
    return [
        _pair_bytes(head.counts(), head.values()),
        Extent(origin.source, origin.offset + 8 * (low + 1), 8 * (high - low - 2)),
        _pair_bytes(tail.counts(), tail.values()),
    ]


def _pair_bytes(counts: np.ndarray, values: np.ndarray) -> bytes:
    pairs = np.empty((len(counts), 2), dtype=">u4")
    pairs[:, 0] = counts
    pairs[:, 1] = values & 0xFFFFFFFF
    return pairs.tobytes()


def _numbers(fourcc: str, numbers: np.ndarray) -> bytes:
    return full_box(fourcc, 0, 0, struct.pack(">I", len(numbers)), (numbers + 1).astype(">u4").tobytes())
