"""Movies and clips as users import them from ``ffzero`` itself, with what the layers between hand each other.

Streams and the jobs on paths are not here: a cut would load them for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.edits.frame_values import AudioBlock, Frame, FrameBatch
from ffzero.edits.movie import Movie, crossfade, open_movie
from ffzero.edits.parts.scenes import SceneDetector, use_scene_detector
from ffzero.edits.plan import Plan
from ffzero.edits.proof.proof import Verification, Verifier, use_verifier
from ffzero.edits.proof.verifying import verify
from ffzero.edits.reading import FrameReader, use_frame_reader
from ffzero.edits.rendering import Renderer, use_engines, use_renderer
from ffzero.frames.programs import FilterProgram, use_filter_program
from ffzero.frames.render import PyAVRenderer
from ffzero.frames.writing.choices import CodingChoice, use_coding_choices
from ffzero.reporting import WriteResult

__all__ = [
    "AudioBlock",
    "Clip",
    "Frame",
    "FrameBatch",
    "Movie",
    "Plan",
    "Verification",
    "WriteResult",
    "crossfade",
    "open",
    "open_movie",
    "verify",
]

open = open_movie

use_renderer(PyAVRenderer)


def _engines(engine: Any, jobs: int | None, output: str) -> AbstractContextManager[Renderer]:
    from ffzero.engines.rendering import engine_renderer

    return engine_renderer(engine, jobs, output)


use_engines(_engines)


def _filter_program(arguments: Sequence[str], chain: str) -> FilterProgram:
    from ffzero.ffmpeg.picture_filter import PictureFilter

    return PictureFilter(arguments, chain)


use_filter_program(_filter_program)


def _coding_choice(settings: object, path: str) -> CodingChoice:
    from ffzero.ffmpeg.coding_choice import coding_facts_of

    return CodingChoice(**coding_facts_of(settings, path))


use_coding_choices(_coding_choice)


def _frame_reader() -> FrameReader:
    from ffzero.frames.reading.reader import PyAVFrameReader

    return PyAVFrameReader()


use_frame_reader(_frame_reader)


def _scene_detector() -> SceneDetector:
    from ffzero.frames.scenes import ContentScenes

    return ContentScenes()


use_scene_detector(_scene_detector)


def _verifier() -> Verifier:
    from ffzero.frames.proof.verify import verify_output

    return verify_output


use_verifier(_verifier)
