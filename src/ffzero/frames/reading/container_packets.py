"""What single packets and streams of other containers are: their times, whether they show anything, which is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from av.stream import Stream

from ffzero.containers.libav.opening import Input, is_cover, main_stream
from ffzero.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["is_hidden", "pictures_of", "stamp_of"]


def stamp_of(packet: AnyPacket) -> int:
    stamp = packet.pts if packet.pts is not None else packet.dts
    return 0 if stamp is None else stamp


def is_hidden(codec: str, packet: AnyPacket) -> bool:
    """Whether a packet holds nothing to show, but a VP8 or VP9 picture for reference only.

    VP8: bit 4 of the frame tag (RFC 6386 §9.1). VP9: ``show_frame`` of a lone frame (bitstream specification §6.2, and
    annex B for superframes, whose last frame is shown).
    """
    if codec not in ("vp8", "libvpx", "vp9", "libvpx-vp9"):
        return False
    data = bytes(packet)
    if codec in ("vp8", "libvpx"):
        return not data[0] >> 4 & 1
    if data[-1] >> 5 == 0b110 and len(data) > 1:
        return False
    at = 5 if data[0] >> 4 & 3 == 3 else 4  # marker, two bits of profile, one reserved in profile 3
    shows_existing = data[0] >> (7 - at) & 1
    return not shows_existing and not data[0] >> (7 - at - 2) & 1


def pictures_of(source: Input, number: int | None) -> Stream:
    pictures = [stream for stream in source.streams if stream.type == "video" and not is_cover(stream)]
    if number is not None:
        for stream in pictures:
            if (stream.id or stream.index) == number:
                return stream
        ids = sorted(stream.id or stream.index for stream in pictures)
        raise UsageError(f"no video track {number}", path=source.path, expected=f"one of {ids}")
    main = main_stream(pictures)
    if main is None:
        raise UnsupportedError("there are no pictures in it", path=source.path)
    return main
