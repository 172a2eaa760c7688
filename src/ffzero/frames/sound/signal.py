"""The signal of a sound job: its parts one after another, cross-faded where they meet, with effects applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ffzero.edits.sound.coding import stated_rate
from ffzero.edits.sound.rendering import PlacedEffect, SoundEffect, SoundJob, SoundPart
from ffzero.errors import UsageError
from ffzero.frames.sound.conversion import ConvertedSound, mixing
from ffzero.frames.sound.decode import LAYOUTS, TrackSound
from ffzero.frames.sound.filters import FilteredSound
from ffzero.reporting import CancelToken
from ffzero.timebase import Rounding, rescale

__all__ = ["signal"]

_CHUNK = 1 << 15
_EDGE = 2048
"""How many samples are mirrored at the end of an effect, over and over."""
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
            placed = _at_rate(effect, stated_rate(track, description), sound.rate)
            with_effect = _WithEffect(placed, read, chain(number), sound, job.fade // 2)
            opened.callback(with_effect.close)
            read = with_effect.read
        return read

    read = _like_job(chain(len(part.effects)), TrackSound(media, track, description, cancel), job)
    return lambda first, stop: read(part.first + first, part.first + stop)


def _at_rate(effect: PlacedEffect, stated: int, rate: int) -> PlacedEffect:
    """Return an effect on samples of the rate that the track decodes to."""
    if rate == stated:
        return effect
    first, stop = (rescale(place, stated, rate, Rounding.NEAREST) for place in (effect.first, effect.stop))
    return replace(effect, first=first, stop=stop)


def _like_job(read: _Read, sound: TrackSound, job: SoundJob) -> _Read:
    """Return sound at the job's rate and in its channels."""
    rates = sound.rate, job.entry.sample_rate
    if rates[0] == rates[1] and sound.channels == job.entry.channels:
        return read
    sound.read(0, 1)  # only the decoder knows where the channels are
    wanted = LAYOUTS.get(job.entry.channels, f"{job.entry.channels}c")
    return ConvertedSound(read, *rates, mixing(sound.layout, wanted)).read


class _WithEffect:
    """A track's samples with one effect: beyond its range they are what they were, at its ends it is faded in.

    Where the range begins or ends with its piece it is not faded, and beyond are the effect's own samples, mirrored:
    coders and cross-fades reach a little over a piece's ends, and are to find there what does not click.
    """

    def __init__(self, placed: PlacedEffect, read: _Read, heard: _Read, sound: TrackSound, fade: int) -> None:
        self.placed = placed
        self._read = read
        self._heard = heard
        self._sound = sound
        length = placed.stop - placed.first
        self._fade = min(fade, length // 2)
        self._edge = min(_EDGE, length)
        self._whole: np.ndarray | None = None
        self._filtered: FilteredSound | None = None
        self._first: np.ndarray | None = None
        self._last = np.zeros((self._edge, sound.channels), np.float32)
        self._last_at = placed.stop - self._edge
        """Up to where ``_last``, the end of the effect's samples, was read."""

    def read(self, first: int, stop: int) -> np.ndarray:
        out = self._read(first, stop)
        placed = self.placed
        if placed.opens and first < placed.first:
            end = min(stop, placed.first)
            if self._first is None:
                self._first = self._wet(placed.first, placed.first + self._edge)
            out[: end - first] = self._first[_mirrored(placed.first - 1 - np.arange(first, end), self._edge)]
        low, high = max(first, placed.first), min(stop, placed.stop)
        if low < high:
            dry = out[low - first : high - first]
            gain = self._gain(low, high)
            out[low - first : high - first] = dry * (1 - gain) + self._wet(low, high) * gain
        if placed.closes and stop > placed.stop:
            begin = max(first, placed.stop)
            late = self._ending()
            out[begin - first :] = late[self._edge - 1 - _mirrored(np.arange(begin, stop) - placed.stop, self._edge)]
        return out

    def _gain(self, low: int, high: int) -> np.ndarray:
        places = np.arange(low, high)
        far = np.full(len(places), np.inf)
        placed = self.placed
        rising = far if placed.opens or placed.follows else places - placed.first + 0.5
        falling = far if placed.closes or placed.precedes else placed.stop - places - 0.5
        near = np.minimum(rising, falling)
        return np.asarray(np.minimum(1, near / max(self._fade, 1)), np.float32).reshape(-1, 1)

    def _ending(self) -> np.ndarray:
        """Return the last of the effect's samples; they are kept when they are read on the way there."""
        if self._last_at < self.placed.stop:
            self._wet(self._last_at, self.placed.stop)
        return self._last

    def _wet(self, low: int, high: int) -> np.ndarray:
        found = self._made(low, high)
        begin = max(low, self._last_at)
        if low <= self._last_at < high:
            at = begin - self.placed.stop + self._edge
            self._last[at : at + high - begin] = found[begin - low :]
            self._last_at = high
        return found

    def _made(self, low: int, high: int) -> np.ndarray:
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
        first, stop, rate = self.placed.first, self.placed.stop, self._sound.rate
        return FilteredSound(effect.filter, self._heard, first, stop, rate, self._sound.layout)


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    """Return places from 0 on as such in ``[0, length)``, to and fro."""
    turned = places % (2 * length)
    return np.asarray(np.minimum(turned, 2 * length - 1 - turned))


def _applied(effect: SoundEffect, samples: np.ndarray) -> np.ndarray:
    assert effect.function is not None
    shape = samples.shape
    found = np.asarray(effect.function(samples))
    if found.shape != shape:
        raise UsageError(
            f"the sound effect {effect.name} must return as much as it was given", expected=shape, found=found.shape
        )
    return found.astype(np.float32, copy=False)
