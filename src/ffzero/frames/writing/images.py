"""Pictures coded as image files: JPEG, PNG and WebP by libavcodec's encoders; nothing else need be installed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from ffzero.errors import UnsupportedError, UsageError

__all__ = ["IMAGE_SUFFIXES", "ImageEncoder"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_DEEP = {"rgb48le": "rgb48be", "rgba64le": "rgba64be", "gray16le": "gray16be"}
_QUALITY = 90
_TICK = Fraction(1, 25)


class _Kind(NamedTuple):
    """An encoder, the formats that it takes as they are, and what any other is made."""

    encoder: str
    formats: dict[str, str]
    default: str


_KINDS = {
    ".jpg": _Kind("mjpeg", {}, "yuvj420p"),
    ".png": _Kind("png", {"gray": "gray", "rgba": "rgba", **_DEEP}, "rgb24"),
    ".webp": _Kind("libwebp", {"rgba": "bgra"}, "bgra"),
}
_KINDS[".jpeg"] = _KINDS[".jpg"]


class ImageEncoder:
    """Codes pictures as images of one kind, one after another; sizes may change.

    ``suffix`` is one of ``IMAGE_SUFFIXES``. ``quality``, 1 to 100, is for JPEG and WebP (100 is WebP without loss). PNG
    keeps 16 bits of formats that have them. JPEG is full-range BT.601, as JFIF says.
    """

    def __init__(self, suffix: str, quality: int | None = None) -> None:
        if suffix not in _KINDS:
            raise UsageError(f"no kind of picture is called {suffix!r}", expected=", ".join(IMAGE_SUFFIXES))
        if quality is not None and suffix == ".png":
            raise UsageError("PNG has no quality to choose: it keeps every pixel")
        self._kind = _KINDS[suffix]
        self._quality = _QUALITY if quality is None else quality
        self._reformatter = VideoReformatter()
        self._context: Any = None
        self._key: tuple[Any, ...] = ()
        self._count = 0

    def encode(self, picture: VideoFrame) -> bytes:
        """Return a picture as the bytes of an image file. Raises ``UnsupportedError`` for what the kind cannot hold."""
        form = self._kind.formats.get(picture.format.name, self._kind.default)
        try:
            if form == "yuvj420p":
                made = self._reformatter.reformat(
                    picture, format=form, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG
                )
            else:
                made = self._reformatter.reformat(picture, format=form)
            made.pts, self._count = self._count, self._count + 1  # MJPEG wants rising times
            made.time_base = _TICK
            coded = self._encoder(made).encode(made)
        except (FFmpegError, ValueError) as error:
            size = f"{picture.width}x{picture.height}"
            raise UnsupportedError(f"a picture of {size} cannot be coded by {self._kind.encoder}: {error}") from error
        if not coded:
            raise UnsupportedError(f"{self._kind.encoder} gave no picture out")
        return b"".join(bytes(packet) for packet in coded)

    def _encoder(self, picture: VideoFrame) -> Any:
        key = (picture.width, picture.height, picture.format.name)
        if key != self._key:
            context: Any = av.CodecContext.create(self._kind.encoder, "w")
            context.width, context.height, context.pix_fmt = key
            context.time_base = _TICK
            context.thread_type, context.thread_count = ThreadType.SLICE, 1  # each picture comes out at once
            context.options = self._options()
            if self._kind.encoder == "mjpeg":
                context.color_range = ColorRange.JPEG
            self._context, self._key = context, key
        return self._context

    def _options(self) -> dict[str, str]:
        if self._kind.encoder == "mjpeg":
            quantizer = str(_jpeg_quantizer(self._quality))
            return {"qmin": quantizer, "qmax": quantizer}
        if self._kind.encoder == "libwebp":
            return {"lossless": "1"} if self._quality == 100 else {"quality": str(self._quality)}
        return {}


def _jpeg_quantizer(quality: int) -> int:
    """Return FFmpeg's quantizer, 1 (best) to 31, for a quality of 1 to 100."""
    return max(1, min(31, round(1 + (100 - quality) * 30 / 99)))
