"""The sample table as a value with an algebra: slice, join, drop, rescale (ISO/IEC 14496-12 §8.6-8.7).

What a ``Rope`` is for bytes, a ``SampleTable`` is for samples. Run-length columns stay run-length and sizes stay the
view they were read as, so a cut costs the runs and chunks that it touches, not the samples of the film. Nothing here
reads a file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from ffzero.containers.columns import Column
from ffzero.containers.isobmff.chunks import Chunks, Sizes
from ffzero.containers.isobmff.groups import SampleGroup, concat_groups
from ffzero.containers.runs import Runs, frozen
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["Chunks", "SampleGroup", "SampleTable", "Sizes", "concat_groups"]

_MANY_MOVES = 256
_SMALL_SAMPLES = 4096
"""Tables up to this are looked up in columns expanded once: quicker than runs, and no memory to speak of."""
_PASS_SAMPLES = 1 << 16


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
        if self.count <= _SMALL_SAMPLES and 0 <= sample <= self.count:
            return self._small_dts[sample]
        return self.start_dts + self.durations.sum_before(sample)

    def pts(self, sample: int) -> int:
        if 0 <= sample < self.count <= _SMALL_SAMPLES:
            return int(self._small_pts[sample])
        return self.dts(sample) + (self.composition.at(sample) if self.composition is not None else 0)

    def pts_column(self, first: int, stop: int) -> np.ndarray:
        """Return the composition times of samples ``[first, stop)`` in ticks: int64, not to be written to."""
        if self.count <= _SMALL_SAMPLES and first >= 0:
            return self._small_pts[first:stop]
        return self._pts_between(first, stop)

    def _pts_between(self, first: int, stop: int) -> np.ndarray:
        column = self.durations.sums_before(first, stop) + self.start_dts
        return column if self.composition is None else column + self.composition.expand(first, stop)

    @cached_property
    def _small_pts(self) -> np.ndarray:
        return frozen(self._pts_between(0, self.count))

    @cached_property
    def _small_dts(self) -> list[int]:
        """The decoding times of all samples, and the end of the last."""
        ends: list[int] = (self.durations.sums_before(0, self.count + 1) + self.start_dts).tolist()
        return ends

    @cached_property
    def composition_range(self) -> tuple[int, int]:
        """The least and greatest composition offset in ticks."""
        return self.composition.extremes() if self.composition is not None else (0, 0)

    def first_at_or_after_dts(self, ticks: int) -> int:
        """Return the first sample whose dts is at or after ``ticks`` (``count`` where none)."""
        if self.count <= _SMALL_SAMPLES:
            return bisect_left(self._small_dts, ticks, hi=self.count)
        return min(self.count, self.durations.first_sum_at_least(ticks - self.start_dts))

    def offsets_and_sizes(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return byte offsets and sizes of samples ``[first, stop)``: two int64 arrays."""
        if stop <= first:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        part = self.slice(first, stop)
        sizes = part.sizes.expand(0, part.count)
        starts = part.chunks.first_samples()
        before = np.concatenate(([0], np.cumsum(sizes)))
        base = part.chunks.offsets.rows() - before[starts[:-1]]
        return np.repeat(base, np.diff(starts)) + before[:-1], sizes

    @property
    def chunk_count(self) -> int:
        return len(self.chunks.offsets)

    def chunk_ranges(self, first: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return byte offset and length of chunks ``[first, stop)``: two int64 arrays.

        Raises ``InvalidDataError`` where a chunk cannot be so long.
        """
        if self.most_chunk_bytes >= 1 << 62:
            raise InvalidDataError("a chunk is longer than 2**62 bytes")
        stop = self.chunk_count if stop is None else stop
        offsets = self.chunks.offsets.rows(first, stop)
        starts = self.chunks.first_samples(first, stop)
        if self.sizes.column is None:
            unit, size = self.sizes.unit_samples, self.sizes.unit_bytes
            if size is None:
                return offsets, np.diff(starts) * (self.sizes.uniform or 0)
            return offsets, -(-np.diff(starts) // unit) * size
        before = np.zeros(int(starts[-1] - starts[0]) + 1, np.int64)
        np.cumsum(self.sizes.expand(int(starts[0]), int(starts[-1])), out=before[1:])
        return offsets, np.diff(before[starts - starts[0]])

    def chunks_bytes(self, first: int, stop: int) -> int:
        """Return how many bytes chunks ``[first, stop)`` have together; sound in units (``Sizes``) counts each once."""
        return self.sizes.sum(self.chunks.samples.sum_before(first), self.chunks.samples.sum_before(stop))

    @cached_property
    def most_chunk_bytes(self) -> int:
        """No chunk is longer than this."""
        return self.sizes.most * self.chunks.samples.extremes()[1]

    @cached_property
    def chunks_in_order(self) -> bool:
        """Whether no chunk begins before the one before it."""
        return self.chunks.offsets.is_sorted()

    def sync_candidates(self) -> np.ndarray | None:
        """Return the numbers of all random access samples: sync, partial sync, ``rap `` and ``sync`` groups (§10.4).

        ``None`` where every sample is one.
        """
        return self._sync_candidates

    @cached_property
    def _sync_candidates(self) -> np.ndarray | None:
        if self.sync is None:
            return None
        found = [self.sync]
        if self.partial_sync is not None:
            found.append(self.partial_sync)
        for group in self.groups:
            if group.grouping_type in ("rap ", "sync"):
                found.append(_members(group.indices))
        return frozen(np.unique(np.concatenate(found))) if len(found) > 1 else self.sync

    def slice(self, first: int, stop: int) -> SampleTable:
        """Return samples ``[first, stop)``; dts restarts at 0."""
        if not 0 <= first <= stop <= self.count:
            raise ValueError(f"samples [{first}, {stop}) of {self.count}")
        if stop - first == self.count and not self.start_dts:
            return self
        return replace(
            self,
            durations=self.durations.slice(first, stop),
            composition=None if self.composition is None else self.composition.slice(first, stop),
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
        if first == stop:
            return chunks.slice(0, 0, 0, 0, 0)
        _, low, low_sample = chunks.locate(first)
        _, high, high_sample = chunks.locate(stop - 1)
        surplus = high_sample + chunks.samples.at(high) - stop
        return chunks.slice(low, high + 1, first - low_sample, self.sizes.sum(low_sample, first), surplus)

    def rebased(self, offsets: np.ndarray | Column) -> SampleTable:
        """Return the table with other chunk offsets (same length)."""
        return replace(self, chunks=self.chunks.with_offsets(offsets))

    def moved(self, starts: np.ndarray, targets: np.ndarray) -> SampleTable:
        """Return the table with chunks moved: those from byte ``starts[i]`` on lie from ``targets[i]`` on.

        ``starts`` rise. Those before the first are taken to be empty and put at 0.
        """
        offsets = self.chunks.offsets
        if not len(offsets) or not len(starts):
            return self
        amounts = targets - starts
        if len(starts) <= _MANY_MOVES and self.chunks_in_order and offsets.at(0) >= int(starts[0]):
            borders = [0, *(offsets.bisect_left(int(start)) for start in starts[1:]), len(offsets)]
            parts = zip(pairwise(borders), amounts.tolist(), strict=True)
            return self.rebased(Column.concat([offsets.slice(low, high).shifted(by) for (low, high), by in parts]))
        rows = offsets.rows()
        segment = np.maximum(np.searchsorted(starts, rows, side="right") - 1, 0)
        return self.rebased(frozen(np.where(rows < starts[0], 0, rows + amounts[segment])))

    def rescaled(self, timescale: int) -> SampleTable:
        """Return the table on a timescale that is a multiple of its own: exact."""
        factor, rest = divmod(timescale, self.timescale)
        if rest:
            raise ValueError(f"{timescale} is no multiple of {self.timescale}")
        if factor == 1:
            return self
        self._check_times(factor)
        return replace(
            self,
            timescale=timescale,
            durations=self.durations.scaled(factor),
            composition=None if self.composition is None else self.composition.scaled(factor),
            start_dts=self.start_dts * factor,
        )

    def _check_times(self, factor: int) -> None:
        """Raise ``InvalidDataError`` where times in ``1/factor`` ticks do not fit 62 bits: numpy wraps silently."""
        least, most = self.composition_range
        reach = abs(self.start_dts) + self.durations.sum_before(self.count) + max(abs(least), abs(most))
        if reach * factor >= 1 << 62:
            raise InvalidDataError(f"sample times are too great for the timescale {self.timescale * factor}")

    def resampled(self, timescale: int) -> SampleTable:
        """Return the table on any timescale: dts and pts are rounded to the nearest tick, so errors do not add up."""
        if timescale % self.timescale == 0:
            return self.rescaled(timescale)
        parts, offsets, last = [], [], 0
        for first in range(0, self.count, _PASS_SAMPLES):
            stop = min(self.count, first + _PASS_SAMPLES)
            ticks = self._resampled_ends(first, stop, timescale)
            parts.append(Runs.encode(np.diff(ticks, prepend=last)))
            if self.composition is not None:
                begins = np.concatenate(([last], ticks[:-1]))
                offsets.append(Runs.encode(self._resampled_shown(first, stop, timescale) - begins))
            last = int(ticks[-1])
        composition = Runs.concat(offsets) if offsets else None
        return replace(self, timescale=timescale, durations=Runs.concat(parts), composition=composition)

    def _resampled_shown(self, first: int, stop: int, timescale: int) -> np.ndarray:
        """Return the composition times of samples ``[first, stop)`` in ticks of ``timescale``, to the nearest."""
        base = self.durations.sum_before(first)
        whole, rest = divmod(base, self.timescale)
        inside: np.ndarray = self.durations.sums_before(first, stop) - base + rest
        inside += self._composition().expand(first, stop)
        return whole * timescale + (2 * inside * timescale + self.timescale) // (2 * self.timescale)

    def _resampled_ends(self, first: int, stop: int, timescale: int) -> np.ndarray:
        """Return where samples ``[first, stop)`` end, in ticks of ``timescale``, to the nearest."""
        base, end = self.durations.sum_before(first), self.durations.sum_before(stop)
        whole, rest = divmod(base, self.timescale)
        if end * timescale // self.timescale >= 1 << 62 or 2 * (rest + end - base) * timescale >= 1 << 62:
            raise InvalidDataError(f"sample times are too great for the timescale {timescale}")
        inside = np.append(self.durations.sums_before(first + 1, stop), end) - base + rest
        return whole * timescale + (2 * inside * timescale + self.timescale) // (2 * self.timescale)

    def _composition(self) -> Runs:
        return Runs.constant(self.count, 0) if self.composition is None else self.composition

    def with_composition_shift(self, ticks: int) -> SampleTable:
        """Return the table with every pts later by ``ticks``."""
        if ticks == 0:
            return self
        composition = self._composition()
        return replace(self, composition=composition.shifted(ticks))

    def with_last_duration(self, ticks: int) -> SampleTable:
        return replace(self, durations=self.durations.with_last(ticks))

    def with_first_later(self, ticks: int) -> SampleTable:
        """Return the table with its first sample decoded ``ticks`` later but shown when it was."""
        durations = Runs.concat([Runs.constant(1, self.durations.at(0) - ticks), self.durations.slice(1, self.count)])
        composition = self._composition()
        composition = Runs.concat([Runs.constant(1, composition.at(0) - ticks), composition.slice(1, self.count)])
        return replace(self, durations=durations, composition=composition)

    def squeezed(self, count: int) -> SampleTable:
        """Return the table with its first ``count`` samples decoded, and shown, one tick after another.

        Their order stays; those shown after sample ``count`` is decoded keep their time. dts begins at 0 again.
        """
        border = self.dts(count)
        shown = self.pts_column(0, count)
        floor = min(0, self.composition_range[0])  # nothing after them is shown before border + floor
        early = np.flatnonzero(shown < border + floor)
        rank = np.empty(len(early), np.int64)
        rank[np.argsort(shown[early], kind="stable")] = np.arange(len(early))
        pts = shown - border + count
        pts[early] = count + floor - len(early) + rank
        durations = Runs.concat([Runs.constant(count, 1), self.durations.slice(count, self.count)])
        rest = self._composition().slice(count, self.count)
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


def _slice_numbers(numbers: np.ndarray | None, first: int, stop: int) -> np.ndarray | None:
    if numbers is None:
        return None
    low, high = np.searchsorted(numbers, (first, stop))
    return frozen(numbers[low:high] - first)


def _members(indices: Runs) -> np.ndarray:
    """Return the numbers of the samples whose group index is not 0."""
    counts, chosen = indices.counts, indices.values > 0
    starts, counts = (np.cumsum(counts) - counts)[chosen], counts[chosen]
    return np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))


def _concat_composition(tables: Sequence[SampleTable]) -> Runs | None:
    if all(table.composition is None for table in tables):
        return None
    return Runs.concat([table._composition() for table in tables])


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
