"""What users import: the same names from ``ffzero`` itself."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie, crossfade, open_movie
from ffzero.edits.parts.scenes import SceneDetector, use_scene_detector
from ffzero.edits.plan import Plan
from ffzero.edits.proof.proof import Verification, Verifier, use_verifier
from ffzero.edits.proof.verifying import verify
from ffzero.edits.rendering import use_renderer
from ffzero.frames.programs import FilterProgram, use_filter_program
from ffzero.frames.render import PyAVRenderer
from ffzero.pipelines.jobs import concat_videos, cut_video, transcode_video
from ffzero.pipelines.segments import concat
from ffzero.reporting import WriteResult

__all__ = [
    "Clip",
    "Movie",
    "Plan",
    "Verification",
    "WriteResult",
    "concat",
    "concat_videos",
    "crossfade",
    "cut_video",
    "open",
    "open_movie",
    "transcode_video",
    "verify",
]

open = open_movie

use_renderer(PyAVRenderer)


def _filter_program(arguments: Sequence[str], chain: str) -> FilterProgram:
    from ffzero.ffmpeg.picture_filter import PictureFilter

    return PictureFilter(arguments, chain)


use_filter_program(_filter_program)


def _scene_detector() -> SceneDetector:
    from ffzero.frames.scenes import ContentScenes

    return ContentScenes()


use_scene_detector(_scene_detector)


def _verifier() -> Verifier:
    from ffzero.frames.proof.verify import verify_output

    return verify_output


use_verifier(_verifier)
