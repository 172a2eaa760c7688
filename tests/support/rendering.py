"""Is this output what was asked for, where some of its pictures were coded anew? Problems come back in words."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support.media import Media
from support.oracle import decode

__all__ = ["Picture", "check_complaints", "check_pictures", "drawn_ranges", "pictures"]

AT = Fraction(1, 1_000_000)
TIME_SLACK = Fraction(2, 1000)
LEAST_DB = 45.0
_RUN_UP_S = 12
_LEAST_S, _MOST_S = Fraction(1, 5), Fraction(6)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture: when it is shown, and its planes as the decoder gave them."""

    time: Fraction
    planes: tuple[Array, ...]


def drawn_ranges(item: Media, kind: str, times: Sequence[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """Return ranges of ``item`` to be shown one after another, to the millisecond; each has some of the ``times``.

    ``kind`` is ``cut-N``, ``join-N`` or ``removal``: the same ranges whenever it is asked for.
    """
    dice = random.Random(f"render {item.name} {kind}")
    ranges = _ranges(kind, max(Fraction(0), min(times)), max(times), dice)
    filled = [(a, b) for a, b in ranges if any(a <= time < b - Fraction(1, 1000) for time in times)]
    return filled or [(min(times), max(times))]


def _ranges(kind: str, first: Fraction, last: Fraction, dice: random.Random) -> list[tuple[Fraction, Fraction]]:
    length = last - first
    if kind == "removal":
        cuts = sorted(first + length * Fraction(dice.randrange(50, 950), 1000) for _ in range(2))
        low, high = (Fraction(round(cut * 1000), 1000) for cut in cuts)
        begin = max(Fraction(0), low - _MOST_S)
        return [(begin, low), (max(high, low + Fraction(1, 20)), min(last, high + _MOST_S))]
    count = 2 if kind.startswith("join") else 1
    found = []
    for _ in range(count):
        span = min(length, _LEAST_S + (_MOST_S - _LEAST_S) * Fraction(dice.randrange(1000), 1000))
        start = first + (length - span) * Fraction(dice.randrange(1000), 1000)
        found.append((Fraction(int(start * 1000), 1000), Fraction(int((start + span) * 1000) + 1, 1000)))
    return found


def pictures(path: Path, start: Fraction = Fraction(0), end: Fraction | None = None) -> Iterator[Picture]:
    """Yield the pictures of the first video shown in [start, end), as PyAV sees the file."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        stream.thread_type = "AUTO"
        if start > _RUN_UP_S and stream.time_base:
            container.seek(int((start - _RUN_UP_S) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            assert frame.pts is not None and frame.time_base is not None
            time = frame.pts * frame.time_base
            if end is not None and time >= end - AT:
                return
            if time >= start - AT:
                yield Picture(time=time, planes=tuple(_planes(frame)))


def _planes(frame: Any) -> Iterator[Array]:
    depth = np.uint16 if max(part.bits for part in frame.format.components) > 8 else np.uint8
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        width = plane.width * (2 if depth is np.uint16 else 1)
        width = width if len(frame.planes) > 1 or frame.format.name.startswith("gray") else plane.line_size
        yield rows[:, :width].copy().view(depth)


def psnr_db(one: Picture, two: Picture, peak: int) -> float:
    """Return the PSNR of the luma (or only) plane."""
    error = float(np.mean((one.planes[0].astype(np.float64) - two.planes[0]) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def check_pictures(wanted: Iterable[Picture], shown: Iterable[Picture], *, peak: int, rendered: int) -> list[str]:
    """Compare pictures one to one: times to 2 ms, all but ``rendered`` bit for bit, those to 45 dB."""
    want, have = list(wanted), list(shown)
    problems = []
    if len(want) != len(have):
        problems.append(f"{len(want)} pictures wanted, {len(have)} shown")
    changed = 0
    for number, (one, two) in enumerate(zip(want, have, strict=False)):
        late = (two.time - have[0].time) - (one.time - want[0].time)
        if abs(late) > TIME_SLACK:
            problems.append(f"picture {number} is shown {float(late):+.6f} s off")
        if any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(one.planes, two.planes, strict=True)):
            changed += 1
            quality = psnr_db(one, two, peak) if one.planes[0].shape == two.planes[0].shape else 0
            if quality < LEAST_DB:
                problems.append(f"picture {number} has {quality:.1f} dB")
    if changed > rendered:
        problems.append(f"{changed} pictures are not the source's bit for bit, {rendered} were said to be coded")
    if have and abs(have[0].time) > TIME_SLACK:
        problems.append(f"the first picture is at {float(have[0].time):.6f} s, not 0")
    return problems[:8]


def check_complaints(sources: Sequence[tuple[Path, str | None]], output: Path) -> list[str]:
    """Return what FFmpeg says of the output and of none of the sources (each with its key)."""
    known = {said for path, key in sources for said in decode(path, key=key, keep=True).complaints}
    return [f"FFmpeg says of the output only: {said}" for said in decode(output).complaints if said not in known]
