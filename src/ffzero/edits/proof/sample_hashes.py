"""The bytes of samples, hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy
from ffzero.reporting import CancelToken

__all__ = ["hash_of", "hashes", "kept", "nth", "run_bytes"]

_BATCH = 4096
_DIGEST_BYTES = 16


def kept(segment: Copy) -> list[tuple[int, int]]:
    """Return the ranges of source samples that are copied."""
    ranges, at = [], segment.first_sample
    for low, high in segment.drops:
        ranges.append((at, low))
        at = high
    return [(low, high) for low, high in [*ranges, (at, segment.stop_sample)] if low < high]


def nth(ranges: Sequence[tuple[int, int]], number: int) -> int:
    for low, high in ranges:
        if number < high - low:
            return low + number
        number -= high - low
    return ranges[-1][1] if ranges else number


def hash_of(data: bytes | bytearray) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def hashes(
    media: Media,
    track: Track,
    ranges: Iterable[tuple[int, int]],
    cancel: CancelToken | None,
    problems: list[str],
) -> list[bytes]:
    """Return the hash of each sample; what lies beyond the end of the file is a problem, and has none."""
    source, found, beyond = media.box.source, [], 0
    first_beyond = -1
    for low, high in ranges:
        for first in range(low, high, _BATCH):
            if cancel is not None:
                cancel.check()
            places = track.table.offsets_and_sizes(first, min(first + _BATCH, high))
            for number, (offset, size) in enumerate(zip(*(column.tolist() for column in places), strict=True), first):
                if offset + size > source.size_bytes:
                    beyond, first_beyond = beyond + 1, first_beyond if beyond else number
                    found.append(b"")
                    continue
                data = bytearray(size)
                source.readinto_at(offset, memoryview(data))
                found.append(hash_of(data))
    if beyond:
        problems.append(f"{media.name} ends before {beyond} of its samples, from {first_beyond} on")
    return found


def run_bytes(media: Media, track: Track, first: int, stop: int) -> bytes:
    """Return the bytes of samples, one after another."""
    offsets, sizes = (column.tolist() for column in track.table.offsets_and_sizes(first, stop))
    out, at = bytearray(), 0
    while at < len(offsets):
        end, last = offsets[at] + sizes[at], at + 1
        while last < len(offsets) and offsets[last] == end:
            end, last = end + sizes[last], last + 1
        data = bytearray(end - offsets[at])
        if end <= media.box.source.size_bytes:
            media.box.source.readinto_at(offsets[at], memoryview(data))
        out += data
        at = last
    return bytes(out)
