"""Movies and clips of ffzero as MoviePy clips: exact frames, nothing written in between."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
from moviepy import AudioClip, VideoClip  # type: ignore[import-not-found]  # an extra of the user's
from moviepy.audio.AudioClip import AudioArrayClip  # type: ignore[import-not-found]  # the same

from ffzero.edits.clip import Clip
from ffzero.edits.frame_values import Frame
from ffzero.edits.movie import Movie
from ffzero.errors import UnsupportedError

__all__ = ["FrameReader", "video_clip"]

_AHEAD_S = 2
_TOLERANCE = Fraction(1, 10_000)


class FrameReader:
    """Gives the frame that is shown at a time; times that rise are decoded once, others are sought.

    ``size`` and ``format`` are those of ``movie.frames``. Not for several threads at a time.
    """

    def __init__(
        self, source: Movie | Clip, *, size: tuple[int, int] | str | None = None, format: str = "rgb24"
    ) -> None:
        self._source = source
        self._look: dict[str, Any] = {"size": size, "format": format}
        self._frames: Generator[Frame, None, None] | None = None
        self._shown: Frame | None = None
        self._next: Frame | None = None

    def frame(self, time_s: float | Fraction) -> Frame:
        """Return the last frame whose time is not after ``time_s``."""
        time = Fraction(time_s) + _TOLERANCE
        if self._shown is None or not 0 <= time - self._shown.time < _AHEAD_S:
            self._seek(time)
        while self._next is not None and self._next.time <= time:
            self._shown = self._next
            self._next = None if self._frames is None else next(self._frames, None)
        assert self._shown is not None
        return self._shown

    def get_frame(self, time_s: float) -> np.ndarray:
        """Return the pixels of ``frame``, an array of its own (nothing is copied)."""
        return self.frame(time_s).array

    def close(self) -> None:
        """Free the decoder."""
        if self._frames is not None:
            self._frames.close()
        self._frames = self._shown = self._next = None

    def _seek(self, time: Fraction) -> None:
        self.close()
        shown = self._source.frame_at(max(time, Fraction(0)), **self._look)
        self._frames = self._source.frames(max(shown.time, Fraction(0)), **self._look)
        self._shown = next(self._frames, shown)
        self._next = next(self._frames, None)


def video_clip(source: Movie | Clip, *, size: tuple[int, int] | str | None = None, audio: bool = True) -> VideoClip:
    """Return a movie or clip as a ``moviepy.VideoClip``: size, length, rate and sound are set.

    Frames are decoded as MoviePy asks for them. The sound, where there is any, is decoded at once and held in memory.
    """
    reader = FrameReader(source, size=size)
    clip = VideoClip(frame_function=reader.get_frame, duration=float(source.duration))
    clip.ffzero_reader = reader
    rate = _rate(source)
    if rate is not None:
        clip = clip.with_fps(float(rate))
    sound = _sound(source) if audio else None
    return clip if sound is None else clip.with_audio(sound)


def _rate(source: Movie | Clip) -> Fraction | None:
    movie = source if isinstance(source, Movie) else Movie(source.pieces[0].input)
    return next((track.frame_rate for track in movie.info().tracks if track.kind == "video"), None)


def _sound(source: Movie | Clip) -> AudioClip | None:
    try:
        blocks: list[Any] = list(source.audio())
    except UnsupportedError:
        return None
    if not blocks:
        return None
    return AudioArrayClip(np.concatenate([block.array for block in blocks]), fps=blocks[0].rate)
