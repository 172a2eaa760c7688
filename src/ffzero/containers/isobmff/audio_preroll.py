"""How much audio a decoder must hear before a cut until it sounds as if it had decoded from the start.

The numbers are measured against FFmpeg's decoders (``tests/containers/test_audio_preroll.py``), where a standard does
not give them.
"""

from __future__ import annotations

import math

from ffzero.containers.isobmff.sample_entry import SampleEntry

__all__ = ["audio_preroll_samples", "audio_preroll_ticks", "roll_distance"]

OPUS_PREROLL_TICKS_48K = 3840
"""80 ms at 48 kHz (RFC 7845 §4.6)."""

_OPUS_PACKET_TICKS_48K = 960
_OPUS_PACKETS = 20
"""400 ms. The 80 ms of RFC 7845 §4.6 are enough to sound right, this many to equal a whole decode to -90 dB."""

_EXACT = frozenset({"flac", "alac", "mp4als"})
_PACKETS = {
    "mp1": 1,
    "mp2": 1,
    "ac3": 2,
    "eac3": 3,
    "vorbis": 2,
    "dts": 2,
    "truehd": 128,  # a major sync, where decoding can start, comes at least once in 128 access units
    "amr_nb": 8,
    "amr_wb": 8,
    "adpcm_ima_qt": 0,
    "adpcm_ima_wav": 0,
    "adpcm_ms": 0,
}
_MP3_PACKETS, _MP3_MOST_PACKETS = 10, 65
_UNKNOWN_PACKETS = 2
_AAC_LC_PACKETS, _AAC_SBR_PACKETS = 1, 3
_HIGHEST_IMPLICIT_SBR_RATE = 24000


def audio_preroll_samples(entry: SampleEntry, *, smallest_packet_bytes: int | None = None) -> int:
    """Return how many packets before the one that holds the cut must be kept, and trimmed after decoding.

    Uncompressed and lossless audio needs none. For MP3 a frame's data may begin up to 511 bytes earlier (255 below
    32 kHz): ``smallest_packet_bytes``, where known, makes the count right for low bit rates; without it, it is 10. Opus
    takes 20 packets, where RFC 7845 §4.6 asks for 80 ms: see ``_OPUS_PACKETS``.
    """
    codec = entry.codec
    if codec in _EXACT or codec.startswith("pcm_"):
        return 0
    if codec == "aac":
        return _AAC_SBR_PACKETS if _may_use_sbr(entry) else _AAC_LC_PACKETS
    if codec == "mp3":
        return _mp3_packets(entry, smallest_packet_bytes)
    if codec == "opus":
        return _OPUS_PACKETS
    return _PACKETS.get(codec, _UNKNOWN_PACKETS)


def audio_preroll_ticks(entry: SampleEntry) -> int | None:
    """Return the pre-roll in samples of 48 kHz where the codec's standard states a time (Opus), else ``None``."""
    return OPUS_PREROLL_TICKS_48K if entry.codec == "opus" else None


def roll_distance(entry: SampleEntry, *, packet_ticks_48k: int = _OPUS_PACKET_TICKS_48K) -> int | None:
    """Return the ``roll_distance`` of a ``roll`` sample group (ISO/IEC 14496-12 §10.1.1.2), or ``None`` for no group.

    It is -(packets), the same number that a cut keeps. For Opus it follows from the packets' duration at 48 kHz (Opus
    in ISOBMFF §4.3.6.2). Codecs that need no pre-roll have none.
    """
    if entry.codec == "opus":
        return -math.ceil(OPUS_PREROLL_TICKS_48K / max(packet_ticks_48k, 1))
    return -audio_preroll_samples(entry) or None


def _may_use_sbr(entry: SampleEntry) -> bool:
    """Whether SBR is signalled, or nothing excludes it: a core of at most 24 kHz may carry it unannounced."""
    if entry.aac is None:
        return True
    if entry.aac.sbr is None:
        return entry.aac.sample_rate <= _HIGHEST_IMPLICIT_SBR_RATE
    return entry.aac.sbr


def _mp3_packets(entry: SampleEntry, smallest_packet_bytes: int | None) -> int:
    if smallest_packet_bytes is None:
        return _MP3_PACKETS
    is_mpeg1, is_mono = entry.sample_rate >= 32000, entry.channels == 1
    reservoir = 511 if is_mpeg1 else 255
    # Header and side information (ISO/IEC 11172-3 §2.4.1.7, 13818-3 §2.4.1.7); the rest of a frame is main data.
    overhead = 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))
    return min(1 + math.ceil(reservoir / max(smallest_packet_bytes - overhead, 8)), _MP3_MOST_PACKETS)
