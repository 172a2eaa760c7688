"""The sample table as a value with an algebra: slice, join, drop, rescale (ISO/IEC 14496-12 §8.6-8.7).

What a ``Rope`` is for bytes, a ``SampleTable`` is for samples. Run-length columns stay run-length and sizes stay the
view they were read as, so a cut costs the runs and chunks that it touches, not the samples of the film. Nothing here
reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ffzero.containers.runs import Runs, frozen

__all__ = ["Chunks", "SampleGroup", "SampleTable", "Sizes", "concat_groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sample sizes in bytes: one for all (``uniform`` set, with ``count``) or a column (any unsigned dtype).

    ``unit_samples`` and ``unit_bytes`` serve QuickTime's compressed sound of old, whose "samples" are PCM frames that
    lie ``unit_samples`` to a packet of ``unit_bytes`` (QTFF "Sound Sample Description (Version 1)").
    """

    count: int
    uniform: int | None = None
    column: np.ndarray | None = None
    unit_samples: int = 1
    unit_bytes: int | None = None

    def slice(self, first: int, stop: int) -> Sizes:
        column = None if self.column is None else self.column[first:stop]
        return replace(self, count=max(0, stop - first), column=column)

    def sum(self, first: int, stop: int) -> int:
        """Return the bytes of samples ``[first, stop)``."""
        if stop <= first:
            return 0
        if self.column is not None:
            return int(self.column[first:stop].sum(dtype=np.uint64))
        if self.unit_bytes is not None:
            return -(-(stop - first) // self.unit_samples) * self.unit_bytes
        return (stop - first) * (self.uniform or 0)

    def expand(self, first: int, stop: int) -> np.ndarray:
        """Return the sizes of samples ``[first, stop)`` as a new int64 array."""
        if self.column is not None:
            return self.column[first:stop].astype(np.int64)
        if self.unit_bytes is not None:
            sizes = np.zeros(stop - first, dtype=np.int64)
            sizes[:: self.unit_samples] = self.unit_bytes
            return sizes
        return np.full(stop - first, self.uniform or 0, dtype=np.int64)

    @classmethod
    def concat(cls, parts: Sequence[Sizes]) -> Sizes:
        count = sum(part.count for part in parts)
        parts = [part for part in parts if part.count] or list(parts[:1])
        first = parts[0]
        same = all(
            (part.uniform, part.unit_bytes, part.unit_samples)
            == (first.uniform, first.unit_bytes, first.unit_samples)
            for part in parts
        )
        if first.column is None and same:
            return replace(first, count=count)
        if len(parts) == 1:
            return first
        columns = [part.column if part.column is not None else part.expand(0, part.count) for part in parts]
        return cls(count=count, column=frozen(np.concatenate(columns)))


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """Chunks: byte offsets, and runs of (samples per chunk, sample description) over them (§8.7.4, §8.7.5).

    ``run_chunks`` says how many chunks each run covers. ``descriptions`` are indexes into the track's sample entries,
    from 0. Chunks may lie anywhere, in any order.
    """

    offsets: np.ndarray
    run_chunks: np.ndarray
    run_samples: np.ndarray
    run_descriptions: np.ndarray

    @cached_property
    def _run_first_chunk(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(self.run_chunks)))

    @cached_property
    def _run_first_sample(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(self.run_chunks * self.run_samples)))

    @property
    def sample_count(self) -> int:
        return int(self._run_first_sample[-1])

    def locate(self, sample: int) -> tuple[int, int, int]:
        """Return (run, chunk, first sample of that chunk) of the chunk that holds ``sample``."""
        run = int(np.searchsorted(self._run_first_sample, sample, side="right")) - 1
        run = min(run, len(self.run_chunks) - 1)
        base = int(self._run_first_sample[run])
        inside = (sample - base) // int(self.run_samples[run])
        return run, int(self._run_first_chunk[run]) + inside, base + inside * int(self.run_samples[run])

    def descriptions_between(self, first: int, stop: int) -> list[int]:
        """Return the sample descriptions that samples ``[first, stop)`` use, sorted."""
        if stop <= first:
            return []
        low, high = self.locate(first)[0], self.locate(stop - 1)[0]
        return [int(number) for number in np.unique(self.run_descriptions[low : high + 1])]

    def first_samples(self) -> np.ndarray:
        """Return the first sample of each chunk, with the sample count appended: int64, chunk count + 1."""
        counts = np.repeat(self.run_samples, self.run_chunks)
        return np.concatenate(([0], np.cumsum(counts)))

    def with_offsets(self, offsets: np.ndarray) -> Chunks:
        return replace(self, offsets=offsets)

    def with_descriptions(self, mapping: Mapping[int, int]) -> Chunks:
        """Return the chunks with description numbers replaced."""
        new = np.array([mapping[int(value)] for value in self.run_descriptions], dtype=np.int64)
        return replace(self, run_descriptions=new)

    @classmethod
    def concat(cls, parts: Sequence[Chunks]) -> Chunks:
        if len(parts) == 1:
            return parts[0]
        return cls(
            offsets=np.concatenate([part.offsets.astype(np.int64, copy=False) for part in parts]),
            run_chunks=np.concatenate([part.run_chunks for part in parts]),
            run_samples=np.concatenate([part.run_samples for part in parts]),
            run_descriptions=np.concatenate([part.run_descriptions for part in parts]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroup:
    """A sample group (§8.9): which description (0 = none, else from 1) each sample belongs to.

    ``descriptions`` are the ``sgpd`` entries verbatim; ``version`` and ``default_index`` are those of the ``sgpd``.
    """

    grouping_type: str
    parameter: int | None
    indices: Runs
    descriptions: tuple[bytes, ...]
    version: int = 1
    default_index: int = 0

    def key(self) -> tuple[str, int | None]:
        return self.grouping_type, self.parameter


@dataclass(frozen=True, kw_only=True)
class SampleTable:
    """All samples of one track, in decoding order.

    ``durations`` are dts differences, ``composition`` pts minus dts (``None``: all zero), ``sync`` the sorted numbers
    (from 0) of sync samples (``None``: every sample is one), ``dependency`` the ``sdtp`` byte of each sample. Numbers
    of samples and chunks count from 0; intervals are half-open.
    """

    timescale: int
    durations: Runs
    sizes: Sizes
    chunks: Chunks
    composition: Runs | None = None
    sync: np.ndarray | None = None
    partial_sync: np.ndarray | None = None
    groups: tuple[SampleGroup, ...] = ()
    dependency: np.ndarray | None = None
    start_dts: int = 0
    """dts of the first sample: 0 except where fragments begin later (``tfdt``)."""

    @property
    def count(self) -> int:
        return self.sizes.count

    def dts(self, sample: int) -> int:
        """Return the decoding time of ``sample`` in ticks; ``count`` gives the end of the last."""
        return self.start_dts + self.durations.sum_before(sample)

    def pts(self, sample: int) -> int:
        return self.dts(sample) + (self.composition.at(sample) if self.composition else 0)

    def pts_column(self, first: int, stop: int) -> np.ndarray:
        """Return the composition times of samples ``[first, stop)`` in ticks: int64."""
        column = self.durations.sums_before(first, stop) + self.start_dts
        return column + self.composition.expand(first, stop) if self.composition else column

    @cached_property
    def composition_range(self) -> tuple[int, int]:
        """The least and greatest composition offset in ticks."""
        if self.composition is None or not len(self.composition.values):
            return 0, 0
        return int(self.composition.values.min()), int(self.composition.values.max())

    def first_at_or_after_dts(self, ticks: int) -> int:
        """Return the first sample whose dts is at or after ``ticks`` (``count`` where none)."""
        return min(self.count, self.durations.first_sum_at_least(ticks - self.start_dts))

    def offsets_and_sizes(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return byte offsets and sizes of samples ``[first, stop)``: two int64 arrays."""
        if stop <= first:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        part = self.slice(first, stop)
        sizes = part.sizes.expand(0, part.count)
        starts = part.chunks.first_samples()
        before = np.concatenate(([0], np.cumsum(sizes)))
        base = part.chunks.offsets.astype(np.int64) - before[starts[:-1]]
        return np.repeat(base, np.diff(starts)) + before[:-1], sizes

    def chunk_ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """Return byte offset and length of every chunk: two int64 arrays."""
        starts = self.chunks.first_samples()
        offsets = self.chunks.offsets.astype(np.int64)
        if self.sizes.column is None:
            unit, size = self.sizes.unit_samples, self.sizes.unit_bytes
            if size is None:
                return offsets, np.diff(starts) * (self.sizes.uniform or 0)
            return offsets, -(-np.diff(starts) // unit) * size
        before = np.concatenate(([0], np.cumsum(self.sizes.column, dtype=np.int64)))
        return offsets, np.diff(before[starts])

    def sync_candidates(self) -> np.ndarray | None:
        """Return the numbers of all random access samples: sync, partial sync, ``rap `` and ``sync`` groups (§10.4).

        ``None`` where every sample is one.
        """
        if self.sync is None:
            return None
        found = [self.sync]
        if self.partial_sync is not None:
            found.append(self.partial_sync)
        for group in self.groups:
            if group.grouping_type in ("rap ", "sync"):
                found.append(_members(group.indices))
        return np.unique(np.concatenate(found)) if len(found) > 1 else self.sync

    def slice(self, first: int, stop: int) -> SampleTable:
        """Return samples ``[first, stop)``; dts restarts at 0."""
        if not 0 <= first <= stop <= self.count:
            raise ValueError(f"samples [{first}, {stop}) of {self.count}")
        return replace(
            self,
            durations=self.durations.slice(first, stop),
            composition=self.composition.slice(first, stop) if self.composition else None,
            sizes=self.sizes.slice(first, stop),
            chunks=self._slice_chunks(first, stop),
            sync=_slice_numbers(self.sync, first, stop),
            partial_sync=_slice_numbers(self.partial_sync, first, stop),
            groups=tuple(replace(group, indices=group.indices.slice(first, stop)) for group in self.groups),
            dependency=None if self.dependency is None else self.dependency[first:stop],
            start_dts=0,
        )

    def _slice_chunks(self, first: int, stop: int) -> Chunks:
        chunks = self.chunks
        none = np.zeros(0, np.int64)
        if first == stop:
            return Chunks(offsets=none, run_chunks=none, run_samples=none, run_descriptions=none)
        low_run, low_chunk, low_sample = chunks.locate(first)
        high_run, high_chunk, high_sample = chunks.locate(stop - 1)
        offsets = chunks.offsets[low_chunk : high_chunk + 1].astype(np.int64)
        offsets[0] += self.sizes.sum(low_sample, first)
        runs = []
        for run in range(low_run, high_run + 1):
            begin = max(low_chunk, int(chunks._run_first_chunk[run]))
            end = min(high_chunk + 1, int(chunks._run_first_chunk[run + 1]))
            runs.append([end - begin, int(chunks.run_samples[run]), int(chunks.run_descriptions[run])])
        _split_edges(runs, first - low_sample, high_sample + int(chunks.run_samples[high_run]) - stop)
        table = np.array(runs, dtype=np.int64).reshape(-1, 3)
        return Chunks(
            offsets=frozen(offsets), run_chunks=table[:, 0], run_samples=table[:, 1], run_descriptions=table[:, 2]
        )

    def rebased(self, offsets: np.ndarray) -> SampleTable:
        """Return the table with other chunk offsets (same length)."""
        return replace(self, chunks=self.chunks.with_offsets(frozen(offsets)))

    def rescaled(self, timescale: int) -> SampleTable:
        """Return the table on a timescale that is a multiple of its own: exact."""
        factor, rest = divmod(timescale, self.timescale)
        if rest:
            raise ValueError(f"{timescale} is no multiple of {self.timescale}")
        return replace(
            self,
            timescale=timescale,
            durations=self.durations.scaled(factor),
            composition=self.composition.scaled(factor) if self.composition else None,
            start_dts=self.start_dts * factor,
        )

    def resampled(self, timescale: int) -> SampleTable:
        """Return the table on any timescale: each dts is rounded to the nearest tick, so errors do not add up."""
        if timescale % self.timescale == 0:
            return self.rescaled(timescale)
        dts = self.durations.sums_before(0, self.count)
        ends = np.append(dts, self.durations.sum_before(self.count)) * timescale
        ticks = (2 * ends + self.timescale) // (2 * self.timescale)
        return replace(self, timescale=timescale, durations=Runs.encode(np.diff(ticks)), composition=None)

    def with_composition_shift(self, ticks: int) -> SampleTable:
        """Return the table with every pts later by ``ticks``."""
        if ticks == 0:
            return self
        composition = self.composition or Runs.constant(self.count, 0)
        return replace(self, composition=composition.shifted(ticks))

    def with_last_duration(self, ticks: int) -> SampleTable:
        return replace(self, durations=self.durations.with_last(ticks))

    def with_first_later(self, ticks: int) -> SampleTable:
        """Return the table with its first sample decoded ``ticks`` later but shown when it was."""
        durations = Runs.concat([Runs.constant(1, self.durations.at(0) - ticks), self.durations.slice(1, self.count)])
        composition = self.composition or Runs.constant(self.count, 0)
        composition = Runs.concat([Runs.constant(1, composition.at(0) - ticks), composition.slice(1, self.count)])
        return replace(self, durations=durations, composition=composition)

    def squeezed(self, count: int) -> SampleTable:
        """Return the table with its first ``count`` samples decoded, and shown, one tick after another.

        Their order stays; those shown after sample ``count`` is decoded keep their time. dts begins at 0 again.
        """
        border = self.dts(count)
        shown = self.pts_column(0, count)
        early = np.flatnonzero(shown < border)
        rank = np.empty(len(early), np.int64)
        rank[np.argsort(shown[early], kind="stable")] = np.arange(len(early))
        pts = shown - border + count
        pts[early] = count - len(early) + rank
        durations = Runs.concat([Runs.constant(count, 1), self.durations.slice(count, self.count)])
        rest = self.composition.slice(count, self.count) if self.composition else Runs.constant(self.count - count, 0)
        composition = Runs.concat([Runs.encode(pts - np.arange(count)), rest])
        return replace(self, durations=durations, composition=composition, start_dts=0)

    def without(self, first: int, stop: int) -> SampleTable:
        """Return the table less samples ``[first, stop)``; the sample before them lasts until the next one's dts."""
        if first >= stop:
            return self
        if first == 0:
            return self.slice(stop, self.count)
        gone = self.durations.sum_before(stop) - self.durations.sum_before(first)
        head = self.slice(0, first)
        head = head.with_last_duration(head.durations.at(first - 1) + gone)
        return SampleTable.concat([head, self.slice(stop, self.count)])

    @classmethod
    def concat(cls, tables: Sequence[SampleTable]) -> SampleTable:
        """Return the samples of all tables one after another; one timescale, offsets in one address space."""
        if len(tables) == 1:
            return tables[0]
        if len({table.timescale for table in tables}) != 1:
            raise ValueError("tables to join must have one timescale")
        return replace(
            tables[0],
            durations=Runs.concat([table.durations for table in tables]),
            composition=_concat_composition(tables),
            sizes=Sizes.concat([table.sizes for table in tables]),
            chunks=Chunks.concat([table.chunks for table in tables]),
            sync=_concat_numbers(tables, "sync"),
            partial_sync=_concat_numbers(tables, "partial_sync", absent_is_all=False),
            groups=concat_groups([(table.count, table.groups) for table in tables]),
            dependency=_concat_dependency(tables),
        )


def _split_edges(runs: list[list[int]], skipped_samples: int, surplus_samples: int) -> None:
    """Give a partly used first and last chunk runs of their own."""
    if surplus_samples:
        chunks, samples, description = runs[-1]
        runs[-1:] = [[chunks - 1, samples, description], [1, samples - surplus_samples, description]]
        if chunks == 1:
            del runs[-2]
    if skipped_samples:
        chunks, samples, description = runs[0]
        runs[:1] = [[1, samples - skipped_samples, description], [chunks - 1, samples, description]]
        if chunks == 1:
            del runs[1]


def _slice_numbers(numbers: np.ndarray | None, first: int, stop: int) -> np.ndarray | None:
    if numbers is None:
        return None
    low, high = np.searchsorted(numbers, (first, stop))
    return frozen(numbers[low:high] - first)


def _members(indices: Runs) -> np.ndarray:
    """Return the numbers of the samples whose group index is not 0."""
    starts = indices.ends - indices.counts
    chosen = indices.values > 0
    return np.concatenate(
        [np.arange(start, start + count) for start, count in zip(starts[chosen], indices.counts[chosen], strict=True)]
        or [np.zeros(0, np.int64)]
    )


def _concat_composition(tables: Sequence[SampleTable]) -> Runs | None:
    if all(table.composition is None for table in tables):
        return None
    return Runs.concat([table.composition or Runs.constant(table.count, 0) for table in tables])


def _concat_numbers(tables: Sequence[SampleTable], name: str, *, absent_is_all: bool = True) -> np.ndarray | None:
    columns = [getattr(table, name) for table in tables]
    if all(column is None for column in columns):
        return None
    parts, base = [], 0
    for table, column in zip(tables, columns, strict=True):
        if column is not None:
            parts.append(column + base)
        elif absent_is_all:
            parts.append(np.arange(base, base + table.count))
        base += table.count
    return frozen(np.concatenate(parts).astype(np.int64))


def _concat_dependency(tables: Sequence[SampleTable]) -> np.ndarray | None:
    if all(table.dependency is None for table in tables):
        return None
    unknown = [np.zeros(table.count, np.uint8) if table.dependency is None else table.dependency for table in tables]
    return frozen(np.concatenate(unknown))


def concat_groups(spans: Sequence[tuple[int, tuple[SampleGroup, ...]]]) -> tuple[SampleGroup, ...]:
    """Join the groups of neighbouring (sample count, groups) spans."""
    keys = list(dict.fromkeys(group.key() for _, groups in spans for group in groups))
    return tuple(_concat_group(spans, key) for key in keys)


def _concat_group(spans: Sequence[tuple[int, tuple[SampleGroup, ...]]], key: tuple[str, int | None]) -> SampleGroup:
    """Join one grouping: descriptions are pooled, indices renumbered, spans without it belong to no group."""
    pool: dict[bytes, int] = {}
    parts: list[Runs] = []
    model: SampleGroup | None = None
    for count, groups in spans:
        group = next((group for group in groups if group.key() == key), None)
        if group is None:
            parts.append(Runs.constant(count, 0))
            continue
        model = model or group
        renumber = np.zeros(len(group.descriptions) + 1, dtype=np.int64)
        for index, description in enumerate(group.descriptions, start=1):
            renumber[index] = pool.setdefault(description, len(pool) + 1)
        values = np.where(group.indices.values == 0, group.default_index, group.indices.values)
        parts.append(Runs(group.indices.counts, renumber[np.clip(values, 0, len(group.descriptions))]))
    assert model is not None
    return replace(model, indices=Runs.concat(parts), descriptions=tuple(pool), default_index=0)
