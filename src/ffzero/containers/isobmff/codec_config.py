"""Decoder configuration records inside sample entries: avcC, hvcC, esds with AudioSpecificConfig, and their kin.

Parsers only: the raw bytes stay what they are. A declared count or size that does not fit is an ``InvalidDataError``.
"""

from __future__ import annotations

from ffzero.containers.bits import BitReader
from ffzero.containers.isobmff.boxes import View
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = [
    "AacConfig",
    "AvcConfig",
    "Esds",
    "HevcConfig",
    "parse_audio_specific_config",
    "parse_avcc",
    "parse_esds",
    "parse_hvcc",
]

_ES_DESCRIPTOR, _DECODER_CONFIG, _DECODER_SPECIFIC = 3, 4, 5
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
_SBR, _PS, _ER_AAC_LD, _ER_AAC_ELD = 5, 29, 23, 39
_GENERAL_AUDIO = frozenset({1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23})
_SYNC_SBR, _SYNC_PS = 0x2B7, 0x548


@dataclass(frozen=True, slots=True, kw_only=True)
class AvcConfig:
    """An AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1). ``sps`` and ``pps`` are whole NAL units."""

    nal_length_size: int
    profile: int
    compatibility: int
    level: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HevcConfig:
    """An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1): its arrays by NAL unit type, in their order."""

    nal_length_size: int
    arrays: tuple[tuple[int, tuple[bytes, ...]], ...]

    def units(self, nal_type: int) -> tuple[bytes, ...]:
        """Return the NAL units of one type (32 VPS, 33 SPS, 34 PPS, 39 and 40 SEI)."""
        return tuple(unit for kind, units in self.arrays if kind == nal_type for unit in units)


@dataclass(frozen=True, slots=True, kw_only=True)
class AacConfig:
    """An AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).

    ``object_type`` is that of the core (2 for AAC-LC, whichever way SBR is signalled). ``sbr`` and ``ps`` are ``None``
    where nothing says: a decoder then finds out from the first frames. ``sample_rate`` is the core's,
    ``output_sample_rate`` the one after SBR where signalled. ``frame_samples`` is at the core's rate. ``channels`` is 0
    where a program config element defines them.
    """

    object_type: int
    sample_rate: int
    channels: int
    output_sample_rate: int
    frame_samples: int
    sbr: bool | None
    ps: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Esds:
    """The elementary stream descriptor's decoder part (ISO/IEC 14496-1 §7.2.6.6)."""

    object_type_indication: int
    decoder_specific: bytes


def _length_prefixed_units(view: View, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    units = []
    for _ in range(count):
        size = view.u16(at)
        view.need(size, at + 2)
        units.append(bytes(view.data[at + 2 : at + 2 + size]))
        at += 2 + size
    return tuple(units), at


def parse_avcc(view: View) -> AvcConfig:
    """Parse an ``avcC`` payload. A missing tail of High profiles is tolerated: many writers leave it out."""
    if view.u8(0) != 1:
        raise view.error("avcC has an unknown version", 0, expected=1, found=view.u8(0))
    sps, at = _length_prefixed_units(view, 6, view.u8(5) & 31)
    pps, _ = _length_prefixed_units(view, at + 1, view.u8(at))
    return AvcConfig(
        nal_length_size=(view.u8(4) & 3) + 1,
        profile=view.u8(1),
        compatibility=view.u8(2),
        level=view.u8(3),
        sps=sps,
        pps=pps,
    )


def parse_hvcc(view: View) -> HevcConfig:
    """Parse an ``hvcC`` (or ``lhvC``-less layered) payload. Version 0 is tolerated: early writers left it so."""
    if view.u8(0) > 1:
        raise view.error("hvcC has an unknown version", 0, expected=1, found=view.u8(0))
    arrays, at = [], 23
    for _ in range(view.u8(22)):
        kind, count = view.u8(at) & 63, view.u16(at + 1)
        units, at = _length_prefixed_units(view, at + 3, count)
        arrays.append((kind, units))
    return HevcConfig(nal_length_size=(view.u8(21) & 3) + 1, arrays=tuple(arrays))


def _descriptor(view: View, at: int) -> tuple[int, int, int]:
    """Return (tag, payload start, payload size) of the descriptor at ``at``; its size has 1 to 4 bytes of 7 bits."""
    tag, size = view.u8(at), 0
    for i in range(1, 5):
        byte = view.u8(at + i)
        size = size << 7 | byte & 127
        if byte < 128:
            break
    # Some writers count the descriptor past the box; what matters lies at its start.
    return tag, at + i + 1, min(size, max(len(view) - (at + i + 1), 0))


def parse_esds(view: View) -> Esds:
    """Parse an ``esds`` payload, version and flags included (ISO/IEC 14496-14 §6.7.2)."""
    tag, at, _ = _descriptor(view, 4)
    if tag == _ES_DESCRIPTOR:
        flags = view.u8(at + 2)
        at += 3 + (2 if flags & 0x80 else 0)
        if flags & 0x40:
            at += 1 + view.u8(at)
        at += 2 if flags & 0x20 else 0
        tag, at, _ = _descriptor(view, at)
    if tag != _DECODER_CONFIG:
        raise view.error("esds has no decoder config descriptor", at, expected=_DECODER_CONFIG, found=tag)
    indication = view.u8(at)
    at += 13
    if at + 2 <= len(view):
        tag, start, size = _descriptor(view, at)
        if tag == _DECODER_SPECIFIC:
            return Esds(object_type_indication=indication, decoder_specific=bytes(view.data[start : start + size]))
    return Esds(object_type_indication=indication, decoder_specific=b"")


def _object_type(bits: BitReader) -> int:
    kind = bits.u(5)
    return 32 + bits.u(6) if kind == 31 else kind


def _sample_rate(bits: BitReader) -> int:
    index = bits.u(4)
    if index == 15:
        return bits.u(24)
    if index >= len(_AAC_RATES):
        raise InvalidDataError("an AAC sample rate index is reserved", offset_bytes=bits.offset_bytes, found=index)
    return _AAC_RATES[index]


def parse_audio_specific_config(data: bytes) -> AacConfig:
    """Parse an AudioSpecificConfig with its explicit SBR and PS signalling, hierarchical or backward compatible."""
    bits = BitReader(data)
    kind = _object_type(bits)
    rate = output_rate = _sample_rate(bits)
    channel_configuration = bits.u(4)
    sbr: bool | None = None
    ps: bool | None = None
    if kind in (_SBR, _PS):
        sbr, ps = True, True if kind == _PS else None
        output_rate = _sample_rate(bits)
        kind = _object_type(bits)
    frame_samples = 1024
    if kind in _GENERAL_AUDIO:
        frame_samples, channels = _general_audio_config(bits, kind, channel_configuration)
        if sbr is None:
            sbr, ps, output_rate = _sync_extension(bits, rate)
    else:
        channels = _AAC_CHANNELS.get(channel_configuration, 0)
        if kind == _ER_AAC_ELD:
            frame_samples = 480 if bits.remaining_bits and bits.flag() else 512
    return AacConfig(
        object_type=kind,
        sample_rate=rate,
        channels=channels,
        output_sample_rate=output_rate,
        frame_samples=frame_samples,
        sbr=sbr,
        ps=ps,
    )


def _general_audio_config(bits: BitReader, kind: int, channel_configuration: int) -> tuple[int, int]:
    """Read a GASpecificConfig (§4.4.1); return (frame_samples, channels). A config without it is tolerated."""
    short_frame = bits.remaining_bits > 0 and bits.flag()
    long_samples, short_samples = (512, 480) if kind == _ER_AAC_LD else (1024, 960)
    frame_samples = short_samples if short_frame else long_samples
    if bits.remaining_bits and bits.flag():
        bits.skip(14)
    extension = bits.remaining_bits > 0 and bits.flag()
    channels = _AAC_CHANNELS.get(channel_configuration, 0)
    if channel_configuration == 0 and bits.remaining_bits:
        channels = _program_config_channels(bits)
    if kind in (6, 20):
        bits.skip(3)
    if extension:
        bits.skip({22: 16, 17: 3, 19: 3, 20: 3, 23: 3}.get(kind, 0) + 1)
    return frame_samples, channels


def _program_config_channels(bits: BitReader) -> int:
    """Read a program_config_element (§4.4.1.1); return how many channels it declares."""
    bits.skip(10)
    front, side, back = bits.u(4), bits.u(4), bits.u(4)
    lfe, data, coupling = bits.u(2), bits.u(3), bits.u(4)
    for size in (4, 4, 3):
        if bits.flag():
            bits.skip(size)
    channels = lfe
    for _ in range(front + side + back):
        channels += 1 + bits.u(1)
        bits.skip(4)
    bits.skip(4 * lfe + 4 * data + 5 * coupling)
    bits.skip(-bits.position_bits % 8)
    bits.skip(8 * bits.u(8))
    return channels


def _sync_extension(bits: BitReader, rate: int) -> tuple[bool | None, bool | None, int]:
    """Read the backward compatible signalling (§1.6.6.2); return (sbr, ps, output rate)."""
    if bits.remaining_bits < 16 or bits.u(11) != _SYNC_SBR or _object_type(bits) != _SBR:
        return None, None, rate
    if not (bits.remaining_bits and bits.flag()):
        return False, False, rate
    output_rate = _sample_rate(bits)
    if bits.remaining_bits < 12 or bits.u(11) != _SYNC_PS:
        return True, None, output_rate
    return True, bits.flag(), output_rate
