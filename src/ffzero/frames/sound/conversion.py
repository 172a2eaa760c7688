"""Sound at another rate and in other channels, read at any place: the same place always gives the same samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from av.audio.layout import AudioLayout

__all__ = ["ConvertedSound", "mixing"]

_Read = Callable[[int, int], np.ndarray]

_ZEROS = 24
"""Zero crossings of the kernel on each side: some 95 % of the band is let through."""
_BETA = 8.0
_PASS = 0.96
_HALF = math.sqrt(0.5)
# ITU-R BS.775: what other speakers play goes to those that are there, 3 dB lower.
_SPREAD: dict[str, tuple[tuple[str, float], ...]] = {
    "FC": (("FL", _HALF), ("FR", _HALF)),
    "FL": (("FC", _HALF),),
    "FR": (("FC", _HALF),),
    "BL": (("SL", 1.0), ("FL", _HALF)),
    "BR": (("SR", 1.0), ("FR", _HALF)),
    "SL": (("BL", 1.0), ("FL", _HALF)),
    "SR": (("BR", 1.0), ("FR", _HALF)),
    "BC": (("BL", _HALF), ("BR", _HALF), ("FL", 0.5), ("FR", 0.5)),
}


class ConvertedSound:
    """Sound that ``read(first, stop)`` gives at ``rate_from``, at ``rate_to`` and mixed by ``mix``.

    Sample 0 is the same instant in both. Resampling is by a Kaiser-windowed sinc, whose phases are worked out once.
    """

    def __init__(self, read: _Read, rate_from: int, rate_to: int, mix: np.ndarray) -> None:
        self._read = read
        self._mix = mix
        ratio = Fraction(rate_from, rate_to)
        self._step, self._phases = ratio.numerator, ratio.denominator
        self._taps = _kernel(ratio) if ratio != 1 else None
        self._held = np.zeros((0, mix.shape[0]), np.float32)
        self._held_at = 0

    def read(self, first: int, stop: int) -> np.ndarray:
        """Return samples ``[first, stop)`` at the new rate: float32 of shape (samples, channels), a new array."""
        taps = self._taps
        if taps is None:
            return np.asarray(self._read(first, stop) @ self._mix, np.float32)
        half = taps.shape[1] // 2
        places = np.arange(first, stop) * self._step
        whole, phase = places // self._phases, places % self._phases
        if not len(whole):
            return np.zeros((0, self._mix.shape[1]), np.float32)
        low = int(whole[0]) - half + 1
        source = self._around(low, int(whole[-1]) + half + 1) @ self._mix
        out = np.empty((len(whole), source.shape[1]), np.float32)
        for channel in range(source.shape[1]):
            windows = np.lib.stride_tricks.sliding_window_view(source[:, channel].copy(), taps.shape[1])
            for number in range(min(self._phases, len(whole))):  # those of one phase lie evenly apart
                mine = out[number :: self._phases, channel]
                begin = int(whole[number]) - half + 1 - low
                mine[:] = np.ascontiguousarray(windows[begin :: self._step][: len(mine)]) @ taps[phase[number]]
        return out

    def _around(self, low: int, high: int) -> np.ndarray:
        """Return samples of the source; what was read last is kept, because to go back takes decoding again."""
        kept = self._held[low - self._held_at :] if low >= self._held_at else self._held[:0]
        if len(kept) and low + len(kept) <= high:
            self._held = np.concatenate((kept, self._read(low + len(kept), high)))
        else:
            self._held = self._read(low, high)
        self._held_at = low
        return self._held


def _kernel(ratio: Fraction) -> np.ndarray:
    """Return the weights of the samples around each phase: float32 of shape (phases, taps), each adding up to 1."""
    cutoff = _PASS * min(1.0, 1 / float(ratio))
    half = math.ceil(_ZEROS / cutoff)
    offsets = np.arange(-half + 1, half + 1) - np.arange(ratio.denominator)[:, None] / ratio.denominator
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, 1))) / np.i0(_BETA)
    weights = np.sinc(offsets * cutoff) * window
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def mixing(layout_from: str, layout_to: str) -> np.ndarray:
    """Return what each channel gives to each other one: float32 of shape (channels from, channels to).

    Layouts are FFmpeg's names. Mono goes to both sides as it is; where several channels come together they are
    brought down so that none clips.
    """
    mine, yours = (_names(layout) for layout in (layout_from, layout_to))
    mix = np.zeros((len(mine), len(yours)), np.float32)
    for row, name in enumerate(mine):
        if name in yours:
            mix[row, yours.index(name)] = 1
            continue
        for other, share in _SPREAD.get(name, ()):
            if other in yours:
                mix[row, yours.index(other)] = share
                if share == 1.0:
                    break
    if mine == ["FC"] and "FL" in yours and "FC" not in yours:
        mix[mix > 0] = 1
    loudest = mix.sum(axis=0).max(initial=0)
    return mix / loudest if loudest > 1 else mix


def _names(layout: str) -> list[str]:
    return [channel.name for channel in AudioLayout(layout).channels]
