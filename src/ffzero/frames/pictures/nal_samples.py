"""Samples of NAL units from what encoders give out (Annex B), without what belongs in the sample entry."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ffzero.containers.bits import unescape
from ffzero.containers.nal_units import iter_annex_b, iter_sei_messages
from ffzero.errors import UnsupportedError

__all__ = ["is_settings", "length_prefixed", "units"]

_USER_DATA_UNREGISTERED = 5
_X264 = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")
_X265 = bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e")


def units(stream: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream (Annex B)."""
    return [stream[start : start + length] for start, length in iter_annex_b(stream)]


def length_prefixed(
    stream: bytes,
    nal_length_size: int,
    *,
    dropped: Collection[int],
    sei: Collection[int],
    hevc: bool = False,
    changed: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """Return a sample of the NAL units of a byte stream, less types ``dropped`` and SEI of the encoder's settings.

    Each is put through ``changed``. Raises ``UnsupportedError`` where a NAL unit is too long for its length field.
    """
    parts: list[bytes] = []
    for unit in units(stream):
        kind = unit[0] >> 1 & 63 if hevc else unit[0] & 31
        if kind in dropped or (kind in sei and is_settings(unit, 2 if hevc else 1)):
            continue
        unit = changed(unit)
        if len(unit) >> 8 * nal_length_size:
            raise UnsupportedError(
                f"a rendered picture does not fit the source's NAL unit lengths of {nal_length_size} bytes"
            )
        parts += (len(unit).to_bytes(nal_length_size), unit)
    return b"".join(parts)


def is_settings(unit: bytes, header_bytes: int) -> bool:
    """Whether an SEI NAL unit holds nothing but what x264 or x265 write of their settings."""
    messages = list(iter_sei_messages(unescape(unit[header_bytes:])))
    return bool(messages) and all(
        kind == _USER_DATA_UNREGISTERED and payload[:16] in (_X264, _X265) for kind, payload in messages
    )
