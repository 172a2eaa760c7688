"""How many samples a packet of sound has, where its codec fixes that."""

from __future__ import annotations

__all__ = ["WHOLE_PACKETS", "packet_samples"]

WHOLE_PACKETS = frozenset({"aac", "mp3", "mp2", "ac3", "eac3"})
"""Codecs that code so many samples a packet, the last one included, whatever it says."""

_SAMPLES = {"ac3": 1536, "eac3": 1536, "mp2": 1152, "mp3": 1152, "amr_nb": 160, "amr_wb": 320, "adpcm_ima_qt": 64}
_LEAST_RATE = 32000
"""Below it MP3 has half as many (MPEG-2 layer III, ISO/IEC 13818-3 §2.4.2.1)."""


def packet_samples(codec: str, sample_rate: int) -> int:
    """Return the samples of a packet, 0 where the codec alone does not tell (AAC, Opus, FLAC, ...)."""
    if codec.startswith("pcm_"):
        return 1
    samples = _SAMPLES.get(codec, 0)
    return samples // 2 if codec == "mp3" and sample_rate < _LEAST_RATE else samples
