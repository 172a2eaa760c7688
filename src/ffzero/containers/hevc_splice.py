"""Copied HEVC pictures behind a joint (ITU-T H.265, 08/2021, §8.1.3)."""

from __future__ import annotations

from ffzero.containers.hevc import HevcNalType, nal_header
from ffzero.containers.nal_units import iter_length_prefixed

__all__ = ["as_bla"]


def as_bla(sample: bytes, nal_length_size: int, *, has_radl: bool) -> bytes:
    """Return the sample of a CRA picture as one of a BLA picture: a new coded video sequence, as an IDR begins one.

    Its RASL pictures must have been left out; ``has_radl`` says whether RADL pictures follow. Only the type of the
    slices' NAL units changes, for CRA and BLA pictures have the same slice header (§7.3.6.1); all else comes back as it
    is, a sample without CRA slices unchanged. Copies the sample. Raises ``InvalidDataError`` where it is damaged.
    """
    kind = HevcNalType.BLA_W_RADL if has_radl else HevcNalType.BLA_N_LP
    edited = bytearray(sample)
    for offset, length in iter_length_prefixed(sample, nal_length_size):
        if nal_header(sample, offset, length)[0] == HevcNalType.CRA:
            edited[offset] = edited[offset] & 0x81 | kind << 1
    return bytes(edited)
