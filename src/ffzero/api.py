"""What users import: the same names from ``ffzero`` itself."""

from __future__ import annotations

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie, open_movie
from ffzero.edits.plan import Plan
from ffzero.pipelines.jobs import concat_videos, cut_video, transcode_video
from ffzero.pipelines.segments import concat
from ffzero.reporting import WriteResult

__all__ = [
    "Clip",
    "Movie",
    "Plan",
    "WriteResult",
    "concat",
    "concat_videos",
    "cut_video",
    "open",
    "open_movie",
    "transcode_video",
]

open = open_movie
