"""Where samples lie: their sizes, and the chunks that they stand in (ISO/IEC 14496-12 §8.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ffzero.containers.columns import Column
from ffzero.containers.runs import Runs
from ffzero.values import dataclass

__all__ = ["Chunks", "Sizes"]


@dataclass(frozen=True, slots=True, init=False)
class Sizes:
    """Sample sizes in bytes: one for all (``uniform`` set, with ``count``) or a column.

    ``unit_samples`` and ``unit_bytes`` serve QuickTime's compressed sound of old, whose "samples" are PCM frames that
    lie ``unit_samples`` to a packet of ``unit_bytes`` (QTFF "Sound Sample Description (Version 1)").
    """

    count: int
    uniform: int | None
    column: Column | None
    unit_samples: int
    unit_bytes: int | None

    def __init__(
        self,
        *,
        count: int,
        uniform: int | None = None,
        column: np.ndarray | Column | None = None,
        unit_samples: int = 1,
        unit_bytes: int | None = None,
    ) -> None:
        fields = (count, uniform, None if column is None else Column.of(column), unit_samples, unit_bytes)
        for name, value in zip(("count", "uniform", "column", "unit_samples", "unit_bytes"), fields, strict=True):
            object.__setattr__(self, name, value)

    def slice(self, first: int, stop: int) -> Sizes:
        column = None if self.column is None else self.column.slice(first, stop)
        return replace(self, count=max(0, stop - first), column=column)

    def sum(self, first: int, stop: int) -> int:
        """Return the bytes of samples ``[first, stop)``, which are at the start of a chunk."""
        if stop <= first:
            return 0
        if self.column is not None:
            return self.column.sum(first, stop)
        if self.unit_bytes is not None:
            return -(-(stop - first) // self.unit_samples) * self.unit_bytes
        return (stop - first) * (self.uniform or 0)

    @property
    def most(self) -> int:
        """The greatest size of a sample, or of what a "sample" of old sound is a part of."""
        if self.column is not None:
            return self.column.extremes()[1]
        return self.uniform or 0 if self.unit_bytes is None else self.unit_bytes

    def expand(self, first: int, stop: int) -> np.ndarray:
        """Return the sizes of samples ``[first, stop)`` as a new int64 array."""
        if self.column is not None:
            return self.column.rows(first, stop)
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
            (part.uniform, part.unit_bytes, part.unit_samples) == (first.uniform, first.unit_bytes, first.unit_samples)
            for part in parts
        )
        if first.column is None and same:
            return replace(first, count=count)
        if len(parts) == 1:
            return first
        return cls(count=count, column=Column.concat([part._as_column() for part in parts]))

    def _as_column(self) -> Column:
        if self.column is not None:
            return self.column
        if self.unit_bytes is not None:
            return Column.of(self.expand(0, self.count))
        return Column.constant(self.count, self.uniform or 0)


class Chunks:
    """Chunks: byte offsets, and for each chunk how many samples of which sample description it holds (§8.7.4, §8.7.5).

    ``samples`` and ``descriptions`` are columns over the chunks that change value in the same places: both have one run
    for each of ``stsc``. Descriptions are indexes into the track's sample entries, from 0. Chunks may lie anywhere, in
    any order.
    """

    __slots__ = ("descriptions", "offsets", "samples")

    def __init__(
        self,
        *,
        offsets: np.ndarray | Column,
        run_chunks: np.ndarray,
        run_samples: np.ndarray,
        run_descriptions: np.ndarray,
    ) -> None:
        """Take chunk offsets and, for each run of chunks, its number of chunks, samples in each, and description."""
        self.offsets = Column.of(offsets)
        self.samples = Runs(run_chunks, run_samples)
        self.descriptions = Runs(run_chunks, run_descriptions)

    @classmethod
    def _of(cls, offsets: Column, samples: Runs, descriptions: Runs) -> Chunks:
        chunks = cls.__new__(cls)
        chunks.offsets, chunks.samples, chunks.descriptions = offsets, samples, descriptions
        return chunks

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chunks):
            return NotImplemented
        return (
            self.offsets == other.offsets and self.samples == other.samples and self.descriptions == other.descriptions
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by content; nothing needs them as keys

    @property
    def run_chunks(self) -> np.ndarray:
        """How many chunks each run has: int64, expanded at every use; as are the other two."""
        return self.samples.counts

    @property
    def run_samples(self) -> np.ndarray:
        return self.samples.values

    @property
    def run_descriptions(self) -> np.ndarray:
        return self.descriptions.values

    @property
    def sample_count(self) -> int:
        return self.samples.sum_before(len(self.samples))

    def locate(self, sample: int) -> tuple[int, int, int]:
        """Return (run, chunk, first sample of that chunk) of the chunk that holds ``sample``."""
        chunk = self.samples.first_sum_at_least(sample + 1) - 1
        if not 0 <= chunk < len(self.samples):
            raise IndexError(sample)
        return self.samples.run_of(chunk), chunk, self.samples.sum_before(chunk)

    def descriptions_between(self, first: int, stop: int) -> list[int]:
        """Return the sample descriptions that samples ``[first, stop)`` use, sorted."""
        if stop <= first:
            return []
        part = self.descriptions.slice(self.locate(first)[1], self.locate(stop - 1)[1] + 1)
        least, most = part.extremes()
        return [least] if least == most else [int(number) for number in np.unique(part.values)]

    def first_samples(self, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the first sample of chunks ``[first, stop)`` and the sample after the last: int64, one more."""
        stop = len(self.samples) if stop is None else stop
        out = np.zeros(stop - first + 1, np.int64)
        np.cumsum(self.samples.expand(first, stop), out=out[1:])
        out += self.samples.sum_before(first)
        return out

    def with_offsets(self, offsets: np.ndarray | Column) -> Chunks:
        return Chunks._of(Column.of(offsets), self.samples, self.descriptions)

    def with_descriptions(self, mapping: Mapping[int, int]) -> Chunks:
        """Return the chunks with description numbers replaced; those that ``mapping`` lacks raise ``KeyError``."""
        least, most = self.descriptions.extremes()
        if not len(self.descriptions):
            return self
        if least == most:
            return Chunks._of(self.offsets, self.samples, self.descriptions.shifted(mapping[least] - least))
        known, place = np.unique(self.descriptions.values, return_inverse=True)
        new = np.array([mapping[int(value)] for value in known], np.int64)[place]
        # Both columns anew: what reads them goes through them side by side, in the same windows.
        counts = self.samples.counts
        return Chunks._of(self.offsets, Runs(counts, self.samples.values), Runs(counts, new))

    def slice(self, first: int, stop: int, skipped: int, skipped_bytes: int, surplus: int) -> Chunks:
        """Return chunks ``[first, stop)`` less the first ``skipped`` samples and the last ``surplus`` ones."""
        offsets = self.offsets.slice(first, stop)
        if skipped_bytes:
            offsets = Column.concat([offsets.slice(0, 1).shifted(skipped_bytes), offsets.slice(1, stop - first)])
        samples, descriptions = self.samples.slice(first, stop), self.descriptions.slice(first, stop)
        if not skipped and not surplus:
            return Chunks._of(offsets, samples, descriptions)
        count = stop - first
        cuts = sorted({0, count, *([1] if skipped else []), *([count - 1] if surplus else [])})
        parts = [samples.slice(low, high) for low, high in pairwise(cuts)]
        if skipped:
            parts[0] = parts[0].shifted(-skipped)
        if surplus:
            parts[-1] = parts[-1].shifted(-surplus)
        own = [descriptions.slice(low, high) for low, high in pairwise(cuts)]
        return Chunks._of(offsets, Runs.concat(parts, keep_runs=True), Runs.concat(own, keep_runs=True))

    @classmethod
    def concat(cls, parts: Sequence[Chunks]) -> Chunks:
        if len(parts) == 1:
            return parts[0]
        return cls._of(
            Column.concat([part.offsets for part in parts]),
            Runs.concat([part.samples for part in parts], keep_runs=True),
            Runs.concat([part.descriptions for part in parts], keep_runs=True),
        )
