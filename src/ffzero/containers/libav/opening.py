"""Opening inputs through PyAV: our errors instead of libav's, one clock, seeking that is verified.

**Time zero.** Matroska, AVI, FLV and MP4 have an origin of their own: movie time 0 is that. MPEG transport and program
streams have none (their clock starts anywhere, ISO/IEC 13818-1 §2.4.2): their time 0 is their first time stamp, as
for ``ffmpeg -ss``.

PyAV is imported only when something is opened.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ffzero.containers.libav.discontinuity import Unwrapper, looks_discontinuous
from ffzero.errors import (
    DiskFullError,
    FFZeroError,
    InvalidDataError,
    OutputError,
    SourceError,
    SourceNotFoundError,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["Input", "context_of", "is_cover", "main_stream", "open_errors", "seconds"]

_WITHOUT_ORIGIN = frozenset(("mpegts", "mpeg"))
_FORMATS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,flv,live_flv,ogg,asf,mxf,rm,nut,gxf,dv,ivf,wav,w64,mp3,aac,"
    "ac3,eac3,flac,aiff,au,amr,caf,wv,tta,ape,dts,dtshd,truehd,loas,h264,hevc,vvc,obu,m4v,mpegvideo,vc1"
)
"""Demuxers that may be tried. A playlist (HLS, DASH, concat) names other files, waits for them, and is no movie."""

_GEN_PTS = 0x0001
"""``AVFMT_FLAG_GENPTS``."""

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def open_errors(path: str | os.PathLike[str], *, output: bool = False) -> Iterator[None]:
    """Turn what PyAV raises inside into this package's errors, naming ``path``.

    With ``output`` the failure is of writing: ``OutputError``, or ``DiskFullError`` where no space is left.
    """
    try:
        yield
    except FFZeroError:
        raise
    except Exception as error:
        translated = _translated(error, os.fspath(path), output)
        if translated is None:
            raise
        raise translated from error


def _translated(error: Exception, path: str, output: bool) -> FFZeroError | None:
    from av.error import FFmpegError

    if isinstance(error, OSError | FFmpegError) and getattr(error, "errno", None) in _FULL_DISK:
        return DiskFullError("no space is left for the output", path=path)
    if isinstance(error, FileNotFoundError):
        return OutputError("its folder does not exist", path=path) if output else _not_found(path)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if output and isinstance(error, OSError | FFmpegError | ValueError):
        return OutputError(f"the output cannot be written: {text}", path=path)
    if isinstance(error, IsADirectoryError | PermissionError | TimeoutError):
        return SourceError(f"the file cannot be read: {text}", path=path)
    if isinstance(error, FFmpegError | UnicodeError | EOFError):
        return InvalidDataError(
            f"not a media file that FFmpeg can read: {text}",
            path=path,
            hint="Is it whole? Try `ffmpeg -v error -i FILE -f null -` on it",
        )
    return SourceError(f"the file cannot be read: {text}", path=path) if isinstance(error, OSError) else None


def _not_found(path: str) -> SourceNotFoundError:
    return SourceNotFoundError("no such file", path=path, hint="Check the path")


def is_cover(stream: Stream) -> bool:
    """Whether the stream is a still picture (cover art) shown beside the movie, not in it."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def context_of(stream: Stream) -> Any:
    """Return the stream's codec context, ``None`` where FFmpeg has no decoder for it (PyAV's stubs forget that)."""
    return stream.codec_context


def main_stream(streams: list[Stream]) -> Stream | None:
    """Return the stream whose key packets decide where a cut falls.

    That is the default video stream, else the first one; without video the first audio stream, else the first other.
    """
    from av.stream import Disposition

    for kind in ("video", "audio", "subtitle"):
        found = [stream for stream in streams if stream.type == kind and not is_cover(stream)]
        if found:
            return next((stream for stream in found if stream.disposition & Disposition.default), found[0])
    return None


def seconds(ticks: int, stream: Stream) -> Fraction:
    """Return ``ticks`` of the stream's time base as exact seconds."""
    return ticks * (stream.time_base or Fraction(1))


class Input:
    """An open input: its streams, its movie clock, and packets from any time on. A context manager.

    ``origin_s`` is movie time 0 on the container's clock, in seconds. ``continuous`` is false where the time stamps
    jump (a transport stream recorded in parts); the packets' times are then made continuous, which takes reading from
    the start of the file. Packets are PyAV's own; no data is copied here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._opened: list[InputContainer] = []
        self.container = self._open()
        self.origin_s = self._origin()
        self._at_start = self.container.format.name != "mpegts"  # looking for jumps moves the read position
        self.continuous = self._at_start or not looks_discontinuous(self.container)
        self._unwrapper: Unwrapper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for container in self._opened:
            container.close()

    @property
    def format_name(self) -> str:
        """FFmpeg's name of the demuxer, such as ``matroska,webm``."""
        return self.container.format.name

    @property
    def streams(self) -> list[Stream]:
        return list(self.container.streams)

    @property
    def jumps(self) -> int:
        """How many jumps of the time stamps were closed while reading so far."""
        return self._unwrapper.jumps if self._unwrapper else 0

    @property
    def declared_duration_s(self) -> Fraction | None:
        """The length that the container states or that FFmpeg estimated, where there is one."""
        duration = self.container.duration
        return Fraction(duration, 1_000_000) if duration and self.continuous else None

    def clock_s(self, ticks: int, stream: Stream) -> Fraction:
        """Return a packet's ``pts`` or ``dts`` as movie time."""
        return seconds(ticks, stream) - self.origin_s

    def packets(self, streams: list[Stream], from_s: Fraction | None = None) -> Iterator[AnyPacket]:
        """Yield the packets of ``streams`` in the file's order, from somewhere at or before ``from_s`` on.

        ``from_s`` is movie time; ``None`` is the start of the file. Empty packets are left out. The caller verifies
        what it finds: a container's index may be missing or wrong. Raises ``InvalidDataError``.
        """
        with open_errors(self.path):
            self._seek(streams, from_s)
            for packet in self.container.demux(streams):
                if packet.size == 0 or (packet.pts is None and packet.dts is None and not is_cover(packet.stream)):
                    continue
                if self._unwrapper is not None:
                    self._unwrapper.correct(packet)
                yield packet

    def _seek(self, streams: list[Stream], from_s: Fraction | None) -> None:
        target = main_stream(streams)
        if from_s is not None and target is not None and self.continuous:
            ticks = (from_s + self.origin_s) // (target.time_base or Fraction(1))
            self._at_start = False
            try:
                self.container.seek(int(ticks), stream=target)
            except (OSError, ValueError):  # no index, or none that reaches there
                self._rewind(streams)
        elif not self._at_start:
            self._rewind(streams)
        self._at_start = False
        self._unwrapper = None if self.continuous else Unwrapper()

    def _rewind(self, streams: list[Stream]) -> None:
        """Go back to the first packet. Only opening again is sure: seeking to 0 skips what lies before it.

        ``streams`` is changed in place to the same streams of the new container. The old ones stay open until the end:
        a ``Stream`` of a closed container points to freed memory.
        """
        chosen = [stream.index for stream in streams]
        self.container = self._open()
        streams[:] = [self.container.streams[index] for index in chosen if index < len(self.container.streams)]

    def _open(self) -> InputContainer:
        import av

        with open_errors(self.path):
            if not os.path.isfile(self.path):
                os.stat(self.path)
                raise SourceError("not a regular file", path=self.path)
            options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
            container = av.open(f"file:{self.path}", mode="r", options=options, metadata_errors="replace")
        if container.format.name in ("avi", "mpeg"):
            container.flags |= _GEN_PTS  # AVI states no pts: derived from the decoding order
        self._opened.append(container)
        return container

    def _origin(self) -> Fraction:
        if self.container.format.name not in _WITHOUT_ORIGIN:
            return Fraction(0)
        starts = [
            seconds(stream.start_time, stream)
            for stream in self.container.streams
            if stream.start_time is not None and stream.type in ("video", "audio") and not is_cover(stream)
        ]
        return min(starts, default=Fraction(0))
