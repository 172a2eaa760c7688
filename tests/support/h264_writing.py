"""H.264 NAL units written by hand, field by field (ITU-T H.264 §7.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Operations", "nal", "pps_nal", "sample", "se", "slice_nal", "sps_nal", "ue"]


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def nal(header: int, *fields: str, stop: str = "1") -> bytes:
    """Write a NAL unit of these bits, with emulation prevention."""
    text = "".join(fields).replace(" ", "") + stop
    text += "0" * (-len(text) % 8)
    rbsp = bytes([header]) + int(text, 2).to_bytes(len(text) // 8)
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", rbsp)


def sps_nal(*, max_refs: int = 3, interlaced: bool = False, gaps: int = 0, size: int = 4) -> bytes:
    """An SPS of the Main profile: 4 bits of frame_num, poc type 2, ``size`` by ``size`` macroblocks."""
    return nal(
        0x67,
        f"{77:08b}{0:08b}{30:08b}" + ue(0) + ue(0) + ue(2),  # profile, level 3, id, log2_max_frame_num - 4, poc type
        ue(max_refs) + str(gaps) + ue(size - 1) + ue(size - 1),
        "01" if interlaced else "1",  # frame_mbs_only_flag, mb_adaptive_frame_field_flag
        "1 0 0",  # direct_8x8_inference_flag, no cropping, no VUI
    )


def pps_nal(*, cabac: int = 1, weighted: str = "0 00", groups: str = ue(0), control: str = "0 0 0") -> bytes:
    """A PPS with two references in list 0 and one in list 1; ``control``: deblocking, constrained intra, redundant."""
    quantisers = se(0) + se(0) + se(0)
    return nal(0x68, ue(0) + ue(0), f"{cabac}0", groups, ue(1) + ue(0), weighted, quantisers, control)


Operations = Sequence[tuple[int, ...]] | None
PAYLOAD = bytes(range(1, 200))


def slice_nal(
    frame_num: int,
    operations: Operations = None,
    *,
    fields: str = "",
    first_mb: int = 0,
    ref_idc: int = 1,
    payload: bytes = PAYLOAD,
    cabac: int = 1,
) -> bytes:
    """An I slice; ``fields`` is "" where frame_mbs_only, "0" for a frame, "10" and "11" for a top and bottom field."""
    marking = ""
    if ref_idc:
        marking = "0" if operations is None else "1" + "".join(ue(v) for each in operations for v in each) + ue(0)
    head = ue(first_mb) + ue(7) + ue(0) + f"{frame_num:04b}" + fields + marking + se(-3)
    if cabac:
        head += "1" * (-len(head) % 8)
    return nal(ref_idc << 5 | 1, head, "".join(f"{byte:08b}" for byte in payload))


def sample(*nals: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size) + unit for unit in nals)
