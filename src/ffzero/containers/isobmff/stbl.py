"""The boxes of a sample table: each parser beside its writer (ISO/IEC 14496-12 §8.5-8.9).

What the standard demands is checked where it protects memory or meaning; what real files get wrong is mended in a way
that is named here: a short ``stts`` goes on with its last duration, a short ``ctts`` with zero, ``stss`` is sorted, and
samples without a chunk do not exist.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from ffzero.containers.columns import Column, Origin, Window
from ffzero.containers.isobmff.boxes import View, full_box, full_box_head
from ffzero.containers.isobmff.moved_table import MovedTable
from ffzero.containers.isobmff.sample_table import Chunks, SampleGroup, SampleTable, Sizes
from ffzero.containers.runs import Runs, RunWindow, frozen
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.extents.rope import Extent

__all__ = ["ChunkOffsets", "Part", "parse_groups", "parse_sample_entries", "parse_sample_table", "table_boxes"]

_LONG_BYTES = 64 << 10
"""Shorter stretches of tables are written anew: a piece of its own would cost more than it saves."""
_PASS_ROWS = 1 << 16
_U32_DTYPE = np.dtype(">u4")
_MOVABLE = (_U32_DTYPE, np.dtype(">u8"))
_GROUP_ENTRY_BYTES = {"rap ": 1, "roll": 2, "prol": 2, "sync": 1, "tele": 1}
"""Entry sizes of groupings that a version 0 ``sgpd`` leaves unsaid."""

_KEPT_GROUPS = frozenset({"rap ", "roll", "prol", "sync", "sap ", "tele", "tsas", "stsa", "seig"})


def parse_sample_table(stbl: View, timescale: int, file_size: int) -> SampleTable:
    """Return the table in an ``stbl`` box. Columns stay views of the box's bytes; nothing is expanded per sample."""
    boxes = stbl.child_map(lenient=True)
    groups = parse_groups(stbl.children(lenient=True))
    if "stsz" not in boxes and "stz2" not in boxes:
        return _with_count(_empty_table(timescale), 0, groups)
    sizes = _parse_stz2(boxes["stz2"]) if "stz2" in boxes else _parse_stsz(boxes["stsz"], file_size)
    chunks = _parse_chunks(boxes, stbl) if sizes.count else _empty_table(timescale).chunks
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
    return view.array(">u4", 2 * count, 8)[0::2], view.array(dtype, 2 * count, 8)[1::2], _origin(view, 8)


def _origin(view: View, at: int) -> Origin | None:
    return None if view.source is None else Origin(source=view.source, offset=view.offset + at)


def _parse_stts(view: View) -> Runs:
    """§8.6.1.2. A delta with the top bit set is a writer's negative one; 1 keeps dts rising, as FFmpeg does."""
    counts, values, origin = _pairs(view, ">i4")
    if len(values) and int(values.min()) < 0:
        return Runs(counts, np.where(values < 0, 1, values).astype(np.int64))
    return Runs(counts, values, origin)


def _parse_ctts(view: View) -> Runs:
    """§8.6.1.3. Offsets are read as signed in version 0 too: QuickTime wrote negative ones there."""
    return Runs(*_pairs(view, ">i4"))


def _parse_stsz(view: View, file_size: int) -> Sizes:
    """§8.7.3.2."""
    uniform, count = view.u32(4), view.u32(8)
    if uniform:
        if count * uniform > file_size * 256:
            raise view.error("more samples are declared than the file could hold", 8, found=count)
        return Sizes(count=count, uniform=uniform)
    return Sizes(count=count, column=Column.of(view.array(">u4", count, 12), _origin(view, 12)))


def _parse_stz2(view: View) -> Sizes:
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


def _parse_chunks(boxes: dict[str, View], stbl: View) -> Chunks:
    """§8.7.4 ``stsc`` with §8.7.5 ``stco``/``co64``."""
    where = boxes.get("co64") or boxes.get("stco")
    stsc = boxes.get("stsc")
    if where is None or stsc is None:
        raise stbl.error(
            "the track has samples but no chunk table", expected="stsc and stco or co64", found=list(boxes)
        )
    dtype = ">u8" if where.fourcc == "co64" else ">u4"
    where.need(8)
    rows = where.array(dtype, min(where.u32(4), (len(where) - 8) // np.dtype(dtype).itemsize), 8)
    offsets = Column.of(rows, _origin(where, 8))
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
    run_chunks: np.ndarray = np.diff(np.append(entries[:, 0].astype(np.int64), total + 1))
    if len(run_chunks) and int(run_chunks.min()) < 0:
        raise stsc.error("chunk runs are not in order", 8)
    samples, descriptions = entries[:, 1], entries[:, 2]
    if len(samples) and int(samples.min()) == 0:
        kept = samples > 0
        rows = offsets.rows()[np.repeat(kept, run_chunks)]  # chunks without samples do not exist
        offsets, run_chunks, samples, descriptions = (
            Column.of(rows),
            run_chunks[kept],
            samples[kept],
            descriptions[kept],
        )
    if float((run_chunks.astype(float) * samples).sum()) > float(1 << 50):
        raise stsc.error("more samples are declared than any file holds", 8)
    return Chunks(
        offsets=offsets,
        run_chunks=run_chunks.astype(np.uint32),
        run_samples=samples,
        run_descriptions=_from_zero(descriptions),
    )


def _from_zero(descriptions: np.ndarray) -> np.ndarray:
    """Return 1-based sample description numbers from 0 (0 is taken for 1); broadcast where all are alike."""
    if len(descriptions) and int(descriptions.min()) == int(descriptions.max()):
        return np.broadcast_to(np.int64(max(int(descriptions[0]), 1) - 1), descriptions.shape)
    numbers: np.ndarray = np.maximum(descriptions, 1) - 1
    return numbers.astype(np.uint32)


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


def parse_groups(children: Iterable[View]) -> list[SampleGroup]:
    """Return the sample groups of an ``stbl`` or ``traf`` (§8.9.2, §8.9.3), but those that no cut can keep."""
    described: dict[str, tuple[tuple[bytes, ...], int, int]] = {}
    mapped: dict[tuple[str, int | None], Runs] = {}
    for child in children:
        if child.fourcc == "sgpd" and len(child) >= 12:
            grouping = child.raw()[4:8].decode("latin-1")
            described[grouping] = _parse_sgpd(child, grouping)
        elif child.fourcc == "sbgp" and len(child) >= 12:
            grouping = child.raw()[4:8].decode("latin-1")
            at = 12 if child.u8(0) == 1 else 8
            parameter = child.u32(8) if child.u8(0) == 1 else None
            count = min(child.u32(at), (len(child) - at - 4) // 8)
            pairs = child.array(">u4", 2 * count, at + 4).astype(np.int64)
            mapped[grouping, parameter] = Runs(pairs[0::2], pairs[1::2])
    groups = []
    for (grouping, parameter), indices in mapped.items():
        if grouping in described and grouping in _KEPT_GROUPS:
            entries, version, default = described[grouping]
            groups.append(
                SampleGroup(
                    grouping_type=grouping,
                    parameter=parameter,
                    indices=indices,
                    descriptions=entries,
                    version=version,
                    default_index=default,
                )
            )
    return groups


def _parse_sgpd(view: View, grouping: str) -> tuple[tuple[bytes, ...], int, int]:
    version, at, default_length, default_index = view.u8(0), 8, 0, 0
    if version >= 1:
        default_length, at = view.u32(at), at + 4
    else:
        default_length = _GROUP_ENTRY_BYTES.get(grouping, 0)
    if version >= 2:
        default_index, at = view.u32(at), at + 4
    count, at = view.u32(at), at + 4
    if count > len(view):
        raise view.error("more group descriptions are declared than the box holds", at - 4, found=count)
    entries = []
    for _ in range(count):
        length = default_length
        if version >= 1 and default_length == 0:
            length, at = view.u32(at), at + 4
        elif version == 0 and default_length == 0:
            length = (len(view) - at) // count
        view.need(length, at)
        entries.append(bytes(view.data[at : at + length]))
        at += length
    return tuple(entries), max(version, 1), default_index


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
    if stored.origin is None or count * width < _LONG_BYTES or stored.array.dtype not in _MOVABLE:
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
    parts += [_stsc(table.chunks), *_stsz(table.sizes), ChunkOffsets(table.chunks.offsets, wide=wide_offsets)]
    for group in table.groups:
        parts += _group_boxes(group)
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
    if origin is None or not window.is_plain or 8 * (high - low - 2) < _LONG_BYTES:
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


def _stsc(chunks: Chunks) -> bytes:
    counts, samples, descriptions = chunks.run_chunks, chunks.run_samples, chunks.run_descriptions
    changes = np.ones(len(counts), np.bool_)
    changes[1:] = (samples[1:] != samples[:-1]) | (descriptions[1:] != descriptions[:-1])
    table = np.empty((int(changes.sum()), 3), ">u4")
    table[:, 0] = (np.cumsum(counts) - counts + 1)[changes]
    table[:, 1] = samples[changes]
    table[:, 2] = descriptions[changes] + 1
    return full_box("stsc", 0, 0, struct.pack(">I", len(table)), table.tobytes())


def _stsz(sizes: Sizes) -> list[Part]:
    if sizes.column is None:
        return [full_box("stsz", 0, 0, struct.pack(">II", sizes.uniform or 0, sizes.count))]
    parts: list[Part] = [full_box_head("stsz", 8 + 4 * sizes.count) + struct.pack(">II", 0, sizes.count)]
    for window in sizes.column.windows:
        stored, count = window.stored, window.stop - window.first
        if stored.origin is None or stored.array.dtype != _U32_DTYPE or window.shift or 4 * count < _LONG_BYTES:
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


def _group_boxes(group: SampleGroup) -> list[bytes]:
    indices = group.indices
    if indices.extremes() == (0, 0) and not group.default_index:
        return []
    grouping = group.grouping_type.encode("latin-1")
    entries = [struct.pack(">I", len(entry)) + entry for entry in group.descriptions]
    lengths = {len(entry) for entry in group.descriptions}
    default = lengths.pop() if len(lengths) == 1 else 0
    if default:
        entries = list(group.descriptions)
    version = 2 if group.default_index else 1
    head = grouping + struct.pack(">I", default)
    if version == 2:
        head += struct.pack(">I", group.default_index)
    sgpd = full_box("sgpd", version, 0, head, struct.pack(">I", len(entries)), *entries)
    pairs = np.stack((indices.counts, indices.values), axis=1).astype(">u4")
    parameter = b"" if group.parameter is None else struct.pack(">I", group.parameter)
    version = 0 if group.parameter is None else 1
    sbgp = full_box("sbgp", version, 0, grouping, parameter, struct.pack(">I", len(pairs)), pairs.tobytes())
    return [sgpd, sbgp]
