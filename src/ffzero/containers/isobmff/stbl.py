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

from ffzero.containers.isobmff.boxes import View, full_box
from ffzero.containers.isobmff.sample_table import Chunks, SampleGroup, SampleTable, Sizes
from ffzero.containers.runs import Runs, frozen

__all__ = ["ChunkOffsets", "parse_groups", "parse_sample_entries", "parse_sample_table", "table_boxes"]

_MAX_TICKS = 1 << 62
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
    if int(durations.counts.size) and int((durations.counts.astype(float) * durations.values).sum()) > _MAX_TICKS:
        raise stbl.error("sample durations overflow")
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
    value = pad if pad is not None else (int(runs.values[-1]) if have else 0)
    return Runs.concat([runs, Runs.constant(count - have, value)])


def _pairs(view: View, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Read entry_count, then that many (u32, ``dtype``) pairs."""
    view.need(8)
    count = min(view.u32(4), (len(view) - 8) // 8)  # a count past the box's end is cut to what is there
    counts = view.array(">u4", 2 * count, 8)[0::2].astype(np.int64)
    values = view.array(dtype, 2 * count, 8)[1::2].astype(np.int64)
    return counts, values


def _parse_stts(view: View) -> Runs:
    """§8.6.1.2. A delta with the top bit set is a writer's negative one; 1 keeps dts rising, as FFmpeg does."""
    counts, values = _pairs(view, ">i4")
    return Runs(counts, np.where(values < 0, 1, values))


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
    return Sizes(count=count, column=view.array(">u4", count, 12))


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
        raise stbl.error("the track has samples but no chunk table", expected="stsc and stco or co64", found=list(boxes))
    dtype = ">u8" if where.fourcc == "co64" else ">u4"
    where.need(8)
    offsets = where.array(dtype, min(where.u32(4), (len(where) - 8) // np.dtype(dtype).itemsize), 8)
    if dtype == ">u8" and len(offsets) and int(offsets.max()) >= 1 << 62:
        raise where.error("chunk offset out of range", 8, found=int(offsets.max()))
    stsc.need(8)
    entries = stsc.array(">u4", 3 * min(stsc.u32(4), (len(stsc) - 8) // 12), 8).reshape(-1, 3).astype(np.int64)
    return _chunk_runs(stsc, entries, offsets)


def _chunk_runs(stsc: View, entries: np.ndarray, offsets: np.ndarray) -> Chunks:
    total = len(offsets)
    entries = entries[entries[:, 0] <= total]
    if total and (not len(entries) or entries[0, 0] != 1):
        raise stsc.error("the first run must begin at chunk 1", 8, found=int(entries[0, 0]) if len(entries) else None)
    firsts = entries[:, 0] - 1
    run_chunks = np.diff(np.append(firsts, total))
    if len(run_chunks) and int(run_chunks.min()) < 0:
        raise stsc.error("chunk runs are not in order", 8)
    keep = (run_chunks > 0) & (entries[:, 1] > 0)
    if np.any((run_chunks > 0) & (entries[:, 1] == 0)):
        empty = np.repeat(entries[:, 1] == 0, np.maximum(run_chunks, 0))
        offsets = offsets[~empty]
    run_chunks, samples = run_chunks[keep], entries[keep, 1]
    if float((run_chunks.astype(float) * samples).sum()) > float(1 << 50):
        raise stsc.error("more samples are declared than any file holds", 8)
    return Chunks(
        offsets=offsets, run_chunks=run_chunks, run_samples=samples, run_descriptions=np.maximum(entries[keep, 2], 1) - 1
    )


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
    """Return the sample groups of an ``stbl`` or ``traf`` (§8.9.2, §8.9.3); groupings that no cut can keep are left out."""
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

    def __init__(self, offsets: np.ndarray, *, wide: bool) -> None:
        self.offsets = offsets
        self.wide = wide

    def __len__(self) -> int:
        return 16 + len(self.offsets) * (8 if self.wide else 4)

    def to_bytes(self, base: int) -> bytes:
        values = (self.offsets + base).astype(">u8" if self.wide else ">u4")
        return full_box("co64" if self.wide else "stco", 0, 0, struct.pack(">I", len(values)), values.tobytes())


def table_boxes(table: SampleTable, *, wide_offsets: bool) -> list[bytes | ChunkOffsets]:
    """Return the boxes of ``table`` below ``stbl``, less ``stsd``; chunk offsets are left relative."""
    parts: list[bytes | ChunkOffsets] = [_counted_pairs("stts", 0, table.durations)]
    composition = table.composition
    if composition is not None and np.any(composition.values != 0):
        negative = int(composition.values.min()) < 0
        parts.append(_counted_pairs("ctts", 1 if negative else 0, composition))
    if table.sync is not None:
        parts.append(_numbers("stss", table.sync))
    if table.partial_sync is not None and len(table.partial_sync):
        parts.append(_numbers("stps", table.partial_sync))
    if table.dependency is not None:
        parts.append(full_box("sdtp", 0, 0, table.dependency.tobytes()))
    parts += [_stsc(table.chunks), _stsz(table.sizes), ChunkOffsets(table.chunks.offsets, wide=wide_offsets)]
    for group in table.groups:
        parts += _group_boxes(group)
    return parts


def _counted_pairs(fourcc: str, version: int, runs: Runs) -> bytes:
    pairs = np.empty((len(runs.counts), 2), dtype=">u4")
    pairs[:, 0] = runs.counts
    pairs[:, 1] = runs.values & 0xFFFFFFFF
    return full_box(fourcc, version, 0, struct.pack(">I", len(pairs)), pairs.tobytes())


def _numbers(fourcc: str, numbers: np.ndarray) -> bytes:
    return full_box(fourcc, 0, 0, struct.pack(">I", len(numbers)), (numbers + 1).astype(">u4").tobytes())


def _stsc(chunks: Chunks) -> bytes:
    same = np.concatenate(
        (
            [True],
            (chunks.run_samples[1:] != chunks.run_samples[:-1])
            | (chunks.run_descriptions[1:] != chunks.run_descriptions[:-1]),
        )
    )[: len(chunks.run_chunks)]
    firsts = np.cumsum(chunks.run_chunks) - chunks.run_chunks + 1
    table = np.stack((firsts, chunks.run_samples, chunks.run_descriptions + 1), axis=1)[same]
    return full_box("stsc", 0, 0, struct.pack(">I", len(table)), table.astype(">u4").tobytes())


def _stsz(sizes: Sizes) -> bytes:
    if sizes.column is None:
        return full_box("stsz", 0, 0, struct.pack(">II", sizes.uniform or 0, sizes.count))
    column = sizes.column if sizes.column.dtype == np.dtype(">u4") else sizes.column.astype(">u4")
    return full_box("stsz", 0, 0, struct.pack(">II", 0, sizes.count), column.tobytes())


def _group_boxes(group: SampleGroup) -> list[bytes]:
    indices = group.indices
    if not np.any(indices.values) and not group.default_index:
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
