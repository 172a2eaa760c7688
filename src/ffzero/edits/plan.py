"""A plan: what must happen to make a clip one valid file. Pure data that prints, is JSON, and needs no disk."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ffzero.errors import RenderRequiredError, UsageError
from ffzero.reporting import printable
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["Boundary", "Copy", "Plan", "Render", "Segment", "check_boundary"]

Boundary = str
"""How a cut meets coded pictures: ``auto``, ``keyframe``, ``edit-list`` or ``render``."""

_BOUNDARIES = ("auto", "keyframe", "edit-list", "render")


def check_boundary(boundary: str) -> None:
    """Raise ``UsageError`` for what is no boundary."""
    if boundary not in _BOUNDARIES:
        raise UsageError(f"unknown boundary {boundary!r}", expected=", ".join(_BOUNDARIES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Samples taken as they are.

    ``start_s`` and ``end_s`` are on the clip's timeline, ``source_start_s`` on the input's. ``samples`` counts the
    samples written, of which ``hidden_before`` and ``hidden_after`` are there for the decoder only; ``drops`` are the
    ranges of sample numbers that are left out. ``output_track`` is the ID of the track that they come to lie in.
    """

    piece: int
    input: str
    track: int
    kind: str
    first_sample: int
    stop_sample: int
    samples: int
    start_s: Fraction
    end_s: Fraction
    source_start_s: Fraction
    hidden_before: int = 0
    hidden_after: int = 0
    reason: str = ""
    drops: tuple[tuple[int, int], ...] = ()
    output_track: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "action": "copy",
            "piece": self.piece,
            "input": self.input,
            "track": self.track,
            "kind": self.kind,
            "first_sample": self.first_sample,
            "stop_sample": self.stop_sample,
            "samples": self.samples,
            "start_s": float(self.start_s),
            "end_s": float(self.end_s),
            "source_start_s": float(self.source_start_s),
            "hidden_before": self.hidden_before,
            "hidden_after": self.hidden_after,
            "reason": self.reason,
            "output_track": self.output_track,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """Frames to code anew: those of the input's track with time in ``[source_start_s, source_end_s)``.

    ``decode_from_sample`` is where decoding them starts; ``None`` where nothing of the input can be decoded for it.
    ``start_s`` and ``end_s`` are on the clip's timeline; ``None`` for what ffzero can only name and not render.
    ``output_track`` is the ID of the track that they come to lie in; ``is_altered`` says that they are not to look like
    the source: an effect is applied, or they are made to match another input. ``altered_s`` are the times of the input
    at which effects are applied, where nothing else is done. Where they come at the rate of another input there is one
    every ``step_s``, ``steps`` in all; else each has its own time.
    """

    piece: int
    input: str
    track: int
    kind: str
    source_start_s: Fraction
    source_end_s: Fraction
    frames: int
    decode_from_sample: int | None
    reason: str
    start_s: Fraction | None = None
    end_s: Fraction | None = None
    output_track: int = 0
    is_altered: bool = False
    altered_s: tuple[tuple[Fraction, Fraction], ...] = ()
    step_s: Fraction | None = None
    steps: int = 0

    @property
    def is_possible(self) -> bool:
        return self.start_s is not None

    @property
    def coded(self) -> int:
        """How many frames come of it: other than ``frames`` where they get another rate."""
        return self.frames if self.step_s is None else self.steps

    def to_dict(self) -> dict[str, Any]:
        return {
            "action": "render",
            "piece": self.piece,
            "input": self.input,
            "track": self.track,
            "kind": self.kind,
            "source_start_s": float(self.source_start_s),
            "source_end_s": float(self.source_end_s),
            "start_s": None if self.start_s is None else float(self.start_s),
            "end_s": None if self.end_s is None else float(self.end_s),
            "frames": self.frames,
            "decode_from_sample": self.decode_from_sample,
            "reason": self.reason,
            "output_track": self.output_track,
        }

    def __str__(self) -> str:
        span = f"{format_time(self.source_start_s)} to {format_time(self.source_end_s)}"
        what = f"{self.frames} {self.kind} frames of {self.input} from {span} (track {self.track}): {self.reason}"
        return printable(what)


Segment = Copy | Render


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a clip becomes. ``str()`` explains it; ``to_dict()`` is JSON-ready.

    ``duration_s`` is the clip's length; ``pieces`` say, for each piece, where it was asked to lie and where it really
    does. Byte counts are exact for rope plans and ``None`` where only the run can tell (``method`` ``"remux"``).
    """

    method: str
    boundary: Boundary
    segments: tuple[Segment, ...]
    pieces: tuple[Mapping[str, Any], ...]
    duration_s: Fraction
    frames_copied: int
    bytes_total: int | None = None
    bytes_header: int | None = None
    extents: int | None = None
    explanation: str = ""
    """What ``str()`` gives instead of the segments, where the plan is another engine's."""
    warnings: tuple[str, ...] = ()
    keyframes: tuple[Fraction, ...] = ()
    """Times of the copied key pictures on the clip's timeline, for drawing; none where they are very many."""

    @property
    def renders(self) -> tuple[Render, ...]:
        return tuple(segment for segment in self.segments if isinstance(segment, Render))

    @property
    def needs_render(self) -> bool:
        return bool(self.renders)

    @property
    def frames_rendered(self) -> int:
        return sum(segment.frames for segment in self.renders if segment.kind == "video")

    def require_possible(self) -> None:
        """Raise ``RenderRequiredError``, naming the frames and why, where something cannot be coded anew."""
        impossible = [render for render in self.renders if not render.is_possible]
        if not impossible:
            return
        listed = "; ".join(map(str, impossible[:4]))
        more = f"; and {len(impossible) - 4} more" if len(impossible) > 4 else ""
        raise RenderRequiredError(
            f"the clip needs frames coded anew, which this version cannot do yet: {listed}{more}",
            hint="Cut at keyframes (boundary='keyframe', --boundary keyframe) to copy everything",
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "boundary": self.boundary,
            "duration_s": float(self.duration_s),
            "pieces": [dict(piece) for piece in self.pieces],
            "segments": [segment.to_dict() for segment in self.segments],
            "frames_copied": self.frames_copied,
            "frames_rendered": self.frames_rendered,
            "bytes_total": self.bytes_total,
            "bytes_header": self.bytes_header,
            "extents": self.extents,
            "needs_render": self.needs_render,
            "warnings": list(self.warnings),
            "keyframes_s": [float(time) for time in self.keyframes],
        }

    def to_svg(self, *, width: int = 900) -> str:
        """Return the plan as a picture, one SVG element: each track a bar, what of it is copied, what is coded anew."""
        from ffzero.edits.plan_drawing import plan_svg

        return plan_svg(self.to_dict(), width=width)

    def _repr_html_(self) -> str:
        """Show the picture and the explanation in a notebook."""
        from ffzero.edits.plan_drawing import plan_html

        return plan_html(self.to_dict(), str(self))

    def __str__(self) -> str:
        return self.explanation or "\n".join(map(printable, _lines(self)))


def _lines(plan: Plan) -> list[str]:
    lines = [f"clip of {format_time(plan.duration_s)} from {len(plan.pieces)} piece(s), boundary {plan.boundary}"]
    for number, piece in enumerate(plan.pieces):
        start, end = format_time(piece["start_s"]), format_time(piece["end_s"])
        lines.append(f"  piece {number}: {piece['input']}  {start} to {end}")
        segments = [segment for segment in plan.segments if segment.piece == number]
        lines += [f"    {_segment_line(segment)}" for segment in segments]
    if plan.bytes_total is not None and plan.bytes_header is not None:
        taken = plan.bytes_total - plan.bytes_header
        lines.append(f"  {plan.bytes_header:,} bytes of new header, {taken:,} bytes taken in {plan.extents} extent(s)")
    lines += [f"  warning: {warning}" for warning in plan.warnings]
    return lines


def _segment_line(segment: Segment) -> str:
    if isinstance(segment, Render):
        return f"render {segment}"
    hidden = []
    if segment.hidden_before:
        hidden.append(f"{segment.hidden_before} before")
    if segment.hidden_after:
        hidden.append(f"{segment.hidden_after} after")
    text = f"copy   track {segment.track} ({segment.kind}): {segment.samples} samples from {segment.first_sample}"
    if hidden:
        text += f", {' and '.join(hidden)} hidden by the edit"
    return f"{text}; {segment.reason}" if segment.reason else text
