"""Commands that join files: copied by FFmpeg's list, or decoded and encoded by its filter."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ffzero.errors import UsageError
from ffzero.ffmpeg.filters import chain
from ffzero.ffmpeg.model import FFmpegCommand, Input, ListFile, Output, file_url
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["concat"]

_LIST = ListFile("ffzero-concat-list.txt")
# A segment's sound is filled with silence to the length of its pictures, so a moment of it is enough.
_SILENCE = "anullsrc=r=48000:cl=stereo:d=0.02"
_LIKE_SOUND = "aresample=async=1:first_pts=0,aformat=sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"


def concat(
    *,
    input_files: Sequence[str | os.PathLike[str]],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings | None = None,
    has_audio: bool | Sequence[bool] = True,
) -> FFmpegCommand:
    """Join files in order. Without settings they are copied and must be alike; else they are encoded.

    ``has_audio`` says which inputs have sound (all, none, or one truth an input); the others get silence. With a
    width and a height in the settings, pictures of another shape get bars.
    """
    if isinstance(input_files, str | bytes | os.PathLike):
        raise UsageError("input_files is one path: give a list of paths")
    paths = list(input_files)
    if not paths:
        raise UsageError("there is nothing to join")
    return _copied(paths, output_path) if settings is None else _encoded(paths, output_path, settings, has_audio)


def _copied(paths: Sequence[str | os.PathLike[str]], output_path: str | os.PathLike[str]) -> FFmpegCommand:
    names, links = _listed(paths)
    lines = ["ffconcat version 1.0", *(f"file {_quoted(name)}" for name in names)]
    one = Input(path=_LIST, options={"f": "concat", "safe": "0"})
    output = Output(path=output_path, maps=("0:v?", "0:a?"), options={"c": "copy"})
    return FFmpegCommand(inputs=(one,), outputs=(output,), files={str(_LIST): "\n".join([*lines, ""])}, links=links)


def _listed(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[str], dict[str, str]]:
    """Return the names for the list, and links beside it for files whose own names it cannot hold.

    The list's lines end at any line break, quoted or not (libavformat/concatdec.c reads it line by line).
    """
    names, links = [], {}
    for number, url in enumerate(map(file_url, paths)):
        if "\n" in url or "\r" in url:
            links[f"ffzero-link-{number}"] = url.removeprefix("file:")
            url = f"ffzero-link-{number}"
        names.append(url)
    return names, links


def _quoted(url: str) -> str:
    return "'" + url.replace("'", r"'\''") + "'"


def _encoded(
    paths: Sequence[str | os.PathLike[str]],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings,
    has_audio: bool | Sequence[bool],
) -> FFmpegCommand:
    sound = [has_audio] * len(paths) if isinstance(has_audio, bool) else list(has_audio)
    if len(sound) != len(paths):
        raise UsageError(f"has_audio: {len(sound)} values for {len(paths)} files")
    video = settings.video is not None
    audio = settings.audio is not None and any(sound)
    if not video and not audio:
        raise UsageError("nothing to join: the settings drop video and audio, or no input has sound")
    parts, labels = [], ""
    for at in range(len(paths)):
        if video:
            parts.append(f"[{at}:V:0]{_picture(settings)}[v{at}]")
            labels += f"[v{at}]"
        if audio:
            source = f"[{at}:a:0]" if sound[at] else f"{_SILENCE},"
            parts.append(f"{source}{_sound(settings)}[a{at}]")
            labels += f"[a{at}]"
    ends = [name for name, wanted in (("[video]", video), ("[audio]", audio)) if wanted]
    joined = "".join(f"[j{name[1:]}" for name in ends)
    parts.append(f"{labels}concat=n={len(paths)}:v={int(video)}:a={int(audio)}{joined}")
    if video:
        parts.append(f"[jvideo]{chain(*_after(settings)) or 'null'}[video]")
    if audio:
        parts.append(f"[jaudio]{chain(*settings.audio_filters()) or 'anull'}[audio]")
    output = Output(path=output_path, maps=tuple(ends), settings=settings, graph_video=True, graph_audio=True)
    inputs = tuple(Input(path=path) for path in paths)
    return FFmpegCommand(inputs=inputs, outputs=(output,), filter_complex=";".join(parts))


def _picture(settings: FFmpegSettings) -> str:
    """Return what makes the pictures of all inputs alike, as the concat filter demands."""
    width, height = settings.width, settings.height
    if width is None or height is None:
        size = "" if width is None and height is None else f"scale={width or -2}:{height or -2}"
        return chain(size, "setsar=1")
    fit = f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    return chain(fit, f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2", "setsar=1")


def _after(settings: FFmpegSettings) -> list[str]:
    return settings.replace(width=None, height=None).filters()


def _sound(settings: FFmpegSettings) -> str:
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(settings.audio_channels or 2, "stereo")
    return _LIKE_SOUND.format(rate=settings.audio_rate or 48000, layout=layout)
