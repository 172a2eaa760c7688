"""What H.264 and HEVC share: walking the NAL units of a sample, SEI messages, and what an access unit is.

Everything here is pure: bytes in, values out, no I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from ffzero.containers.bits import BitReader, unescape
from ffzero.errors import InvalidDataError, TruncatedError
from ffzero.values import dataclass

__all__ = [
    "AccessUnit",
    "NalSpan",
    "RandomAccess",
    "RecoveryPoint",
    "iter_annex_b",
    "iter_length_prefixed",
    "iter_nal_units",
    "iter_sei_messages",
]

NalSpan = tuple[int, int]
"""A NAL unit inside a sample: ``(offset_bytes, length_bytes)``, header included, length prefix or start code not."""

RECOVERY_POINT = 6
"""SEI payload type of a recovery point (H.264 §D.1.8, HEVC §D.2.8)."""

_START_CODE = b"\x00\x00\x01"


class RandomAccess(enum.Enum):
    """Whether decoding may start at an access unit, and what is right from there."""

    CLOSED = "closed"
    """IDR, BLA: everything that follows is what a decode from the start shows too."""
    OPEN = "open"
    """CRA, a recovery point of 0 frames, an all-intra picture: right but for leading pictures (shown before it)."""
    GRADUAL = "gradual"
    """Pictures become right ``recovery_frames`` later (intra refresh)."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPoint:
    """A recovery point SEI message. ``count`` is in steps of frame_num (H.264) or of picture order count (HEVC)."""

    count: int
    exact_match: bool
    broken_link: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessUnit:
    """What one sample of H.264 or HEVC is, as its NAL units tell.

    ``recovery_frames`` counts reference frames (H.264: steps of frame_num) or picture order counts (HEVC) until
    pictures are right; 0 unless ``random_access`` is ``GRADUAL``. ``is_reference`` is false for pictures that no
    other one of their (sub-)layer is predicted from. ``is_leading_undecodable`` is RASL, ``is_leading_decodable`` RADL;
    H.264 does not mark leading pictures. ``is_intra`` is known for H.264 (all slices I or SI) and HEVC IRAP pictures.
    ``OPEN`` without ``recovery_point`` in H.264 is a guess from the slice types: trust it where the container, too,
    calls the sample a sync sample.
    """

    random_access: RandomAccess
    recovery_frames: int = 0
    is_reference: bool = False
    is_leading_undecodable: bool = False
    is_leading_decodable: bool = False
    has_vcl: bool = False
    is_intra: bool = False
    recovery_point: RecoveryPoint | None = None


def iter_nal_units(sample: bytes, nal_length_size: int) -> Iterator[NalSpan]:
    """Yield the NAL units of a sample; ``nal_length_size`` is 1, 2 or 4 (3 is tolerated), or 0 for Annex B."""
    return iter_length_prefixed(sample, nal_length_size) if nal_length_size else iter_annex_b(sample)


def iter_length_prefixed(sample: bytes, nal_length_size: int) -> Iterator[NalSpan]:
    """Yield the NAL units of a sample of ``avc1``/``hvc1`` (ISO/IEC 14496-15 §4.3.3, §5.3.2, §8.3.2).

    Empty NAL units and a tail of zero bytes are skipped, as FFmpeg does. Raises ``TruncatedError`` with the offset in
    the sample where a length runs past its end. Copies nothing.
    """
    if not 1 <= nal_length_size <= 4:
        raise InvalidDataError("a NAL length has an impossible size", expected="1, 2 or 4", found=nal_length_size)
    position, end = 0, len(sample)
    while position < end:
        start = position + nal_length_size
        length = int.from_bytes(sample[position:start])
        if start > end or length > end - start:
            if length == 0:
                return
            raise TruncatedError(
                "a NAL unit runs past the end of its sample",
                offset_bytes=position,
                expected=f"{length} bytes",
                found=f"{max(end - start, 0)} bytes",
            )
        if length:
            yield start, length
        position = start + length


def iter_annex_b(stream: bytes) -> Iterator[NalSpan]:
    """Yield the NAL units of a byte stream with start codes (H.264 and HEVC Annex B), without trailing zero bytes.

    Bytes before the first start code are skipped; a stream without one has no NAL unit. Copies nothing.
    """
    code = stream.find(_START_CODE)
    while code >= 0:
        start = code + len(_START_CODE)
        code = stream.find(_START_CODE, start)
        end = code if code >= 0 else len(stream)
        while end > start and stream[end - 1] == 0:
            end -= 1
        if end > start:
            yield start, end - start


def iter_sei_messages(rbsp: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield ``(payload_type, payload)`` of an SEI RBSP without its NAL header (H.264 §7.3.2.3.1, HEVC §7.3.5).

    A damaged message ends the iteration: SEI is supplemental, and broken ones are common and harmless.
    """
    position, end = 0, len(rbsp)
    while position + 2 <= end:
        values = []
        for _ in range(2):
            value = 0
            while position < end and rbsp[position] == 0xFF:
                value, position = value + 255, position + 1
            if position >= end:
                return
            values.append(value + rbsp[position])
            position += 1
        kind, size = values
        if size > end - position:
            return
        yield kind, rbsp[position : position + size]
        position += size


def find_recovery_point(nal: bytes, header_bytes: int, *, signed: bool) -> RecoveryPoint | None:
    """Return the recovery point of an SEI NAL unit; its count is ue(v) in H.264, se(v) (``signed``) in HEVC."""
    for kind, payload in iter_sei_messages(unescape(nal[header_bytes:])):
        if kind == RECOVERY_POINT:
            bits = BitReader(payload)
            try:
                count = bits.se() if signed else bits.ue()
                return RecoveryPoint(count=count, exact_match=bits.flag(), broken_link=bits.flag())
            except InvalidDataError:
                return None
    return None
