"""The signal of a sound job: its parts one after another, cross-faded where they meet, with effects applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise

import numpy as np

from ffzero.edits.sound.rendering import PlacedEffect, SoundEffect, SoundJob, SoundPart
from ffzero.errors import UsageError
from ffzero.frames.sound.conversion import ConvertedSound, mixing
from ffzero.frames.sound.decode import LAYOUTS, TrackSound
from ffzero.frames.sound.filters import FilteredSound
from ffzero.reporting import CancelToken

__all__ = ["signal"]

_CHUNK = 1 << 15
_Read = Callable[[int, int], np.ndarray]


def signal(job: SoundJob, *, cancel: CancelToken | None = None) -> Iterator[np.ndarray]:
    """Yield all samples of a job's parts, float32 of shape (samples, channels), in chunks of any length."""
    with ExitStack() as opened:
        yield from _mixed(job, [_part_sound(part, job, opened, cancel) for part in job.parts])


def _mixed(job: SoundJob, sounds: Sequence[_Read]) -> Iterator[np.ndarray]:
    """Yield parts one after another; at a border both are read beyond it, and one fades into the other."""
    lengths = [part.samples for part in job.parts]
    halves = [0, *(min(job.fade, one, two) // 2 for one, two in pairwise(lengths)), 0]
    for number, (length, read) in enumerate(zip(lengths, sounds, strict=True)):
        half, end = halves[number], length - halves[number + 1]
        if half:
            before, rise = lengths[number - 1], _rise(2 * half)
            yield sounds[number - 1](before - half, before + half) * (1 - rise) + read(-half, half) * rise
        for at in range(half, end, _CHUNK):
            yield read(at, min(at + _CHUNK, end))


def _rise(samples: int) -> np.ndarray:
    """Return a smooth rise from 0 to 1, a column."""
    steps = (np.arange(samples, dtype=np.float32) + 0.5) / max(samples, 1)
    return (0.5 - 0.5 * np.cos(np.pi * steps)).reshape(-1, 1)


def _part_sound(part: SoundPart, job: SoundJob, opened: ExitStack, cancel: CancelToken | None) -> _Read:
    """Return what reads a part's samples, counted from its first; it may be asked for some before and after."""
    if part.media is None or part.track is None:
        return lambda first, stop: np.zeros((stop - first, job.entry.channels), np.float32)
    description = part.track.table.chunks.descriptions_between(0, 1)[0]
    media, track = part.media, part.track

    def chain(count: int) -> _Read:
        # Each effect hears a decoder of its own: it may read ahead, in another thread.
        sound = TrackSound(media, track, description, cancel)
        read: _Read = sound.read
        for number, effect in enumerate(part.effects[:count]):
            with_effect = _WithEffect(effect, read, chain(number), sound, job.fade // 2)
            opened.callback(with_effect.close)
            read = with_effect.read
        return read

    read = _like_job(chain(len(part.effects)), TrackSound(media, track, description, cancel), job)
    return lambda first, stop: read(part.first + first, part.first + stop)


def _like_job(read: _Read, sound: TrackSound, job: SoundJob) -> _Read:
    """Return sound at the job's rate and in its channels."""
    rates = sound.entry.sample_rate, job.entry.sample_rate
    if rates[0] == rates[1] and sound.channels == job.entry.channels:
        return read
    sound.read(0, 1)  # only the decoder knows where the channels are
    wanted = LAYOUTS.get(job.entry.channels, f"{job.entry.channels}c")
    return ConvertedSound(read, *rates, mixing(sound.layout, wanted)).read


class _WithEffect:
    """A track's samples with one effect: beyond its range they are what they were, at its ends it is faded in."""

    def __init__(self, placed: PlacedEffect, read: _Read, heard: _Read, sound: TrackSound, fade: int) -> None:
        self.placed = placed
        self._read = read
        self._heard = heard
        self._sound = sound
        self._fade = min(fade, (placed.stop - placed.first) // 2)
        self._whole: np.ndarray | None = None
        self._filtered: FilteredSound | None = None

    def read(self, first: int, stop: int) -> np.ndarray:
        out = self._read(first, stop)
        low, high = max(first, self.placed.first), min(stop, self.placed.stop)
        if low < high:
            dry = out[low - first : high - first]
            gain = self._gain(low, high)
            out[low - first : high - first] = dry * (1 - gain) + self._wet(low, high) * gain
        return out

    def _gain(self, low: int, high: int) -> np.ndarray:
        places = np.arange(low, high)
        near = np.minimum(places - self.placed.first + 0.5, self.placed.stop - places - 0.5)
        return np.asarray(np.minimum(1, near / max(self._fade, 1)), np.float32).reshape(-1, 1)

    def _wet(self, low: int, high: int) -> np.ndarray:
        effect = self.placed.effect
        if effect.function is not None:
            if self._whole is None:
                self._whole = _applied(effect, self._heard(self.placed.first, self.placed.stop))
            whole: np.ndarray = self._whole
            return whole[low - self.placed.first : high - self.placed.first]
        if self._filtered is None or low < self._filtered.at:
            self.close()
            self._filtered = self._open(effect)
        filtered: np.ndarray = self._filtered.read(low, high, self._sound.channels)
        return filtered

    def close(self) -> None:
        """End the filter's program, if there is one."""
        if self._filtered is not None:
            self._filtered.close()

    def _open(self, effect: SoundEffect) -> FilteredSound:
        first, stop, rate = self.placed.first, self.placed.stop, self._sound.entry.sample_rate
        return FilteredSound(effect.filter, self._heard, first, stop, rate, self._sound.layout)


def _applied(effect: SoundEffect, samples: np.ndarray) -> np.ndarray:
    assert effect.function is not None
    shape = samples.shape
    found = np.asarray(effect.function(samples))
    if found.shape != shape:
        raise UsageError(
            f"the sound effect {effect.name} must return as much as it was given", expected=shape, found=found.shape
        )
    return found.astype(np.float32, copy=False)
