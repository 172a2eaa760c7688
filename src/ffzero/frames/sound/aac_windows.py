"""The windows of AAC packets (ISO/IEC 14496-3 §4.4.2, §4.6.11): whether a coded packet and a copied one can meet.

Where two packets meet, the falling half of one window and the rising half of the next must be of one kind, and both
signals the same: then the aliasing of the two transforms cancels. A decoder takes the shape of the rising half from the
packet before, so a copied packet after a coded one is only right if that one states the shape it was coded with.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ffzero.containers.bits import BitReader
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["Falling", "falling_of", "folded_fall", "folded_rise", "with_shape"]

_SINGLE, _PAIR, _DATA, _FILL = 0, 1, 4, 6
_ONLY_LONG, _LONG_STOP = 0, 3
_KAISER_ALPHA = 4
_HALF = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Falling:
    """The falling half of a packet's window: whether it is long, and its shape (0 sine, 1 Kaiser-Bessel derived).

    It is the first element's; ``shape_bit`` is where it states the shape for all its channels, ``None`` where it
    states them apart.
    """

    is_long: bool
    shape: int
    shape_bit: int | None

    def meets(self, other: Falling | None) -> bool:
        return other is not None and (self.is_long, self.shape) == (other.is_long, other.shape)


def falling_of(packet: bytes) -> Falling | None:
    """Return the falling half of a packet's first window, ``None`` where no channel begins the packet."""
    bits = BitReader(packet)
    try:
        while True:
            kind = bits.u(3)
            if kind in (_SINGLE, _PAIR):
                return _falling(bits, kind)
            if kind == _FILL:
                count = bits.u(4)
                bits.skip(8 * (count + bits.u(8) - 1 if count == 15 else count))
            elif kind == _DATA:
                bits.skip(4)
                aligned, count = bits.flag(), bits.u(8)
                count += bits.u(8) if count == 255 else 0
                bits.skip((-bits.position_bits % 8 if aligned else 0) + 8 * count)
            else:
                return None
    except InvalidDataError:
        return None


def _falling(bits: BitReader, kind: int) -> Falling:
    bits.skip(4)
    common = kind == _SINGLE
    if kind == _PAIR:
        common = bits.flag()
    if kind == _SINGLE or not common:
        bits.skip(8)  # global_gain
    bits.skip(1)
    sequence = bits.u(2)
    at = bits.position_bits
    return Falling(is_long=sequence in (_ONLY_LONG, _LONG_STOP), shape=bits.u(1), shape_bit=at if common else None)


def with_shape(packet: bytes, falling: Falling, shape: int) -> bytes:
    """Return a packet whose window falls in another shape."""
    assert falling.shape_bit is not None
    data = bytearray(packet)
    place, mask = falling.shape_bit // 8, 0x80 >> falling.shape_bit % 8
    data[place] = data[place] | mask if shape else data[place] & ~mask
    return bytes(data)


@cache
def _rising(shape: int) -> np.ndarray:
    """Return the rising half of a long window, a column."""
    if shape == 0:
        half = np.sin(np.pi / (4 * _HALF) * (2 * np.arange(_HALF) + 1))
    else:
        total = np.cumsum(np.kaiser(_HALF + 1, np.pi * _KAISER_ALPHA))
        half = np.sqrt(total[:-1] / total[-1])
    return np.asarray(half, np.float32).reshape(-1, 1)


def folded_rise(signal: np.ndarray, wanted: int, coder: int) -> np.ndarray:
    """Return what a coder with window shape ``coder`` must be fed, so that its packet rises as if in ``wanted``.

    The transform sees only ``w x - reversed(w x)`` of a rising half; of all signals for which it sees what it ought to,
    this is the one next to ``signal``.
    """
    right, own = _rising(wanted) * signal, _rising(coder) * signal
    return np.asarray(signal + _rising(coder) * (right - right[::-1] - own + own[::-1]))


def folded_fall(signal: np.ndarray, wanted: int, coder: int) -> np.ndarray:
    """As ``folded_rise`` for a falling half, of which the transform sees ``w x + reversed(w x)``."""
    right, own = _rising(wanted)[::-1] * signal, _rising(coder)[::-1] * signal
    return np.asarray(signal + _rising(coder)[::-1] * (right + right[::-1] - own - own[::-1]))
