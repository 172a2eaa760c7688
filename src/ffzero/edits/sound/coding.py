"""Which sound can be coded anew beside packets that are copied, and how many packets around a change that takes.

Codecs that transform overlapping blocks (AAC, AC-3, MP3, Opus) decode a packet together with the one before: a change
within one packet's time needs that packet coded anew and the one before it, both from the signal that their copied
neighbours were coded from, so that the aliasing of the halves that meet cancels.
"""

from __future__ import annotations

from ffzero.containers.isobmff.codec_config import AacConfig
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.media import Media
from ffzero.edits.takes import usual_duration
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = ["LOSSLESS_DEPTHS", "SoundCoding", "sound_coding", "stated_rate"]

LOSSLESS_DEPTHS = {"flac": (16, 24), "alac": (16, 24)}
"""Bits per sample that FFmpeg codes without loss, by codec; the first ones as 16-bit samples."""

_IMPLICIT_SBR_RATES = (16000, 22050, 24000)
"""Cores of HE-AAC that need not say that it is: at lower rates nobody makes it."""
_AAC_LC, _AAC_SAMPLES = 2, 1024
_OPUS_PACKETS = (120, 240, 480, 960, 1920, 2880)
_OPUS_DELAY = 312


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundCoding:
    """How sound is coded anew: packets of ``packet`` samples (0: of any number), ``before`` and ``after`` what changes.

    ``warm`` packets are coded ahead of those and thrown away; up to ``spare`` more on either side may be kept.
    ``clicks`` says whether a joint of copied packets can be heard: not where blocks overlap and depend on nothing else,
    so that they cross-fade of themselves. What a decoder makes of a coder's packets comes ``delay`` samples after what
    the coder was fed. ``reason`` says why nothing can be coded; it is empty where it can.
    """

    packet: int = 0
    before: int = 0
    after: int = 0
    warm: int = 0
    spare: int = 0
    clicks: bool = False
    delay: int = 0
    reason: str = ""


def sound_coding(track: Track, description: int, media: Media | None = None) -> SoundCoding:
    """Tell how the sound of one of a track's sample entries can be coded anew; reads a few bytes of ``media``."""
    entry = track.entries[description]
    if entry.encryption is not None and entry.encryption.is_protected:
        return SoundCoding(reason="the sound is encrypted")
    if not entry.sample_rate or not entry.channels:
        return SoundCoding(reason=f"the sample entry does not tell rate and channels of the {entry.codec} sound")
    if track.table.sizes.unit_bytes is not None and track.table.sizes.unit_samples != 1:
        return SoundCoding(reason=f"no encoder for {entry.codec} ({entry.fourcc}) is at hand")
    if entry.codec == "aac":
        return _aac(entry, entry.aac)
    if entry.codec == "opus":
        return _opus(track)
    if entry.codec in ("ac3", "eac3"):
        return SoundCoding(packet=1536, before=1, warm=2, delay=256)
    if entry.codec == "mp3" and media is not None and not _is_layer_3(media, track):
        return SoundCoding(reason="only layer III of MPEG audio can be coded")
    if entry.codec == "mp3":
        # Below 32 kHz a packet is one granule, so it takes two for the blocks and the filter bank before them.
        return SoundCoding(
            packet=entry.frame_samples,
            before=1 if entry.frame_samples == 1152 else 2,
            after=1,
            warm=6,
            spare=6,
            clicks=True,
            delay=1105,
        )
    if entry.codec in LOSSLESS_DEPTHS:
        if entry.sample_size_bits not in LOSSLESS_DEPTHS[entry.codec]:
            return SoundCoding(reason=f"{entry.codec} sound of {entry.sample_size_bits} bits cannot be coded here")
        return SoundCoding(clicks=True)
    if entry.codec.startswith("pcm_") and entry.codec not in ("pcm_alaw", "pcm_mulaw"):
        return SoundCoding(packet=1)
    return SoundCoding(reason=f"no encoder for {entry.codec} ({entry.fourcc}) is at hand")


def stated_rate(track: Track, description: int) -> int:
    """Return the rate that places in a track's sound count at: its sample entry's, which HE-AAC decodes to twice of."""
    return track.entries[description].sample_rate or track.timescale


def _is_layer_3(media: Media, track: Track) -> bool:
    """Whether the first packet is a frame of layer III: the entry is the same for all three."""
    head = media.sample_bytes(track, 0, most=4) or b""
    return len(head) == 4 and int.from_bytes(head) >> 21 == 0x7FF and (head[1] >> 1) & 3 == 1


def _aac(entry: SampleEntry, config: AacConfig | None) -> SoundCoding:
    if config is None:
        return SoundCoding(reason="the sample entry has no AudioSpecificConfig")
    implicit = config.sbr is None and config.sample_rate in _IMPLICIT_SBR_RATES
    if config.sbr or config.ps or implicit:
        return SoundCoding(reason="there is no encoder for HE-AAC (SBR) in FFmpeg")
    if config.object_type != _AAC_LC or config.frame_samples != _AAC_SAMPLES:
        return SoundCoding(reason="of AAC only LC with 1024 samples a packet can be coded")
    if config.channels not in (1, 2, 3, 4, 5, 6):
        return SoundCoding(reason=f"AAC with {entry.channels} channels in this order cannot be coded")
    return SoundCoding(packet=_AAC_SAMPLES, before=1, warm=4, spare=6, delay=_AAC_SAMPLES)


def _opus(track: Track) -> SoundCoding:
    packet = rescale(usual_duration(track.table), track.timescale, 48000, Rounding.NEAREST)
    if packet not in _OPUS_PACKETS:
        return SoundCoding(reason=f"Opus packets of {packet / 48:g} ms cannot be coded")
    # The codec predicts levels from packet to packet: a few with the signal of those that follow bring them together.
    return SoundCoding(
        packet=packet,
        before=1,
        after=max(1, 2880 // packet),
        warm=max(4, 9600 // packet),
        clicks=True,
        delay=_OPUS_DELAY,
    )
