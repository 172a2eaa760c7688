"""Commands for sound: taking it out of a video, and bringing it to a loudness in one pass or two."""

from __future__ import annotations

import functools
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ffzero.errors import InvalidDataError, UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.filters import filter_text
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output, Url
from ffzero.ffmpeg.parameters import number
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike

__all__ = ["extract_audio", "loudness_commands", "loudnorm", "measured_loudness"]

Path = str | os.PathLike[str]

_CODECS = {
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
_MEASURED = ("input_i", "input_tp", "input_lra", "input_thresh", "target_offset")
_JSON = re.compile(r"\{[^{}]{0,4000}\}")


def extract_audio(
    *,
    input_path: Path,
    output_path: Path,
    audio_codec: FFmpegCodec | str | None = None,
    audio_bitrate: int | str | None = None,
    start_time: TimeLike | None = None,
    duration: TimeLike | None = None,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Write the first audio track alone: as ``audio_codec``, the settings', or what the output's name asks for."""
    if audio_codec is None and settings is None:
        suffix = os.path.splitext(os.fspath(output_path))[1].lower()
        if suffix not in _CODECS:
            known = ", ".join(_CODECS)
            raise UsageError("which audio codec?", path=output_path, hint=f"Give audio_codec, or a name with {known}")
        audio_codec = _CODECS[suffix]
    wanted = settings or FFmpegSettings()
    if audio_codec is not None:
        wanted = wanted.replace(audio_codec=audio_codec)
    if audio_bitrate is not None:
        wanted = wanted.replace(audio_bitrate=audio_bitrate)
    output = Output(path=output_path, maps=("0:a:0",), settings=_sound_only(wanted))
    one = Input(path=input_path, start=start_time, duration=duration)
    return FFmpegCommand(inputs=(one,), outputs=(output,))


def _sound_only(settings: FFmpegSettings) -> FFmpegSettings:
    return settings.replace(video_codec=None)


def _targets(target_lufs: float, true_peak_db: float, range_lu: float) -> dict[str, str]:
    return {
        "I": f"{float(number('target_lufs', target_lufs, -70, -5)):g}",
        "TP": f"{float(number('true_peak_db', true_peak_db, -9, 0)):g}",
        "LRA": f"{float(number('range_lu', range_lu, 1, 50)):g}",
    }


def loudnorm(
    *,
    input_path: Path,
    output_path: Path,
    target_lufs: float = -16,
    true_peak_db: float = -1.5,
    range_lu: float = 11,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Bring the sound to a loudness in one pass (it follows the sound; ``build_loudness_commands`` is exact)."""
    return _written(input_path, output_path, settings, _targets(target_lufs, true_peak_db, range_lu))


def loudness_commands(
    *,
    input_path: Path,
    output_path: Path,
    target_lufs: float = -16,
    true_peak_db: float = -1.5,
    range_lu: float = 11,
    settings: FFmpegSettings | None = None,
) -> tuple[FFmpegCommand, Callable[[Mapping[str, Any] | str], FFmpegCommand]]:
    """Return the command that measures, and the function from what it printed to the command that writes."""
    targets = _targets(target_lufs, true_peak_db, range_lu)
    measuring = filter_text("loudnorm", **targets, print_format="json")
    measure = FFmpegCommand(
        inputs=(Input(path=input_path),),
        outputs=(Output(path=Url("-"), maps=("0:a:0",), audio_filters=(measuring,), options={"f": "null"}),),
        global_options={"loglevel": "info", "nostats": True},
    )
    return measure, functools.partial(_second_pass, input_path, output_path, settings, targets)


def _second_pass(
    input_path: Path,
    output_path: Path,
    settings: FFmpegSettings | None,
    targets: dict[str, str],
    measured: Mapping[str, Any] | str,
) -> FFmpegCommand:
    values = measured_loudness(measured)
    if not all(map(math.isfinite, values.values())):
        return _written(input_path, output_path, settings, None)  # silence has no loudness to bring anywhere
    known = {f"measured_{'I' if key == 'input_i' else key[6:].upper()}": values[key] for key in _MEASURED[:3]}
    known |= {"measured_thresh": values["input_thresh"], "offset": values["target_offset"]}
    texts = {key: f"{value:g}" for key, value in known.items()}
    return _written(input_path, output_path, settings, {**targets, **texts, "linear": "true"})


def _written(
    input_path: Path, output_path: Path, settings: FFmpegSettings | None, options: dict[str, str] | None
) -> FFmpegCommand:
    settings = settings or FFmpegSettings(video_codec=FFmpegCodec.COPY)
    # loudnorm works at 192 kHz where it follows the sound, and leaves it there.
    rate = f"aresample={settings.audio_rate or 48000}"
    filters = () if options is None else (filter_text("loudnorm", **options), rate)
    output = Output(path=output_path, maps=("0:V:0?", "0:a:0"), audio_filters=filters, settings=settings)
    return FFmpegCommand(inputs=(Input(path=input_path),), outputs=(output,))


def measured_loudness(measured: Mapping[str, Any] | str) -> dict[str, float]:
    """Return the measured values from ``loudnorm``'s JSON, as text (what FFmpeg printed) or as a mapping.

    Loudness in LUFS, peak in dBTP, range in LU; silence measures ``-inf``. Raises ``InvalidDataError``.
    """
    try:
        if isinstance(measured, str):
            found = [text for text in _JSON.findall(measured) if '"input_i"' in text]
            values = json.loads(found[-1])
        else:
            values = measured
        return {key: float(values[key]) for key in _MEASURED}
    except (LookupError, ValueError, TypeError) as error:
        raise InvalidDataError(
            "these are not the values that loudnorm measures", expected=", ".join(_MEASURED)
        ) from error
