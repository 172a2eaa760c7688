"""The reader of frames and sound on PyAV: what ``movie.frames``, ``frames_at`` and ``audio`` run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction

from ffzero.edits.frame_values import AudioBlock, Frame, FrameBatch
from ffzero.edits.reading import FrameRequest, SoundRequest

__all__ = ["PyAVFrameReader"]


class PyAVFrameReader:
    """A ``FrameReader`` on the decoders of PyAV's wheel, loaded when first used."""

    def frames(self, request: FrameRequest) -> Generator[Frame, None, None]:
        """See ``Readable.frames``."""
        from ffzero.frames.reading.stream import FrameStream

        return FrameStream(request).frames()

    def batches(self, request: FrameRequest) -> Generator[FrameBatch, None, None]:
        """See ``Readable.frames`` with ``batch``."""
        from ffzero.frames.reading.batches import batches
        from ffzero.frames.reading.stream import FrameStream

        return batches(request, FrameStream(request).frames())

    def frames_at(self, request: FrameRequest, times: Sequence[Fraction]) -> list[Frame]:
        """See ``Readable.frames_at``."""
        from ffzero.frames.reading.points import frames_at

        return frames_at(request, times)

    def sound(self, request: SoundRequest) -> Generator[AudioBlock, None, None]:
        """See ``Readable.audio``."""
        from ffzero.frames.reading.sound import sound

        return sound(request)
