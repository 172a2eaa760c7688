"""A plan as a picture in text: each track a bar on the time of the clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from ffzero.cli.draw import mark_row, time_axis
from ffzero.edits.plan_drawing import Bar, Lane, lanes

__all__ = ["plan_picture"]

_BLOCKS = {"copy": "█", "render": "▒", "hidden": "░"}
_ASCII = {"copy": "=", "render": "#", "hidden": "|"}
_COLOURS = {"copy": "32", "render": "33", "hidden": "90"}
_LEGEND = (("copy", "copied"), ("render", "coded anew"), ("hidden", "more for the decoder, not shown"))
_LEAST_LABEL = 9


def plan_picture(plan: Mapping[str, Any], *, width: int, blocks: bool, colour: bool) -> list[str]:
    """Return what ``Plan.to_dict`` returns as lines of at most ``width`` columns."""
    drawn = [lane for lane in lanes(plan) if lane.bars]
    end = max([float(plan["duration_s"]), *(bar.end_s for lane in drawn for bar in lane.bars)])
    if not drawn or end <= 0:
        return []
    label = max(_LEAST_LABEL, *(len(lane.name) for lane in drawn)) + 3
    room = max(10, width - label)
    signs = _BLOCKS if blocks else _ASCII
    lines = []
    keys = [Fraction(time).limit_denominator(10**6) for time in plan.get("keyframes_s") or ()]
    for lane in drawn:
        if keys and lane.kind == "video":
            marks = mark_row(keys, Fraction(0), Fraction(end), width=room, blocks=blocks)
            lines.append(f"{'keyframes':>{label - 2}}  {marks}".rstrip())
            keys = []
        row = _row(lane, end, room)
        lines.append(f"{lane.name:>{label - 2}}  {_shown(row, signs, colour=colour)}".rstrip())
    lines.append(" " * label + time_axis(Fraction(0), Fraction(end), width=room))
    used = {state for lane in drawn for state in _row(lane, end, room)}
    legend = [f"{_shown([name], signs, colour=colour)} {text}" for name, text in _LEGEND if name in used]
    return [*lines, " " * label + "   ".join(legend)]


def _row(lane: Lane, end: float, width: int) -> list[str]:
    """Return what each column shows; what is coded always shows, then what is hidden."""
    row = [""] * width

    def column(time: float) -> int:
        return min(width - 1, int(time * width / end))

    def paint(bars: Iterable[Bar], action: str) -> None:
        for bar in bars:
            for at in range(column(bar.start_s), max(column(bar.start_s), column(bar.end_s - end / width / 2)) + 1):
                row[at] = action

    paint((bar for bar in lane.bars if bar.action == "copy"), "copy")
    for bar in lane.bars:
        if bar.hidden_before:
            row[column(bar.start_s)] = "hidden"
        if bar.hidden_after:
            row[column(bar.end_s - end / width / 2)] = "hidden"
    paint((bar for bar in lane.bars if bar.action == "render"), "render")
    return row


def _shown(row: Iterable[str], signs: Mapping[str, str], *, colour: bool) -> str:
    text, last = "", ""
    for state in row:
        if colour and state != last:
            text += f"\x1b[{_COLOURS[state]}m" if state else "\x1b[0m"
            last = state
        text += signs[state] if state else " "
    return text + "\x1b[0m" if last else text
