"""Commands for the usual jobs, built from paths and settings: pure values, ready for the executor."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg import audio_operations, joins, operations, packaging, pictures
from ffzero.ffmpeg.binary import FFmpegBinary
from ffzero.ffmpeg.model import PROTOCOLS, FFmpegCommand, Input, ListFile, Output, Url
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike

__all__ = ["OPERATIONS", "PROTOCOLS", "FFmpegCommand", "FFmpegCommandBuilder", "Input", "ListFile", "Output", "Url"]

Operation = Callable[..., FFmpegCommand]
Path = str | os.PathLike[str]

OPERATIONS: Mapping[str, Operation] = {
    "add_subtitles": operations.add_subtitles,
    "burn_subtitles": operations.burn_subtitles,
    "change_speed": operations.change_speed,
    "concat": joins.concat,
    "contact_sheet": pictures.contact_sheet,
    "cut": operations.cut,
    "dash": packaging.dash,
    "extract_audio": audio_operations.extract_audio,
    "gif": pictures.gif,
    "hls": packaging.hls,
    "loudnorm": audio_operations.loudnorm,
    "overlay": operations.overlay,
    "scale": operations.scale,
    "thumbnail": pictures.thumbnail,
    "transcode": operations.transcode,
}
"""What ``build_command`` knows, by name; each function's signature and text say what it takes."""


class FFmpegCommandBuilder:
    """Builds commands. ``settings`` stand in where a call gives none; ``None`` copies what can be copied.

    ``binary`` decides which encoder codes ``AV1``, and turns an encoder that it lacks into an ``UnsupportedError`` that
    names what it has; without it nothing is asked of any program.
    """

    def __init__(self, settings: FFmpegSettings | None = None, binary: FFmpegBinary | None = None) -> None:
        self.settings = settings
        self.binary = binary

    @property
    def operations(self) -> tuple[str, ...]:
        """The names that ``build_command`` knows."""
        return tuple(OPERATIONS)

    def build_cut_command(
        self,
        input_path: Path,
        output_path: Path,
        start_time: TimeLike = 0,
        duration: TimeLike | None = None,
        settings: FFmpegSettings | None = None,
    ) -> FFmpegCommand:
        """Return the command for a part of a file: ``duration`` seconds from ``start_time``, ``None``: to its end.

        Without settings the streams are copied, and the part begins at the keyframe before ``start_time``; with them
        it is exact to the frame. In MPEG transport and program streams, which have no index, FFmpeg finds no keyframe
        before a time: a copy begins at the one after it (the command's ``warnings`` say so, ``ffzero.cut_video`` does
        better), and coding begins to read 20 s early, which is exact unless keyframes are further apart.
        """
        return self.build_command(
            "cut",
            input_path=input_path,
            output_path=output_path,
            start_time=start_time,
            duration=duration,
            settings=settings,
        )

    def build_concat_command(
        self,
        input_files: Sequence[Path],
        output_path: Path,
        settings: FFmpegSettings | None = None,
        **parameters: Any,
    ) -> FFmpegCommand:
        """Return the command that joins files: copied (they must be alike) without settings, else encoded anew."""
        return self.build_command(
            "concat", input_files=input_files, output_path=output_path, settings=settings, **parameters
        )

    def build_command(self, operation: str, **parameters: Any) -> FFmpegCommand:
        """Return the command for one of ``operations``. Raises ``UsageError``, naming the choices, for other words."""
        build = OPERATIONS.get(operation) if isinstance(operation, str) else None
        if build is None:
            raise UsageError(f"unknown operation {operation!r}{_choices(str(operation), OPERATIONS)}")
        return build(**self._checked(operation, build, parameters))

    def build_loudness_commands(
        self, input_path: Path, output_path: Path, settings: FFmpegSettings | None = None, **parameters: Any
    ) -> tuple[FFmpegCommand, Callable[[Mapping[str, Any] | str], FFmpegCommand]]:
        """Return the two passes of loudness normalisation (EBU R 128): a command that measures, and a function.

        The function takes what the first printed on standard error (or the measured values) and returns the command
        that writes the output. ``target_lufs``, ``true_peak_db`` and ``range_lu`` are −16, −1.5 and 11 by default.
        """
        given = {"input_path": input_path, "output_path": output_path, "settings": settings, **parameters}
        checked = self._checked("loudness", audio_operations.loudness_commands, given)
        return audio_operations.loudness_commands(**checked)

    def _checked(self, operation: str, build: Callable[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        known = inspect.signature(build).parameters
        for name in parameters:
            if name not in known:
                raise UsageError(f"{operation} has no parameter {name!r}{_choices(name, known)}")
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in parameters:
                raise UsageError(f"{operation} needs the parameter {name!r}")
        given = dict(parameters)
        if "settings" not in known:
            return given
        settings = given.get("settings") or self.settings
        if settings is not None and not isinstance(settings, FFmpegSettings):
            raise UsageError(f"settings: not FFmpegSettings: {settings!r}")
        if settings is not None and self.binary is not None:
            settings = settings.resolved(self.binary)
        return {**given, "settings": settings}


def _choices(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    near = f"; did you mean {close[0]}?" if close else ""
    return f"{near} (there are {', '.join(known)})"
