"""Two sequences of sample hashes held against each other: where they part and where they meet again. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from ffzero.values import dataclass

__all__ = ["Difference", "DifferenceKind", "differences", "end_of", "start_of"]

_WINDOW = 256
"""How many samples ahead the two may meet again."""
_MAX_SKIPPED = 4
"""Packets of sound that may be left out where a joint falls inside of one."""


class DifferenceKind(enum.Enum):
    """What happened to a sample."""

    CHANGED = "changed"
    SWAPPED = "swapped"
    MISSING = "missing"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``count`` samples from ``at`` of what is there, or ``number`` of what is wanted, that are not as they should be.

    Of two that are swapped ``number`` is the first and ``other`` the second.
    """

    kind: DifferenceKind
    at: int
    number: int
    count: int = 1
    other: int = -1


def differences(have: Sequence[bytes], at: int, want: Sequence[bytes], number: int = 0) -> Iterator[Difference]:
    """Yield where ``have``, from ``at`` on, is not ``want`` from ``number`` on; see ``end_of`` for where that ends."""
    settled: set[int] = set()
    while number < len(want):
        if at >= len(have):
            yield Difference(kind=DifferenceKind.MISSING, at=at, number=number, count=len(want) - number)
            return
        if have[at] == want[number] or at in settled:
            at, number = at + 1, number + 1
            continue
        found = _difference(have, at, want, number)
        yield found
        if found.kind is DifferenceKind.MISSING:
            number += found.count
        elif found.kind is DifferenceKind.EXTRA:
            at += found.count
        else:
            if found.kind is DifferenceKind.SWAPPED:
                settled.add(at + found.other - number)
            at, number = at + 1, number + 1


def _difference(have: Sequence[bytes], at: int, want: Sequence[bytes], number: int) -> Difference:
    changed = Difference(kind=DifferenceKind.CHANGED, at=at, number=number)
    ahead = _next(want, number + 1, have[at])
    if ahead is not None:
        gone = ahead - number
        if at + gone < len(have) and have[at + gone] == want[number]:
            return Difference(kind=DifferenceKind.SWAPPED, at=at, number=number, other=ahead)
    if at + 1 < len(have) and number + 1 < len(want) and _go_on(have, at + 1, want, number + 1):
        return changed
    if ahead is not None and _go_on(have, at, want, ahead):
        return Difference(kind=DifferenceKind.MISSING, at=at, number=number, count=ahead - number)
    behind = _next(have, at + 1, want[number])
    if behind is not None and _go_on(have, behind, want, number):
        return Difference(kind=DifferenceKind.EXTRA, at=at, number=number, count=behind - at)
    return changed


def _next(column: Sequence[bytes], first: int, value: bytes) -> int | None:
    return next((place for place in range(first, min(len(column), first + _WINDOW)) if column[place] == value), None)


def _go_on(have: Sequence[bytes], at: int, want: Sequence[bytes], number: int) -> bool:
    """Whether the two agree for two samples, or to the end of what is wanted."""
    return all(a == b for a, b in zip(have[at : at + 2], want[number : number + 2], strict=False))


def end_of(found: Sequence[Difference], at: int, wanted: int) -> int:
    """Return where in what is there the ``wanted`` samples end that were compared from ``at`` on."""
    moved = sum(
        difference.count if difference.kind is DifferenceKind.EXTRA else -difference.count
        for difference in found
        if difference.kind in (DifferenceKind.EXTRA, DifferenceKind.MISSING)
    )
    return at + wanted + moved


def start_of(have: Sequence[bytes], at: int, want: Sequence[bytes], *, window: int) -> tuple[int, int]:
    """Return where a range that may begin late, with up to four samples left out, begins in both.

    ``at`` and 0 where it is not found within ``window`` samples.
    """
    firsts = {value: number for number, value in reversed(list(enumerate(want[: _MAX_SKIPPED + 1])))}
    for place in range(at, min(len(have), at + window + 1)):
        number = firsts.get(have[place])
        if number is not None and _go_on(have, place, want, number):
            return place, number
    return at, 0
