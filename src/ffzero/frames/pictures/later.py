"""Coded pictures compared with what they were made from when their encoder has come to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from av.error import FFmpegError
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.decode import open_decoder, packet_of
from ffzero.frames.pictures.quality import psnr_db

__all__ = ["decoded_quality"]


def decoded_quality(
    originals: Iterable[tuple[SampleEntry, VideoFrame]], samples: Sequence[bytes], decodes_by: SampleEntry
) -> list[float]:
    """Return the luma PSNR of each picture that comes out of coded samples, in dB, in order.

    ``originals`` are read as far as pictures come out; one of each is held at a time. Raises ``UnsupportedError`` where
    a sample does not decode.
    """
    frames = (frame for _, frame in originals)
    found: list[float] = []
    for shown in _decoded(samples, decodes_by):
        original = next(frames, None)
        if original is None:
            break
        found.append(psnr_db(original, shown))
    return found


def _decoded(samples: Sequence[bytes], decodes_by: SampleEntry) -> Iterator[VideoFrame]:
    decoder = open_decoder(decodes_by)
    try:
        for number in range(len(samples)):
            waiting = deque(decoder.decode(packet_of(samples[number])))
            while waiting:
                yield waiting.popleft()
        yield from decoder.decode(None)
    except FFmpegError as error:
        raise UnsupportedError(f"coded pictures do not decode: {error}") from error
