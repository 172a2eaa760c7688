"""What users import: the same names from ``ffzero`` itself."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie, concat, open_movie
from ffzero.edits.plan import Plan
from ffzero.errors import UsageError
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, parse_time

__all__ = ["Clip", "Movie", "Plan", "WriteResult", "concat", "concat_videos", "cut_video", "open", "open_movie"]

open = open_movie


def cut_video(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    start_time: TimeLike = 0,
    duration: TimeLike | None = None,
    *,
    end_time: TimeLike | None = None,
    boundary: str = "auto",
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Cut ``[start_time, start_time + duration)`` (or up to ``end_time``) of a file; see ``Clip.write``."""
    if duration is not None and end_time is not None:
        raise UsageError("give duration or end_time, not both")
    start = parse_time(start_time)
    end = parse_time(end_time) if end_time is not None else None
    if duration is not None:
        end = start + parse_time(duration)
    clip = open_movie(input_path).clip(start or None, end)
    return clip.write(output_path, boundary=boundary, overwrite=overwrite, reporter=reporter, cancel=cancel)


def concat_videos(
    input_files: Iterable[str | os.PathLike[str]],
    output_path: str | os.PathLike[str],
    *,
    boundary: str = "auto",
    overwrite: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Join whole files into one; see ``Clip.write``."""
    clip = concat(input_files)
    return clip.write(output_path, boundary=boundary, overwrite=overwrite, reporter=reporter, cancel=cancel)
