"""Decodes a run of a video's frames into a file in memory, by exact frame numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ffzero.errors import (
    InvalidDataError,
    MemoryLimitError,
    SourceError,
    SourceNotFoundError,
    TimeRangeError,
    UsageError,
)
from ffzero.storage.positional import write_fully_at
from ffzero.values import dataclass

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["check_frame_range", "write_frames"]

_CHANNELS = 3
# A seek costs reading all packet times; below this many frames decoding from the start is as quick.
_SEEK_FROM_FRAME = 64


def check_frame_range(start_frame: int, frame_count: int | None) -> None:
    """Raise ``UsageError`` where they can be no frame numbers."""
    for name, value in (("start_frame", start_frame), ("frame_count", frame_count)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise UsageError(f"{name} is a number of frames, not negative", found=repr(value))


def write_frames(
    path: str, fd: int, *, start_frame: int, frame_count: int | None, limit_bytes: int
) -> tuple[int, int, int]:
    """Write frames [start, start + count) of the first video track as RGB bytes and return (count, height, width).

    Frame 0 is the first that the decoder shows; pictures are as they are stored (not turned), all in the size of the
    first. Raises ``SourceNotFoundError``, ``SourceError``, ``InvalidDataError``, ``TimeRangeError`` where the video has
    not that many frames, and ``MemoryLimitError`` before more than ``limit_bytes`` are written.
    """
    import av

    span = _Span(path=path, start=start_frame, count=frame_count, limit_bytes=limit_bytes)
    try:
        times = _frame_times(path) if start_frame >= _SEEK_FROM_FRAME else None
        if times is not None and start_frame < len(times):
            with contextlib.suppress(_MisnumberedError):
                return _write(span, fd, times)
        return _write(span, fd, None)
    except FileNotFoundError as error:
        raise SourceNotFoundError("does not exist", path=path) from error
    except av.error.InvalidDataError as error:
        raise InvalidDataError("cannot be decoded: damaged, or no media file", path=path) from error
    except av.error.FFmpegError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", path=path) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    path: str
    start: int
    count: int | None
    limit_bytes: int

    def check(self, needed_bytes: int) -> None:
        if needed_bytes > self.limit_bytes:
            raise MemoryLimitError(
                "its frames do not fit into the memory that is allowed",
                path=self.path,
                expected=f"at most {self.limit_bytes} bytes",
                found=f"{needed_bytes} bytes or more",
                hint="Ask for fewer frames (frame_count), or raise memory_limit_bytes.",
            )

    def missing(self, seen: int) -> TimeRangeError:
        last = "the end" if self.count is None else self.start + self.count - 1
        asked = f"frames {self.start} to {last}"
        return TimeRangeError(
            "the video has not that many frames", path=self.path, expected=asked, found=f"{seen} frames"
        )


class _MisnumberedError(Exception):
    """After a seek the decoder gave other frames than the packets promised, or damaged ones."""


def _write(span: _Span, fd: int, times: list[int] | None) -> tuple[int, int, int]:
    import av
    from av.video.reformatter import VideoReformatter

    with av.open(span.path) as container:
        stream = _video(container, span.path)
        width, height = stream.codec_context.width, stream.codec_context.height
        frame_bytes = width * height * _CHANNELS
        span.check(frame_bytes * (1 if span.count is None else span.count))
        reformatter, seen, written = VideoReformatter(), 0, 0
        for number, frame in _numbered(container, stream, span.start, times):
            if span.count is not None and written == span.count:
                break
            seen = number + 1
            if number < span.start:
                continue
            if number != span.start + written:
                raise _MisnumberedError
            span.check((written + 1) * frame_bytes)
            picture = reformatter.reformat(frame, width=width, height=height, format="rgb24")
            write_fully_at(fd, written * frame_bytes, _rows(picture))
            written += 1
    if (span.count is not None and written < span.count) or (written == 0 and span.count != 0):
        if times is not None:
            raise _MisnumberedError
        raise span.missing(seen)
    return written, height, width


def _video(container: InputContainer, path: str) -> VideoStream:
    if not container.streams.video:
        raise InvalidDataError("there is no video in it", path=path)
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _numbered(
    container: InputContainer, stream: VideoStream, start: int, times: list[int] | None
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (number, frame) from the beginning, or where ``times`` are known from a keyframe before ``start``."""
    if times is None:
        yield from enumerate(container.decode(stream))
        return
    number_of = {time: number for number, time in enumerate(times)}
    container.seek(times[start], stream=stream, backward=True)
    for frame in container.decode(stream):
        number = number_of.get(frame.pts) if frame.pts is not None else None
        if number is None or frame.is_corrupt:  # what conceals an error comes from frames before the keyframe
            raise _MisnumberedError
        yield number, frame


def _frame_times(path: str) -> list[int] | None:
    """Return the pts of all frames in the order shown, from the packets; ``None`` where packets do not tell.

    Hidden pictures (edit lists, VP9), fields in packets of their own and missing times make it impossible to number
    frames by packets.
    """
    import av

    with av.open(path) as container:
        stream = _video(container, path)
        if stream.codec_context.name not in _ONE_PICTURE:
            return None
        times: list[int] = []
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None or packet.is_discard or packet.is_corrupt:
                return None
            times.append(packet.pts)
    return sorted(times) if len(set(times)) == len(times) else None


# Each packet of these holds one picture, that is shown.
_ONE_PICTURE = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mjpeg", "prores", "ffv1", "dnxhd", "rawvideo"})


def _rows(picture: VideoFrame) -> memoryview:
    plane: Any = picture.planes[0]
    if plane.line_size == picture.width * _CHANNELS:
        return memoryview(plane)[: picture.height * plane.line_size]
    return memoryview(picture.to_ndarray().reshape(-1).data)
