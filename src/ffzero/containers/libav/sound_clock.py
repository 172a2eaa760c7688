"""Sound of joined pieces on one grid of packets, so that it is the same by their times and by their number.

A piece's last packet reaches past its end, and its first may begin before it. Were all put at their own times, packets
would overlap, or leave gaps; players that decode one after another, whatever the times, would be late or early by as
much, at each joint a little more. So each piece's sound begins where what comes before it ends: half a packet off at
most.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ffzero.containers.libav.opening import context_of
from ffzero.containers.packet_samples import WHOLE_PACKETS, packet_samples
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["SoundClock"]

_AAC_SAMPLES = 1024


@dataclass(slots=True, kw_only=True)
class SoundClock:
    """Follows the packets of one output track, which is of ``codec``. Times are seconds of the output, exact."""

    codec: str
    _end_s: Fraction | None = None
    """Where what was placed ends, counted in packets."""
    _moved_s: Fraction = Fraction(0)
    _is_joint: bool = False
    _usual_s: Fraction = Fraction(0)
    _origin_s: Fraction = Fraction(0)
    _count: int = 0

    def begin_piece(self) -> None:
        """Say that what comes next is another piece's."""
        self._is_joint = self._end_s is not None
        self._moved_s = Fraction(0)

    def early_s(self, packet: AnyPacket) -> Fraction:
        """Return by how much a packet may begin before a joint and yet be the first behind it."""
        return self._length_s(packet) if self._is_joint else Fraction(0)

    def moved_s(self, packet: AnyPacket, begin_s: Fraction) -> Fraction | None:
        """Return by how much a packet that would begin then is to begin later; ``None`` where it is to be left out.

        A gap of more than a packet before a piece's first stays.
        """
        length = self._length_s(packet)
        if not length:
            return Fraction(0)
        if self._is_joint and self._end_s is not None:
            late = self._end_s - begin_s
            if late > length / 2:
                return None
            self._moved_s = late if late >= -length else Fraction(0)
        begin = begin_s + self._moved_s
        counted = self._origin_s + self._count * length
        if self._is_joint or self._end_s is None or abs(counted - begin) > length / 2:
            self._origin_s, self._count, counted = begin, 0, begin
        self._is_joint = False
        self._count += 1
        self._end_s = counted + max(Fraction(0), length - self._discarded_s(packet))
        return self._moved_s

    @staticmethod
    def _discarded_s(packet: AnyPacket) -> Fraction:
        """Return what decoders are told to throw away at a packet's end (FFmpeg's ``AV_PKT_DATA_SKIP_SAMPLES``)."""
        context = context_of(packet.stream)
        if context is None or not context.sample_rate or not packet.has_sidedata("skip_samples"):
            return Fraction(0)
        told = bytes(packet.get_sidedata("skip_samples"))
        return Fraction(int.from_bytes(told[4:8], "little"), context.sample_rate)

    def _length_s(self, packet: AnyPacket) -> Fraction:
        """Return how much a packet decodes to, what is thrown away included; 0 where that is not known."""
        context = context_of(packet.stream)
        if context is None or (self.codec not in WHOLE_PACKETS and self.codec != "opus"):
            return Fraction(0)
        rate = context.sample_rate or 0
        usual = _AAC_SAMPLES if self.codec == "aac" else packet_samples(self.codec, rate)
        samples = getattr(context, "frame_size", 0) or usual
        if samples and rate:
            return Fraction(samples, rate)
        if not self._discarded_s(packet) or not self._usual_s:
            self._usual_s = (packet.duration or 0) * (packet.time_base or Fraction(0)) + self._discarded_s(packet)
        return self._usual_s
