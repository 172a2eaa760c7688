"""Stages that see pictures and sound as numpy arrays."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ffzero.errors import UsageError
from ffzero.pipelines.processors import Processor

__all__ = ["AudioProcessor", "VideoProcessor"]


class VideoProcessor(Processor):
    """A stage for pictures: derive from it and write ``process_frame``.

    ``process`` takes one frame (height, width, 3) or (height, width), an array of frames (n, height, width, 3), which
    may be a memory map, or an iterable of frames, which it goes through lazily. The input's bytes stay as they are
    unless ``process_frame`` changes them.
    """

    @abc.abstractmethod
    def process_frame(self, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the new picture for ``frame``: (height, width, channels) or (height, width)."""

    def process(self, data: Any) -> Any:
        """Return the new frame, an array of new frames, or an iterator over them."""
        if isinstance(data, np.ndarray):
            if data.ndim in (2, 3):
                return self.process_frame(data)
            if data.ndim == 4:
                return np.stack([self.process_frame(frame) for frame in data]) if len(data) else data
            raise UsageError("not pictures", expected="(n, height, width, 3), one frame", found=f"shape {data.shape}")
        return self._each(_arrays(data, "frames"))

    def _each(self, frames: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        return map(self.process_frame, frames)


class AudioProcessor(Processor):
    """A stage for sound: derive from it and write ``process_samples``.

    ``process`` takes samples as (n,) or (channels, n), or an iterable of such blocks, which it goes through lazily.
    """

    @abc.abstractmethod
    def process_samples(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the new samples for a block of (n,) or (channels, n)."""

    def process(self, data: Any) -> Any:
        """Return the new samples, or an iterator over new blocks."""
        if isinstance(data, np.ndarray):
            if data.ndim not in (1, 2):
                raise UsageError("not sound", expected="(n,) or (channels, n)", found=f"shape {data.shape}")
            return self.process_samples(data)
        return map(self.process_samples, _arrays(data, "blocks of samples"))


def _arrays(data: Any, what: str) -> Iterable[npt.NDArray[Any]]:
    if not isinstance(data, Iterable) or isinstance(data, str | bytes | bytearray):
        raise UsageError(f"not {what}", expected="a numpy array, or an iterable of arrays", found=type(data).__name__)
    return data
