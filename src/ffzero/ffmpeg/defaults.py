"""Which codecs an output's name asks for, and which it takes as they are."""

from __future__ import annotations

import os
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["AUDIO_CODECS", "audio_is_copied", "settings_for"]

_H264_AAC = (FFmpegCodec.H264, FFmpegCodec.AAC)
_VIDEO_CODECS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".3gp", ".ts", ".m2ts", ".mts", ".flv", ".f4v"), _H264_AAC),
    ".webm": (FFmpegCodec.VP9, FFmpegCodec.OPUS),
    ".avi": (FFmpegCodec.H264, FFmpegCodec.MP3),
    ".mxf": (FFmpegCodec.H264, FFmpegCodec.PCM),
}
AUDIO_CODECS = {
    ".aac": FFmpegCodec.AAC,
    ".ac3": FFmpegCodec.AC3,
    ".flac": FFmpegCodec.FLAC,
    ".m4a": FFmpegCodec.AAC,
    ".mka": FFmpegCodec.COPY,
    ".mp3": FFmpegCodec.MP3,
    ".mp4": FFmpegCodec.AAC,
    ".oga": FFmpegCodec.VORBIS,
    ".ogg": FFmpegCodec.VORBIS,
    ".opus": FFmpegCodec.OPUS,
    ".wav": FFmpegCodec.PCM,
}
"""What sound is coded as, by the ending of its file's name."""

_PCM = frozenset(("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"))
_COPIED_AUDIO = {
    ".aac": frozenset(("aac",)),
    ".ac3": frozenset(("ac3",)),
    ".flac": frozenset(("flac",)),
    ".m4a": frozenset(("aac", "alac")),
    ".mp3": frozenset(("mp3",)),
    ".mp4": frozenset(("aac", "ac3", "alac", "eac3", "mp3")),
    ".oga": frozenset(("flac", "opus", "vorbis")),
    ".ogg": frozenset(("flac", "opus", "vorbis")),
    ".opus": frozenset(("opus",)),
    ".wav": _PCM,
}
"""FFmpeg's names of the codecs that players expect in such a file; a Matroska one takes all."""


def audio_is_copied(output_path: str | os.PathLike[str], codec: str) -> bool:
    """Return whether sound coded as ``codec`` (FFmpeg's name) can go into that file as it is."""
    suffix = _suffix(output_path)
    return suffix == ".mka" or codec in _COPIED_AUDIO.get(suffix, ())


def settings_for(output_path: str | os.PathLike[str], **fields: Any) -> FFmpegSettings:
    """Return settings with the codecs that players expect in a file of that name; ``fields`` count before them.

    A name of a sound file drops the pictures. Raises ``UsageError`` for a bad value, and for a name that says nothing
    where not both codecs are given.
    """
    suffix = _suffix(output_path)
    if suffix in _VIDEO_CODECS:
        video, audio = _VIDEO_CODECS[suffix]
        return FFmpegSettings(**{"video_codec": video, "audio_codec": audio, **fields})
    if suffix in AUDIO_CODECS:
        return FFmpegSettings(**{"video_codec": None, "audio_codec": AUDIO_CODECS[suffix], **fields})
    if not {"video_codec", "audio_codec"} <= fields.keys():
        what = f"no codecs are known for {suffix}" if suffix else "the output's name has no ending"
        known = ", ".join(sorted({*_VIDEO_CODECS, *AUDIO_CODECS}))
        raise UsageError(what, path=output_path, hint=f"Choose both codecs, or a name with one of {known}")
    return FFmpegSettings(**fields)


def _suffix(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path))[1].lower()
