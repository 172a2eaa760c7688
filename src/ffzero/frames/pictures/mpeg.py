"""MPEG-1, MPEG-2 and MPEG-4 Part 2, whose headers stand in the samples: each rendered run brings its own."""

from __future__ import annotations

from fractions import Fraction

from ffzero.containers.bits import BitReader
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.extradata import extradata
from ffzero.frames.pictures.recipes import Recipe, as_they_come
from ffzero.frames.pictures.source import Source

__all__ = ["mpeg1_recipe", "mpeg2_recipe", "mpeg4_recipe"]

_RATES = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)
"""frame_rate_code 1 to 8 (H.262 Table 6-4)."""
_SEQUENCE, _SEQUENCE_END = b"\0\0\1\xb3", (b"\0\0\1\xb8", b"\0\0\1\0")
_VISUAL_SEQUENCE = b"\0\0\1\xb0"
_PICTURE = (b"\0\0\1\xb3", b"\0\0\1\xb6")
_EXTENSION = b"\0\0\1\xb5"
_QUANTIZERS = (2, 1)
_MAX_RESOLUTION = 65535
_EXTENDED_ASPECT = 15
_SIMPLE_KINDS = (1, 17)
"""video_object_type_indication of simple and advanced simple (ISO/IEC 14496-2 Table 6-10)."""


def mpeg2_recipe(source: Source) -> Recipe:
    """Return how to code pictures like an MPEG-2 source's (H.262)."""
    headers = _sequence_headers(source)
    progressive = _is_progressive(headers) and not source.interlaced
    return _recipe(source, "mpeg2video", _nearest(source.rate), headers, {"dc": "2"}, interlaced=not progressive)


def mpeg1_recipe(source: Source) -> Recipe:
    """Return how to code pictures like an MPEG-1 source's (ISO/IEC 11172-2)."""
    return _recipe(source, "mpeg1video", _nearest(source.rate), _sequence_headers(source), {}, interlaced=False)


def mpeg4_recipe(source: Source) -> Recipe:
    """Return how to code pictures like those of MPEG-4 Part 2 (ISO/IEC 14496-2)."""
    headers = _visual_headers(source)
    options = {}
    if headers[:4] == _VISUAL_SEQUENCE and len(headers) > 4:
        options = {"profile": str(headers[4] >> 4), "level": str(headers[4] & 15)}
    rate = source.rate.limit_denominator(1001)
    if rate.numerator > _MAX_RESOLUTION:
        rate = Fraction(round(rate))
    delayed = source.reorder > 0 or not _low_delay(headers)
    return _recipe(source, "mpeg4", rate, headers, options, interlaced=source.interlaced, delayed=delayed)


def _recipe(
    source: Source,
    encoder: str,
    rate: Fraction,
    restore: bytes,
    options: dict[str, str],
    *,
    interlaced: bool,
    delayed: bool = False,
) -> Recipe:
    # With a fixed quantizer and no wish of the frame's, these encoders take the least they may.
    flags = "+qscale+cgop" + ("+ildct+ilme" if interlaced else "")
    attempts = tuple(
        {**options, "flags": flags, "qmin": str(value), "qmax": str(value), "sc_threshold": "1000000000"}
        for value in _QUANTIZERS
    )
    return Recipe(
        encoder=encoder,
        pix_fmt=source.pix_fmt,
        attempts=attempts,
        package=lambda headers: as_they_come(source.entry, restore=restore),
        rate=rate,
        sample_aspect=source.sample_aspect,
        color_range=source.color_range,
        primaries=source.primaries,
        transfer=source.transfer,
        matrix=source.matrix,
        interlaced=interlaced,
        delayed=delayed,
        interval=source.interval,
    )


def _nearest(rate: Fraction) -> Fraction:
    return min(_RATES, key=lambda known: abs(known - rate))


def _sequence_headers(source: Source) -> bytes:
    """Return the sequence header and its extensions in force: those of the first sample, else of the entry."""
    for data in (source.first_sample, extradata(source.entry)):
        start = data.find(_SEQUENCE)
        if start >= 0:
            ends = [at for code in _SEQUENCE_END if (at := data.find(code, start + 4)) >= 0]
            return data[start : min(ends, default=len(data))]
    raise UnsupportedError("the MPEG video has no sequence header where it should")


def _is_progressive(headers: bytes) -> bool:
    at = headers.find(_EXTENSION)
    return at < 0 or len(headers) < at + 6 or bool(headers[at + 5] & 8)


def _layer_start(data: bytes) -> int:
    return next((at for kind in range(0x20, 0x30) if (at := data.find(b"\0\0\1" + bytes([kind]))) >= 0), -1)


def _visual_headers(source: Source) -> bytes:
    """Return the visual object sequence and video object layer headers in force (ISO/IEC 14496-2 §6.2.2, §6.2.3)."""
    for data in (source.first_sample, extradata(source.entry)):
        layer = _layer_start(data)
        if layer >= 0:
            ends = [at for code in _PICTURE if (at := data.find(code, layer + 4)) >= 0]
            return data[: min(ends, default=len(data))]
    raise UnsupportedError("the MPEG-4 video has no video object layer header where it should")


def _low_delay(headers: bytes) -> bool:
    """Whether a video object layer header says that there are no B pictures (§6.2.3), or FFmpeg would guess so."""
    bits = BitReader(headers[_layer_start(headers) + 4 :])
    bits.skip(1)
    kind = bits.u(8)
    if bits.flag():
        bits.skip(7)
    if bits.u(4) == _EXTENDED_ASPECT:
        bits.skip(16)
    if not bits.flag():
        return kind in _SIMPLE_KINDS
    bits.skip(2)
    return bits.flag()
