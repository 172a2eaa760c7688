"""Filter graphs from values: whatever a caller's text holds, it stays the value of one option of one filter."""

from __future__ import annotations

import re

from ffzero.errors import UsageError
from ffzero.ffmpeg.options import option_text

__all__ = ["chain", "escape", "filter_text"]

# FFmpeg reads a graph twice: filtergraph syntax, then each filter's options ("Notes on filtergraph escaping" in
# ffmpeg-filters). Both trim blanks that stand free.
_OPTION_SYNTAX = re.compile(r"([\\':\s])")
_GRAPH_SYNTAX = re.compile(r"([\\'\[\],;\s])")


def escape(text: str) -> str:
    """Return ``text`` so that a filter's option has exactly this value. Raises ``UsageError`` for a NUL."""
    if "\0" in text:
        raise UsageError(f"a filter's value may not hold a NUL: {text!r}")
    return _GRAPH_SYNTAX.sub(r"\\\1", _OPTION_SYNTAX.sub(r"\\\1", text))


def filter_text(name: str, **options: object) -> str:
    """Return a filter with its options, escaped; an option of ``None`` is left out."""
    pairs = [f"{key}={escape(option_text(value, key))}" for key, value in options.items() if value is not None]
    return f"{name}={':'.join(pairs)}" if pairs else name


def chain(*filters: str) -> str:
    """Return filters that follow one another."""
    return ",".join(one for one in filters if one)
