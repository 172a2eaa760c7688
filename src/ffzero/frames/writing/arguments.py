"""What a writer is told, brought into form: rates, sound, sizes, and options that keep encoders quiet."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.video.frame import VideoFrame

from ffzero.edits.frame_values import Frame
from ffzero.errors import UsageError
from ffzero.frames.writing.choices import CodingChoice
from ffzero.frames.writing.models import Like

__all__ = ["quiet_options", "rate_of", "size_of", "sound_of"]


def quiet_options(choice: CodingChoice) -> dict[str, str]:
    """Return the options of the encoder, x265's without what it writes to the terminal."""
    options = dict(choice.video_options)
    if choice.video == "libx265" and "log-level" not in options.get("x265-params", ""):
        options["x265-params"] = ":".join(filter(None, (options.get("x265-params"), "log-level=none")))
    return options


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
    if isinstance(audio, int) and not isinstance(audio, bool):
        return (audio, 2)
    if isinstance(audio, tuple) and len(audio) == 2:
        return audio
    raise UsageError(f"not a way to write sound: {audio!r}", expected='"copy", a rate, or (rate, channels)')


def size_of(picture: Any) -> tuple[int, int] | None:
    """Return width and height of the first picture, where it tells."""
    if isinstance(picture, Frame):
        return (picture.height, picture.width) if picture.rotation in (90, 270) else (picture.width, picture.height)
    if isinstance(picture, VideoFrame):
        return picture.width, picture.height
    shape: tuple[int, ...] = getattr(picture, "shape", ())
    return (int(shape[1]), int(shape[0])) if len(shape) in (2, 3) else None
