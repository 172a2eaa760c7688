"""AV1 coded like the source's, by SVT-AV1, under a sample entry of its own (AV1 in ISO Media Files, v1.2.0)."""

from __future__ import annotations

from collections.abc import Iterator

from ffzero.containers.bits import BitReader
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.frames.pictures.entries import parsed_entry, with_config
from ffzero.frames.pictures.recipes import Package, Recipe
from ffzero.frames.pictures.source import Source

__all__ = ["av1_recipe"]

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _PADDING = 1, 2, 15
_PIXELS = frozenset({"yuv420p", "yuv420p10le"})
_PRESETS = {8: "10", 10: "7"}
"""By bit depth: quicker ones leave every other 10-bit picture below 40 dB, whatever the quantizer."""
_QUANTIZERS = (8, 4, 1)
_FIXED = "rc=0:aq-mode=0:pred-struct=1:lookahead=0:scd=0:enable-tf=0:film-grain=0"
_CHROMA = {1: "left", 2: "topleft"}
_HIGH_TIER_LEVELS = 7


def av1_recipe(source: Source) -> Recipe:
    """Return how to code pictures like an AV1 source's. Raises ``UnsupportedError`` with what cannot be matched."""
    if source.pix_fmt not in _PIXELS:
        raise UnsupportedError(f"no encoder here makes AV1 of pixel format {source.pix_fmt}")
    position = source.entry.boxes.get("av1C", bytes(4))[2] & 3
    options = {"preset": _PRESETS[source.bits], "flags": "+global_header"}
    if position in _CHROMA:
        options["chroma_sample_location"] = _CHROMA[position]
    return Recipe(
        encoder="libsvtav1",
        pix_fmt=source.pix_fmt,
        attempts=tuple({**options, "svtav1-params": f"{_FIXED}:qp={value}"} for value in _QUANTIZERS),
        package=lambda headers: _package(source, position, headers),
        rate=source.rate,
        color_range=source.color_range,
        primaries=source.primaries,
        transfer=source.transfer,
        matrix=source.matrix,
        interval=source.interval,
    )


def _package(source: Source, chroma_position: int, headers: bytes) -> Package:
    sequence = next((unit for kind, unit in _units(headers) if kind == _SEQUENCE_HEADER), None)
    if sequence is None:
        raise UnsupportedError("the AV1 encoder gave out no sequence header")
    profile, level, tier = _operating_point(sequence)
    depth = 0x40 if source.bits > 8 else 0
    record = bytes([0x81, profile << 5 | level, tier << 7 | depth | 0x0C | chroma_position, 0]) + sequence
    entry = with_config(source.entry, "av1C", record)
    return Package(decodes_by=parsed_entry(entry), sample=_sample, entry=entry)


def _sample(coded: bytes) -> bytes:
    """Return a temporal unit without the OBUs that samples shall not hold (§2.4)."""
    return b"".join(unit for kind, unit in _units(coded) if kind not in (_TEMPORAL_DELIMITER, _PADDING))


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the open bitstream units, each with its type (AV1 §5.3)."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        body = at + (2 if extended else 1)
        size = len(data) - body
        if sized:
            size, shift = 0, 0
            while True:
                if body >= len(data):
                    raise InvalidDataError("an OBU has no size", offset_bytes=at)
                byte = data[body]
                size |= (byte & 127) << shift
                shift, body = shift + 7, body + 1
                if byte < 128:
                    break
        yield kind, data[at : body + size]
        at = body + size


def _operating_point(unit: bytes) -> tuple[int, int, int]:
    """Return (seq_profile, seq_level_idx, seq_tier) of a sequence header OBU's first operating point (AV1 §5.5.1)."""
    at = 2 if unit[0] & 4 else 1
    while unit[at] & 128:
        at += 1
    bits = BitReader(unit[at + 1 :])
    profile = bits.u(3)
    bits.skip(1)
    if bits.flag():
        return profile, bits.u(5), 0
    if bits.flag():
        bits.skip(64)
        if bits.flag():
            bits.ue()
        if bits.flag():
            bits.skip(5 + 32 + 5 + 5)
    bits.skip(1 + 5 + 12)
    level = bits.u(5)
    return profile, level, bits.u(1) if level > _HIGH_TIER_LEVELS else 0
