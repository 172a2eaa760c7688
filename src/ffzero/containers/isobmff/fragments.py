"""Movie fragments: ``mvex``, ``moof``, ``traf``, ``trun``, ``tfdt`` (ISO/IEC 14496-12 §8.8) as ordinary sample tables.

A run of samples (``trun``) becomes a chunk; samples in ``moov`` and in fragments of one file (hybrid files) follow one
another. Indexes of fragments (``sidx``, ``mfra``) are not needed and not trusted: every ``moof`` header is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace

import numpy as np

from ffzero.containers.isobmff.boxes import BoxHeader, View
from ffzero.containers.isobmff.model import MovieBox, Track
from ffzero.containers.isobmff.sample_table import Chunks, SampleGroup, SampleTable, Sizes, concat_groups
from ffzero.containers.isobmff.stbl import parse_groups
from ffzero.containers.runs import Runs, frozen
from ffzero.errors import InvalidDataError
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["read_fragments"]

_NON_SYNC = 0x00010000
_DEPENDS_ON_OTHERS = 0x01000000
_MAX_SAMPLES_PER_TRACK = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Defaults:
    """``trex`` (§8.8.3), overridden by ``tfhd`` (§8.8.7)."""

    description: int = 0
    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(slots=True)
class _Columns:
    """Samples gathered from fragments for one track."""

    next_dts: int
    dts: list[np.ndarray] = field(default_factory=list)
    composition: list[np.ndarray] = field(default_factory=list)
    sizes: list[np.ndarray] = field(default_factory=list)
    sync: list[np.ndarray] = field(default_factory=list)
    chunks: list[tuple[int, int, int]] = field(default_factory=list)
    groups: list[tuple[int, list[SampleGroup]]] = field(default_factory=list)
    aux: set[str] = field(default_factory=set)
    count: int = 0
    last_duration: int = 0


def read_fragments(
    movie: MovieBox, moov: View, fragments: Iterable[BoxHeader], load: Callable[[ByteSource, BoxHeader], View]
) -> MovieBox:
    """Return the movie with the samples of its fragments appended to each track's table."""
    defaults = _parse_mvex(moov)
    columns = {track.id: _Columns(next_dts=track.table.dts(track.table.count)) for track in movie.tracks}
    warnings = list(movie.warnings)
    number = 0
    for header in fragments:
        if header.overruns:
            warnings.append(f"the fragment at byte {header.offset} is cut off; it is left out")
            break
        _parse_moof(load(movie.source, header), header.offset, defaults, columns)
        number += 1
    tracks = tuple(_with_fragments(track, columns[track.id]) for track in movie.tracks)
    return replace(movie, tracks=tracks, fragments=number, warnings=tuple(warnings))


def _parse_mvex(moov: View) -> dict[int, _Defaults]:
    mvex = moov.child_map(lenient=True).get("mvex")
    defaults: dict[int, _Defaults] = {}
    for child in mvex.children(lenient=True) if mvex is not None else ():
        if child.fourcc == "trex":
            track_id, description, duration, size, flags = (child.u32(at) for at in range(4, 24, 4))
            defaults[track_id] = _Defaults(
                description=max(description, 1) - 1, duration=duration, size=size, flags=flags
            )
    return defaults


def _parse_moof(moof: View, moof_offset: int, defaults: dict[int, _Defaults], columns: dict[int, _Columns]) -> None:
    data_end = moof_offset
    for traf in moof.children(lenient=True):
        if traf.fourcc == "traf":
            data_end = _parse_traf(traf, moof_offset, data_end, defaults, columns)


def _parse_traf(
    traf: View, moof_offset: int, previous_end: int, defaults: dict[int, _Defaults], columns: dict[int, _Columns]
) -> int:
    """Read one track fragment; returns where its data ends, from which the next one may count (§8.8.7.1)."""
    boxes = traf.child_map(lenient=True)
    tfhd = boxes.get("tfhd")
    if tfhd is None:
        raise traf.error("no tfhd box")
    track_id = tfhd.u32(4)
    column = columns.get(track_id)
    if column is None:
        return previous_end
    base, default = _parse_tfhd(tfhd, moof_offset, previous_end, defaults.get(track_id, _Defaults()))
    if "tfdt" in boxes:
        tfdt = boxes["tfdt"]
        ticks = tfdt.u64(4) if tfdt.u8(0) == 1 else tfdt.u32(4)
        if ticks >= 1 << 61:
            raise tfdt.error("decode time out of range", 4, found=ticks)
        column.next_dts = ticks
    column.aux.update(name for name in ("saiz", "saio", "senc") if name in boxes)
    before = column.count
    end = base
    for child in traf.children(lenient=True):
        if child.fourcc == "trun":
            end = _parse_trun(child, base, end, default, column)
    groups = parse_groups(traf.children(lenient=True))
    if groups:
        column.groups.append((before, groups))
    return end


def _parse_tfhd(tfhd: View, moof_offset: int, previous_end: int, default: _Defaults) -> tuple[int, _Defaults]:
    flags = tfhd.u32(0) & 0xFFFFFF
    at = 8
    base = moof_offset if flags & 0x20000 else previous_end
    if flags & 0x1:
        base, at = tfhd.u64(at), at + 8
        if base >= 1 << 61:
            raise tfhd.error("base data offset out of range", 8, found=base)
    values = {"description": default.description + 1, "duration": default.duration, "size": default.size}
    values["flags"] = default.flags
    for bit, name in ((0x2, "description"), (0x8, "duration"), (0x10, "size"), (0x20, "flags")):
        if flags & bit:
            values[name], at = tfhd.u32(at), at + 4
    values["description"] = max(values["description"], 1) - 1
    return base, _Defaults(**values)


def _parse_trun(trun: View, base: int, end: int, default: _Defaults, column: _Columns) -> int:
    """§8.8.8. Returns where the run's data ends."""
    flags, count, at = trun.u32(0) & 0xFFFFFF, trun.u32(4), 8
    start = end
    if flags & 0x1:
        start, at = base + int(np.int32(np.uint32(trun.u32(at)).view(np.int32))), at + 4
    first_flags = None
    if flags & 0x4:
        first_flags, at = trun.u32(at), at + 4
    names = [name for bit, name in ((0x100, "d"), (0x200, "s"), (0x400, "f"), (0x800, "c")) if flags & bit]
    if names:
        table = trun.array(">u4", count * len(names), at).reshape(count, len(names))
    elif count > _MAX_SAMPLES_PER_TRACK // 100:
        raise trun.error("a run of too many samples", 4, found=count)
    if start < 0 or count + column.count > _MAX_SAMPLES_PER_TRACK:
        raise trun.error("run out of range", 4, found=(start, count))
    if count == 0:
        return start

    def values(name: str, constant: int) -> np.ndarray:
        if name in names:
            return table[:, names.index(name)].astype(np.int64)
        return np.full(count, constant, np.int64)

    sizes, sample_flags, durations = (
        values("s", default.size),
        values("f", default.flags),
        values("d", default.duration),
    )
    if first_flags is not None:
        sample_flags[0] = first_flags
    composition = values("c", 0)
    composition -= (composition >= 1 << 31) << 32  # signed in version 0 too: writers put negative offsets there
    column.dts.append(column.next_dts + np.concatenate(([0], np.cumsum(durations[:-1]))))
    column.next_dts += int(durations.sum())
    column.last_duration = int(durations[-1])
    column.composition.append(composition)
    column.sizes.append(sizes)
    column.sync.append((sample_flags & (_NON_SYNC | _DEPENDS_ON_OTHERS)) == 0)
    column.chunks.append((start, count, default.description))
    column.count += count
    return start + int(sizes.sum())


def _with_fragments(track: Track, column: _Columns) -> Track:
    if not column.count:
        return replace(track, fragmented_edits=track.table.count == 0)
    dts = np.concatenate(column.dts)
    durations = np.append(np.diff(dts), column.last_duration)
    durations[durations < 0] = 1  # overlapping fragments: decoding times must not run backwards
    composition = np.concatenate(column.composition)
    sync = np.concatenate(column.sync)
    chunks = np.array(column.chunks, dtype=np.int64)
    is_video = track.handler in ("vide", "auxv", "pict")
    table = SampleTable(
        timescale=track.timescale,
        durations=Runs.encode(durations),
        composition=Runs.encode(composition) if np.any(composition) else None,
        sizes=_sizes(np.concatenate(column.sizes)),
        chunks=_chunks(chunks),
        sync=None if not is_video or bool(sync.all()) else frozen(np.flatnonzero(sync)),
        groups=_groups(column),
        start_dts=int(dts[0]),
    )
    _check_descriptions(track, chunks)
    only_fragments = track.table.count == 0
    if not only_fragments:
        table = _after_moov(track.table, table)
    return replace(
        track, table=table, fragmented_edits=only_fragments, aux_boxes=tuple(sorted({*track.aux_boxes, *column.aux}))
    )


def _after_moov(moov: SampleTable, fragments: SampleTable) -> SampleTable:
    """Join the samples of a hybrid file's ``moov`` with those of its fragments, which may begin after a gap."""
    gap = fragments.start_dts - moov.dts(moov.count - 1)
    joined = SampleTable.concat([moov.with_last_duration(max(gap, 0)), fragments])
    return replace(joined, start_dts=moov.start_dts)


def _sizes(sizes: np.ndarray) -> Sizes:
    if int(sizes.min()) == int(sizes.max()) and int(sizes[0]):
        return Sizes(count=len(sizes), uniform=int(sizes[0]))
    return Sizes(count=len(sizes), column=frozen(sizes))


def _chunks(chunks: np.ndarray) -> Chunks:
    pairs = chunks[:, 1:]
    starts = np.flatnonzero(np.concatenate(([True], np.any(pairs[1:] != pairs[:-1], axis=1))))
    return Chunks(
        offsets=frozen(chunks[:, 0]),
        run_chunks=np.diff(np.append(starts, len(chunks))),
        run_samples=pairs[starts, 0],
        run_descriptions=pairs[starts, 1],
    )


def _groups(column: _Columns) -> tuple[SampleGroup, ...]:
    """Join the groups of all fragments; indexes from 0x10001 on mean the fragment's own ``sgpd`` (§8.9.4)."""
    spans: list[tuple[int, tuple[SampleGroup, ...]]] = []
    at = 0
    for position, (first, groups) in enumerate(column.groups):
        stop = column.groups[position + 1][0] if position + 1 < len(column.groups) else column.count
        if first > at:
            spans.append((first - at, ()))
        spans.append((stop - first, tuple(_fitted(group, stop - first) for group in groups)))
        at = stop
    return concat_groups(spans) if spans else ()


def _fitted(group: SampleGroup, count: int) -> SampleGroup:
    values = group.indices.values
    indices = Runs(group.indices.counts, np.where(values > 0x10000, values - 0x10000, values))
    have = len(indices)
    if have > count:
        indices = indices.slice(0, count)
    elif have < count:
        indices = Runs.concat([indices, Runs.constant(count - have, 0)])
    return replace(group, indices=indices)


def _check_descriptions(track: Track, chunks: np.ndarray) -> None:
    most = int(chunks[:, 2].max())
    if most >= len(track.entries):
        raise InvalidDataError(
            f"a fragment of track {track.id} refers to a sample entry that is not there",
            box_path="moof/traf/tfhd",
            expected=f"1..{len(track.entries)}",
            found=most + 1,
        )
