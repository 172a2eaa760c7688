"""Joins that ffzero writes: which pieces, and how they come out."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

import ffzero
from ffzero.edits.plan import Plan, Render
from support.joins import (
    GOP,
    Section,
    clip_of,
    made,
    sections,
)

__all__ = ["EXACT", "MILLISECOND", "after_seek", "groups", "renders", "whole", "write"]


MILLISECOND = Fraction(1, 1000)
EXACT = Fraction(0)


def write(parts: list[Section], output: Path, boundary: str = "auto", audio: str | None = None) -> Any:
    """Write the join and return its ``WriteResult``."""
    return clip_of(ffzero, parts).write(output, boundary=boundary, audio=audio)


def whole(*names: str) -> list[Section]:
    return sections(*[(made(name), None, None) for name in names])


def groups(*ranges: tuple[str, int, int]) -> list[Section]:
    """Return sections from one group of pictures up to another."""
    return sections(*[(made(name), first * GOP, stop * GOP) for name, first, stop in ranges])


def renders(plan: Plan) -> list[Render]:
    return [segment for segment in plan.segments if isinstance(segment, Render)]


def after_seek(source: Any, at: Fraction, options: dict[str, str] | None = None) -> tuple[Fraction, str]:
    """Return time and digest of the first picture at or after ``at``, found by seeking."""
    with av.open(str(source) if isinstance(source, Path) else source, options=options or {}) as container:
        container.seek(int(at * av.time_base))
        for frame in container.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            if frame.pts * frame.time_base >= at:
                return frame.pts * frame.time_base, hashlib.sha1(frame.to_ndarray().tobytes()).hexdigest()
    raise AssertionError(f"no picture at or after {at}")
