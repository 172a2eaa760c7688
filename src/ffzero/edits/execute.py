"""Carrying a plan out: the rope of a clip of MP4 files, or a remux through libav where containers demand it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any

from ffzero.containers.detect import container_for_output
from ffzero.edits.assemble import assemble
from ffzero.edits.movie import require_media
from ffzero.edits.plan import Plan
from ffzero.edits.planner import Layout, PieceRequest, lay_out
from ffzero.errors import UnsupportedError, UsageError
from ffzero.extents.reader import RopeReader
from ffzero.extents.rope import Rope
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, WriteResult
from ffzero.storage.sinks import FileSink

if TYPE_CHECKING:
    from ffzero.edits.clip import Clip

__all__ = ["open_clip", "plan_clip", "rope_of", "write_clip"]

_READ_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    plan: Plan
    rope: Rope | None


def _prepare(clip: Clip, boundary: str) -> _Prepared:
    """Plan a clip of MP4/MOV sources down to its bytes, where nothing has to be rendered."""
    requests = []
    for piece in clip.pieces:
        assert piece.movie.media is not None
        requests.append(PieceRequest(media=piece.movie.media, start=piece.start, end=piece.end))
    layout = lay_out(requests, boundary)
    plan = Plan(
        method="rope",
        boundary=boundary,
        segments=layout.segments,
        pieces=tuple(_piece_data(layout)),
        duration_s=layout.duration,
        frames_copied=layout.frames,
        warnings=layout.warnings,
    )
    if plan.needs_render:
        return _Prepared(plan=plan, rope=None)
    assembly = assemble(layout)
    plan = replace(
        plan,
        bytes_total=assembly.rope.length,
        bytes_header=assembly.header_bytes,
        extents=assembly.extents,
        warnings=tuple(dict.fromkeys((*plan.warnings, *assembly.warnings))),
    )
    return _Prepared(plan=plan, rope=assembly.rope)


def _piece_data(layout: Layout) -> list[Mapping[str, Any]]:
    return [
        {
            "input": piece.request.media.name,
            "requested_start_s": float(piece.request.start),
            "requested_end_s": None if piece.request.end is None else float(piece.request.end),
            "start_s": float(piece.start),
            "end_s": float(piece.end),
            "at_s": float(piece.at),
        }
        for piece in layout.pieces
    ]


def _goes_by_rope(clip: Clip, output: str | os.PathLike[str] | None) -> bool:
    """Whether sources and output are all of the MP4 family."""
    if any(piece.movie.media is None for piece in clip.pieces):
        return False
    return output is None or not _is_plain_file_name(output) or container_for_output(output) == "isobmff"


def _is_plain_file_name(output: str | os.PathLike[str]) -> bool:
    return not (os.path.exists(output) and not os.path.isfile(output))


def plan_clip(clip: Clip, boundary: str, output: str | os.PathLike[str] | None) -> Plan:
    """See ``Clip.plan``."""
    if _goes_by_rope(clip, output):
        return _prepare(clip, boundary).plan
    if output is None:
        output = "clip" + os.path.splitext(clip.pieces[0].movie.path)[1]
    return _remux_plan(clip, boundary, output)[0]


def write_clip(
    clip: Clip,
    output: str | os.PathLike[str],
    *,
    boundary: str,
    overwrite: bool,
    fsync: bool,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> WriteResult:
    """See ``Clip.write``."""
    started = time.perf_counter()
    sink = FileSink(output, overwrite=overwrite, fsync=fsync)
    sink.check()
    if not _goes_by_rope(clip, output):
        from ffzero.containers.libav import execute_remux

        plan, remux = _remux_plan(clip, boundary, output)
        result = execute_remux(remux, overwrite=overwrite, fsync=fsync, reporter=reporter, cancel=cancel)
        return replace(result, warnings=tuple(dict.fromkeys((*plan.warnings, *result.warnings))))
    reporter(ProgressEvent(stage="plan", done=0, total=None))
    prepared = _prepare(clip, boundary)
    prepared.plan.require_no_render()
    assert prepared.rope is not None and prepared.plan.bytes_header is not None
    copied = sink.put(prepared.rope, reporter=reporter, cancel=cancel)
    return WriteResult(
        output=os.fsdecode(output),
        bytes_total=copied.bytes_total,
        bytes_shared=copied.bytes_shared,
        bytes_copied=copied.bytes_copied,
        bytes_header=prepared.plan.bytes_header,
        frames_copied=prepared.plan.frames_copied,
        segments=tuple(segment.to_dict() for segment in prepared.plan.segments),
        elapsed_s=time.perf_counter() - started,
        warnings=prepared.plan.warnings,
        methods=copied.methods,
    )


def rope_of(clip: Clip, boundary: str) -> Rope:
    """Return the file that a clip of MP4/MOV sources makes, as a rope. Raises ``RenderRequiredError`` and others."""
    require_media([piece.movie for piece in clip.pieces])
    prepared = _prepare(clip, boundary)
    prepared.plan.require_no_render()
    assert prepared.rope is not None
    return prepared.rope


def open_clip(clip: Clip, boundary: str) -> IO[bytes]:
    """See ``Clip.open``."""
    return io.BufferedReader(RopeReader(rope_of(clip, boundary)), buffer_size=_READ_BUFFER_BYTES)


def _remux_plan(clip: Clip, boundary: str, output: str | os.PathLike[str]) -> tuple[Plan, Any]:
    """Plan a stream copy through libav; its pieces start at key pictures whatever the boundary asked for."""
    from ffzero.containers.libav import RemuxPiece, plan_remux

    if boundary not in ("auto", "keyframe"):
        if boundary not in ("edit-list", "render"):
            raise UsageError(f"unknown boundary {boundary!r}", expected="auto, keyframe, edit-list, render")
        raise UnsupportedError(
            f"boundary {boundary!r} is not to be had here: only MP4 and MOV can be cut exactly without coding anew yet",
            path=clip.pieces[0].movie.path,
            hint="Use boundary 'keyframe'; the plan says where the cut falls",
        )
    pieces = [
        RemuxPiece(path=piece.movie.path, start_s=piece.start or None, end_s=piece.end) for piece in clip.pieces
    ]
    remux = plan_remux(pieces, output)
    data = remux.to_dict()
    return (
        Plan(
            method="remux",
            boundary="keyframe",
            segments=(),
            pieces=tuple(data["pieces"]),
            duration_s=Fraction(sum(piece["end_s"] - piece["start_s"] for piece in data["pieces"])),
            frames_copied=0,
            warnings=tuple(data["warnings"]),
        ),
        remux,
    )
