"""Where rendered H.264 pictures stand in a source's sequence: their frame_num and picture order counts (ITU-T H.264).

They are chosen such that the copied pictures behind them continue them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ffzero.containers.h264_params import H264Sps
from ffzero.errors import UnsupportedError
from ffzero.values import dataclass

__all__ = ["JoinPoint", "Place", "places_before", "without_gap"]

_STEP = 2
_HELD_AND_CURRENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPoint:
    """A picture beside a joint. ``pic_order_cnt_lsb``: ``None`` unless its SPS has poc type 0."""

    is_idr: bool
    frame_num: int
    pic_order_cnt_lsb: int | None
    is_reference: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rendered picture stands: frame_num (not reduced), picture order count, and if it is kept for reference.

    ``inferred`` counts the frames that decoders hold in the place of those that frame_num skips right before it.
    """

    number: int
    order: int
    is_reference: bool = True
    inferred: int = 0


def places_before(count: int, before: JoinPoint | None, host: H264Sps) -> list[Place]:
    """Place ``count`` pictures such that the copied picture ``before`` continues them (§7.4.3, §8.2.1).

    Two reference pictures in a row have different values of frame_num (§7.4.3): where the copied one has that of the
    last, the last is no reference.
    """
    if before is None or before.is_idr:
        return [Place(number=number, order=_STEP * number) for number in range(count)]
    modulus = 1 << host.log2_max_frame_num
    same = (count - 1 - before.frame_num) % modulus == 0
    if same and count == 1:
        raise UnsupportedError("the copied picture has the frame_num of the one rendered picture", found=0)
    kept = count - 1 if same else count
    skipped = 0 if same else (before.frame_num - count) % modulus
    margin = _STEP * (min(skipped, max(host.max_num_ref_frames, 1)) + (2 if same else 1))
    orders = _orders(kept, before.pic_order_cnt_lsb, margin, 1 << host.log2_max_poc_lsb)
    places = [Place(number=number, order=order) for number, order in enumerate(orders)]
    return [*places, Place(number=kept, order=orders[-1] + _STEP, is_reference=False)] if same else places


def without_gap(places: Sequence[Place], before: JoinPoint | None, host: H264Sps) -> Sequence[Place]:
    """Return the places such that frame_num skips none before the copied picture, where that can be.

    The frames that decoders infer for a gap (§8.2.5.2) then come before the second picture, which lets go of them. The
    copied picture could not: where decoding starts at it they are not there, and FFmpeg calls that an error.
    """
    if before is None or before.is_idr or not places[-1].is_reference:
        return places
    skipped = (before.frame_num - len(places)) % (1 << host.log2_max_frame_num)
    if not skipped or len(places) == 1 or host.max_num_ref_frames < _HELD_AND_CURRENT:
        return places
    moved = [replace(place, number=place.number + skipped) for place in places[1:]]
    return [places[0], replace(moved[0], inferred=min(skipped, host.max_num_ref_frames - 1)), *moved[1:]]


def _orders(count: int, lsb: int | None, margin: int, cycle: int) -> list[int]:
    """Return picture order counts of ``count`` reference pictures before a copied one with pic_order_cnt_lsb ``lsb``.

    The copied one's count is the one nearest to its predecessor's (§8.2.1.1), so the last of ours must be less than
    half a cycle behind it, and at least ``margin``: FFmpeg gives frames that it infers for those that frame_num skips
    the next counts. The first, an IDR picture, ought to have 0 (§8.2.1). Where the pictures are too few to get near
    enough in steps of less than half a cycle, it has another; no decoder known minds.
    """
    plain = list(range(0, _STEP * count, _STEP))
    if lsb is None:
        return plain
    if margin >= cycle // 2:
        raise UnsupportedError(
            "frame_num skips more than picture order counts allow", expected=cycle // 2, found=margin
        )
    ahead = (lsb - plain[-1] - margin) % cycle
    if ahead < cycle // 2 - margin:
        return plain
    missing = ahead - (cycle // 2 - margin) + _STEP
    if count > 1 and _STEP + -(-missing // (count - 1)) + _STEP < cycle // 2:
        return [order + missing * number // (count - 1) // _STEP * _STEP for number, order in enumerate(plain)]
    return [order + ahead for order in plain]
