"""Coded samples, one after another: in memory while they are few, in a temporary file where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.storage.temporary import TemporarySource

__all__ = ["CodedSamples", "SampleStore"]

_MOST_IN_MEMORY_BYTES = 16 << 20
"""Bytes of a literal are copied some times on their way into a file's rope."""


class CodedSamples(Sequence[bytes]):
    """Samples as a sequence of bytes; ``rope`` is all of them end to end, ``sizes`` how long each is."""

    __slots__ = ("_starts", "rope", "sizes")

    def __init__(self, rope: Rope, sizes: Sequence[int]) -> None:
        self.rope = rope
        self.sizes = tuple(sizes)
        starts, at = [], 0
        for size in self.sizes:
            starts.append(at)
            at += size
        self._starts = starts

    @classmethod
    def of(cls, samples: Sequence[bytes]) -> CodedSamples:
        """Return samples that are at hand as such a sequence."""
        if isinstance(samples, cls):
            return samples
        return cls(Rope([Literal(b"".join(samples))]), [len(sample) for sample in samples])

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self.sizes))[index]
        return self.rope.read_at(self._starts[number], self.sizes[number])


class SampleStore:
    """Takes samples one by one. Raises ``DiskFullError`` where the temporary file finds no room."""

    def __init__(self, most_in_memory_bytes: int = _MOST_IN_MEMORY_BYTES) -> None:
        self._most = most_in_memory_bytes
        self._sizes: list[int] = []
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._file: TemporarySource | None = None

    def add(self, sample: bytes) -> None:
        self._sizes.append(len(sample))
        self._held.append(sample)
        self._held_bytes += len(sample)
        if self._held_bytes > self._most:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = TemporarySource()
        self._file.append(b"".join(self._held))
        self._held, self._held_bytes = [], 0

    def finished(self) -> CodedSamples:
        """Return all samples; no more may be added."""
        if self._file is None:
            return CodedSamples(Rope([Literal(b"".join(self._held))]), self._sizes)
        self._spill()
        return CodedSamples(Rope([Extent(self._file, 0, self._file.size_bytes)]), self._sizes)
