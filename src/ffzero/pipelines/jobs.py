"""Whole jobs in one call: cut a file, join files, code a file anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from ffzero.edits.movie import concat, open_movie
from ffzero.errors import UsageError
from ffzero.pipelines.writing import write_clip
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, parse_time

if TYPE_CHECKING:  # copying needs none of it
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["CodeOptions", "CopyOptions", "CutOptions", "JoinOptions", "concat_videos", "cut_video", "transcode_video"]


class CodeOptions(TypedDict, total=False):
    """What ``transcode_video`` takes by name."""

    overwrite: bool
    reporter: Reporter
    cancel: CancelToken | None


class CopyOptions(CodeOptions, total=False):
    """What jobs that may copy take by name."""

    boundary: str


class JoinOptions(CopyOptions, total=False):
    """What ``concat_videos`` takes by name."""

    like: str | os.PathLike[str] | None


class CutOptions(CopyOptions, total=False):
    """What ``cut_video`` takes by name."""

    end_time: TimeLike | None


def cut_video(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    start_time: TimeLike = 0,
    duration: TimeLike | None = None,
    settings: FFmpegSettings | None = None,
    *,
    end_time: TimeLike | None = None,
    boundary: str = "auto",
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Cut ``[start_time, start_time + duration)`` (or up to ``end_time``) of a file, in seconds; see ``Clip.write``.

    Copies; with ``settings`` the cut is coded with them, and ``boundary`` has no meaning.
    """
    if duration is not None and end_time is not None:
        raise UsageError("give duration or end_time, not both")
    start = parse_time(start_time)
    end = parse_time(end_time) if end_time is not None else None
    if duration is not None:
        end = start + parse_time(duration)
    clip = open_movie(input_path).clip(start or None, end)
    return write_clip(
        clip, output_path, settings, boundary=boundary, overwrite=overwrite, reporter=reporter, cancel=cancel
    )


def concat_videos(
    input_files: Iterable[str | os.PathLike[str]],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings | None = None,
    *,
    like: str | os.PathLike[str] | None = None,
    boundary: str = "auto",
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Join whole files into one; see ``Clip.write``.

    Copies what agrees in its coding parameters, and codes the rest like ``like``, by default like most of it; with
    ``settings`` everything is coded with them.
    """
    if isinstance(input_files, str | os.PathLike):
        raise UsageError("joining takes a list of files", found=repr(os.fspath(input_files)))
    return write_clip(
        concat(input_files, like=like),
        output_path,
        settings,
        boundary=boundary,
        overwrite=overwrite,
        reporter=reporter,
        cancel=cancel,
    )


def transcode_video(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings | None = None,
    *,
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Code a whole file anew with ``settings``, by default with those of ``FFmpegSettings()``."""
    from ffzero.ffmpeg.settings import FFmpegSettings

    chosen = FFmpegSettings() if settings is None else settings
    return write_clip(
        open_movie(input_path)[:], output_path, chosen, overwrite=overwrite, reporter=reporter, cancel=cancel
    )
