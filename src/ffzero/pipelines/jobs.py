"""Whole jobs in one call: cut a file, join files, code a file anew."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from ffzero.edits.movie import concat, open_movie
from ffzero.engines.opening import EngineLike
from ffzero.errors import UnsupportedError, UsageError
from ffzero.pipelines.writing import write_clip
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, parse_time

if TYPE_CHECKING:  # copying needs none of it
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = [
    "CodeOptions",
    "CopyOptions",
    "CutOptions",
    "JoinOptions",
    "RunOptions",
    "concat_videos",
    "cut_video",
    "transcode_video",
]


class RunOptions(TypedDict, total=False):
    """What all jobs take by name."""

    engine: EngineLike | None
    jobs: int | None
    overwrite: bool
    reporter: Reporter
    cancel: CancelToken | None


class CodeOptions(RunOptions, total=False):
    """What ``transcode_video`` takes by name."""

    chunk_s: TimeLike | None
    vmaf: float | None
    two_pass: bool
    restart: bool


class CopyOptions(RunOptions, total=False):
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
    engine: EngineLike | None = None,
    jobs: int | None = None,
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
        clip,
        output_path,
        settings,
        boundary=boundary,
        engine=engine,
        jobs=jobs,
        overwrite=overwrite,
        reporter=reporter,
        cancel=cancel,
    )


def concat_videos(
    input_files: Iterable[str | os.PathLike[str]],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings | None = None,
    *,
    like: str | os.PathLike[str] | None = None,
    boundary: str = "auto",
    engine: EngineLike | None = None,
    jobs: int | None = None,
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
        engine=engine,
        jobs=jobs,
        overwrite=overwrite,
        reporter=reporter,
        cancel=cancel,
    )


def transcode_video(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    settings: FFmpegSettings | None = None,
    *,
    jobs: int | None = None,
    engine: EngineLike | None = None,
    chunk_s: TimeLike | None = None,
    vmaf: float | None = None,
    two_pass: bool = False,
    restart: bool = False,
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Code a whole file anew with ``settings``, by default with those of ``FFmpegSettings()``.

    With ``jobs`` (how many at a time), an ``engine`` (see ``ffzero.open_engine``), ``chunk_s``, ``vmaf`` or
    ``two_pass`` the pictures are coded in chunks of at least ``chunk_s`` seconds (10) that begin at the source's key
    pictures, each of closed groups of pictures; the file is the same whatever ``jobs`` and ``engine``. Sound is coded
    as a whole. ``vmaf`` seeks the crf for each chunk at which its mean VMAF is that, a few codings each; ``two_pass``
    holds each chunk to ``video_bitrate``. The result's ``segments`` tell of each chunk, with its ``crf`` and ``vmaf``.

    Finished chunks are kept beside the output until that stands: the same call goes on from there after an error, a
    crash or a cancellation; ``restart`` begins anew. What cannot be split (other containers than MP4 and MOV, a changed
    frame rate, filters that look at several pictures) is coded in one pass, and a warning says why. Raises like
    ``Clip.write``, with the chunk and its time, and ``UnsupportedError`` for ``vmaf`` or ``two_pass`` of what cannot be
    split, ``JournalMismatchError``, ``OutputBusyError``, ``EngineError``.
    """
    from ffzero.ffmpeg.settings import FFmpegSettings
    from ffzero.pipelines.transcode_plan import ChunkOptions, plan_transcode
    from ffzero.pipelines.transcoding import transcode_in_chunks

    chosen = FFmpegSettings() if settings is None else settings
    options = ChunkOptions(jobs=jobs, engine=engine, chunk_s=chunk_s, vmaf=vmaf, two_pass=two_pass, restart=restart)
    movie = open_movie(input_path)
    if not options.wanted:
        return write_clip(movie[:], output_path, chosen, overwrite=overwrite, reporter=reporter, cancel=cancel)
    options.check(chosen)
    plan = plan_transcode(movie, output_path, chosen, chunk_s)
    if not plan.why_not:
        return transcode_in_chunks(
            plan, output_path, chosen, options, overwrite=overwrite, reporter=reporter, cancel=cancel
        )
    if vmaf is not None or two_pass:
        raise UnsupportedError(f"{'a VMAF' if vmaf is not None else 'two passes'} cannot be had: {plan.why_not}")
    result = write_clip(movie[:], output_path, chosen, overwrite=overwrite, reporter=reporter, cancel=cancel)
    return dataclasses.replace(result, warnings=(*result.warnings, str(plan)))
