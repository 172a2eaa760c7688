"""HEVC access units: NAL unit types and recovery points (ITU-T H.265, 08/2021)."""

from __future__ import annotations

import enum

from ffzero.containers.nal_units import AccessUnit, RandomAccess, RecoveryPoint, find_recovery_point, iter_nal_units
from ffzero.errors import TruncatedError

__all__ = ["HevcNalType", "classify_hevc", "is_closed_hevc"]

_HEADER_BYTES = 2


class HevcNalType(enum.IntEnum):
    """nal_unit_type of HEVC (Table 7-1). Below 16, even types are not referenced in their sub-layer."""

    TRAIL_N = 0
    TRAIL_R = 1
    TSA_N = 2
    TSA_R = 3
    STSA_N = 4
    STSA_R = 5
    RADL_N = 6
    RADL_R = 7
    RASL_N = 8
    RASL_R = 9
    BLA_W_LP = 16
    BLA_W_RADL = 17
    BLA_N_LP = 18
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    VPS = 32
    SPS = 33
    PPS = 34
    ACCESS_UNIT_DELIMITER = 35
    PREFIX_SEI = 39
    SUFFIX_SEI = 40


_FIRST_NON_VCL = 32
_FIRST_IRAP, _LAST_IRAP = 16, 23
_RADL = frozenset({HevcNalType.RADL_N, HevcNalType.RADL_R})
_RASL = frozenset({HevcNalType.RASL_N, HevcNalType.RASL_R})
_SEI = frozenset({HevcNalType.PREFIX_SEI, HevcNalType.SUFFIX_SEI})
# RASL pictures of a BLA are dropped by every decoder (§8.1.3), so nothing is lost by starting there.
_CLOSED = range(HevcNalType.BLA_W_LP, HevcNalType.CRA)


def nal_header(sample: bytes, offset: int, length: int) -> tuple[int, int]:
    """Return (nal_unit_type, nuh_layer_id) of the NAL unit at ``offset`` (§7.3.1.2)."""
    if length < _HEADER_BYTES:
        raise TruncatedError("a NAL unit is shorter than its header", offset_bytes=offset, expected=2, found=length)
    return sample[offset] >> 1 & 63, (sample[offset] & 1) << 5 | sample[offset + 1] >> 3


def classify_hevc(sample: bytes, nal_length_size: int) -> AccessUnit:
    """Return what an HEVC access unit is, by its base layer; see ``nal.classify_access_unit``."""
    recovery: RecoveryPoint | None = None
    types: set[int] = set()
    for offset, length in iter_nal_units(sample, nal_length_size):
        kind, layer = nal_header(sample, offset, length)
        if layer:
            continue
        if kind < _FIRST_NON_VCL:
            types.add(kind)
        elif kind in _SEI and recovery is None:
            recovery = find_recovery_point(sample[offset : offset + length], _HEADER_BYTES, signed=True)
    access = _random_access(types, recovery)
    return AccessUnit(
        random_access=access,
        recovery_frames=recovery.count if recovery and access is RandomAccess.GRADUAL else 0,
        is_reference=any(kind >= _FIRST_IRAP or kind % 2 == 1 for kind in types),
        is_leading_undecodable=bool(types & _RASL),
        is_leading_decodable=bool(types & _RADL),
        has_vcl=bool(types),
        is_intra=bool(types) and all(_FIRST_IRAP <= kind <= _LAST_IRAP for kind in types),
        recovery_point=recovery,
    )


def is_closed_hevc(first: int, second: int) -> bool:
    """Whether a NAL unit with these two header bytes is of the base layer and a slice of an IDR or BLA picture."""
    kind, layer = nal_header(bytes((first, second)), 0, _HEADER_BYTES)
    return not layer and kind in _CLOSED


def _random_access(types: set[int], recovery: RecoveryPoint | None) -> RandomAccess:
    if not types:
        return RandomAccess.NONE
    if any(kind in _CLOSED for kind in types):
        return RandomAccess.CLOSED
    if HevcNalType.CRA in types:
        return RandomAccess.OPEN
    if recovery is not None:
        return RandomAccess.GRADUAL if recovery.count > 0 else RandomAccess.OPEN
    return RandomAccess.NONE
