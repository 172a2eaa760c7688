"""Where clips leave a pipeline: copied as they are, or coded by FFmpeg with the settings they carry."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from ffzero.edits.clip import Clip
from ffzero.errors import UnsupportedError
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report

if TYPE_CHECKING:  # copying needs none of it
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["write_clip"]


def write_clip(
    clip: Clip,
    output: str | os.PathLike[str],
    settings: FFmpegSettings | None,
    *,
    boundary: str = "auto",
    audio: str | None = None,
    overwrite: bool = False,
    fsync: bool = False,
    verify: bool = False,
    sidecar: bool = False,
    engine: Any = None,
    jobs: int | None = None,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Write a clip: as ``Clip.write`` does, or, with ``settings``, coded by FFmpeg, exact to the frame.

    Coded clips need no keyframes at their joints, and may join any files. ``engine`` and ``jobs`` are for what a copy
    has to code anew (see ``Clip.write``). Raises like ``Clip.write`` and ``FFmpegExecutor.execute``.
    """
    if settings is not None:
        from ffzero.pipelines.coding import code_clip, copies_all

        if not copies_all(settings):
            if verify or sidecar:
                raise UnsupportedError("what FFmpeg codes with settings has no plan that it could be held against")
            return code_clip(clip, output, settings, overwrite=overwrite, reporter=reporter, cancel=cancel)
    result = clip.write(
        output,
        boundary=boundary,
        audio=audio,
        overwrite=overwrite,
        fsync=fsync,
        verify=verify,
        sidecar=sidecar,
        engine=engine,
        jobs=jobs,
        reporter=reporter,
        cancel=cancel,
    )
    left_out = () if settings is None else settings.warnings()
    return dataclasses.replace(result, warnings=(*result.warnings, *left_out)) if left_out else result
