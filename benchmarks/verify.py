"""A figure counts only if the output is right: its pictures are the source's, none missing, none extra, none broken."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

__all__ = ["WrongOutput", "check_cut", "check_joined", "duration", "shown_times"]

_TOLERANCE_S = Fraction(2, 1000)
_POINTS = 3

Shown = tuple[Path, Fraction]
"""A picture: its file and its time there, in seconds."""


class WrongOutput(Exception):
    """An output that was measured is not what it should be."""


def check_cut(
    output: Path, source: Path, start: Fraction, end: Fraction, source_times: Sequence[Fraction] | None = None
) -> int:
    """Check that ``output`` shows the source's pictures of [start, end); returns how many. Raises ``WrongOutput``.

    ``source_times`` are those of ``shown_times(source)``, where they are known.
    """
    times = shown_times(source) if source_times is None else source_times
    wanted = [(source, time) for time in times if start <= time < end]
    shown = _check(output, wanted)
    first = wanted[0][1]
    for number, (time, (_, source_time)) in enumerate(zip(shown, wanted, strict=True)):
        if abs((time - shown[0]) - (source_time - first)) > _TOLERANCE_S:
            raise WrongOutput(f"{output.name}: picture {number} is shown at {float(time):.4f} s")
    return len(shown)


def check_joined(output: Path, sources: Sequence[Path]) -> int:
    """Check that ``output`` shows the pictures of all sources; returns how many. Raises ``WrongOutput``."""
    return len(_check(output, [(source, time) for source in sources for time in shown_times(source)]))


def duration(path: Path) -> int:
    """Return the file's length in whole seconds; nothing of it stays open, so that its filesystem can be unmounted."""
    with av.open(str(path)) as container:
        return (container.duration or 0) // av.time_base


def shown_times(path: Path) -> list[Fraction]:
    """Return when each picture is shown that the edit list does not hide, sorted; reads the whole file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1)
        packets = (packet for packet in container.demux(stream) if packet.pts is not None and not packet.is_discard)
        return sorted(packet.pts * base for packet in packets if packet.pts is not None)


def _check(output: Path, wanted: Sequence[Shown]) -> list[Fraction]:
    shown = shown_times(output)
    if len(shown) != len(wanted) or not wanted:
        raise WrongOutput(f"{output.name} shows {len(shown)} pictures, not {len(wanted)}")
    for number in random.Random(0).sample(range(len(wanted)), min(_POINTS, len(wanted))):
        source, time = wanted[number]
        if _picture(output, shown[number]) != _picture(source, time):
            raise WrongOutput(f"{output.name}: picture {number} is not the source's at {float(time):.4f} s")
    return shown


def _picture(path: Path, time: Fraction) -> str:
    """Return a digest of the picture that is shown at ``time``, decoded from the key picture before it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1)
        container.seek(round(time / base), stream=stream, backward=True)
        near = itertools.dropwhile(
            lambda frame: (frame.pts or 0) * base < time - _TOLERANCE_S, container.decode(stream)
        )
        frame = next(near, None)
        if frame is None or abs((frame.pts or 0) * base - time) > _TOLERANCE_S:
            raise WrongOutput(f"{path.name}: no picture can be decoded at {float(time):.4f} s")
        return hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()
