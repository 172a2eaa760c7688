"""Sample entries for rendered pictures: the source's, verbatim but for the decoder's configuration."""

from __future__ import annotations

import struct
from collections.abc import Collection

from ffzero.containers.isobmff.boxes import View, box
from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry

__all__ = ["parsed_entry", "with_config"]

_CHILDREN = 8 + 78
"""Where the boxes of a VisualSampleEntry begin (ISO/IEC 14496-12 §12.1.3.2)."""


def with_config(entry: SampleEntry, name: str, payload: bytes, *, without: Collection[str] = ()) -> bytes:
    """Return the whole sample entry box with the configuration box ``name`` replaced, and boxes ``without`` left out.

    All else stays verbatim and in order; a configuration that was not there comes first.
    """
    view = View(data=memoryview(entry.raw)[_CHILDREN:], offset=0, path=entry.fourcc, source_name="")
    parts, replaced = [], False
    for child in view.children(lenient=True):
        if child.fourcc == name:
            parts += [] if replaced else [box(name, payload)]
            replaced = True
        elif child.fourcc not in without:
            parts.append(child.as_box())
    if not replaced:
        parts.insert(0, box(name, payload))
    body = b"".join(parts)
    return struct.pack(">I", _CHILDREN + len(body)) + entry.raw[4:_CHILDREN] + body


def parsed_entry(raw: bytes) -> SampleEntry:
    """Return what a picture track's sample entry box says."""
    return parse_sample_entry(raw, "vide")
