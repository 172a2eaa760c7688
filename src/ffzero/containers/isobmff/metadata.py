"""Chapters and tags: what must change with a cut, and what is carried verbatim.

Nero chapters (``udta/chpl``) hold times and are written anew. Gapless playback tags (``iTunSMPB``) count the samples of
the whole file and would be wrong in a clip: they are left out. Everything else stays as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from ffzero.containers.isobmff.boxes import View, box, full_box
from ffzero.values import dataclass

__all__ = ["NeroChapter", "read_nero_chapters", "read_tags", "without_stale_tags", "write_user_data"]

_TICKS_PER_SECOND = 10_000_000
_MAX_CHAPTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class NeroChapter:
    """A chapter of ``chpl``: start in seconds, title as UTF-8 bytes."""

    start: Fraction
    title: bytes


def _view(payload: bytes, path: str) -> View:
    return View(data=memoryview(payload), offset=0, path=path, source_name="")


def read_nero_chapters(user_data: bytes) -> list[NeroChapter]:
    """Return the chapters of a ``udta`` payload; a damaged ``chpl`` has none beyond the damage."""
    chpl = _view(user_data, "moov/udta").child_map(lenient=True).get("chpl")
    if chpl is None or len(chpl) < 9:
        return []
    version, at = chpl.u8(0), 8
    count, at = (chpl.u8(8), 9) if version else (chpl.u8(4), 5)
    chapters = []
    for _ in range(count):
        if at + 9 > len(chpl):
            break
        size = chpl.u8(at + 8)
        title = bytes(chpl.data[at + 9 : at + 9 + size])
        chapters.append(NeroChapter(start=Fraction(chpl.u64(at), _TICKS_PER_SECOND), title=title))
        at += 9 + size
    return chapters


def write_user_data(user_data: bytes, chapters: Sequence[NeroChapter]) -> bytes:
    """Return a ``udta`` box with the given Nero chapters in place of its own; empty where it would hold nothing."""
    children = [
        child.as_box() if child.fourcc != "meta" else box("meta", _without_gapless(child))
        for child in _view(user_data, "moov/udta").children(lenient=True)
        if child.fourcc != "chpl"
    ]
    if chapters:
        children.append(_chpl(chapters[:_MAX_CHAPTERS]))
    return box("udta", *children) if children else b""


def _chpl(chapters: Sequence[NeroChapter]) -> bytes:
    entries = [
        struct.pack(">QB", round(chapter.start * _TICKS_PER_SECOND), len(chapter.title[:255])) + chapter.title[:255]
        for chapter in chapters
    ]
    return full_box("chpl", 1, 0, struct.pack(">IB", 0, len(entries)), *entries)


def without_stale_tags(raw_box: bytes) -> tuple[bytes, str | None]:
    """Return a box of ``moov`` or ``trak`` fit for a clip, or empty bytes and the reason why it cannot be kept."""
    view = next(_view(raw_box, "").children(lenient=True), None)
    if view is None:
        return b"", "an unreadable box is left out"
    if view.fourcc != "meta":
        return raw_box, None
    inner = _meta_children_at(view)
    if "iloc" in view.child_map(inner, lenient=True):
        return b"", "metadata items that lie at fixed places of the old file (meta/iloc) are left out"
    return box("meta", _without_gapless(view)), None


def _meta_children_at(meta: View) -> int:
    """Return where ``meta``'s children begin: it is a FullBox in ISO files and a plain one in QuickTime."""
    return 0 if len(meta) >= 8 and bytes(meta.data[4:8]) == b"hdlr" else min(4, len(meta))


def _without_gapless(meta: View) -> bytes:
    at = _meta_children_at(meta)
    children = []
    for child in meta.children(at, lenient=True):
        if child.fourcc == "ilst":
            tags = [tag.as_box() for tag in child.children(lenient=True) if not _is_gapless(tag)]
            children.append(box("ilst", *tags))
        else:
            children.append(child.as_box())
    return bytes(meta.data[:at]) + b"".join(children)


def _is_gapless(tag: View) -> bool:
    name = tag.child_map(lenient=True).get("name") if tag.fourcc == "----" else None
    return name is not None and name.raw()[4:] == b"iTunSMPB"


_TAG_NAMES = {
    "\xa9nam": "title",
    "\xa9ART": "artist",
    "\xa9alb": "album",
    "\xa9day": "date",
    "\xa9cmt": "comment",
    "\xa9too": "encoder",
    "\xa9gen": "genre",
    "\xa9wrt": "composer",
    "desc": "description",
    "cprt": "copyright",
}


def read_tags(user_data: bytes) -> dict[str, str]:
    """Return the textual tags of a ``udta`` payload: iTunes ``ilst`` and QuickTime's international text."""
    tags: dict[str, str] = {}
    for child in _view(user_data, "moov/udta").children(lenient=True):
        if child.fourcc == "meta":
            ilst = child.child_map(_meta_children_at(child), lenient=True).get("ilst")
            for tag in ilst.children(lenient=True) if ilst is not None else ():
                data = tag.child_map(lenient=True).get("data")
                if data is not None and len(data) > 8 and data.u32(0) == 1:
                    name = _TAG_NAMES.get(tag.fourcc)
                    if name:
                        tags[name] = bytes(data.data[8:]).decode("utf-8", "replace")
        elif child.fourcc in _TAG_NAMES and len(child) > 4:
            text = bytes(child.data[4 : 4 + child.u16(0)])
            tags.setdefault(_TAG_NAMES[child.fourcc], text.decode("utf-8", "replace"))
    return tags
