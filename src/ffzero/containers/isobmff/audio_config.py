"""What the boxes of an audio sample entry say of its codec, rate, channels and packet length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ffzero.containers.bits import BitReader
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import parse_audio_specific_config, parse_esds
from ffzero.containers.isobmff.codec_names import AUDIO_CODECS, OBJECT_TYPES, pcm_codec
from ffzero.containers.packet_samples import packet_samples
from ffzero.errors import InvalidDataError

__all__ = ["audio_config"]

_MPEG_AUDIO_OBJECTS = {32: "mp1", 33: "mp2", 34: "mp3", 36: "mp4als"}
_AC3_RATES = (48000, 44100, 32000, 0)
_AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)


def audio_config(fields: Mapping[str, Any], children: Mapping[str, View]) -> dict[str, Any]:
    """Return the fields of ``SampleEntry`` that the configuration decides, given those that the entry itself states."""
    original, bits = fields["original_format"], fields["sample_size_bits"]
    config: dict[str, Any] = {}
    little_endian = fields.get("little_endian", False)
    if "pcmC" in children:
        little_endian, bits = bool(children["pcmC"].u8(4) & 1), children["pcmC"].u8(5)
        config["sample_size_bits"] = bits
    pcm = pcm_codec(original, bits, little_endian=little_endian, lpcm_flags=fields.get("lpcm_flags"))
    config["codec"] = pcm or AUDIO_CODECS.get(original, original)
    if original == "mp4a" and "esds" in children:
        config.update(_mpeg4_audio(children["esds"], config["codec"]))
    reader = _READERS.get(config["codec"])
    if reader is not None and reader[0] in children:
        config.update({key: value for key, value in reader[1](children[reader[0]]).items() if value})
    rate = config.get("sample_rate", fields["sample_rate"])
    if "frame_samples" not in config:
        config["frame_samples"] = packet_samples(config["codec"], rate)
    return config


def _mpeg4_audio(view: View, codec: str) -> dict[str, Any]:
    esds = parse_esds(view)
    codec = OBJECT_TYPES.get(esds.object_type_indication, codec)
    if codec != "aac" or not esds.decoder_specific:
        return {"codec": codec}
    try:
        aac = parse_audio_specific_config(esds.decoder_specific)
    except InvalidDataError as error:
        raise view.error(f"AudioSpecificConfig is damaged: {error.message}") from error
    if aac.object_type in _MPEG_AUDIO_OBJECTS:
        return {"codec": _MPEG_AUDIO_OBJECTS[aac.object_type]}
    config: dict[str, Any] = {"codec": codec, "aac": aac}
    if aac.sample_rate:
        config["sample_rate"] = aac.output_sample_rate
        config["frame_samples"] = aac.frame_samples * aac.output_sample_rate // aac.sample_rate
    if aac.channels:
        config["channels"] = 2 if aac.ps and aac.channels == 1 else aac.channels
    return config


def _opus(view: View) -> dict[str, Any]:
    """OpusSpecificBox: decoders always run at 48 kHz (Opus in ISOBMFF §4.3.2)."""
    return {"channels": view.u8(1), "sample_rate": 48000}


def _flac(view: View) -> dict[str, Any]:
    """FLACSpecificBox: STREAMINFO is its first metadata block (RFC 9639 §8.2)."""
    view.need(8 + 18)
    bits = BitReader(bytes(view.data[8:26]))
    shortest, longest = bits.u(16), bits.u(16)
    bits.skip(48)
    rate, channels, size = bits.u(20), bits.u(3) + 1, bits.u(5) + 1
    return {
        "sample_rate": rate,
        "channels": channels,
        "sample_size_bits": size,
        "frame_samples": longest if shortest == longest else 0,
    }


def _alac(view: View) -> dict[str, Any]:
    """ALACSpecificConfig after version and flags (Apple Lossless "Magic Cookie Description")."""
    return {
        "frame_samples": view.u32(4),
        "sample_size_bits": view.u8(9),
        "channels": view.u8(13),
        "sample_rate": view.u32(24),
    }


def _ac3(view: View) -> dict[str, Any]:
    """AC3SpecificBox (ETSI TS 102 366 §F.4)."""
    view.need(3)
    bits = BitReader(bytes(view.data[:3]))
    rate = _AC3_RATES[bits.u(2)]
    bits.skip(8)
    return {"sample_rate": rate, "channels": _AC3_CHANNELS[bits.u(3)] + bits.u(1)}


def _eac3(view: View) -> dict[str, Any]:
    """EC3SpecificBox, its first independent substream (ETSI TS 102 366 §F.6). Dependent ones may add channels."""
    view.need(5)
    bits = BitReader(bytes(view.data[:5]))
    bits.skip(16)
    rate = _AC3_RATES[bits.u(2)]
    bits.skip(10)
    channels = _AC3_CHANNELS[bits.u(3)] + bits.u(1)
    bits.skip(3)
    dependent = bits.u(4)
    return {"sample_rate": rate, "channels": 0 if dependent else channels}


_READERS: dict[str, tuple[str, Callable[[View], dict[str, Any]]]] = {
    "ac3": ("dac3", _ac3),
    "alac": ("alac", _alac),
    "eac3": ("dec3", _eac3),
    "flac": ("dfLa", _flac),
    "opus": ("dOps", _opus),
}
