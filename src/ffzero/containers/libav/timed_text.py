"""Plain timed text between SubRip and MP4's ``tx3g`` (3GPP TS 26.245): the words are kept, styles are not."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream

__all__ = ["add_text_stream", "unwrapped", "wrapped"]

_MARKUP = re.compile(rb"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")
"""SubRip's HTML-like tags and the ASS overrides that some files carry."""

_MAX_BYTES = 0xFFFF

_STYLE = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def add_text_stream(output: OutputContainer, template: Stream, *, tx3g: bool) -> Stream:
    """Add a stream for plain text cues, with the template's tags and dispositions.

    A ``tx3g`` sample description needs a default style; FFmpeg's encoder writes it from an ASS header, and is then
    left unused.
    """
    if tx3g:
        encoded = output.add_stream("mov_text")
        encoded.codec_context.subtitle_header = _STYLE
        encoded.codec_context.time_base = Fraction(1, 1000)
        added: Stream = encoded
    else:
        added = output.add_mux_stream("subrip")
    added.time_base = Fraction(1, 1000)
    added.metadata.update(template.metadata)
    added.disposition = template.disposition
    return added


def unwrapped(sample: bytes) -> bytes:
    """Return the text of a ``tx3g`` sample (§5.17: 16-bit length, text, style boxes); empty for a gap between cues."""
    return sample[2 : 2 + int.from_bytes(sample[:2], "big")]


def wrapped(text: bytes) -> bytes:
    """Return SubRip text as a ``tx3g`` sample."""
    plain = _MARKUP.sub(b"", text).replace(b"\r\n", b"\n").strip(b"\n")[:_MAX_BYTES]
    return len(plain).to_bytes(2, "big") + plain
