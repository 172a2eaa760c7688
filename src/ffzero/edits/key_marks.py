"""Where copied key pictures lie on the clip's timeline, as far as a picture of the plan can show them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import Layout
from ffzero.edits.takes import Take

__all__ = ["key_times"]

_MOST = 240
"""More cannot be told apart in a picture, and each costs a look-up."""


def key_times(layout: Layout) -> tuple[Fraction, ...]:
    """Return the times of the key pictures shown of the first video track; none where they are more than 240."""
    track = next((track for track in layout.tracks if track.role == "video"), None)
    found: list[Fraction] = []
    for item in track.placed if track is not None else ():
        numbers = _numbers(item.take) if isinstance(item.take, Take) else np.zeros(0, np.int64)
        if len(found) + len(numbers) > _MOST:
            return ()
        found += _times(item, item.take, numbers) if isinstance(item.take, Take) else ()
    return tuple(found)


def _numbers(take: Take) -> np.ndarray:
    numbers = take.track.table.sync_candidates()
    if numbers is None:
        return np.zeros(0, np.int64)  # all of them: nothing to mark
    low, high = np.searchsorted(numbers, (take.first, take.stop))
    return np.asarray(numbers[low:high])


def _times(item: Placed, take: Take, numbers: np.ndarray) -> Iterator[Fraction]:
    for number in numbers.tolist():
        pts = take.track.table.pts(number)
        if take.media_start <= pts < take.media_stop:
            yield item.at_s + Fraction(pts - take.media_start, take.track.timescale)
