"""Tags and chapters of a remuxed output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ffzero.containers.info import Chapter
from ffzero.containers.libav.opening import Input
from ffzero.containers.libav.targets import kept_file_tags

if TYPE_CHECKING:
    from av.container.core import Chapter as RawChapter

    from ffzero.containers.libav.plans import RemuxPlan

__all__ = ["chapters_of", "output_chapters", "output_tags"]

_NANOSECOND = Fraction(1, 10**9)
_DESCRIPTIVE = frozenset(
    ("title", "artist", "author", "comment", "description", "copyright", "creation_time", "date", "album", "genre")
)


def output_tags(source: Input) -> dict[str, str]:
    """Return the file's tags that hold for a part of it. FLV's are technical but for a few."""
    tags = kept_file_tags(source.container.metadata)
    if source.format_name == "flv":
        return {name: value for name, value in tags.items() if name.lower() in _DESCRIPTIVE}
    return tags


def chapters_of(source: Input) -> tuple[Chapter, ...]:
    """Return the file's chapters in movie time."""
    found = []
    for chapter in source.container.chapters():
        base = chapter["time_base"] or Fraction(1)
        title = chapter["metadata"].get("title", "")
        start_s, end_s = chapter["start"] * base - source.origin_s, chapter["end"] * base - source.origin_s
        found.append(Chapter(start_s=start_s, end_s=end_s, title=title))
    return tuple(found)


def output_chapters(plan: RemuxPlan) -> list[RawChapter]:
    """Return the pieces' chapters, clipped to what is kept and shifted to the output's clock."""
    chapters: list[RawChapter] = []
    offset_s = Fraction(0)
    for piece in plan.pieces:
        with Input(piece.path) as source:
            own = chapters_of(source)
        end_s = piece.end_s if piece.end_s is not None else piece.actual_end_s
        for chapter in own:
            start = max(chapter.start_s, piece.zero_s)
            end = chapter.end_s if end_s is None else min(chapter.end_s, end_s)
            if start < end:
                chapters.append(_raw(len(chapters) + 1, start, end, offset_s - piece.zero_s, chapter.title))
        if piece.actual_end_s is not None:
            offset_s += piece.actual_end_s - piece.zero_s
    return chapters


def _raw(number: int, start_s: Fraction, end_s: Fraction, shift_s: Fraction, title: str) -> RawChapter:
    return {
        "id": number,
        "start": round((start_s + shift_s) / _NANOSECOND),
        "end": round((end_s + shift_s) / _NANOSECOND),
        "time_base": _NANOSECOND,
        "metadata": {"title": title} if title else {},
    }
