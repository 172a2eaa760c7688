"""A file's tracks as players decode them: by FFmpeg's own demuxer, edits applied, not by our sample tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container.input import InputContainer
from av.video.frame import VideoFrame

from ffzero.frames.sound.decode import as_float
from ffzero.reporting import CancelToken

__all__ = ["pictures_of", "sound_of"]

_RUN_UP_S = Fraction(12)
"""How long before a time decoding begins: pictures after a key picture may lean on those before it."""
_SOUND_RUN_UP_S = Fraction(1)


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


def sound_of(
    path: str, track: int, start: Fraction, end: Fraction, cancel: CancelToken | None = None
) -> tuple[np.ndarray, int]:
    """Return the sound of a track in ``[start, end)``, mixed to one channel, and its rate; silence where there is none.

    Raises ``av.FFmpegError`` where it does not decode, ``KeyError`` where there is no such track.
    """
    out, rate = np.zeros(0, np.float32), 0
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
            if frame.pts is None or frame.time_base is None:
                continue
            if not rate:
                rate = frame.sample_rate
                out = np.zeros(max(0, int((end - start) * rate)), np.float32)
            at = round((frame.pts * frame.time_base - start) * rate)
            if at >= len(out):
                break
            low, high = max(0, at), min(len(out), at + frame.samples)
            if low < high:
                out[low:high] = as_float(frame).mean(axis=1)[low - at : high - at]
    return out, rate or 1
