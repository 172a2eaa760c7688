"""A second, deliberately naive ISO base media box walker, so that the proofs do not lean on the reader under test.

Boxes are laid out as ISO/IEC 14496-12 §4.2 says; edit lists as §8.6.6, movie headers as §8.2.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

__all__ = ["CONTAINERS", "Box", "children", "find", "interior_edits", "media_starts", "read_moov", "top_level", "walk"]

CONTAINERS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf", b"udta"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box: ``start`` and ``size`` in bytes count its header, which is ``header`` bytes long."""

    kind: bytes
    start: int
    size: int
    header: int

    @property
    def body(self) -> int:
        return self.start + self.header

    @property
    def end(self) -> int:
        return self.start + self.size


def _header(head: bytes, start: int, end: int) -> Box | None:
    size, kind = struct.unpack(">I4s", head[:8])
    header = 8
    if size == 1 and len(head) >= 16:
        size, header = struct.unpack(">Q", head[8:16])[0], 16
    elif size == 0:
        size = end - start
    return Box(kind=kind, start=start, size=size, header=header) if size >= header else None


def children(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that lie side by side in ``data[start:end]``; stops quietly at nonsense."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        box = _header(bytes(data[start : start + 16]), start, end)
        if box is None:
            return
        yield box
        start = box.end


def walk(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield every box, containers before what they hold."""
    for box in children(data, start, end):
        yield box
        if box.kind in CONTAINERS:
            yield from walk(data, box.body, box.end)


def find(data: bytes | bytearray, path: str, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes at ``path`` (``moov/trak/edts``)."""
    first, _, rest = path.partition("/")
    for box in children(data, start, end):
        if box.kind == first.encode():
            if rest:
                yield from find(data, rest, box.body, box.end)
            else:
                yield box


def top_level(path: Path) -> list[Box]:
    """Return the file's outermost boxes, reading their headers only (a 4 GiB hole costs nothing)."""
    found, size = [], path.stat().st_size
    with path.open("rb") as file:
        start = 0
        while start + 8 <= size:
            file.seek(start)
            box = _header(file.read(16), start, size)
            if box is None:
                break
            found.append(box)
            start = box.end
    return found


def read_moov(path: Path) -> bytes:
    """Return the bytes of the movie box, or nothing where there is none."""
    for box in top_level(path):
        if box.kind == b"moov":
            with path.open("rb") as file:
                file.seek(box.start)
                return file.read(box.size)
    return b""


def interior_edits(path: Path) -> list[Fraction]:
    """Return the times (s, movie timeline) at which the first video track jumps from one edit into another."""
    moov = read_moov(path)
    video = next(_video_tracks(moov), None)
    mvhd = next(find(moov, "moov/mvhd"), None)
    if video is None or mvhd is None:
        return []
    scale = _timescale(moov, mvhd)
    times, now, shown = [], Fraction(0), False
    for duration, media_time in _edits(moov, video):
        if shown and media_time >= 0:
            times.append(now)
        shown = shown or media_time >= 0
        now += Fraction(duration, scale)
    return times


def media_starts(path: Path) -> list[float]:
    """Return at what media time (s) the first edit of each video track begins: what is before it is hidden."""
    moov = read_moov(path)
    starts = []
    for trak in _video_tracks(moov):
        scale = _timescale(moov, next(find(moov, "mdia/mdhd", trak.body, trak.end)))
        starts.append(next((time / scale for _, time in _edits(moov, trak) if time >= 0), 0.0))
    return starts


def _video_tracks(moov: bytes) -> Iterator[Box]:
    for trak in find(moov, "moov/trak"):
        handler = next(find(moov, "mdia/hdlr", trak.body, trak.end), None)
        if handler is not None and moov[handler.body + 8 : handler.body + 12] == b"vide":
            yield trak


def _timescale(moov: bytes, header: Box) -> int:
    """Return the timescale of an ``mvhd`` or ``mdhd``."""
    scale: int = struct.unpack_from(">I", moov, header.body + (20 if moov[header.body] else 12))[0]
    return scale


def _edits(moov: bytes, trak: Box) -> list[tuple[int, int]]:
    """Return (duration in movie ticks, media time in media ticks) of each edit."""
    elst = next(find(moov, "edts/elst", trak.body, trak.end), None)
    if elst is None:
        return []
    (count,) = struct.unpack_from(">I", moov, elst.body + 4)
    row = ">qqi" if moov[elst.body] else ">Iii"
    rows = (struct.unpack_from(row, moov, elst.body + 8 + i * struct.calcsize(row)) for i in range(count))
    return [(duration, media_time) for duration, media_time, _ in rows]
