"""What a file is coded with, as encoders see it; ``FFmpegSettings`` are turned into it by a layer beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any

from ffzero.errors import UnsupportedError
from ffzero.values import dataclass

__all__ = ["CodingChoice", "coding_choice", "use_coding_choices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingChoice:
    """Names of encoders (``None``: no such stream) and their options, the muxer's too, and what settings say beside.

    Names and options are libavcodec's, values text. ``width`` alone or ``height`` alone keeps the shape.
    """

    video: str | None
    audio: str | None
    video_options: Mapping[str, str] = field(default_factory=dict)
    audio_options: Mapping[str, str] = field(default_factory=dict)
    muxer_options: Mapping[str, str] = field(default_factory=dict)
    pixel_format: str | None = None
    width: int | None = None
    height: int | None = None
    fps: Fraction | None = None
    audio_rate: int | None = None
    audio_channels: int | None = None


_provider: list[Callable[[Any, str], CodingChoice]] = []


def use_coding_choices(provider: Callable[[Any, str], CodingChoice]) -> None:
    """Let ``provider(settings, path)`` say what settings (``None``: the usual for the container) mean."""
    _provider[:] = [provider]


def coding_choice(settings: Any, path: str) -> CodingChoice:
    """Return what ``settings`` mean for a file. Raises ``UsageError``, ``UnsupportedError`` where nobody knows."""
    if not _provider:
        raise UnsupportedError("settings are not known here", hint="Import ffzero")
    return _provider[0](settings, path)
