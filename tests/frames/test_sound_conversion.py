"""Sound at another rate and in other channels: sines stay sines, at their level and in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ffzero.frames.sound.conversion import ConvertedSound, mixing

Array = np.ndarray[Any, Any]


def sine(rate: int, hertz: float, first: int, stop: int) -> Array:
    return np.sin(2 * np.pi * hertz * np.arange(first, stop) / rate).astype(np.float32)[:, None]


@pytest.mark.parametrize("rates", [(44100, 48000), (48000, 44100), (8000, 48000), (48000, 16000), (22050, 44100)])
@pytest.mark.parametrize("hertz", [50, 1000, 3000])
def test_a_sine_stays_one(rates: tuple[int, int], hertz: int) -> None:
    sound = ConvertedSound(lambda low, high: sine(rates[0], hertz, low, high), *rates, np.eye(1, dtype=np.float32))
    got, wanted = sound.read(1000, 9000), sine(rates[1], hertz, 1000, 9000)
    error = 10 * np.log10(float((wanted**2).mean()) / float(((got - wanted) ** 2).mean()))
    assert error > 75


def test_what_the_lower_rate_cannot_have_is_gone() -> None:
    sound = ConvertedSound(lambda low, high: sine(48000, 15000, low, high), 48000, 22050, np.eye(1, dtype=np.float32))
    assert float(np.abs(sound.read(1000, 5000)).max()) < 0.001


def test_any_part_is_that_of_the_whole() -> None:
    sound = ConvertedSound(lambda low, high: sine(44100, 700, low, high), 44100, 48000, np.eye(1, dtype=np.float32))
    whole = sound.read(-50, 2000)
    for low, high in ((-50, -40), (0, 1), (100, 101), (333, 999), (1999, 2000), (7, 7)):
        assert np.allclose(sound.read(low, high), whole[low + 50 : high + 50], atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("mono", "stereo", [[1, 1]]),
        ("stereo", "mono", [[0.5], [0.5]]),
        ("stereo", "stereo", [[1, 0], [0, 1]]),
        ("stereo", "5.1", [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]),
    ],
)
def test_channels(before: str, after: str, wanted: list[list[float]]) -> None:
    assert np.allclose(mixing(before, after), wanted)


@pytest.mark.parametrize("layout", ["5.1", "5.1(side)", "7.1", "quad", "3.0"])
def test_nothing_clips_and_nothing_but_the_low_channel_is_lost(layout: str) -> None:
    mix = mixing(layout, "stereo")
    assert float(mix.sum(axis=0).max()) <= 1 + 1e-6
    assert int((mix.sum(axis=1) == 0).sum()) == ("." in layout and layout[2] == "1")
    assert np.allclose(mix[0], mix[1][::-1])
