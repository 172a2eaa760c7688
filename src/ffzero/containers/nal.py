"""H.264 and HEVC samples: what an access unit is, so that cuts fall where decoding can start.

The parsers of one codec are in ``h264`` and ``hevc``, what they share in ``nal_units``; all are pure.
"""

from __future__ import annotations

from typing import Literal

from ffzero.containers.h264 import classify_h264, is_closed_h264
from ffzero.containers.hevc import classify_hevc, is_closed_hevc
from ffzero.containers.nal_units import (
    AccessUnit,
    NalSpan,
    RandomAccess,
    RecoveryPoint,
    iter_annex_b,
    iter_length_prefixed,
    iter_nal_units,
)

__all__ = [
    "AccessUnit",
    "NalSpan",
    "RandomAccess",
    "RecoveryPoint",
    "classify_access_unit",
    "iter_annex_b",
    "iter_length_prefixed",
    "iter_nal_units",
    "starts_closed",
]


_HEAD_HEADER_BYTES = 2


def starts_closed(codec: Literal["h264", "hevc"], head: bytes, nal_length_size: int) -> bool:
    """Whether the first bytes of a sample already tell that it is ``RandomAccess.CLOSED``: a slice of an IDR or BLA.

    False where they do not tell. Length-prefixed samples only; raises nothing.
    """
    position = 0
    while position + nal_length_size + _HEAD_HEADER_BYTES <= len(head):
        start = position + nal_length_size
        if is_closed_h264(head[start]) if codec == "h264" else is_closed_hevc(head[start], head[start + 1]):
            return True
        position = start + int.from_bytes(head[position:start])
    return False


def classify_access_unit(codec: Literal["h264", "hevc"], sample: bytes, nal_length_size: int) -> AccessUnit:
    """Return what a sample is; ``nal_length_size`` of 0 means Annex B.

    Every NAL unit is visited, of a slice only its first bytes are read, so the cost grows with the number of NAL units
    and not with the size. Raises ``InvalidDataError`` with the offset in the sample where it is damaged. Samples under
    ``cenc`` encryption may hide their slice headers: what is read of them then means nothing.
    """
    if codec == "h264":
        return classify_h264(sample, nal_length_size)
    return classify_hevc(sample, nal_length_size)
