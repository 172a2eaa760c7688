"""The rope: an immutable sequence of byte ranges of sources, and of literal bytes.

A rope is a few arrays, so ten thousand pieces cost little more than ten: for each piece the source's number (-1 for a
literal), the offset in that source (or in the rope's pool of literal bytes), and where the piece starts in the rope.
Neighbours that continue each other are one piece, and no piece is empty, so ropes of the same structure are equal
however they were put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ffzero.errors import InvalidDataError
from ffzero.extents.base import ByteSource
from ffzero.extents.coalesce import Int64Array, check_ranges
from ffzero.extents.gather import gather
from ffzero.extents.pieces import Extent, Literal, Piece, Run, check_reach

__all__ = ["Extent", "Literal", "Piece", "Rope", "Run"]

_COMPARE_CHUNK_BYTES = 1 << 20
_LITERAL = -1


class Rope:
    """An immutable string of bytes, most of which are only named. Slicing and joining copy no source byte.

    Equality and hash go by structure (which bytes of which source, and which literals); ``same_bytes`` compares what
    the bytes are. Slices and random reads cost O(log pieces + pieces touched). Ropes pickle where their sources do.
    """

    __slots__ = ("_blob", "_hash", "_offsets", "_refs", "_sources", "_starts")

    _refs: npt.NDArray[np.int32]
    _offsets: Int64Array
    _starts: Int64Array
    _sources: tuple[ByteSource, ...]
    _blob: bytes
    _hash: int | None

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        numbers: dict[ByteSource, int] = {}
        refs: list[int] = []
        offsets: list[int] = []
        lengths: list[int] = []
        literals: list[bytes] = []
        pooled = 0
        for piece in pieces:
            if isinstance(piece, Extent):
                refs.append(numbers.setdefault(piece.source, len(numbers)))
                offsets.append(piece.offset)
                lengths.append(piece.length)
            else:
                refs.append(_LITERAL)
                offsets.append(pooled)
                lengths.append(len(piece.data))
                literals.append(piece.data)
                pooled += len(piece.data)
        self._fill(
            np.array(refs, np.int32),
            np.array(offsets, np.int64),
            np.array(lengths, np.int64),
            tuple(numbers),
            b"".join(literals),
        )

    @classmethod
    def from_ranges(cls, source: ByteSource, offsets: npt.ArrayLike, lengths: npt.ArrayLike) -> Rope:
        """Return the rope of many ranges of one source, in the order given (int64 columns in bytes; copied).

        Raises ``InvalidDataError`` and ``TruncatedError`` as ``Extent`` does.
        """
        first = np.array(offsets, dtype=np.int64, ndmin=1)
        size = np.array(lengths, dtype=np.int64, ndmin=1)
        check_ranges(first, size)
        if first.size:
            last = int(np.argmax(first + size))
            check_reach(source, int(first[last]), int(first[last] + size[last]))
        return cls._make(np.zeros(first.size, np.int32), first, size, (source,), b"")

    @classmethod
    def concat(cls, ropes: Iterable[Rope]) -> Rope:
        """Return the ropes end to end, in time linear in their pieces and literal bytes."""
        numbers: dict[ByteSource, int] = {}
        parts: list[Rope] = []
        refs: list[npt.NDArray[np.int32]] = []
        offsets: list[Int64Array] = []
        blobs: list[bytes] = []
        pooled = 0
        for rope in ropes:
            if not len(rope._refs):
                continue
            part_offsets, blob = rope._own_literals()
            parts.append(rope)
            refs.append(rope._renumbered([numbers.setdefault(key, len(numbers)) for key in rope._sources]))
            offsets.append(part_offsets + np.where(rope._refs < 0, pooled, 0) if blob and pooled else part_offsets)
            blobs.append(blob)
            pooled += len(blob)
        if len(parts) < 2:
            return parts[0] if parts else cls()
        lengths = np.concatenate([np.diff(part._starts) for part in parts])
        return cls._make(np.concatenate(refs), np.concatenate(offsets), lengths, tuple(numbers), b"".join(blobs))

    @classmethod
    def _make(
        cls,
        refs: npt.NDArray[np.int32],
        offsets: Int64Array,
        lengths: Int64Array,
        sources: tuple[ByteSource, ...],
        blob: bytes,
    ) -> Rope:
        rope = cls.__new__(cls)
        rope._fill(refs, offsets, lengths, sources, blob)
        return rope

    def _fill(
        self,
        refs: npt.NDArray[np.int32],
        offsets: Int64Array,
        lengths: Int64Array,
        sources: tuple[ByteSource, ...],
        blob: bytes,
    ) -> None:
        """Drop empty pieces, join those that continue each other, and check the total."""
        if not lengths.all():
            kept = lengths > 0
            refs, offsets, lengths = refs[kept], offsets[kept], lengths[kept]
        starts = np.zeros(lengths.size + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        # Each term is below 2**63, so the first sum that does not fit turns negative.
        if (starts < 0).any():
            raise InvalidDataError("a rope is longer than 2**63 - 1 bytes")
        joined = (refs[1:] == refs[:-1]) & (offsets[1:] == offsets[:-1] + lengths[:-1])
        if joined.any():
            first = np.concatenate(([True], ~joined))
            refs, offsets = refs[first], offsets[first]
            starts = np.append(starts[:-1][first], starts[-1])
        self._set(refs, offsets, starts, sources, blob)

    def _set(
        self,
        refs: npt.NDArray[np.int32],
        offsets: Int64Array,
        starts: Int64Array,
        sources: tuple[ByteSource, ...],
        blob: bytes,
    ) -> None:
        for column in (refs, offsets, starts):
            column.flags.writeable = False
        self._refs, self._offsets, self._starts = refs, offsets, starts
        self._sources, self._blob, self._hash = sources, blob, None

    @property
    def length(self) -> int:
        """Bytes in all."""
        return int(self._starts[-1])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __bool__(self) -> bool:
        return self._refs.size > 0

    @property
    def piece_count(self) -> int:
        """How many pieces are left after neighbours were joined."""
        return int(self._refs.size)

    @property
    def literal_bytes(self) -> int:
        """How many of the bytes are literals."""
        return int(np.diff(self._starts)[self._refs < 0].sum())

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The normalised pieces: no empty ones, no neighbours that continue each other."""
        return tuple(
            Literal(run.data) if run.data is not None else Extent(run.source, run.offset, run.length)  # type: ignore[arg-type]
            for run in self.runs()
        )

    @property
    def sources(self) -> tuple[ByteSource, ...]:
        """The distinct sources that the rope still names, in order of first use."""
        return tuple(self._sources[number] for number in self._used())

    def runs(self) -> Iterator[Run]:
        """Yield the pieces in order. A literal's ``offset`` is 0 and its ``data`` a copy."""
        lengths = np.diff(self._starts).tolist()
        for ref, offset, length in zip(self._refs.tolist(), self._offsets.tolist(), lengths, strict=True):
            if ref < 0:
                yield Run(source=None, offset=0, length=length, data=self._blob[offset : offset + length])
            else:
                yield Run(source=self._sources[ref], offset=offset, length=length, data=None)

    def __getitem__(self, key: slice) -> Rope:
        """Return ``rope[a:b]`` with the meaning that slices of ``bytes`` have; the step must be 1."""
        if not isinstance(key, slice):
            raise TypeError("a rope is sliced (rope[a:b]) or read (rope.read_at), not indexed")
        start, stop, step = key.indices(self.length)
        if step != 1:
            raise ValueError(f"a rope slices with step 1, not {step}")
        if start >= stop:
            return Rope()
        if stop - start == self.length:
            return self
        first, last = self._touched(start, stop)
        offsets = self._offsets[first:last].copy()
        offsets[0] += start - self._starts[first]
        starts = np.clip(self._starts[first : last + 1] - start, 0, stop - start)
        part = Rope.__new__(Rope)
        part._set(self._refs[first:last], offsets, starts, self._sources, self._blob)
        return part

    def __add__(self, other: Rope) -> Rope:
        """Return both end to end. For many, ``Rope.concat`` is linear where repeated ``+`` is not."""
        if not isinstance(other, Rope):
            return NotImplemented
        return Rope.concat((self, other))

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset`` (a copy), fewer only at the rope's end.

        Raises what the sources raise: ``SourceChangedError``, ``TruncatedError``, ``SourceError``.
        """
        if length < 0:
            raise ValueError(f"negative length: {length}")
        data = bytearray(max(0, min(length, self.length - offset)))
        self.readinto(offset, data)
        return bytes(data)

    def readinto(self, offset: int, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` from ``offset`` and return how many bytes that were, fewer only at the rope's end.

        Small pieces of one source that lie near to each other are read together. Raises like ``read_at``.
        """
        if offset < 0:
            raise ValueError(f"negative offset: {offset}")
        out = memoryview(buffer).cast("B")
        count = min(len(out), self.length - offset)
        if count <= 0:
            return 0
        first, last = self._touched(offset, offset + count)
        if last - first == 1:
            self._read_one(first, offset - int(self._starts[first]), out[:count])
        else:
            self._read_several(first, last, offset, out[:count])
        return count

    def _read_one(self, piece: int, skip: int, out: memoryview) -> None:
        ref, offset = int(self._refs[piece]), int(self._offsets[piece]) + skip
        if ref < 0:
            out[:] = memoryview(self._blob)[offset : offset + len(out)]
        else:
            self._sources[ref].readinto_at(offset, out)

    def _read_several(self, first: int, last: int, offset: int, out: memoryview) -> None:
        refs = self._refs[first:last]
        edges = np.clip(self._starts[first : last + 1] - offset, 0, len(out))
        targets, lengths = edges[:-1], np.diff(edges)
        offsets = self._offsets[first:last].copy()
        offsets[0] += offset - self._starts[first]
        blob = memoryview(self._blob)
        here = np.flatnonzero(refs < 0)
        for at, length, target in zip(
            offsets[here].tolist(), lengths[here].tolist(), targets[here].tolist(), strict=True
        ):
            out[target : target + length] = blob[at : at + length]
        for number in dict.fromkeys(refs[refs >= 0].tolist()):  # np.unique loads numpy.ma: 10 ms
            here = np.flatnonzero(refs == number)
            gather(self._sources[number], offsets[here], lengths[here], targets[here], out)

    def _touched(self, start: int, stop: int) -> tuple[int, int]:
        """Return the half-open range of pieces that hold bytes of the non-empty [start, stop)."""
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        return first, int(np.searchsorted(self._starts, stop, side="left"))

    def same_bytes(self, other: Rope) -> bool:
        """Say whether both hold the same bytes, reading both at most 1 MiB at a time."""
        if self.length != other.length:
            return False
        if self == other:
            return True
        mine, theirs = bytearray(_COMPARE_CHUNK_BYTES), bytearray(_COMPARE_CHUNK_BYTES)
        for offset in range(0, self.length, _COMPARE_CHUNK_BYTES):
            count = self.readinto(offset, mine)
            other.readinto(offset, theirs)
            if memoryview(mine)[:count] != memoryview(theirs)[:count]:
                return False
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rope):
            return NotImplemented
        if self is other:
            return True
        if not np.array_equal(self._starts, other._starts):
            return False
        mine, theirs = self._canonical(), other._canonical()
        return (
            mine[2] == theirs[2]
            and mine[3] == theirs[3]
            and np.array_equal(mine[0], theirs[0])
            and np.array_equal(mine[1], theirs[1])
        )

    def __hash__(self) -> int:
        if self._hash is None:
            refs, offsets, sources, blob = self._canonical()
            self._hash = hash((refs.tobytes(), offsets.tobytes(), self._starts.tobytes(), sources, blob))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        refs, offsets, sources, blob = self._canonical()
        return (_restore, (refs, offsets, np.diff(self._starts), sources, blob))

    def __repr__(self) -> str:
        return f"<Rope of {self.length} bytes in {self._refs.size} pieces of {len(self._used())} sources>"

    def _canonical(self) -> tuple[npt.NDArray[np.int32], Int64Array, tuple[ByteSource, ...], bytes]:
        """Return (refs, offsets, sources, blob) as they depend on the structure alone, with nothing unused."""
        used = self._used()
        numbers = [_LITERAL] * len(self._sources)
        for number, old in enumerate(used):
            numbers[old] = number
        offsets, blob = self._own_literals()
        return self._renumbered(numbers), offsets, tuple(self._sources[old] for old in used), blob

    def _used(self) -> list[int]:
        """Return the numbers of the sources that pieces refer to, in the order in which they do so first."""
        return list(dict.fromkeys(self._refs[self._refs >= 0].tolist()))

    def _renumbered(self, numbers: list[int]) -> npt.NDArray[np.int32]:
        if not numbers or numbers == list(range(len(numbers))):
            return self._refs
        # The last entry stands for literals: index -1.
        return np.array([*numbers, _LITERAL], np.int32)[self._refs]

    def _own_literals(self) -> tuple[Int64Array, bytes]:
        """Return the offsets and the pool without the literal bytes that a slice left behind."""
        if not self._blob:
            return self._offsets, b""
        here = np.flatnonzero(self._refs < 0)
        lengths = np.diff(self._starts)[here]
        old, new = self._offsets[here], np.cumsum(lengths) - lengths
        if int(lengths.sum()) == len(self._blob) and np.array_equal(old, new):
            return self._offsets, self._blob
        offsets = self._offsets.copy()
        offsets[here] = new
        spans = zip(old.tolist(), (old + lengths).tolist(), strict=True)
        return offsets, b"".join([self._blob[start:end] for start, end in spans])


def _restore(
    refs: npt.NDArray[np.int32],
    offsets: Int64Array,
    lengths: Int64Array,
    sources: tuple[ByteSource, ...],
    blob: bytes,
) -> Rope:
    return Rope._make(refs, offsets, lengths, sources, blob)
