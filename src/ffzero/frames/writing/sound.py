"""The sound track of a file that is written: blocks of samples coded, or a movie's packets copied."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from ffzero.edits.frame_values import AudioBlock
from ffzero.errors import UsageError
from ffzero.frames.sound.decode import LAYOUTS
from ffzero.timebase import Rounding, format_time, to_ticks

__all__ = ["SoundTrack"]

_FILL_SAMPLES = 48000


class SoundTrack:
    """Codes float32 blocks one after another; a gap between blocks that say when they sound is silence."""

    def __init__(self, stream: Any, rate: int, channels: int) -> None:
        self.stream = stream
        self.rate, self.channels = rate, channels
        self._layout = LAYOUTS.get(channels, f"{channels}c")
        self._at = 0

    def packets(self, block: Any, zero: Fraction) -> Iterator[Any]:
        """Yield what an array, shape (samples, channels) or (samples,), or an ``AudioBlock`` is coded to."""
        if isinstance(block, AudioBlock):
            if block.rate != self.rate:
                raise UsageError(
                    f"the sound at {format_time(block.time)} has {block.rate} samples a second",
                    expected=str(self.rate),
                    hint="Ask for it with rate=...",
                )
            yield from self._filled(block, zero)
        array = np.asarray(block.array if isinstance(block, AudioBlock) else block)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != self.channels or array.dtype.kind != "f":
            raise UsageError(
                f"sound from sample {self._at} on is of another shape or type",
                expected=f"float32 (samples, {self.channels})",
                found=f"{array.dtype} {array.shape}",
            )
        yield from self._coded(np.asarray(array, np.float32))

    def _filled(self, block: AudioBlock, zero: Fraction) -> Iterator[Any]:
        at = to_ticks(block.time - zero, self.rate, Rounding.NEAREST)
        if at < self._at - 1:
            raise UsageError(
                f"the sound at {format_time(block.time)} begins before what was written ends",
                expected=format_time(Fraction(self._at, self.rate) + zero),
            )
        while at > self._at:
            count = min(_FILL_SAMPLES, at - self._at)
            yield from self._coded(np.zeros((count, self.channels), np.float32))

    def _coded(self, array: np.ndarray) -> Iterator[Any]:
        if not len(array):
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(array.T), format="fltp", layout=self._layout)
        frame.sample_rate = self.rate
        frame.pts, frame.time_base = self._at, Fraction(1, self.rate)
        yield from self._encoded(frame)
        self._at += len(array)

    def rest(self) -> Iterator[Any]:
        yield from self._encoded(None)

    def _encoded(self, frame: AudioFrame | None) -> list[Any]:
        try:
            packets: list[Any] = self.stream.encode(frame)
        except FFmpegError as error:
            raise UsageError(
                f"the sound about sample {self._at} is not coded: {error}", hint="Are there NaNs in it?"
            ) from error
        return packets
