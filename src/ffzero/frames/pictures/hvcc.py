"""The HEVC decoder configuration record of rendered pictures (ISO/IEC 14496-15 §8.3.3.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ffzero.containers.bits import unescape
from ffzero.containers.hevc_params import parse_hevc_sps

__all__ = ["hvcc"]

_PROFILE_TIER_LEVEL = slice(3, 15)
"""Where general_profile_space to general_level_idc stand in an SPS free of escapes (H.265 §7.3.2.2, §7.3.3)."""
_COMPLETE = 0x80


def hvcc(vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes], *, nal_length_size: int = 4) -> bytes:
    """Return an ``hvcC`` payload whose arrays are complete: no parameter set stands inside samples."""
    first = parse_hevc_sps(sps[0])
    plain = unescape(sps[0])
    temporal_layers, nested = (plain[2] >> 1 & 7) + 1, plain[2] & 1
    head = struct.pack(
        ">B12sHBBBBHBB",
        1,
        plain[_PROFILE_TIER_LEVEL],
        0xF000,
        0xFC,
        0xFC | first.chroma_format,
        0xF8 | (first.bit_depth_luma - 8),
        0xF8 | (first.bit_depth_chroma - 8),
        0,
        temporal_layers << 3 | nested << 2 | (nal_length_size - 1),
        3,
    )
    arrays = zip((32, 33, 34), (vps, sps, pps), strict=True)
    return head + b"".join(
        struct.pack(">BH", _COMPLETE | kind, len(nals)) + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)
        for kind, nals in arrays
    )
