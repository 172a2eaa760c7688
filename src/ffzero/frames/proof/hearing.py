"""How like two stretches of sound are, and where one is found in the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ffzero.values import dataclass

__all__ = ["REACH_S", "SILENT", "Match", "faults", "like", "loudness", "match_sound", "resampled"]

REACH_S = Fraction(1, 4)
"""How far off sound is looked for."""
SILENT = 1e-4
_AS_GOOD = 0.9995
"""Tones match themselves at every period: of places as good as the best the nearest is taken."""
_NEARLY_AS_GOOD = 0.98
"""Half a sample off a tone's own place it is less like itself than some periods away, where samples meet."""
_FINE_RATE = 16_000
_BLOCK_S = Fraction(1, 20)
_AUDIBLE = 3e-3
_GONE = 0.1
_SOFTEST, _LOUDEST = 0.6, 1.7
_LEAST_ALIKE = 0.0
"""Of single channels: coders mix those of two into one another, and do not turn them round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How much later than in the source sound is found, in seconds, and how like it is there (1: the same)."""

    offset_s: float
    likeness: float


def match_sound(heard: np.ndarray, source: np.ndarray, rate: int) -> Match | None:
    """Return where in ``source``, which reaches equally far to both sides of it, ``heard`` is found.

    ``None`` where either is silent.
    """
    reach = (len(source) - len(heard)) // 2
    if not len(heard) or reach < 0 or min(loudness(heard), loudness(source)) < SILENT:
        return None
    size = 1 << (len(source) + len(heard)).bit_length()
    spectrum = np.fft.rfft(source.astype(np.float64), size) * np.conj(np.fft.rfft(heard.astype(np.float64), size))
    product = np.fft.irfft(spectrum, size)[: len(source) - len(heard) + 1]
    energy = np.concatenate(([0.0], np.cumsum(source.astype(np.float64) ** 2)))
    around = energy[len(heard) :] - energy[: len(energy) - len(heard)]
    floor = float((heard.astype(np.float64) ** 2).sum()) * 1e-3
    likeness = product / np.sqrt(np.maximum(around, floor) * max(floor * 1e3, 1e-12))
    good = np.flatnonzero(likeness >= likeness.max() * (_AS_GOOD if rate >= _FINE_RATE else _NEARLY_AS_GOOD))
    best = int(good[np.argmin(np.abs(good - reach))])
    return Match(offset_s=(reach - best) / rate, likeness=float(likeness[best]))


def like(one: np.ndarray, two: np.ndarray) -> float:
    """Return how like two stretches are as they lie, from -1 to 1; 0 where either is silent."""
    if len(one) != len(two) or not len(one):
        return 0.0
    a, b = one.astype(np.float64), two.astype(np.float64)
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else 0.0


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if samples.size else 0.0


def resampled(samples: np.ndarray, rate: int, wanted: int, length_s: Fraction) -> np.ndarray:
    """Return sound of shape (samples, channels) at another rate, well enough to be found again."""
    if rate == wanted or not len(samples):
        return samples
    times = np.arange(int(length_s * wanted)) * (rate / wanted)
    known = np.arange(len(samples))
    return np.stack([np.interp(times, known, channel) for channel in samples.T], axis=1).astype(np.float32)


def faults(heard: np.ndarray, source: np.ndarray, rate: int) -> Iterator[str]:
    """Yield what is wrong with sound beside the source's, of the same shape but for channels, in words.

    Channels that were mixed to others may have other levels, but are not gone.
    """
    length = min(len(heard), len(source))
    if not length:
        return
    same = heard.shape[1] == source.shape[1]
    mine, its = (each[:length] if same else each[:length].mean(axis=1, keepdims=True) for each in (heard, source))
    for number in range(mine.shape[1]):
        where = f" in channel {number + 1}" if mine.shape[1] > 1 else ""
        fault = _fault(mine[:, number], its[:, number], rate, same)
        if fault:
            yield fault + where


def _fault(mine: np.ndarray, its: np.ndarray, rate: int, same: bool) -> str:
    block = max(1, int(_BLOCK_S * rate))
    have, want = _levels(mine, block), _levels(its, block)
    gone = (want >= _AUDIBLE) & (have < want * _GONE)
    if gone.any():
        return "is silent and the source's is not"
    if not same:
        return ""
    level, wanted = loudness(mine), loudness(its)
    if wanted >= _AUDIBLE and level < wanted * _SOFTEST:
        return f"is softer than the source's ({level / wanted:.2f} of it)"
    if level >= _AUDIBLE and level > wanted * _LOUDEST:
        return f"is louder than the source's ({level / max(wanted, 1e-9):.2f} times)"
    if wanted >= _AUDIBLE and like(mine, its) < _LEAST_ALIKE:
        return "is turned round"
    return ""


def _levels(samples: np.ndarray, block: int) -> np.ndarray:
    """Return the loudness of each whole block."""
    whole = samples[: len(samples) // block * block].reshape(-1, block).astype(np.float64)
    levels: np.ndarray = np.sqrt((whole * whole).mean(axis=1))
    return levels
