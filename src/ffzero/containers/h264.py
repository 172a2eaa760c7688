"""H.264 access units: NAL unit types, slice types and recovery points (ITU-T H.264, 08/2021)."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.nal_units import AccessUnit, RandomAccess, RecoveryPoint, find_recovery_point, iter_nal_units

__all__ = ["H264NalType", "SliceType", "classify_h264", "is_closed_h264"]

_SLICE_HEADER_BYTES = 64


class H264NalType(enum.IntEnum):
    """nal_unit_type of H.264 (Table 7-1), those that matter here."""

    SLICE = 1
    PARTITION_A = 2
    PARTITION_B = 3
    PARTITION_C = 4
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    ACCESS_UNIT_DELIMITER = 9


class SliceType(enum.IntEnum):
    """slice_type modulo 5 (Table 7-6)."""

    P = 0
    B = 1
    I = 2  # noqa: E741 - the standard's name
    SP = 3
    SI = 4


_VCL = range(H264NalType.SLICE, H264NalType.IDR + 1)
_WITH_SLICE_HEADER = frozenset({H264NalType.SLICE, H264NalType.PARTITION_A, H264NalType.IDR})
_INTRA = frozenset({SliceType.I, SliceType.SI})


def slice_header(nal: bytes, *, offset_bytes: int = 0) -> tuple[int, SliceType]:
    """Return (first_mb_in_slice, slice_type) of a slice NAL unit, of which the first 64 bytes are enough (§7.3.3)."""
    bits = BitReader(unescape(nal[1:_SLICE_HEADER_BYTES]), base_offset_bytes=offset_bytes + 1)
    first_macroblock = bits.ue()
    return first_macroblock, SliceType(bits.ue(maximum=9) % 5)


def classify_h264(sample: bytes, nal_length_size: int) -> AccessUnit:
    """Return what an H.264 access unit (a frame or a pair of fields) is; see ``nal.classify_access_unit``."""
    recovery: RecoveryPoint | None = None
    slices: list[tuple[int, SliceType]] = []
    has_vcl = is_idr = is_reference = False
    for offset, length in iter_nal_units(sample, nal_length_size):
        header = sample[offset]
        kind = header & 31
        if kind in _VCL:
            has_vcl = True
            is_reference = is_reference or (header >> 5 & 3) > 0
            is_idr = is_idr or kind == H264NalType.IDR
            if kind in _WITH_SLICE_HEADER:
                head = sample[offset : offset + min(length, _SLICE_HEADER_BYTES)]
                slices.append(slice_header(head, offset_bytes=offset))
        elif kind == H264NalType.SEI and recovery is None:
            recovery = find_recovery_point(sample[offset : offset + length], 1, signed=False)
    access = _random_access(is_idr, recovery, slices)
    return AccessUnit(
        random_access=access if has_vcl else RandomAccess.NONE,
        recovery_frames=recovery.count if recovery and access is RandomAccess.GRADUAL else 0,
        is_reference=is_reference,
        has_vcl=has_vcl,
        is_intra=bool(slices) and all(kind in _INTRA for _, kind in slices),
        recovery_point=recovery,
    )


def is_closed_h264(header: int) -> bool:
    """Whether a NAL unit that begins with byte ``header`` is a slice of an IDR picture."""
    return header & 31 == H264NalType.IDR


def _random_access(
    is_idr: bool, recovery: RecoveryPoint | None, slices: Sequence[tuple[int, SliceType]]
) -> RandomAccess:
    if is_idr:
        return RandomAccess.CLOSED
    if recovery is not None:
        return RandomAccess.GRADUAL if recovery.count > 0 else RandomAccess.OPEN
    return RandomAccess.OPEN if _starts_intra(slices) else RandomAccess.NONE


def _starts_intra(slices: Sequence[tuple[int, SliceType]]) -> bool:
    """Whether the frame, or the first field of a pair of fields, is all intra and nothing in it is bi-predicted.

    A second slice that starts at macroblock 0 begins the second field. Encoders that write an I field and a P field as
    a random access point predict the second from the first only (§7.4.1.2.4 demands it of an IDR's second field).
    """
    second_field = next((i for i, (first, _) in enumerate(slices) if i > 0 and first == 0), len(slices))
    first, second = slices[:second_field], slices[second_field:]
    return (
        bool(first) and all(kind in _INTRA for _, kind in first) and all(kind is not SliceType.B for _, kind in second)
    )
