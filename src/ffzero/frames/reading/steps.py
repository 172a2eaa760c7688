"""Which pictures a step takes of those in a range."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import numpy as np

from ffzero.errors import UsageError
from ffzero.timebase import TOLERANCE, TimeLike, parse_time
from ffzero.values import dataclass

__all__ = ["Step", "parse_step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Every ``count``-th picture, or the one shown at the start and after every multiple of ``seconds``."""

    count: int = 1
    seconds: Fraction | None = None

    def chosen(self, shown: np.ndarray, timescale: int, start: Fraction | None, end: Fraction) -> np.ndarray:
        """Return the numbers, rising, of those taken of pictures shown at ``shown`` (sorted ticks) until ``end``."""
        if self.seconds is None:
            return np.arange(0, len(shown), self.count)
        begin = Fraction(int(shown[0]), timescale) if start is None else start
        total = max(1, -int((begin - end + TOLERANCE) // self.seconds))
        ticks = (begin + TOLERANCE) * timescale
        stride = self.seconds * timescale
        divisor = ticks.denominator * stride.denominator
        first, each = int(ticks * divisor), int(stride * divisor)
        # Multiple k lies at floor((first + k * each) / divisor). How many lie before each picture, for one that is
        # shown at some has more of them before its successor than before itself; there may be far more than pictures.
        fits = max(abs(int(shown[0])), abs(int(shown[-1])), 1) * divisor + abs(first) + each < 1 << 62
        times = shown.astype(np.int64 if fits else object)
        before = -((first - times * divisor) // each)
        before = np.append(np.clip(before, 0, total), total)
        before[0] = 0  # until it is shown, the first is what players show
        return np.flatnonzero(before[1:] > before[:-1])


def parse_step(step: int | TimeLike | None) -> Step | None:
    """Return what a step means: an int counts pictures, anything else is a time. Raises ``UsageError``.

    ``"1s"`` and ``"0.5s"`` are seconds too. ``None`` where every picture is taken.
    """
    if step is None:
        return None
    if isinstance(step, bool):
        raise UsageError(f"not a step: {step!r}")
    if isinstance(step, int | np.integer):
        step = int(step)
        if step < 1:
            raise UsageError(f"a step of {step} pictures", expected="1 or more")
        return None if step == 1 else Step(count=step)
    if isinstance(step, str):
        step = step.strip().removesuffix("s")
    if isinstance(step, timedelta) and step <= timedelta(0):
        raise UsageError(f"not a step: {step!r}", expected="a time above 0")
    seconds = parse_time(step)
    if seconds <= 0:
        raise UsageError(f"not a step: {step!r}", expected="a time above 0")
    return Step(seconds=seconds)
