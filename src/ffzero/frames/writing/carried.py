"""Sound taken over from the movie that a file is made like: its packets where they can be copied, else coded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.error import FFmpegError

from ffzero.containers.libav.opening import Input
from ffzero.containers.libav.targets import add_stream
from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie
from ffzero.edits.pieces import Piece
from ffzero.errors import UnsupportedError

__all__ = ["CarriedSound"]

_EARLY_S = Fraction(1)


class CarriedSound:
    """The sound of a movie, or of a clip of one piece, from ``zero`` on, as packets of an output.

    A packet that begins before the first picture comes too: MP4 trims it by an edit, other containers leave it out.
    """

    def __init__(self, piece: Piece, offset: Fraction, container: Any, zero: Fraction) -> None:
        self._source = Input(piece.input.path)
        self._source.__enter__()
        self._closed = False
        streams = [stream for stream in self._source.streams if stream.type == "audio"]
        self._begin = zero + offset
        self._end = piece.end
        self._keeps_early = container.format.name in ("mp4", "mov", "3gp", "3g2")
        if not streams:
            self._packets: Iterator[Any] = iter(())
            return
        stream = streams[0]
        try:
            self._out = add_stream(container, stream, container.format.name)
        except (FFmpegError, ValueError) as error:
            raise UnsupportedError(
                f"the sound ({stream.codec_context.name}) cannot be copied to {container.format.name}: {error}",
                hint="Give it with write_audio(block) for block in movie.audio()",
            ) from error
        early = self._begin - _EARLY_S
        self._packets = self._source.packets([stream], early if early > 0 else None)

    _held: Any = None

    @classmethod
    def of(cls, source: Movie | Clip, container: Any, zero: Fraction) -> CarriedSound:
        """Take over the sound of a movie or clip. Raises ``UnsupportedError`` for a clip of several pieces."""
        if isinstance(source, Movie):
            return cls(Piece(input=source.input, start=None, end=None), Fraction(0), container, zero)
        if len(source.pieces) > 1 or source.pieces[0].sound_effects:
            raise UnsupportedError(
                "the sound of a clip of several pieces, or with effects, is not copied here",
                hint="Give it with write_audio(block) for block in clip.audio()",
            )
        piece = source.pieces[0]
        return cls(piece, piece.start or Fraction(0), container, zero)

    def until(self, time: Fraction) -> Iterator[Any]:
        """Yield the packets that begin before ``time`` of the output."""
        while True:
            packet = self._held if self._held is not None else next(self._packets, None)
            self._held = None
            if packet is None:
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            begins = self._source.clock_s(stamp, packet.stream)
            if self._end is not None and begins >= self._end:
                return
            at = begins - self._begin
            if at >= time:
                self._held = packet
                return
            length = (packet.duration or 0) * packet.time_base
            if at + length <= 0 or (at < 0 and not self._keeps_early):
                continue
            yield self._moved(packet)

    def _moved(self, packet: Any) -> Any:
        ticks = round((self._begin + self._source.origin_s) / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.dts = packet.pts
        packet.stream = self._out
        return packet

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._source.__exit__(None, None, None)
