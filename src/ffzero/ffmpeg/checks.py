"""The checks on settings, each with an error that says what would be right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import AudioEncoder, Encoder, FFmpegCodec, FFmpegPreset, audio_encoder, video_encoder
from ffzero.ffmpeg.options import ExtraArguments

__all__ = [
    "audio",
    "bitrate",
    "codec",
    "even_size",
    "extra_arguments",
    "frame_rate",
    "known_fields",
    "nothing_else",
    "one_of_quality_and_bitrate",
    "pixel_format",
    "preset",
    "quality",
    "whole_number",
]

_BITRATE = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)", re.ASCII)
_RATE = re.compile(r"\d+(?:\.\d+)?|\d+[/:]\d+", re.ASCII)
_PIXEL_FORMAT = re.compile(r"[a-z0-9_]{2,32}", re.ASCII)
_HALVED_WIDTH = re.compile(r"yuva?j?(420|422)|nv12|nv16|nv2[01]|p[02]1[0-6]", re.ASCII)
_HALVED_HEIGHT = re.compile(r"yuva?j?420|nv12|nv21|p01[0-6]", re.ASCII)
_OTHER_NAMES = {
    "x264": FFmpegCodec.H264,
    "avc": FFmpegCodec.H264,
    "x265": FFmpegCodec.H265,
    "svtav1": FFmpegCodec.SVT_AV1,
    "aom": FFmpegCodec.AOM_AV1,
    "prores": FFmpegCodec.PRORES,
}


def codec(role: str, value: object) -> FFmpegCodec | None:
    """Return the codec that a name means, if it is one for this ``role`` (``video_codec`` or ``audio_codec``)."""
    if value is None:
        return None
    found = value if isinstance(value, FFmpegCodec) else _named_codec(value)
    is_kind = video_encoder if role == "video_codec" else audio_encoder
    if found is not None and (found is FFmpegCodec.COPY or is_kind(found) is not None):
        return found
    names = [one.name for one in FFmpegCodec if one is FFmpegCodec.COPY or is_kind(one) is not None]
    what = "an unknown codec" if found is None else "not a codec of this kind"
    raise UsageError(f"{role}: {_shown(value)} is {what}", hint=f"Choose one of {', '.join(names)}")


def _named_codec(value: object) -> FFmpegCodec | None:
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    by_name = FFmpegCodec.__members__.get(name.upper().replace("-", "_").replace(".", ""))
    by_value = next((one for one in FFmpegCodec if one.value == name), None)
    return by_name or by_value or _OTHER_NAMES.get(name)


def preset(value: object) -> FFmpegPreset | None:
    """Return the preset that a name means."""
    if value is None or isinstance(value, FFmpegPreset):
        return value
    name = value.strip().lower() if isinstance(value, str) else ""
    found = next((one for one in FFmpegPreset if one.value == name), None)
    if found is None:
        close = get_close_matches(name, list(FFmpegPreset), n=1)
        near = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(f"unknown preset {_shown(value)}", hint=f"{near}Choose one of {', '.join(FFmpegPreset)}")
    return found


def quality(encoder: Encoder, chosen: FFmpegCodec | None, crf: object) -> None:
    """Check a crf against the encoder's range."""
    if crf is None:
        return
    least, most = encoder.crf_range
    name = chosen.name if chosen is not None else encoder.name
    number = isinstance(crf, int | float) and not isinstance(crf, bool) and math.isfinite(crf)
    if not number or not least <= crf <= most:  # type: ignore[operator] # a number, as just seen
        raise UsageError(f"crf {_shown(crf)} is out of range for {name}", hint=f"It goes from {least} (best) to {most}")
    if not encoder.fractional and crf != int(crf):  # type: ignore[call-overload] # a number, as seen above
        raise UsageError(f"crf {crf} is not a whole number, as {name} needs")


def one_of_quality_and_bitrate(encoder: Encoder, crf: object, video_bitrate: object) -> None:
    """Refuse a quality and a bitrate together where the encoder would ignore one of them."""
    if crf is not None and video_bitrate is not None and not encoder.capped:
        raise UsageError(
            f"{encoder.name} takes crf or video_bitrate, not both", hint="Set one of them to None; a cap is maxrate"
        )


def even_size(pixel_format_name: str, width: int | None, height: int | None) -> None:
    """Refuse odd sizes where colour is stored for pairs of pixels."""
    for name, size, halved in (("width", width, _HALVED_WIDTH), ("height", height, _HALVED_HEIGHT)):
        if size is not None and size % 2 and halved.match(pixel_format_name):
            raise UsageError(
                f"{name} {size} is odd, and {pixel_format_name} stores colour for pairs of pixels",
                hint=f"Use {size - 1} or {size + 1}, or pixel_format='yuv444p'",
            )


def frame_rate(value: object) -> Fraction | None:
    """Return frames a second exactly; a float near an NTSC rate (29.97) means that rate."""
    if value is None:
        return None
    rate = _rate(value)
    if rate is None or not 0 < rate <= 1000:
        raise UsageError(f"not a frame rate: {_shown(value)}", hint="Give frames a second: 25, 29.97 or 30000/1001")
    for whole in (24, 30, 48, 60, 120):
        exact = Fraction(whole * 1000, 1001)
        if rate != exact and abs(rate - exact) < Fraction(1, 100) and rate.denominator > 1:
            return exact
    return rate


def _rate(value: object) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 32 or not _RATE.fullmatch(text) or re.search("[/:]0+$", text):
            return None
        return Fraction(text.replace(":", "/"))
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if not hasattr(value, "__float__"):
        return None
    number = float(value)
    return Fraction(repr(number)) if math.isfinite(number) else None


def bitrate(name: str, value: object) -> str | None:
    """Return a bitrate as FFmpeg reads it."""
    if value is None:
        return None
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    match = _BITRATE.fullmatch(text) if len(text) < 24 else None
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{name}: not a bitrate: {_shown(value)}", hint='Bits a second: 192000, "192k" or "2M"')
    return match[1] + {"K": "k", "m": "M", "g": "G"}.get(match[2], match[2])


def whole_number(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is neither ``None`` nor a whole number from ``least`` to ``most``."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{name}: {_shown(value)} is not a whole number from {least} to {most}")


def pixel_format(value: object) -> None:
    """Refuse what cannot be the name of a pixel format."""
    if value is not None and not (isinstance(value, str) and _PIXEL_FORMAT.fullmatch(value)):
        raise UsageError(f"not a pixel format: {_shown(value)}", hint="Names are like yuv420p or yuv420p10le")


def nothing_else(role: str, values: Mapping[str, object]) -> None:
    """Refuse changes to what is copied."""
    for name, value in values.items():
        if value is not None:
            raise UsageError(f"{role} is COPY, and what is copied cannot have another {name}", hint="Choose an encoder")


def audio(encoder: AudioEncoder, rate: int | None, channels: int | None) -> None:
    """Check the sample rate and the number of channels against the encoder."""
    if rate is not None and encoder.rates and rate not in encoder.rates:
        rates = ", ".join(map(str, encoder.rates))
        raise UsageError(f"{encoder.name} cannot code {rate} Hz", hint=f"It takes {rates}")
    if channels is not None and channels > encoder.channels_max:
        raise UsageError(f"{encoder.name} codes {encoder.channels_max} channels at most, not {channels}")


def extra_arguments(value: object) -> ExtraArguments:
    """Return ``extra_args`` as an immutable copy."""
    if value is None:
        return ExtraArguments()
    if not isinstance(value, Mapping):
        raise UsageError(f"extra_args: {_shown(value)} is no mapping of options to values")
    return value if isinstance(value, ExtraArguments) else ExtraArguments(value)


def known_fields(changes: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse names that are no fields, naming what there is."""
    names = list(names)
    for name in changes:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            near = f"Did you mean {close[0]}? " if close else ""
            raise UsageError(f"there is no setting {name!r}", hint=f"{near}There are {', '.join(names)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
