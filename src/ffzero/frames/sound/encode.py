"""Encoders set up like the source's sound, fed with float32 samples; what comes out is placed to the sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from ffzero.edits.sound.coding import LOSSLESS_DEPTHS
from ffzero.edits.sound.rendering import SoundJob
from ffzero.errors import UnsupportedError
from ffzero.frames.sound.ac3_frames import ac3_options
from ffzero.frames.sound.decode import LAYOUTS, sound_extradata
from ffzero.values import dataclass

__all__ = ["Packet", "SoundEncoder", "economies", "encode_block", "mp3_room"]

_AAC_BIT_RATES = (192_000, 96_000, 64_000)
"""For each channel. The less, the less readily FFmpeg's coder turns to short blocks."""
_OPUS_BIT_RATE = 128_000
_MP3_BIT_RATES = {1152: (320_000, 256_000, 192_000, 128_000), 576: (160_000, 128_000, 96_000, 64_000)}
"""By samples in a packet; the last leaves room in a frame for all that the next may point back to."""
_FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31}
_NAMES = {"opus": "libopus", "mp3": "libmp3lame"}
_OPUS_FAMILY_AT, _DOPS_FAMILY_AT = 18, 10
"""Where the channel mapping begins in an ``OpusHead`` and in a ``dOps`` (RFC 7845 §5.1, Opus in ISOBMFF §4.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet that decodes to samples from ``at`` on, where 0 is the first that the encoder was fed."""

    data: bytes
    at: int


class SoundEncoder:
    """One encoder for one job, of the best quality or one of some ``economy``.

    Raises ``UnsupportedError`` where the source's sound cannot be matched.
    """

    def __init__(self, job: SoundJob, *, economy: int = 0) -> None:
        self._job = job
        entry = job.entry
        self._rate, self._channels = entry.sample_rate, entry.channels
        name = _NAMES.get(entry.codec, entry.codec)
        try:
            encoder = av.CodecContext.create(name, "w")
        except (ValueError, FFmpegError) as error:
            raise UnsupportedError(f"there is no encoder for {entry.codec} ({entry.fourcc}) here") from error
        assert isinstance(encoder, AudioCodecContext)
        self.layout = LAYOUTS.get(self._channels, f"{self._channels}c")
        self.format = _sample_format(job, encoder)
        encoder.sample_rate, encoder.layout, encoder.format = self._rate, self.layout, self.format
        encoder.time_base = Fraction(1, self._rate)
        encoder.options = {"flags": "+bitexact", **_options(job, encoder, economy)}
        self._encoder = encoder
        try:
            encoder.open()
        except FFmpegError as error:
            raise UnsupportedError(f"{entry.codec} sound like the source's cannot be coded here: {error}") from error
        _check(job, encoder)

    def packets(self, chunks: Iterable[np.ndarray]) -> Iterator[Packet]:
        """Yield the packets of all that is fed."""
        at = 0
        for block in self._blocks(chunks):
            frame = self.frame(block)
            frame.pts, frame.time_base = at, Fraction(1, self._rate)
            at += len(block)
            yield from self.coded(frame)
        yield from self.coded(None)

    def _blocks(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield blocks of the encoder's size, the last filled up with silence where it must be whole."""
        size = self._encoder.frame_size
        if not size:
            yield from chunks
            return
        held = np.zeros((0, self._channels), np.float32)
        for chunk in chunks:
            held = np.concatenate((held, chunk))
            while len(held) >= size:
                yield held[:size]
                held = held[size:]
        if len(held):
            yield np.pad(held, ((0, size - len(held)), (0, 0)))

    def frame(self, block: np.ndarray) -> AudioFrame:
        """Return float32 samples as a frame in the encoder's format."""
        packed = self.format.removesuffix("p")
        scale = _FULL_SCALE.get(packed)
        samples: np.ndarray = block
        if scale is not None:
            kind = {"u8": np.uint8, "s16": np.int16, "s32": np.int32}[packed]
            samples = np.clip(np.rint(block.astype(np.float64) * scale), -scale, scale - 1)
            samples = (samples + (scale if packed == "u8" else 0)).astype(kind)
        elif packed == "dbl":
            samples = block.astype(np.float64)
        planes = samples.T if self.format.endswith("p") else samples.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(planes), format=self.format, layout=self.layout)
        frame.sample_rate = self._rate
        return frame

    def coded(self, frame: AudioFrame | None) -> Iterator[Packet]:
        """Yield what comes out for a frame; ``None`` ends the stream."""
        try:
            found = self._encoder.encode(frame)
        except FFmpegError as error:
            raise UnsupportedError(f"{self._job.entry.codec} sound does not code: {error}") from error
        for packet in found:
            at = packet.pts if packet.pts is not None else 0
            yield Packet(data=bytes(packet), at=at)


def economies(codec: str) -> int:
    """Return how many kinds of economy a codec's encoder can be set to."""
    return {"aac": len(_AAC_BIT_RATES), "mp3": len(_MP3_BIT_RATES[1152])}.get(codec, 1)


def mp3_room(packet: int, economy: int, rate: int) -> int:
    """Return by how many bytes a frame of the highest bit rate is larger than one of an economy, or one less."""
    rates = _MP3_BIT_RATES[packet]
    return packet // 8 * (rates[0] - rates[economy]) // rate - 1


def encode_block(job: SoundJob, block: np.ndarray) -> bytes:
    """Return one block of samples as one packet, by an encoder of its own."""
    encoder = SoundEncoder(job)
    frame = encoder.frame(block)
    frame.pts, frame.time_base = 0, Fraction(1, job.entry.sample_rate)
    found = [packet.data for packet in (*encoder.coded(frame), *encoder.coded(None)) if packet.data]
    if len(found) != 1:
        raise UnsupportedError(f"{len(block)} samples of {job.entry.codec} came out as {len(found)} packets")
    return found[0]


def _sample_format(job: SoundJob, encoder: AudioCodecContext) -> str:
    """Return the encoder's sample format for the source's depth."""
    entry = job.entry
    formats = [form.name for form in encoder.codec.audio_formats or ()]
    depths = LOSSLESS_DEPTHS.get(entry.codec)
    if depths is not None:
        if entry.sample_size_bits not in depths:
            raise UnsupportedError(f"{entry.codec} sound of {entry.sample_size_bits} bits cannot be coded here")
        wanted = "s16" if entry.sample_size_bits == depths[0] else "s32"
        return next(name for name in formats if name.removesuffix("p") == wanted)
    return next((name for name in formats if name.startswith("flt")), formats[0] if formats else "s16")


def _options(job: SoundJob, encoder: AudioCodecContext, economy: int) -> dict[str, str]:
    """Set the encoder's bit rate and return its options: better than the source's where the codec leaves a choice."""
    entry = job.entry
    if entry.codec == "aac":
        encoder.bit_rate = min(_AAC_BIT_RATES[economy], 6 * entry.sample_rate) * entry.channels
        # Each of these codes something that only sounds like the signal, which then would not meet its neighbours.
        return {"aac_pns": "0", "aac_is": "0", "aac_tns": "0"}
    if entry.codec == "opus":
        encoder.bit_rate = _OPUS_BIT_RATE * entry.channels
        return {"frame_duration": f"{job.packet / 48:g}", "application": "audio"}
    if entry.codec == "mp3":
        encoder.bit_rate = _MP3_BIT_RATES[job.packet][economy]
        return {"reservoir": "0", "joint_stereo": "1"}
    if entry.codec in ("ac3", "eac3"):
        encoder.bit_rate, options = ac3_options(job)
        return options
    if entry.codec in ("flac", "alac"):
        return {"bits_per_raw_sample": str(entry.sample_size_bits)}
    return {}


def _check(job: SoundJob, encoder: AudioCodecContext) -> None:
    """Raise where what comes out does not decode by the source's sample entry."""
    entry, coded = job.entry, encoder.extradata or b""
    if encoder.frame_size and job.packet > 1 and encoder.frame_size != job.packet:
        raise UnsupportedError(f"{entry.codec} is coded with {encoder.frame_size} samples a packet, not {job.packet}")
    if entry.codec == "aac" and coded[:2] != _aac_head(job):
        raise UnsupportedError("the source's AAC has a configuration that FFmpeg does not code")
    if entry.codec == "opus" and coded[_OPUS_FAMILY_AT:] != entry.boxes.get("dOps", b"")[_DOPS_FAMILY_AT:]:
        raise UnsupportedError("the source's Opus maps its channels in a way that FFmpeg does not code")
    if entry.codec == "alac":
        source = sound_extradata(entry)
        # Frame length, version, depth and the three parameters of the Rice code (ALACSpecificConfig).
        if coded[12:21] != source[12:21]:
            raise UnsupportedError("the source's ALAC has parameters that FFmpeg does not code")


def _aac_head(job: SoundJob) -> bytes:
    """Return object type, rate and channels of the source's AudioSpecificConfig, its extensions left out."""
    found = sound_extradata(job.entry)[:2]
    return bytes((found[0], found[1] & 0xF8)) if len(found) == 2 else found
