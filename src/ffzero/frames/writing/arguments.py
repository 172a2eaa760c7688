"""What a writer is told, brought into form: rates, sound, sizes, and options that keep encoders quiet."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from ffzero.edits.frame_values import Frame
from ffzero.errors import UsageError
from ffzero.frames.writing.choices import CodingChoice
from ffzero.frames.writing.models import Like, Model

__all__ = ["quiet_options", "rate_of", "refusal_hint", "size_of", "sound_of"]

_HARDWARE = ("_nvenc", "_qsv", "_vaapi", "_amf", "_videotoolbox", "_mf", "_v4l2m2m", "_vulkan")
_QP_TO_LAMBDA = 118
"""``FF_QP2LAMBDA``."""
_MOST_SOUND_RATE = 768_000
_MOST_CHANNELS = 64


def quiet_options(choice: CodingChoice, pixel_format: str) -> dict[str, str]:
    """Return the options of the encoder as libavcodec knows them, x265's without what it writes to the terminal."""
    options = dict(choice.video_options)
    if choice.video == "mjpeg" and "q" in options:  # the program's word for a fixed quantizer
        options |= {"flags": "+qscale", "global_quality": str(round(float(options.pop("q")) * _QP_TO_LAMBDA))}
    if choice.video == "prores_ks" and "444" in pixel_format and options.get("profile") == "hq":
        options["profile"] = "4444"  # the settings' own choice holds neither full chroma nor alpha
    if choice.video == "libx265" and "log-level" not in options.get("x265-params", ""):
        options["x265-params"] = ":".join(filter(None, (options.get("x265-params"), "log-level=none")))
    return options


def refusal_hint(choice: CodingChoice, model: Model) -> str | None:
    """Return what the reason may be that an encoder cannot be opened: its own words tell little."""
    name = choice.video or ""
    if name.endswith(_HARDWARE):
        return "It needs a device and its driver, which are not here. Take an encoder in software, such as H264"
    form = VideoFormat(model.pixel_format, model.width, model.height)
    across, down = form.chroma_width(64) < 64, form.chroma_height(64) < 64
    if (across and model.width % 2) or (down and model.height % 2):
        return (
            f"{model.width}x{model.height} is odd, and {form.name} has one colour for two pixels: give an even size, "
            'or settings with pixel_format="yuv444p"'
        )
    return None


def rate_of(fps: int | float | str | Fraction | None) -> Fraction | None:
    if fps is None:
        return None
    try:
        rate = Fraction(str(fps)) if not isinstance(fps, float) else Fraction(repr(fps)).limit_denominator(1001)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"not a frame rate: {fps!r}", hint='Rates are 25, 29.97 or "30000/1001"') from error
    if not 0 < rate <= 1000:
        raise UsageError(f"not a frame rate: {fps!r}", expected="more than 0, at most 1000")
    return rate


def sound_of(audio: str | int | tuple[int, int] | None, like: Like) -> str | tuple[int, int] | None:
    if audio is None:
        return None
    if audio == "copy":
        if like is None:
            raise UsageError('audio="copy" copies the sound of like, and there is none')
        return "copy"
    rate, channels = audio if isinstance(audio, tuple) and len(audio) == 2 else (audio, 2)
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (rate, channels))
    if whole and 0 < int(rate) <= _MOST_SOUND_RATE and 0 < int(channels) <= _MOST_CHANNELS:
        return (int(rate), int(channels))
    raise UsageError(f"not a way to write sound: {audio!r}", expected='"copy", a rate, or (rate, channels)')


def size_of(picture: Any) -> tuple[int, int] | None:
    """Return width and height of the first picture, where it tells."""
    if isinstance(picture, Frame):
        return (picture.height, picture.width) if picture.rotation in (90, 270) else (picture.width, picture.height)
    if isinstance(picture, VideoFrame):
        return picture.width, picture.height
    shape: tuple[int, ...] = getattr(picture, "shape", ())
    return (int(shape[1]), int(shape[0])) if len(shape) in (2, 3) else None
