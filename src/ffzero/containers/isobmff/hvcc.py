"""HEVC decoder configuration records (ISO/IEC 14496-15 §8.3.3.1) of parameter sets, and with more of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ffzero.containers.bits import unescape
from ffzero.containers.hevc import HevcNalType
from ffzero.containers.hevc_params import hevc_set_id, parse_hevc_sps
from ffzero.errors import TruncatedError, UnsupportedError

__all__ = ["extended_hvcc", "own_hvcc"]

_PROFILE_TIER_LEVEL = slice(3, 15)
"""Where general_profile_space to general_level_idc stand in an SPS free of escapes (H.265 §7.3.2.2, §7.3.3)."""
_COMPLETE = 0x80
_KINDS = (HevcNalType.VPS, HevcNalType.SPS, HevcNalType.PPS)
_ARRAYS_AT = 23
_LAST_PLAIN_PROFILE = 3
"""Main Still Picture: in the profiles above it the constraint flags tell what is meant (H.265 §A.3.5)."""
_MEANING_OF_PROFILE = 0x1FF << 35
"""max_12bit_constraint_flag to lower_bit_rate_constraint_flag, behind the four flags about fields and packing."""
_Arrays = list[tuple[int, list[bytes]]]


def own_hvcc(sets: Sequence[bytes], *, nal_length_size: int = 4) -> bytes:
    """Return an ``hvcC`` payload of ``sets`` alone: VPS, SPS and PPS NAL units, none of which stands inside samples."""
    first = next(nal for nal in sets if _kind(nal) == HevcNalType.SPS)
    sps, plain = parse_hevc_sps(first), unescape(first)
    head = struct.pack(
        ">B12sHBBBBHB",
        1,
        plain[_PROFILE_TIER_LEVEL],
        0xF000,
        0xFC,
        0xFC | sps.chroma_format,
        0xF8 | (sps.bit_depth_luma - 8),
        0xF8 | (sps.bit_depth_chroma - 8),
        0,
        _layers(plain) << 3 | _is_nested(plain) << 2 | (nal_length_size - 1),
    )
    return head + _packed([(_COMPLETE | kind, [nal for nal in sets if _kind(nal) == kind]) for kind in _KINDS])


def extended_hvcc(record: bytes, sets: Sequence[bytes]) -> bytes:
    """Return an ``hvcC`` payload with VPS, SPS and PPS NAL units added, those that it holds already left out.

    What it says of all sets is true of the added ones too: the profile that both conform to, the flags that both have,
    the higher tier and level. Raises ``UnsupportedError`` where there is no such word for both, or where another set
    has the id of an added one; ``InvalidDataError`` where the record is damaged.
    """
    arrays, end = _arrays(record)
    held = [nal for _, units in arrays for nal in units]
    added = [nal for nal in sets if nal not in held]
    if not added:
        return record
    taken = _named(held) & _named(added)
    if taken:
        raise UnsupportedError("other HEVC parameter sets have the ids of the added ones", found=sorted(taken))
    complete = _COMPLETE if all(head & _COMPLETE for head, _ in arrays if head & 63 in _KINDS) else 0
    for kind in _KINDS:
        units = [nal for nal in added if _kind(nal) == kind]
        if units:
            _array_of(kind, arrays, complete).extend(units)
    head = bytearray(record[: _ARRAYS_AT - 1])
    for nal in added:
        if _kind(nal) == HevcNalType.SPS:
            _make_true_of(head, nal)
    return bytes(head) + _packed(arrays) + record[end:]


def _kind(nal: bytes) -> int:
    return nal[0] >> 1 & 63 if nal else -1


def _layers(sps: bytes) -> int:
    return (sps[2] >> 1 & 7) + 1


def _is_nested(sps: bytes) -> int:
    return sps[2] & 1


def _named(sets: Sequence[bytes]) -> set[tuple[str, int]]:
    """Return type and id of each parameter set."""
    return {(HevcNalType(_kind(nal)).name, hevc_set_id(nal)) for nal in sets if _kind(nal) in _KINDS}


def _arrays(record: bytes) -> tuple[_Arrays, int]:
    """Return the arrays, each with its first byte (completeness and type), and where they end."""
    arrays: _Arrays = []
    at = _ARRAYS_AT
    for _ in range(record[at - 1] if len(record) >= at else 0):
        units = []
        start, at = at, at + 3
        for _ in range(int.from_bytes(record[start + 1 : at])):
            size = int.from_bytes(record[at : at + 2])
            units.append(record[at + 2 : at + 2 + size])
            at += 2 + size
        if at > len(record):
            raise TruncatedError("hvcC ends inside its arrays", offset_bytes=start, expected=at, found=len(record))
        arrays.append((record[start], units))
    if at > len(record):
        raise TruncatedError("hvcC is too short", offset_bytes=0, expected=at, found=len(record))
    return arrays, at


def _array_of(kind: int, arrays: _Arrays, complete: int) -> list[bytes]:
    """Return the units of the array of a kind; one that is missing is put in, in the order that decoders want."""
    for head, units in arrays:
        if head & 63 == kind:
            return units
    at = next((n for n, (head, _) in enumerate(arrays) if head & 63 > kind), len(arrays))
    arrays.insert(at, (complete | kind, []))
    return arrays[at][1]


def _packed(arrays: _Arrays) -> bytes:
    return bytes([len(arrays)]) + b"".join(
        struct.pack(">BH", head, len(nals)) + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)
        for head, nals in arrays
    )


def _make_true_of(head: bytearray, nal: bytes) -> None:
    """Change a record up to its arrays such that it is true of an added SPS."""
    sps, plain = parse_hevc_sps(nal), unescape(nal)
    told = plain[_PROFILE_TIER_LEVEL]
    depths = sps.bit_depth_luma - 8, sps.bit_depth_chroma - 8
    if (head[16] & 3, head[17] & 7, head[18] & 7) != (sps.chroma_format, *depths) or (head[1] ^ told[0]) & 0xC0:
        raise UnsupportedError("pictures of another kind than a sample entry's cannot share its configuration")
    held = bytes(head[1:13])
    profile = _common_profile(held, told)
    flags, own = int.from_bytes(held[5:11]), int.from_bytes(told[5:11])
    meanings = [bits & _MEANING_OF_PROFILE for bits in (flags, own)]
    if profile > _LAST_PLAIN_PROFILE and meanings[0] & meanings[1] not in meanings:
        raise UnsupportedError("HEVC profiles of two coders have no common name")
    head[1] = (held[0] | told[0]) & 0xE0 | profile
    head[2:6] = bytes(a & b for a, b in zip(held[1:5], told[1:5], strict=True))
    head[6:12] = (flags & own).to_bytes(6)
    head[12] = max(held[11], told[11])
    head[13:16] = b"\xf0\x00\xfc"  # how pictures are segmented, and for which parallel decoding, is not known of both
    layers = head[21] >> 3 & 7
    layers = max(layers, _layers(plain)) if layers else 0
    head[21] = head[21] & 0xC3 | layers << 3 | (head[21] & 4) * _is_nested(plain)


def _common_profile(held: bytes, told: bytes) -> int:
    """Return the profile, of two profile indications with compatibility flags, that both conform to."""
    names = held[0] & 31, told[0] & 31
    for profile in names:
        if all(name == profile or _conforms(each, profile) for name, each in zip(names, (held, told), strict=True)):
            return profile
    raise UnsupportedError("HEVC profiles of two coders have nothing in common", expected=names[0], found=names[1])


def _conforms(indication: bytes, profile: int) -> bool:
    return bool(int.from_bytes(indication[1:5]) >> (31 - profile) & 1)
