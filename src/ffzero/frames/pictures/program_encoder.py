"""An encoder in the FFmpeg program, for what PyAV's codecs are built without: VP9 of more than 8 bits."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.recipes import Recipe
from ffzero.frames.programs import FilterProgram, start_filter

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["ProgramEncoder"]

_AHEAD = 4
_INPUT = ("-probesize", "32", "-analyzeduration", "0", "-f", "nut", "-i", "pipe:0")
_OUTPUT = ("-an", "-fps_mode", "passthrough", "-f", "nut", "pipe:1")

_Frames = queue.Queue[VideoFrame | None]
_Packets = queue.SimpleQueue["AnyPacket | None"]


class ProgramEncoder:
    """Takes pictures and gives out packets, as PyAV's encoders do."""

    extradata = b""

    def __init__(self, recipe: Recipe, options: Mapping[str, str], size: tuple[int, int]) -> None:
        """Start the program. Raises ``UnsupportedError`` where none was handed in, ``FFmpegNotFoundError``."""
        colour = {
            "color_range": recipe.color_range,
            "color_primaries": recipe.primaries,
            "color_trc": recipe.transfer,
            "colorspace": recipe.matrix,
            "g": recipe.interval,
        }
        given = {"pix_fmt": recipe.pix_fmt, "c:v": recipe.encoder, **colour, **options}
        arguments = [*_INPUT, *(word for name, value in given.items() for word in (f"-{name}", str(value))), *_OUTPUT]
        self._name = f"{recipe.encoder} of {recipe.pix_fmt}"
        try:
            self._program: FilterProgram = start_filter(arguments, self._name)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._name} needs the FFmpeg program, and none is loaded") from error
        self._frames: _Frames = queue.Queue(_AHEAD)
        self._packets: _Packets = queue.SimpleQueue()
        self._finished = False
        shape = (*size, recipe.pix_fmt, 1 / recipe.rate)
        self._threads = [
            threading.Thread(target=_write, args=(self._program, self._frames, *shape), daemon=True),
            threading.Thread(target=_read, args=(self._program, self._packets), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def encode(self, frame: VideoFrame | None) -> list[AnyPacket]:
        """Take a picture (``None``: no more come); return the packets that are done. Raises the program's error."""
        done: list[AnyPacket] = []
        while not self._finished:
            self._collect(done)
            with contextlib.suppress(queue.Full):
                self._frames.put(frame, timeout=0.05)
                break
        while frame is None and not self._finished:
            self._take(self._packets.get(), done)
        self._collect(done)
        if self._finished:
            error = self._program.failure()
            if error is not None or frame is not None:
                raise error or UnsupportedError(f"{self._name} ended too early")
        return done

    def close(self) -> None:
        """End the program, however far it is."""
        self._program.end()
        with contextlib.suppress(queue.Full):
            self._frames.put_nowait(None)
        for thread in self._threads:
            thread.join(1)

    def _collect(self, done: list[AnyPacket]) -> None:
        while not self._packets.empty():
            self._take(self._packets.get(), done)

    def _take(self, packet: AnyPacket | None, done: list[AnyPacket]) -> None:
        if packet is None:
            self._finished = True
        else:
            done.append(packet)


def _write(program: FilterProgram, frames: _Frames, width: int, height: int, pix_fmt: str, base: Fraction) -> None:
    # A program that ends early closes the pipe; who reads from it learns why.
    with (
        contextlib.suppress(OSError, FFmpegError, ValueError),
        av.open(program.stdin, "w", format="nut") as container,
    ):
        stream = container.add_stream("rawvideo")
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = stream.time_base = base
        while (frame := frames.get()) is not None:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with contextlib.suppress(OSError):
        program.stdin.close()


def _read(program: FilterProgram, packets: _Packets) -> None:
    options = {"probesize": "32", "analyzeduration": "0"}
    with (
        contextlib.suppress(OSError, FFmpegError, ValueError),
        av.open(program, "r", format="nut", options=options, buffer_size=1 << 20) as container,
    ):
        for packet in container.demux(video=0):
            if packet.size:
                packets.put(packet)  # type: ignore[arg-type]  # the stubs tell packets of each kind of stream apart
    packets.put(None)
