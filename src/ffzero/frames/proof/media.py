"""A file's tracks as players decode them: by FFmpeg's own demuxer, edits applied, not by our sample tables."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container.input import InputContainer
from av.video.frame import VideoFrame

from ffzero.frames.sound.decode import as_float
from ffzero.reporting import CancelToken

__all__ = ["Sound", "pictures_of"]

_RUN_UP_S = Fraction(12)
"""How long before a time decoding begins: pictures after a key picture may lean on those before it."""
_SOUND_RUN_UP_S = Fraction(1)
_KEPT_S = 2


@contextlib.contextmanager
def _opened(path: str) -> Iterator[InputContainer]:
    with open(path, "rb") as file, av.open(file, "r") as container:
        try:
            yield container
        finally:
            for stream in container.streams:
                # PyAV frees a decoder under the interpreter's lock, which a thread that logs would wait for.
                if stream.codec_context is not None and stream.codec_context.is_open:
                    stream.codec_context.flush_buffers()


def pictures_of(
    path: str, track: int, start: Fraction = Fraction(0), cancel: CancelToken | None = None
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Yield the pictures of a track with their times in seconds, from some before ``start`` on.

    Raises ``av.FFmpegError`` where one does not decode, ``KeyError`` where there is no such track.
    """
    with _opened(path) as container:
        stream = next((stream for stream in container.streams.video if stream.id == track), None)
        if stream is None:
            raise KeyError(track)
        stream.thread_type = "AUTO"
        if start > _RUN_UP_S and stream.time_base:
            container.seek(int((start - _RUN_UP_S) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if cancel is not None:
                cancel.check()
            assert isinstance(frame, VideoFrame)
            if frame.pts is not None and frame.time_base is not None:
                yield frame.pts * frame.time_base, frame


class Sound:
    """The sound of a track, read forwards once: a few seconds of it are kept."""

    def __init__(self, path: str, track: int, start: Fraction, cancel: CancelToken | None = None) -> None:
        self._frames = _sound_frames(path, track, start, cancel)
        self._kept: list[tuple[int, np.ndarray]] = []
        self._ended = False
        self.rate = 0
        """0 before any was read, and where there is none."""
        self.channels = 1

    def between(self, start: Fraction, end: Fraction) -> np.ndarray:
        """Return the samples of ``[start, end)``, float32 of shape (samples, channels); silence where there is none.

        Raises ``av.FFmpegError`` where it does not decode, ``KeyError`` where there is no such track.
        """
        self._read_until(end)
        low = round(start * self.rate)
        out = np.zeros((max(0, int((end - start) * self.rate)), self.channels), np.float32)
        self._kept = [(at, data) for at, data in self._kept if at + len(data) > low - _KEPT_S * self.rate]
        for at, data in self._kept:
            first, stop = max(0, at - low), min(len(out), at - low + len(data))
            if first < stop:
                out[first:stop] = data[first - at + low : stop - at + low]
        return out

    def _read_until(self, end: Fraction) -> None:
        while not self._ended and (not self._kept or self._kept[-1][0] < end * self.rate):
            frame = next(self._frames, None)
            if frame is None:
                self._ended = True
                return
            if not self.rate:
                self.rate, self.channels = frame.sample_rate, len(frame.layout.channels)
            assert frame.pts is not None and frame.time_base is not None
            data = as_float(frame)
            if data.shape[1] != self.channels:
                data = np.repeat(data.mean(axis=1, keepdims=True), self.channels, axis=1)
            self._kept.append((round(frame.pts * frame.time_base * self.rate), data))

    def close(self) -> None:
        self._frames.close()


def _sound_frames(
    path: str, track: int, start: Fraction, cancel: CancelToken | None
) -> Generator[AudioFrame, None, None]:
    with _opened(path) as container:
        stream = next((stream for stream in container.streams.audio if stream.id == track), None)
        if stream is None:
            raise KeyError(track)
        if start > _SOUND_RUN_UP_S and stream.time_base:
            container.seek(int((start - _SOUND_RUN_UP_S) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if cancel is not None:
                cancel.check()
            assert isinstance(frame, AudioFrame)
            if frame.pts is not None and frame.time_base is not None:
                yield frame
