"""MP3 frames that stand between copied ones (ISO/IEC 11172-3 §2.4.1, 13818-3 §2.4.1): the bit reservoir across a joint.

A frame's data may begin in the frames before it. A copied frame after coded ones still points back there, so the last
coded one gets a larger frame than it needs, and its last bytes are the bytes that the copied frame points at.
"""

from __future__ import annotations

from ffzero.containers.bits import BitReader
from ffzero.edits.sound.rendering import Neighbour
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.frames.sound.aac_windows import Falling
from ffzero.values import dataclass

__all__ = ["mp3_falling", "owed_to", "with_owed"]

_MPEG1_KBIT = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBIT = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HIGHEST = 14
_MONO = 3
_START, _SHORT = 1, 2
_MPEG1_GRANULE_BITS, _MPEG2_GRANULE_BITS = 59, 63
"""Of each channel's side information."""


@dataclass(frozen=True, slots=True)
class _Header:
    """The first four bytes of a frame, as an integer."""

    bits: int

    @classmethod
    def of(cls, data: bytes) -> _Header:
        found = cls(int.from_bytes(data[:4]))
        if len(data) < 4 or found.bits >> 21 != 0x7FF or (found.bits >> 17) & 3 != 1 or not found.is_usual:
            raise UnsupportedError("an MP3 packet does not begin with the header of a layer III frame")
        return found

    @property
    def is_usual(self) -> bool:
        return 0 < (self.bits >> 12) & 15 <= _HIGHEST and (self.bits >> 10) & 3 < 3 and (self.bits >> 19) & 3 != 1

    @property
    def is_mpeg1(self) -> bool:
        return (self.bits >> 19) & 3 == 3

    @property
    def overhead(self) -> int:
        """Bytes of header, check and side information, before the frame's share of main data."""
        check = 0 if self.bits >> 16 & 1 else 2
        return 4 + check + ((17 if self.is_mono else 32) if self.is_mpeg1 else (9 if self.is_mono else 17))

    @property
    def is_mono(self) -> bool:
        return (self.bits >> 6) & 3 == _MONO

    def size(self, rate: int) -> int:
        kbit = (_MPEG1_KBIT if self.is_mpeg1 else _MPEG2_KBIT)[(self.bits >> 12) & 15]
        return (144 if self.is_mpeg1 else 72) * kbit * 1000 // rate + ((self.bits >> 9) & 1)

    def largest(self) -> _Header:
        return _Header((self.bits & ~(15 << 12)) | (_HIGHEST << 12))


def mp3_falling(packet: bytes) -> Falling | None:
    """Return how a frame's last blocks fall; ``shape`` has a bit for each channel whose block is short there."""
    try:
        header = _Header.of(packet)
        bits = BitReader(packet)
        bits.skip(32 + (0 if header.bits >> 16 & 1 else 16))
        channels = 1 if header.is_mono else 2
        if header.is_mpeg1:
            bits.skip(9 + (5 if header.is_mono else 3) + 4 * channels + _MPEG1_GRANULE_BITS * channels)
            before, size = 33, _MPEG1_GRANULE_BITS
        else:
            bits.skip(8 + channels)
            before, size = 38, _MPEG2_GRANULE_BITS
        short = 0
        for channel in range(channels):
            bits.skip(before)
            switched, kind = bits.flag(), bits.u(2)
            bits.skip(size - before - 3)
            short |= (switched and kind in (_START, _SHORT)) << channel
    except (InvalidDataError, UnsupportedError):
        return None
    return Falling(is_long=not short, shape=short, shape_bit=None)


def with_owed(packet: bytes, owed: bytes, rate: int) -> bytes | None:
    """Return a frame as the largest there is, its main data ending with ``owed``; ``None`` where it has no room."""
    if not owed:
        return packet
    header = _Header.of(packet).largest()
    room = header.size(rate) - len(packet) - len(owed)
    if room < 0:
        return None
    return header.bits.to_bytes(4) + packet[4:] + bytes(room) + owed


def owed_to(after: Neighbour, later: int = 0) -> bytes:
    """Return the main data before a frame, or one ``later`` than it, that it points back to."""
    data = after.media.sample_bytes(after.track, after.number + later) or b""
    header = _Header.of(data)
    at = 4 + (0 if header.bits >> 16 & 1 else 2)
    begin = int.from_bytes(data[at : at + 2]) >> (7 if header.is_mpeg1 else 8)
    found = b""
    number = after.number + later - 1
    while len(found) < begin and number >= 0:
        before = after.media.sample_bytes(after.track, number) or b""
        found = before[_Header.of(before).overhead :] + found
        number -= 1
    return found[-begin:] if begin else b""
