"""The samples of a track one after another, read in large pieces: neighbours in the file come with one read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.edits.media import Media
from ffzero.errors import DecodeError
from ffzero.frames.reading.failures import sample_error
from ffzero.values import dataclass

__all__ = ["Sample", "samples_of"]

_BATCH_SAMPLES = 256
_BLOCK_BYTES = 1 << 20
_MOST_GAP_BYTES = 1 << 15
"""Bytes of other tracks that are read along, because another read would cost more."""
_MOST_SAMPLE_BYTES = 1 << 30


@dataclass(slots=True)
class Sample:
    """A sample: its number, time in ticks, sample entry, whether the file calls it a sync sample, and its bytes.

    ``data`` is good until the next sample is asked for.
    """

    number: int
    pts: int
    description: int
    sync: bool
    data: memoryview


def samples_of(media: Media, track: Track, first: int, stop: int) -> Iterator[Sample]:
    """Yield samples ``[first, stop)`` in decoding order. Raises ``DecodeError`` for one that lies outside the file."""
    table = track.table
    block = _Block(media, track)
    for low in range(first, stop, _BATCH_SAMPLES):
        high = min(stop, low + _BATCH_SAMPLES)
        offsets, sizes = (column.tolist() for column in table.offsets_and_sizes(low, high))
        times = table.pts_column(low, high).tolist()
        descriptions = _descriptions(table, low, high)
        sync = _sync(table, low, high)
        for number in range(high - low):
            if not block.has(offsets[number], sizes[number]):
                block.load(low + number, offsets, sizes, number)
            data = block.part(offsets[number], sizes[number])
            yield Sample(low + number, times[number], descriptions[number], sync[number], data)


def _descriptions(table: SampleTable, low: int, high: int) -> list[int]:
    chunks = table.chunks
    found = chunks.descriptions_between(low, high)
    if len(found) == 1:
        return found * (high - low)
    return [int(chunks.run_descriptions[chunks.locate(number)[0]]) for number in range(low, high)]


def _sync(table: SampleTable, low: int, high: int) -> list[bool]:
    numbers = table.sync_candidates()
    if numbers is None:
        return [True] * (high - low)
    marks = [False] * (high - low)
    first, stop = np.searchsorted(numbers, (low, high))
    for number in numbers[first:stop].tolist():
        marks[number - low] = True
    return marks


class _Block:
    """A stretch of the file in memory."""

    def __init__(self, media: Media, track: Track) -> None:
        self._media, self._track = media, track
        self._source = media.box.source
        self._memory = bytearray()
        self._view = memoryview(self._memory)
        self._offset = self._end = 0

    def has(self, offset: int, size: int) -> bool:
        return self._offset <= offset and offset + size <= self._end

    def part(self, offset: int, size: int) -> memoryview:
        return self._view[offset - self._offset : offset - self._offset + size]

    def load(self, sample: int, offsets: list[int], sizes: list[int], number: int) -> None:
        """Read a sample and those that follow it closely in the file."""
        begin, end = offsets[number], offsets[number] + sizes[number]
        if sizes[number] > _MOST_SAMPLE_BYTES or end > self._source.size_bytes:
            raise self._beyond(sample)
        for offset, size in zip(offsets[number + 1 :], sizes[number + 1 :], strict=True):
            together = end <= offset <= end + _MOST_GAP_BYTES and offset + size - begin <= _BLOCK_BYTES
            if not together or offset + size > self._source.size_bytes:
                break
            end = offset + size
        if end - begin > len(self._memory):
            self._memory = bytearray(end - begin)
            self._view = memoryview(self._memory)
        self._offset = self._end = 0
        self._source.readinto_at(begin, self._view[: end - begin])
        self._offset, self._end = begin, end

    def _beyond(self, sample: int) -> DecodeError:
        return sample_error(self._media, self._track, sample, "a sample lies beyond the end of the file")
