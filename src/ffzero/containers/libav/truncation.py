"""Whether a file is shorter than it says."""

from __future__ import annotations

__all__ = ["truncation"]


def truncation(head: bytes, size_bytes: int) -> str | None:
    """Return a note where the container, by its first bytes, declares more bytes than the file has."""
    declared = _declared_size(head)
    if declared is None or declared <= size_bytes:
        return None
    return f"truncated: declares {declared} bytes, has {size_bytes}"


def _declared_size(head: bytes) -> int | None:
    """Return how long the file says it is: Matroska's Segment (RFC 9559 §5.1) or RIFF's chunk; ``None``: it doesn't."""
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE"):
        return int.from_bytes(head[4:8], "little") + 8
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    header = _vint(head, 4)
    if header is None:
        return None
    at = 4 + header[1] + (header[0] or 0)
    segment = _vint(head, at + 4) if head[at : at + 4] == b"\x18\x53\x80\x67" else None
    if segment is None or segment[0] is None:
        return None
    return at + 4 + segment[1] + segment[0]


def _vint(data: bytes, at: int) -> tuple[int | None, int] | None:
    """Return a variable-size integer (RFC 8794 §4) and its length in bytes; the value is ``None`` for unknown size."""
    if at >= len(data) or data[at] == 0:
        return None
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big") & ((1 << (7 * length)) - 1)
    return (None if value == (1 << (7 * length)) - 1 else value), length
