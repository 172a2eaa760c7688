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
from ffzero.ffmpeg.defaults import AUDIO_CODECS
from ffzero.ffmpeg.filters import filter_text
from ffzero.ffmpeg.model import FFmpegCommand, Output, Url, seconds_text
from ffzero.ffmpeg.parameters import number, whole
from ffzero.ffmpeg.seeking import Seek, seek
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike
from ffzero.values import dataclass

__all__ = ["extract_audio", "loudness_commands", "loudnorm", "measured_loudness"]

Path = str | os.PathLike[str]

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
    track: int = 0,
    settings: FFmpegSettings | None = None,
) -> FFmpegCommand:
    """Write one audio track alone (``track`` 0 is the first).

    It is coded as ``audio_codec``, as the settings say, or as the output's name asks for.
    """
    if audio_codec is None and settings is None:
        suffix = os.path.splitext(os.fspath(output_path))[1].lower()
        if suffix not in AUDIO_CODECS:
            known = ", ".join(AUDIO_CODECS)
            raise UsageError("which audio codec?", path=output_path, hint=f"Give audio_codec, or a name with {known}")
        audio_codec = AUDIO_CODECS[suffix]
    wanted = settings or FFmpegSettings()
    if audio_codec is not None:
        wanted = wanted.replace(audio_codec=audio_codec)
    if audio_bitrate is not None:
        wanted = wanted.replace(audio_bitrate=audio_bitrate)
    found = seek(input_path, start_time, duration)
    wanted = wanted.replace(video_codec=None)
    output = Output(path=output_path, maps=(_track_map(track),), settings=wanted, **found.output(wanted))
    return FFmpegCommand(inputs=(found.input,), outputs=(output,))


def _track_map(track: int) -> str:
    return f"0:a:{whole('track', track, 0, 999)}"


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
    sound = _Sound(found=seek(input_path, None))
    return _written(sound, output_path, settings, _targets(target_lufs, true_peak_db, range_lu))


def loudness_commands(
    *,
    input_path: Path,
    output_path: Path,
    target_lufs: float = -16,
    true_peak_db: float = -1.5,
    range_lu: float = 11,
    start_time: TimeLike | None = None,
    duration: TimeLike | None = None,
    track: int = 0,
    settings: FFmpegSettings | None = None,
) -> tuple[FFmpegCommand, Callable[[Mapping[str, Any] | str], FFmpegCommand]]:
    """Return the command that measures, and the function from what it printed to the command that writes.

    With ``start_time`` or ``duration`` the pictures cannot be copied: give settings that code or drop them.
    """
    settings = settings or FFmpegSettings(video_codec=FFmpegCodec.COPY)
    if settings.video is FFmpegCodec.COPY and not (start_time is None and duration is None):
        raise UsageError("video that is copied cannot be cut exactly", hint="Choose a video_codec other than COPY")
    targets = _targets(target_lufs, true_peak_db, range_lu)
    measuring = filter_text("loudnorm", **targets, print_format="json")
    sound = _Sound(found=seek(input_path, start_time, duration), track=track)
    output = Output(
        path=Url("-"), maps=(sound.map,), audio_filters=(*sound.filters(), measuring), options={"f": "null"}
    )
    measure = FFmpegCommand(
        inputs=(sound.found.input,), outputs=(output,), global_options={"loglevel": "info", "nostats": True}
    )
    return measure, functools.partial(_second_pass, sound, output_path, settings, targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sound:
    """What of a file is to be brought to a loudness."""

    found: Seek
    track: int = 0

    @property
    def map(self) -> str:
        return _track_map(self.track)

    def filters(self) -> list[str]:
        """Return what has to stand before a filter that must not hear what comes before."""
        if not self.found.skip_s:
            return []
        start = seconds_text(self.found.skip_s)
        return [
            filter_text("atrim", start=start, end=self.found.end_s),
            filter_text("asetpts", expr=f"PTS-{start}/TB"),
        ]


def _second_pass(
    sound: _Sound,
    output_path: Path,
    settings: FFmpegSettings | None,
    targets: dict[str, str],
    measured: Mapping[str, Any] | str,
) -> FFmpegCommand:
    values = measured_loudness(measured)
    if not all(map(math.isfinite, values.values())):
        return _written(sound, output_path, settings, None)  # silence has no loudness to bring anywhere
    known = {f"measured_{'I' if key == 'input_i' else key[6:].upper()}": values[key] for key in _MEASURED[:3]}
    known |= {"measured_thresh": values["input_thresh"], "offset": values["target_offset"]}
    texts = {key: f"{value:g}" for key, value in known.items()}
    return _written(sound, output_path, settings, {**targets, **texts, "linear": "true"})


def _written(
    sound: _Sound, output_path: Path, settings: FFmpegSettings | None, options: dict[str, str] | None
) -> FFmpegCommand:
    settings = settings or FFmpegSettings(video_codec=FFmpegCodec.COPY)
    # loudnorm works at 192 kHz where it follows the sound, and leaves it there.
    rate = f"aresample={settings.audio_rate or 48000}"
    # Of less than 3 s it makes one frame, which is larger than FLAC's largest block.
    blocks = filter_text("asetnsamples", n=4096, p=0)
    filters = () if options is None else (filter_text("loudnorm", **options), rate, blocks)
    output = Output(
        path=output_path,
        maps=(sound.map,) if settings.video is None else ("0:V:0?", sound.map),
        filters=() if settings.video is None else tuple(sound.found.filters()),
        audio_filters=(*sound.filters(), *filters),
        settings=settings,
    )
    return FFmpegCommand(inputs=(sound.found.input,), outputs=(output,))


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
