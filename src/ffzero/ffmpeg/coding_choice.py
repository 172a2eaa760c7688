"""``FFmpegSettings`` for encoders in this process: the same options that the FFmpeg program would be given."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

from ffzero.containers.detect import container_for_output
from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["coding_facts_of"]

_USUAL = {
    "webm": FFmpegSettings(video_codec=FFmpegCodec.VP9, audio_codec=FFmpegCodec.OPUS, preset="fast"),
}
_MUXER_OPTIONS = frozenset({"movflags", "f"})


def coding_facts_of(settings: Any, path: str) -> dict[str, Any]:
    """Return the fields of a ``CodingChoice``. Raises ``UsageError`` for what is no settings, or asks for a copy."""
    if settings is None:
        extension = path.rpartition(".")[2].lower()
        container_for_output(path)
        settings = _USUAL.get(extension, FFmpegSettings())
    if not isinstance(settings, FFmpegSettings):
        raise UsageError(f"not settings: {settings!r}", expected="FFmpegSettings")
    if settings.video is FFmpegCodec.COPY:
        raise UsageError("frames cannot be copied", hint="Choose a video_codec other than COPY")
    video, audio = _pairs(settings.video_arguments()), _pairs(settings.audio_arguments())
    extra = _pairs(settings.extra_arguments())
    muxer = {key: extra.pop(key) for key in _MUXER_OPTIONS & extra.keys()}
    name = video.pop("c", None)
    video.pop("pix_fmt", None)  # the program's cautious choice; here a source of more bits keeps them
    rate, channels = audio.pop("ar", None), audio.pop("ac", None)
    sound = audio.pop("c", None)
    return {
        "video": name,
        "audio": None if sound == "copy" else sound,
        "video_options": video | extra,
        "audio_options": audio,
        "muxer_options": muxer,
        "pixel_format": settings.pixel_format,
        "width": settings.width,
        "height": settings.height,
        "fps": None if settings.fps is None else Fraction(str(settings.fps)),
        "audio_rate": None if rate is None else int(rate),
        "audio_channels": None if channels is None else int(channels),
    }


def _pairs(words: list[str]) -> dict[str, str]:
    """Return options and their values, without dashes and the kind of stream (``-b:v 2M``: ``b`` is ``2M``)."""
    found = {}
    for key, value in pairwise([*words, "-"]):
        if key.startswith("-") and len(key) > 1 and not key[1].isdigit() and key not in ("-vn", "-an"):
            name = key[1:]
            base, colon, kind = name.partition(":")
            found[base if colon and kind[:1] in ("v", "a") else name] = value
    return found
