"""Carrying a plan out: the rope of a clip of MP4 files, or a remux through libav where containers demand it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import IO, Any

from ffzero.containers.detect import container_for_output
from ffzero.edits.assemble import assemble
from ffzero.edits.inputs import require_known, require_media
from ffzero.edits.key_marks import key_times
from ffzero.edits.layout import Layout, PieceRequest
from ffzero.edits.pieces import Piece
from ffzero.edits.plan import Plan, check_boundary
from ffzero.edits.planner import lay_out
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import Renderer, default_renderer, renderer_on
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.errors import UnsupportedError
from ffzero.extents.reader import RopeReader
from ffzero.extents.rope import Rope
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, WriteResult, no_report
from ffzero.storage.sinks import FileSink
from ffzero.values import dataclass

__all__ = ["open_clip", "plan_clip", "rope_of", "write_clip"]

_READ_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    plan: Plan
    rope: Rope
    other_extent_bytes: int
    """What is taken from files, but is no sample of a source: parts of old headers, coded samples held in a file."""
    rendered_bytes: int


def _lay_out(pieces: Sequence[Piece], boundary: str, audio: str | None) -> tuple[Layout, Plan]:
    """Plan a clip of MP4/MOV sources."""
    requests = []
    for piece in pieces:
        assert piece.input.media is not None
        start = piece.start or Fraction(0)
        requests.append(
            PieceRequest(
                media=piece.input.media,
                start=start,
                end=piece.end,
                effects=piece.effects,
                sound_effects=piece.sound_effects,
                like=None if piece.like is None else piece.like.media,
                after_removal=piece.after_removal,
                before_removal=piece.before_removal,
            )
        )
    layout = lay_out(requests, boundary, audio)
    plan = Plan(
        method="rope",
        boundary=boundary,
        segments=layout.segments,
        pieces=tuple(_piece_data(layout)),
        duration_s=layout.duration,
        frames_copied=layout.frames,
        warnings=layout.warnings,
        keyframes=key_times(layout),
    )
    return layout, plan


def _prepare(
    pieces: Sequence[Piece],
    boundary: str,
    audio: str | None,
    *,
    renderer: Renderer | None = None,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> _Prepared:
    """Plan a clip of MP4/MOV sources down to its bytes; what has to be rendered is rendered."""
    layout, plan = _lay_out(pieces, boundary, audio)
    plan.require_possible()
    if plan.needs_render:
        from ffzero.edits.coded import coded_layout

        layout = coded_layout(layout, renderer or default_renderer(), reporter=reporter, cancel=cancel)
        plan = replace(plan, segments=layout.segments, warnings=layout.warnings)
    return _assembled(layout, plan)


def _assembled(layout: Layout, plan: Plan) -> _Prepared:
    assembly = assemble(layout)
    rendered, stored = _rendered_bytes(layout)
    plan = replace(
        plan,
        bytes_total=assembly.rope.length,
        bytes_header=assembly.header_bytes - (rendered - stored),
        extents=assembly.extents,
        warnings=tuple(dict.fromkeys((*plan.warnings, *assembly.warnings))),
    )
    return _Prepared(
        plan=plan,
        rope=assembly.rope,
        other_extent_bytes=assembly.header_extent_bytes + stored,
        rendered_bytes=rendered,
    )


def _rendered_bytes(layout: Layout) -> tuple[int, int]:
    """Return how many bytes were coded anew, and how many of them lie in temporary files."""
    takes = [item.take for track in layout.tracks for item in track.placed]
    ropes = [take.rope for take in takes if isinstance(take, Rendered)]
    sound = sum(len(take.data) for take in takes if isinstance(take, RenderedSound))
    pictures = sum(rope.length for rope in ropes)
    return pictures + sound, pictures - sum(rope.literal_bytes for rope in ropes)


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


def _goes_by_rope(pieces: Sequence[Piece], output: str | os.PathLike[str] | None) -> bool:
    """Whether sources and output are all of the MP4 family."""
    if any(piece.input.media is None for piece in pieces):
        return False
    return output is None or not _is_plain_file_name(output) or container_for_output(output) == "isobmff"


def _is_plain_file_name(output: str | os.PathLike[str]) -> bool:
    return not (os.path.exists(output) and not os.path.isfile(output))


def plan_clip(
    pieces: Sequence[Piece], boundary: str, output: str | os.PathLike[str] | None, audio: str | None = None
) -> Plan:
    """See ``Clip.plan``."""
    if _goes_by_rope(pieces, output):
        layout, plan = _lay_out(pieces, boundary, audio)
        return plan if plan.needs_render else _assembled(layout, plan).plan
    if output is None:
        output = "clip" + os.path.splitext(pieces[0].input.path)[1]
    return _remux_plan(pieces, boundary, output)[0]


def write_clip(
    pieces: Sequence[Piece],
    output: str | os.PathLike[str],
    *,
    boundary: str,
    audio: str | None,
    overwrite: bool,
    fsync: bool,
    engine: Any = None,
    jobs: int | None = None,
    reporter: Reporter,
    cancel: CancelToken | None,
    approve: Callable[[str], bool] | None = None,
) -> WriteResult:
    """See ``Clip.write``; ``approve`` is for ``FileSink.put``."""
    started = time.perf_counter()
    sink = FileSink(output, overwrite=overwrite, fsync=fsync)
    sink.check()
    if not _goes_by_rope(pieces, output):
        from ffzero.containers.libav import execute_remux

        plan, remux = _remux_plan(pieces, boundary, output)
        result = execute_remux(remux, overwrite=overwrite, fsync=fsync, reporter=reporter, cancel=cancel)
        return replace(result, warnings=tuple(dict.fromkeys((*plan.warnings, *result.warnings))))
    reporter(ProgressEvent(stage="plan", done=0, total=None))
    with renderer_on(engine, jobs, os.fsdecode(output)) as renderer:
        prepared = _prepare(pieces, boundary, audio, renderer=renderer, reporter=reporter, cancel=cancel)
        prepared_s = time.perf_counter() - started
        copied = sink.put(prepared.rope, reporter=reporter, cancel=cancel, approve=approve)
    assert prepared.plan.bytes_header is not None
    return WriteResult(
        output=os.fsdecode(output),
        bytes_total=copied.bytes_total,
        bytes_shared=copied.bytes_shared,
        bytes_copied=copied.bytes_copied - prepared.other_extent_bytes,
        bytes_rendered=prepared.rendered_bytes,
        bytes_header=prepared.plan.bytes_header,
        frames_copied=prepared.plan.frames_copied,
        frames_rendered=prepared.plan.frames_rendered,
        segments=tuple(segment.to_dict() for segment in prepared.plan.segments),
        elapsed_s=prepared_s + copied.elapsed_s,
        warnings=prepared.plan.warnings,
        methods=copied.methods,
    )


def rope_of(pieces: Sequence[Piece], boundary: str, audio: str | None = None) -> Rope:
    """Return the file that a clip of MP4/MOV sources makes, as a rope. Raises ``RenderRequiredError`` and others."""
    require_media([piece.input for piece in pieces])
    return _prepare(pieces, boundary, audio).rope


def open_clip(pieces: Sequence[Piece], boundary: str, audio: str | None = None) -> IO[bytes]:
    """See ``Clip.open``."""
    return io.BufferedReader(RopeReader(rope_of(pieces, boundary, audio)), buffer_size=_READ_BUFFER_BYTES)


def _remux_plan(pieces: Sequence[Piece], boundary: str, output: str | os.PathLike[str]) -> tuple[Plan, Any]:
    """Plan a stream copy through libav; its pieces start at key pictures whatever the boundary asked for."""
    from ffzero.containers.libav import RemuxPiece, plan_remux

    if any(piece.effects or piece.sound_effects for piece in pieces):
        raise UnsupportedError(
            "effects need MP4 or MOV on both sides: other containers are only copied yet",
            path=os.fsdecode(output),
            hint="Write an MP4 or MOV file",
        )
    if boundary not in ("auto", "keyframe"):
        check_boundary(boundary)
        for piece in pieces:
            require_known(piece.input)
        raise UnsupportedError(
            f"boundary {boundary!r} is not to be had here: only MP4 and MOV can be cut exactly without coding anew yet",
            path=pieces[0].input.path,
            hint="Use boundary 'keyframe'; the plan says where the cut falls",
        )
    remux = plan_remux(
        [
            RemuxPiece(
                path=piece.input.path,
                start_s=piece.start,
                end_s=piece.end,
                after_removal=piece.after_removal,
                before_removal=piece.before_removal,
            )
            for piece in pieces
        ],
        output,
    )
    lengths = [piece.actual_end_s - piece.actual_start_s for piece in remux.pieces if piece.actual_end_s is not None]
    plan = Plan(
        method="remux",
        boundary="keyframe",
        segments=(),
        pieces=tuple(
            {
                "input": piece.path,
                "requested_start_s": None if piece.start_s is None else float(piece.start_s),
                "requested_end_s": None if piece.end_s is None else float(piece.end_s),
                "start_s": float(piece.actual_start_s),
                "end_s": None if piece.actual_end_s is None else float(piece.actual_end_s),
            }
            for piece in remux.pieces
        ),
        duration_s=sum(lengths, Fraction(0)),
        frames_copied=0,
        explanation=str(remux),
        warnings=remux.warnings,
    )
    return plan, remux
