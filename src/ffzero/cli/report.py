"""What a finished job cost, and where the cut really fell, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ffzero.cli.draw import columns
from ffzero.cli.text import byte_count, clock, count, printable, seconds
from ffzero.reporting import WriteResult

__all__ = ["plan_fields", "summary"]

_MAX_RANGES = 6


def plan_fields(plan: Mapping[str, Any], output: str | None) -> dict[str, Any]:
    """Return a plan as the object that ``--json`` prints: a result's keys, ``None`` where only writing can tell."""
    unknown = dict.fromkeys(WriteResult(output="").to_dict())
    return {**unknown, **plan, "output": output, "dry_run": True}


def summary(result: WriteResult) -> list[str]:
    """Return where the cut fell, what was shared, copied and written, and the warnings."""
    frames = count(result.frames_copied + result.frames_rendered, "frame")
    head = f"{printable(result.output)}: {byte_count(result.bytes_total)}, {frames}, in {seconds(result.elapsed_s)}"
    return [
        head,
        *(f"  {line}" for line in _where_it_fell(result.segments)),
        *columns(list(_costs(result))),
        *(f"  warning: {printable(warning)}" for warning in result.warnings),
    ]


def _costs(result: WriteResult) -> Iterable[list[str]]:
    moved = {method: size for method, size in result.methods.items() if size and method != "literal"}
    shared = [method for method in moved if method == "FICLONERANGE"]
    copied = [method for method in moved if method not in shared]
    rows = (
        ("shared", result.bytes_shared, ", ".join(shared) or "no data written"),
        ("copied", result.bytes_copied, ", ".join(copied)),
        ("rendered", result.bytes_rendered, count(result.frames_rendered, "frame")),
        ("header", result.bytes_header, ""),
    )
    for name, size, how in rows:
        if size:
            yield [name, byte_count(size), f"{100 * size / max(1, result.bytes_total):.3g}%", how]


def _where_it_fell(segments: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each range of picture that the output shows, in the time of its source."""
    lines = [line for line in map(_range_line, segments) if line]
    if len(lines) > _MAX_RANGES:
        lines[_MAX_RANGES:] = [f"... and {len(lines) - _MAX_RANGES} more"]
    return lines


def _range_line(segment: Mapping[str, Any]) -> str | None:
    if "actual_start_s" in segment:  # copied packet by packet
        start_s, end_s, source = segment["actual_start_s"], segment["actual_end_s"], segment["source"]
    elif segment.get("kind") == "video" and "source_start_s" in segment:
        start_s, source = segment["source_start_s"], segment["input"]
        end_s = segment.get("source_end_s", start_s + segment.get("end_s", 0) - segment.get("start_s", 0))
    else:
        return None
    line = f"{clock(start_s)} to {'the end' if end_s is None else clock(end_s)} of {printable(source)}"
    hidden = segment.get("hidden_before", 0) + segment.get("hidden_after", 0)
    return f"{line}; {count(hidden, 'more frame')} for the decoder, not shown" if hidden else line
