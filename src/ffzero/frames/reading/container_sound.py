"""Sound of a stream that libav demuxes, read at rising places like that of an indexed track."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.error import FFmpegError

from ffzero.containers.libav.opening import Input, context_of, main_stream
from ffzero.edits.inputs import Input as MediaInput
from ffzero.errors import DecodeError, UsageError
from ffzero.frames.sound.decode import LAYOUTS, as_float
from ffzero.reporting import CancelToken
from ffzero.timebase import Rounding, to_ticks

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

__all__ = ["ContainerSound"]

_EARLY_S = Fraction(1)
"""Decoding begins this much before what is read, so that it sounds as if it had begun at the start."""
_SLACK_S = Fraction(1, 50)
"""Times that miss the place where the sound before them ended by less are rounded ones."""
_HELD = 1 << 16


class ContainerSound:
    """The samples of a sound stream, float32 of shape (samples, channels); places count from the movie's time 0.

    Where nothing sounds there are zeros. ``rate`` is 0 where there is no sound at all.
    """

    def __init__(self, path: str, source: Input, stream: Any, cancel: CancelToken | None) -> None:
        self._path, self._source, self._cancel = path, source, cancel
        self._index = -1 if stream is None else stream.index
        self.id = 0 if stream is None else stream.id or stream.index
        context = None if stream is None else context_of(stream)
        self.rate = 0 if context is None else int(context.sample_rate)
        self.channels = 0 if context is None else len(context.layout.channels)
        self.layout = LAYOUTS.get(self.channels, "mono") if context is None else context.layout.name
        self._first: Fraction | None = None
        self._context = context
        self._blocks: Iterator[tuple[int, np.ndarray]] = iter(())
        self._held = np.zeros((0, max(1, self.channels)), np.float32)
        self._at = -1
        self._started = False
        if context is not None:
            self._measure()

    @classmethod
    def open(cls, file: MediaInput, number: int | None, cancel: CancelToken | None) -> ContainerSound:
        """Open a file's sound stream by ID, or the main one. Raises ``UsageError``, ``SourceChangedError``."""
        file.check_same()
        path = file.path
        source = Input(path)
        try:
            streams = [stream for stream in source.streams if stream.type == "audio"]
            chosen = main_stream(streams)
            if number is not None:
                named = [stream for stream in streams if (stream.id or stream.index) == number]
                if not named:
                    ids = sorted(stream.id or stream.index for stream in streams)
                    raise UsageError(f"no sound track {number}", path=path, expected=f"one of {ids}")
                chosen = named[0]
            return cls(path, source, chosen, cancel)
        except BaseException:
            source.__exit__(None, None, None)
            raise

    def close(self) -> None:
        if self._context is not None:
            self._context.flush_buffers()
        self._source.__exit__(None, None, None)

    def _stream(self) -> Any:
        return self._source.container.streams[self._index]

    def _measure(self) -> None:
        """Decode the first packets: a sample rate that headers do not tell (HE-AAC), and where sound begins."""
        for at, array in self._decoded(None):
            self._first = Fraction(at, self.rate)
            self.channels = array.shape[1]
            break
        self._held = np.zeros((0, max(1, self.channels)), np.float32)

    def range(self) -> tuple[Fraction, Fraction]:
        """Return when it sounds, in seconds; the end by the last packet."""
        if self._first is None:
            return Fraction(0), Fraction(0)
        declared = self._source.declared_duration_s
        near = None if declared is None or declared < 10 else declared - 5
        end = self._last_end(near) or self._last_end(None) or self._first
        return max(Fraction(0), self._first), end

    def _last_end(self, from_s: Fraction | None) -> Fraction | None:
        """Decode to the end and return where the last sample ends: packets tell too much where some are cut off."""
        end = None
        for at, array in self._decoded(from_s):
            end = Fraction(at + len(array), self.rate)
        return end

    def read(self, first: int, stop: int) -> np.ndarray:
        """Return samples ``[first, stop)`` as a new array. Raises ``DecodeError``, ``CancelledError``."""
        out = np.zeros((max(0, stop - first), self.channels), np.float32)
        if self._at < 0 or first < self._at:
            start = max(Fraction(0), Fraction(first, self.rate) - _EARLY_S)
            self._blocks = self._decoded(start or None)
            self._at, self._held = 0, self._held[:0]
        while True:
            self._copy(out, first)
            if self._at + len(self._held) >= stop:
                return out
            block = next(self._blocks, None)
            if block is None:
                return out
            self._keep(*block)

    def _keep(self, at: int, array: np.ndarray) -> None:
        """Hold a block, and of those before it what a conversion may look back at."""
        end = self._at + len(self._held)
        if len(self._held) and at == end:
            self._held = np.concatenate((self._held[-_HELD:], array))
            self._at = at - (len(self._held) - len(array))
        else:
            self._at, self._held = at, array

    def _copy(self, out: np.ndarray, first: int) -> None:
        low, high = max(first, self._at), min(first + len(out), self._at + len(self._held))
        if low < high:
            out[low - first : high - first] = self._held[low - self._at : high - self._at]

    def _decoded(self, start: Fraction | None) -> Iterator[tuple[int, np.ndarray]]:
        context = self._begin()
        place: int | None = None
        for packet in self._packets(start):
            if self._cancel is not None:
                self._cancel.check()
            for frame in self._frames(context, packet):
                place, array = self._placed(frame, place)
                yield place, array
                place += len(array)
        for frame in self._frames(context, None):
            place, array = self._placed(frame, place)
            yield place, array
            place += len(array)

    def _begin(self) -> Any:
        context = context_of(self._stream())
        if self._started:
            context.flush_buffers()
        self._started = True
        self._context = context
        return context

    def _packets(self, start: Fraction | None) -> Iterator[Any]:
        return self._source.packets([self._stream()], start)

    def _frames(self, context: Any, packet: Any) -> list[AudioFrame]:
        try:
            found: list[AudioFrame] = context.decode(packet)
            return found
        except (FFmpegError, EOFError) as error:
            if self._first is None or packet is None or packet.pts is None:
                return []
            time = float(self._source.clock_s(packet.pts, packet.stream))
            raise DecodeError(
                f"stream {self._index}, at {time:.3f} s: a packet does not decode: {error}", path=self._path
            ) from error

    def _placed(self, frame: AudioFrame, expected: int | None) -> tuple[int, np.ndarray]:
        if self._first is None:
            self.rate = frame.sample_rate
            self.layout = frame.layout.name
        array = as_float(frame)
        if frame.pts is None:
            return expected or 0, array
        time = frame.pts * Fraction(frame.time_base or self._stream().time_base) - self._source.origin_s
        if expected is not None and abs(time - Fraction(expected, self.rate)) <= _SLACK_S:
            return expected, array
        return self._on_grid(time, len(array)), array

    def _on_grid(self, time: Fraction, samples: int) -> int:
        """Return the place of a frame; where frames are all of one length, times in milliseconds are made exact."""
        if self._first is not None and samples:
            steps = round((time - self._first) * self.rate / samples)
            exact = to_ticks(self._first, self.rate, Rounding.NEAREST) + steps * samples
            if abs(Fraction(exact, self.rate) - time) <= Fraction(1, 1000):
                return exact
        return to_ticks(time, self.rate, Rounding.NEAREST)
