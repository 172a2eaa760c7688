"""Cues that say nothing, for the gaps of subtitle tracks."""

from __future__ import annotations

__all__ = ["empty_cue"]

_EMPTY_CUES = {
    "mov_text": b"\0\0",  # a text of length 0 (3GPP TS 26.245 §5.17, QTFF "Text Sample Data")
    "wvtt": b"\0\0\0\x08vtte",  # VTTEmptyCueBox (ISO/IEC 14496-30 §7.5)
}


def empty_cue(codec: str) -> bytes | None:
    """Return the sample of a cue track in which nothing is shown, or ``None`` where the format has none."""
    return _EMPTY_CUES.get(codec)
