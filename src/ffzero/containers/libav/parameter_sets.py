"""Parameter sets of H.264 and HEVC: finding them in codec configurations, and putting them before a first picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffzero.containers.libav.packets import with_data

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["parameter_sets", "with_parameter_sets"]

_START_CODE = b"\x00\x00\x00\x01"
_PARAMETER_TYPES = {"h264": (7, 8), "hevc": (32, 33, 34)}
"""SPS and PPS (H.264 Table 7-1); VPS, SPS and PPS (HEVC Table 7-1)."""


def parameter_sets(codec: str, extradata: bytes) -> tuple[bytes, ...]:
    """Return the parameter-set NAL units of a codec configuration, in order, whatever wraps them.

    That is Annex B (H.264 §B.1), ``avcC`` or ``hvcC`` (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1). Damaged ones end early.
    """
    types = _PARAMETER_TYPES.get(codec, ())
    if not extradata or not types:
        return ()
    if extradata[0] == 0:
        units = _annex_b(extradata)
    elif codec == "h264":
        units = _counted_pairs(extradata)
    else:
        units = _hvcc(extradata)
    return tuple(unit for unit in units if unit and _nal_type(codec, unit) in types)


def with_parameter_sets(codec: str, extradata: bytes, packet: AnyPacket) -> AnyPacket:
    """Return the packet, or a copy with the parameter sets before its picture where it has none itself.

    MPEG-TS has no place for them but the stream, and FFmpeg's muxer adds them before IDR pictures only: a cut that
    begins with another kind of key picture would never be decodable.
    """
    units = parameter_sets(codec, extradata)
    data = bytes(packet)
    if not units or any(unit in data for unit in units):
        return packet
    in_annex_b = extradata[0] == 0
    size = 4 if in_annex_b else (extradata[4] & 3) + 1 if codec == "h264" else (extradata[21] & 3) + 1
    marked = b"".join((_START_CODE if in_annex_b else len(unit).to_bytes(size, "big")) + unit for unit in units)
    return with_data(packet, _after_delimiter(codec, data, marked, in_annex_b, size))


def _after_delimiter(codec: str, data: bytes, marked: bytes, in_annex_b: bool, size: int) -> bytes:
    """An access unit delimiter comes first of all (H.264 §7.4.1.2.3)."""
    delimiter = 9 if codec == "h264" else 35
    header = data.find(b"\x00\x00\x01") + 3 if in_annex_b else size
    if header >= len(data) or _nal_type(codec, data[header:]) != delimiter:
        return marked + data
    end = data.find(b"\x00\x00\x01", header) if in_annex_b else size + int.from_bytes(data[:size], "big")
    if end < 0:
        return marked + data
    return data[:end] + marked + data[end:]


def _nal_type(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F


def _annex_b(data: bytes) -> list[bytes]:
    return [part.rstrip(b"\x00") for part in data.split(b"\x00\x00\x01")]


def _counted_pairs(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):  # the SPS count shares its byte with reserved bits
        count, at = (data[at] & mask if at < len(data) else 0), at + 1
        at = _read(data, at, count, units)
    return units


def _hvcc(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 23
    for _ in range(data[22] if len(data) > 22 else 0):
        at = _read(data, at + 3, int.from_bytes(data[at + 1 : at + 3], "big"), units)
    return units


def _read(data: bytes, at: int, count: int, units: list[bytes]) -> int:
    for _ in range(count):
        if at + 2 > len(data):
            break
        size = int.from_bytes(data[at : at + 2], "big")
        units.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return at
