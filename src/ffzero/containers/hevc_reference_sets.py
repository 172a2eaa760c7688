"""Short-term reference picture sets of HEVC (ITU-T H.265, 08/2021, §7.3.7), in parameter sets and in slices."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.bits import BitReader
from ffzero.values import dataclass

__all__ = ["ReferenceSet", "read_reference_set"]

_MAX_DELTA = 32767
_MAX_PICTURES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSet:
    """The pictures ``before`` and ``after`` one in output order that are kept for it and later ones, nearest first.

    Each is (difference of picture order counts, 1 where the picture itself may be predicted from it, else 0).
    """

    before: tuple[tuple[int, int], ...] = ()
    after: tuple[tuple[int, int], ...] = ()

    @property
    def used(self) -> int:
        """How many of them the picture itself may be predicted from."""
        return sum(used for _, used in (*self.before, *self.after))


def read_reference_set(bits: BitReader, known: Sequence[ReferenceSet], *, in_slice: bool = False) -> ReferenceSet:
    """Read st_ref_pic_set(len(known)); ``known`` are the sets before it, all of the SPS's where it stands in a slice.

    Raises ``InvalidDataError`` where it is damaged.
    """
    if known and bits.flag():
        back = bits.ue(len(known) - 1) + 1 if in_slice else 1
        return _predicted(bits, known[-back])
    negative, positive = bits.ue(_MAX_PICTURES), bits.ue(_MAX_PICTURES)
    return ReferenceSet(before=_pictures(bits, negative, -1), after=_pictures(bits, positive, 1))


def _pictures(bits: BitReader, count: int, step: int) -> tuple[tuple[int, int], ...]:
    found, delta = [], 0
    for _ in range(count):
        delta += step * (bits.ue(_MAX_DELTA) + 1)
        found.append((delta, bits.u(1)))
    return tuple(found)


def _predicted(bits: BitReader, model: ReferenceSet) -> ReferenceSet:
    """Read a set told by another: the other's pictures, and the one it is for, all moved (equations 7-61, 7-62)."""
    sign = bits.u(1)
    shift = (1 - 2 * sign) * (bits.ue(_MAX_DELTA) + 1)
    kept = []
    for delta, _ in (*model.before, *model.after, (0, 0)):
        used = bits.u(1)
        if used or bits.u(1):
            kept.append((delta + shift, used))
    kept.sort()
    return ReferenceSet(
        before=tuple(item for item in reversed(kept) if item[0] < 0), after=tuple(item for item in kept if item[0] > 0)
    )
