"""Time stamps that jump: transport streams recorded in parts or joined byte by byte (ISO/IEC 13818-1 §2.4.3.4).

A seek by time is meaningless in such a file, and a copy of its times is unplayable. The jumps are found by sampling
and closed while reading from the start.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["JUMP_S", "Unwrapper", "looks_discontinuous"]

JUMP_S = Fraction(10)
"""A step of a stream's dts beyond this many seconds, either way, is a jump; the threshold of ffmpeg's own."""

_PROBES = 24
_LARGEST_SHARE = 8


def looks_discontinuous(container: InputContainer) -> bool:
    """Sample the times at evenly spaced bytes: do they run backwards, or leap out of all proportion?

    Moves the container's read position. A file without sizes or times is called continuous.
    """
    size = container.size
    times = [time for probe in range(_PROBES) if (time := _time_at(container, size * probe // _PROBES)) is not None]
    if size <= 0 or len(times) < 3:
        return False
    steps = [after - before for before, after in pairwise(times)]
    usual = sorted(steps)[len(steps) // 2]
    return min(steps) < -1 or max(steps) > max(3 * JUMP_S, _LARGEST_SHARE * usual)


def _time_at(container: InputContainer, offset_bytes: int) -> Fraction | None:
    try:
        container.seek(offset_bytes, unsupported_byte_offset=True)
        for packet in container.demux():
            if packet.dts is not None and packet.stream.type in ("video", "audio"):
                return packet.dts * packet.time_base
    except (OSError, ValueError):
        pass  # FFmpeg's errors inherit these; a spot that cannot be read says nothing
    return None


class Unwrapper:
    """Closes jumps in the times of packets read from the start of a file, keeping all streams on one clock.

    Every part of the file has one offset for all its streams, so the sound of a part stays with its pictures. Near a
    jump the streams' packets interleave: each takes the newest offset under which its stream goes on smoothly.
    """

    def __init__(self) -> None:
        self._offsets_s = [Fraction(0)]
        self._next_s: dict[int, Fraction] = {}

    @property
    def jumps(self) -> int:
        return len(self._offsets_s) - 1

    def correct(self, packet: AnyPacket) -> None:
        """Shift the packet's pts and dts in place."""
        base = packet.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or not base:
            return
        offset_s = self._offset_for(packet.stream_index, stamp * base, packet.stream.type in ("video", "audio"))
        shift = round(offset_s / base)
        if packet.pts is not None:
            packet.pts += shift
        if packet.dts is not None:
            packet.dts += shift
        self._next_s[packet.stream_index] = (stamp + shift + (packet.duration or 0)) * base

    def _offset_for(self, stream_index: int, time_s: Fraction, may_jump: bool) -> Fraction:
        expected = self._next_s.get(stream_index)
        if expected is None:
            expected = max(self._next_s.values(), default=time_s)
        for offset in reversed(self._offsets_s):
            if abs(time_s + offset - expected) <= JUMP_S:
                return offset
        if not may_jump:  # subtitles and data are sparse: their gaps are no jumps
            return self._offsets_s[-1]
        self._offsets_s.append(expected - time_s)
        return self._offsets_s[-1]
