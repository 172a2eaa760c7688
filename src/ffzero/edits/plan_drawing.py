"""A plan as a picture: each track a bar on the time of the clip, what of it is copied and what rendered.

Works on what ``Plan.to_dict`` returns, so a plan that was kept as JSON can be drawn too. Every name is escaped.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["Bar", "Lane", "lanes", "plan_html", "plan_svg"]

_ROW, _GAP, _TOP, _AXIS = 18, 8, 34, 22
_LABELS = 96
_LEAST_BAR = 1.5
_HIDDEN = 4
_COLOURS = {"copy": "#3d8b64", "render": "#d9722e"}
_WORDS = {"copy": "copied", "render": "coded anew", "hidden": "decoded, not shown"}
_TICKS = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000)
_CHARACTER = 6.2
"""About how wide a character is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """``[start_s, end_s)`` of the clip's time that is copied (``action`` ``"copy"``) or coded (``"render"``).

    ``hidden_before`` and ``hidden_after`` count samples that are there for the decoder only; they take no time.
    """

    start_s: float
    end_s: float
    action: str
    text: str
    hidden_before: int = 0
    hidden_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One track of the output."""

    name: str
    kind: str
    bars: tuple[Bar, ...]


def lanes(plan: Mapping[str, Any]) -> list[Lane]:
    """Return the tracks of a plan in the order of the output; one of packets where it tells of no segments."""
    found: dict[tuple[str, int], list[Bar]] = {}
    for segment in plan["segments"]:
        if segment["start_s"] is None or segment["end_s"] is None:
            continue  # what can only be named and not made
        key = (str(segment["kind"]), int(segment["output_track"] or segment["track"]))
        found.setdefault(key, []).append(_bar(segment))
    if not found:
        return [Lane(name="packets", kind="packets", bars=tuple(_packets(plan)))]
    return [
        Lane(name=f"{kind} {number}", kind=kind, bars=tuple(sorted(bars, key=lambda bar: bar.start_s)))
        for (kind, number), bars in found.items()
    ]


def _bar(segment: Mapping[str, Any]) -> Bar:
    action = str(segment["action"])
    count = segment["samples"] if action == "copy" else segment["frames"]
    start, end = float(segment["start_s"]), float(segment["end_s"])
    lines = [
        f"{_WORDS[action]}: {count:,} {'samples' if action == 'copy' else 'frames'}, "
        f"{format_time(start)} to {format_time(end)}",
        f"from {format_time(segment['source_start_s'])} of {segment['input']}",
    ]
    hidden = [int(segment.get(name, 0)) for name in ("hidden_before", "hidden_after")]
    if any(hidden):
        lines.append(f"{sum(hidden)} of them decoded and not shown")
    if segment["reason"]:
        lines.append(str(segment["reason"]))
    text = "\n".join(lines)
    return Bar(start_s=start, end_s=end, action=action, text=text, hidden_before=hidden[0], hidden_after=hidden[1])


def _packets(plan: Mapping[str, Any]) -> Iterator[Bar]:
    at = 0.0
    for piece in plan["pieces"]:
        if piece["end_s"] is None:
            return
        end = at + piece["end_s"] - piece["start_s"]
        yield Bar(
            start_s=at, end_s=end, action="copy", text=f"from {format_time(piece['start_s'])} of {piece['input']}"
        )
        at = end


def plan_svg(plan: Mapping[str, Any], *, width: int = 900) -> str:
    """Return the picture as one SVG element, ``width`` pixels wide, that needs nothing else."""
    drawn = lanes(plan)
    scale = _Scale(length_s=max([float(plan["duration_s"]), 1e-9, *_ends(drawn)]), width=max(300, width))
    height = _TOP + len(drawn) * (_ROW + _GAP) + _AXIS + 20
    title = f"A clip of {format_time(plan['duration_s'])}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{scale.width}" height="{height}" '
        f'viewBox="0 0 {scale.width} {height}" role="img" font-family="sans-serif" font-size="11" '
        f'fill="currentColor"><title>{_escaped(title)}</title>',
        '<defs><pattern id="ffzero-hidden" width="4" height="4" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="2" height="4" fill="#888"/></pattern></defs>',
        *_piece_marks(plan, scale, height),
    ]
    keys = [float(time) for time in plan.get("keyframes_s") or ()]
    for number, lane in enumerate(drawn):
        y = _TOP + number * (_ROW + _GAP)
        parts.append(f'<text x="4" y="{y + 13}">{_escaped(lane.name)}</text>')
        parts += [part for bar in lane.bars for part in _bar_marks(bar, scale, y)]
        if lane.kind == "video" and not any(other.kind == "video" for other in drawn[:number]):
            parts += [_key_mark(time, scale, y) for time in keys]
    parts += [*_axis(scale, _TOP + len(drawn) * (_ROW + _GAP)), *_legend(height - 6, has_keys=bool(keys)), "</svg>"]
    return "".join(parts)


def plan_html(plan: Mapping[str, Any], text: str) -> str:
    """Return the picture with the explanation below it, as HTML that needs nothing else."""
    return (
        f'<div class="ffzero-plan" style="max-width:100%;overflow-x:auto">{plan_svg(plan)}'
        f'<pre style="font-size:smaller;white-space:pre-wrap">{_escaped(text)}</pre></div>'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    length_s: float
    width: int

    def x(self, time_s: float) -> float:
        return _LABELS + (self.width - _LABELS - 12) * min(max(time_s, 0.0), self.length_s) / self.length_s


def _ends(drawn: Sequence[Lane]) -> list[float]:
    return [bar.end_s for lane in drawn for bar in lane.bars]


def _escaped(text: str) -> str:
    """Return text for between tags or quotes; characters that XML cannot hold are shown by their number."""
    shown = "".join(
        char if char in "\n\t" or (char.isprintable() and not 0xFFFE <= ord(char) <= 0xFFFF) else f"\\x{ord(char):02x}"
        for char in text
    )
    return html.escape(shown, quote=True)


def _key_mark(time: float, scale: _Scale, y: float) -> str:
    title = f"<title>key picture at {format_time(time)}</title>"
    return f'<path d="M{scale.x(time):.1f} {y - 4}v6" stroke="currentColor">{title}</path>'


def _bar_marks(bar: Bar, scale: _Scale, y: float) -> Iterator[str]:
    left, right = scale.x(bar.start_s), scale.x(bar.end_s)
    wide = max(_LEAST_BAR, right - left)
    yield (
        f'<rect x="{left:.1f}" y="{y}" width="{wide:.1f}" height="{_ROW}" fill="{_COLOURS[bar.action]}">'
        f"<title>{_escaped(bar.text)}</title></rect>"
    )
    for count, at, where in ((bar.hidden_before, left - _HIDDEN, "before"), (bar.hidden_after, right, "after")):
        if count:
            yield (
                f'<rect x="{at:.1f}" y="{y}" width="{_HIDDEN}" height="{_ROW}" fill="url(#ffzero-hidden)" '
                f'stroke="#888" stroke-width="0.5"><title>{count:,} {where}: {_WORDS["hidden"]}</title></rect>'
            )


def _piece_marks(plan: Mapping[str, Any], scale: _Scale, height: int) -> Iterator[str]:
    at, free = 0.0, 0.0
    for number, piece in enumerate(plan["pieces"]):
        at = float(piece.get("at_s", at))
        x = scale.x(at)
        name = os.path.basename(str(piece["input"]))
        end = "the end" if piece["end_s"] is None else format_time(piece["end_s"])
        text = f"piece {number}: {piece['input']}\n{format_time(piece['start_s'])} to {end}"
        dash = "" if not number else ' stroke-dasharray="3 3"'
        bottom = height - _AXIS - 20
        yield f'<path d="M{x:.1f} 18V{bottom}" stroke="currentColor" stroke-opacity="0.4"{dash}/>'
        if x >= free:
            room = int((scale.width - x) / _CHARACTER) - 1
            label = f"{format_time(piece['start_s'])} {name}"
            label = label if len(label) <= room else label[: max(1, room - 1)] + "…"
            yield f'<text x="{x + 3:.1f}" y="14">{_escaped(label)}<title>{_escaped(text)}</title></text>'
            free = x + (len(label) + 2) * _CHARACTER
        if piece["end_s"] is not None:
            at += float(piece["end_s"]) - float(piece["start_s"])


def _axis(scale: _Scale, y: float) -> Iterator[str]:
    step = next((step for step in _STEPS if scale.length_s / step <= _TICKS), scale.length_s / _TICKS)
    if scale.length_s < 2:
        step = scale.length_s / 4
    yield f'<path d="M{_LABELS} {y}H{scale.x(scale.length_s):.1f}" stroke="currentColor" stroke-opacity="0.6"/>'
    time = 0.0
    while time <= scale.length_s * (1 + 1e-9):
        x = scale.x(time)
        anchor = "start" if not time else "end" if x > scale.width - 40 else "middle"
        yield f'<path d="M{x:.1f} {y}v4" stroke="currentColor"/>'
        yield f'<text x="{x:.1f}" y="{y + 15}" text-anchor="{anchor}">{format_time(time)}</text>'
        time += step


def _legend(y: float, *, has_keys: bool) -> Iterator[str]:
    x = float(_LABELS)
    for name, fill in (*_COLOURS.items(), ("hidden", "url(#ffzero-hidden)")):
        yield f'<rect x="{x:.1f}" y="{y - 9}" width="10" height="10" fill="{fill}"/>'
        yield f'<text x="{x + 14:.1f}" y="{y}">{_WORDS[name]}</text>'
        x += 26 + len(_WORDS[name]) * _CHARACTER
    if has_keys:
        yield f'<path d="M{x + 4:.1f} {y - 8}v8" stroke="currentColor"/>'
        yield f'<text x="{x + 10:.1f}" y="{y}">key picture</text>'
