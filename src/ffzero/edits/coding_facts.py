"""What a sample entry says that matters to joining, as named facts: the vocabulary of ``compatibility``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.hevc_params import HevcPps, HevcSps, parse_hevc_pps, parse_hevc_sps, parse_hevc_vps
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import parse_esds
from ffzero.containers.isobmff.sample_entry import Colour, SampleEntry
from ffzero.containers.vui import VideoSignal
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["Fact", "coding_facts", "colour_of"]

_CHROMA = ("gray", "4:2:0", "4:2:2", "4:4:4")
_VPS, _SPS, _PPS = 32, 33, 34
_UNSPECIFIED = 2
_DOLBY = ("dvcC", "dvvC", "dvwC")
_STATIC_HDR = ("mdcv", "clli", "SmDm", "CoLL", "amve")
# Boxes that other facts cover, or that change nothing for a decoder (bit rates, display names, gamma hints).
_COVERED = frozenset(
    {"avcC", "hvcC", "esds", "pasp", "colr", "btrt", "sinf", "wave", "frma", "mp4a", "gama", "enda", "chan", "fiel"}
    | {"dac3", "dec3", "dOps", "dfLa", "alac", "pcmC", "srat", "av1C", "vpcC", "free", "skip", *_DOLBY, *_STATIC_HDR}
)
_COVERED_FIELDS = frozenset({"id", "sample_aspect"})  # by the facts "parameter set ids" and "pixel aspect"
_SELF_DESCRIBING = frozenset({"ac3", "eac3", "mp3", "mp2", "mp1", "dts", "truehd"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One value with its wording. ``is_fatal``: when it differs, no decoder can be trusted to switch.

    ``absent`` is how the lack of the fact is worded; ``None`` means that a lack says nothing.
    """

    value: Hashable
    text: str
    is_fatal: bool = True
    absent: str | None = None


@lru_cache(maxsize=64)
def coding_facts(entry: SampleEntry) -> Mapping[str, Fact]:
    """Return the facts of a sample entry by name; colour is apart (``colour_of``). Raises nothing."""
    facts = {"sample entry": _soft(entry.fourcc)}
    if entry.encryption:
        facts["encryption"] = Fact(value=entry.encryption, text=entry.encryption.scheme, absent="none")
        facts["encryption keys"] = _soft(entry.boxes.get("sinf"), "these")
    readers: dict[str, Callable[[SampleEntry], Iterator[tuple[str, Fact]]]] = {"video": _video, "audio": _audio}
    facts.update(readers.get(entry.kind, _other)(entry))
    return facts


def colour_of(entry: SampleEntry) -> Colour:
    """Return the colour that applies: ``colr`` where present, else the SPS's, else unspecified."""
    if entry.colour is not None:
        return entry.colour
    for sps in _readable_sps(entry):
        signal = sps.vui.signal
        return Colour(
            primaries=signal.primaries,
            transfer=signal.transfer,
            matrix=signal.matrix,
            full_range=signal.full_range if signal != VideoSignal(sample_aspect=signal.sample_aspect) else None,
        )
    return Colour(primaries=_UNSPECIFIED, transfer=_UNSPECIFIED, matrix=_UNSPECIFIED, full_range=None)


def _soft(value: Hashable, text: str | None = None, absent: str | None = None) -> Fact:
    return Fact(value=value, text=str(value) if text is None else text, is_fatal=False, absent=absent)


def _hard(value: Hashable, text: str | None = None) -> Fact:
    return Fact(value=value, text=str(value) if text is None else text)


def _video(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    sps = next(_readable_sps(entry), None)
    size = (sps.width, sps.height) if sps else (entry.width, entry.height)
    yield "size", _hard(size, f"{size[0]}×{size[1]}")
    yield "size in the sample entry", _soft((entry.width, entry.height), f"{entry.width}×{entry.height}")
    aspect = _pixel_aspect(entry)
    yield "pixel aspect", _hard(aspect, f"{aspect[0]}:{aspect[1]}")
    if entry.nal_length_size:
        yield "NAL unit length size", _soft(entry.nal_length_size)
    yield from _parameter_sets(entry)
    yield from _other_video_config(entry)
    dolby = tuple(entry.boxes[name] for name in _DOLBY if name in entry.boxes)
    if dolby:
        yield "Dolby Vision configuration", Fact(value=dolby, text="present", absent="none")
    static = tuple((name, entry.boxes[name]) for name in _STATIC_HDR if name in entry.boxes)
    if static:
        yield "HDR metadata", _soft(static, "present", "none")
    if "fiel" in entry.boxes:
        yield "field order", _soft(entry.boxes["fiel"], entry.boxes["fiel"].hex(" "))
    yield from _uncovered(entry)


def _pixel_aspect(entry: SampleEntry) -> tuple[int, int]:
    across, down = 0, 0
    pasp = entry.boxes.get("pasp", b"")
    if len(pasp) >= 8:
        across, down = int.from_bytes(pasp[:4]), int.from_bytes(pasp[4:8])
    else:
        for sps in _readable_sps(entry):
            across, down = sps.vui.signal.sample_aspect
    if not across or not down:
        return (1, 1)
    ratio = Fraction(across, down)
    return ratio.numerator, ratio.denominator


# The files of a long join differ in their bit rates and share their parameter sets.
_h264_sps, _h264_pps = lru_cache(maxsize=64)(parse_h264_sps), lru_cache(maxsize=64)(parse_h264_pps)
_hevc_vps, _hevc_sps = lru_cache(maxsize=64)(parse_hevc_vps), lru_cache(maxsize=64)(parse_hevc_sps)
_hevc_pps = lru_cache(maxsize=64)(parse_hevc_pps)


def _readable_sps(entry: SampleEntry) -> Iterator[H264Sps | HevcSps]:
    try:
        for sps in entry.avc.sps if entry.avc else ():
            yield _h264_sps(sps)
        for sps in entry.hevc.units(_SPS) if entry.hevc else ():
            yield _hevc_sps(sps)
    except InvalidDataError:
        return


def _parameter_sets(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    """Yield facts of H.264 and HEVC parameter sets; what cannot be read is compared byte by byte, and is fatal."""
    sets: tuple[Any, ...]
    try:
        if entry.avc:
            sets = (*map(_h264_sps, entry.avc.sps), *map(_h264_pps, entry.avc.pps))
        elif entry.hevc:
            sets = (
                *map(_hevc_vps, entry.hevc.units(_VPS)),
                *map(_hevc_sps, entry.hevc.units(_SPS)),
                *map(_hevc_pps, entry.hevc.units(_PPS)),
            )
        else:
            return
    except InvalidDataError as error:
        text = f"unreadable ({error.message})"
        yield "parameter sets", Fact(value=(entry.avc, entry.hevc), text=text, absent="readable")
        return
    by_id = {(type(item).__name__, item.id): item for item in sets}
    names = sorted(by_id)
    yield "parameter set ids", _soft(tuple(names), ", ".join(f"{kind[4:]} {number}".upper() for kind, number in names))
    sps_units = [by_id[name] for name in names if isinstance(by_id[name], H264Sps | HevcSps)]
    for sps in sps_units[:1]:
        yield from _coded_format(sps)
    for sps in sps_units:
        yield from _fields(f"SPS {sps.id}", sps)
    pps_units = tuple(by_id[name] for name in names if isinstance(by_id[name], H264Pps | HevcPps))
    yield "picture parameters", _soft(pps_units, "these")


def _coded_format(sps: H264Sps | HevcSps) -> Iterator[tuple[str, Fact]]:
    yield "chroma format", _hard((sps.chroma_format, sps.separate_planes), _CHROMA[sps.chroma_format])
    depths = (sps.bit_depth_luma, sps.bit_depth_chroma if sps.chroma_format else sps.bit_depth_luma)
    yield "bit depth", _hard(depths, str(max(depths)))
    if isinstance(sps, H264Sps):
        yield "scan", _soft(sps.frame_mbs_only, "progressive" if sps.frame_mbs_only else "interlaced")
        # FFmpeg shows noise where a decoder goes on from pictures with loss to ones without (libavcodec 63).
        yield "coding without loss", _hard(sps.lossless_bypass, "possible" if sps.lossless_bypass else "none")


def _fields(prefix: str, values: Any) -> Iterator[tuple[str, Fact]]:
    """Yield every field that counts for equality, one fact each, so that a difference has the standard's name."""
    for item in dataclasses.fields(values):
        value, name = getattr(values, item.name), f"{prefix} {item.name.replace('_', ' ')}"
        if not item.compare or item.name in _COVERED_FIELDS:
            continue
        if dataclasses.is_dataclass(value):
            yield from _fields(name, value)
        else:
            yield name, _soft(value, str(value) if isinstance(value, int | None) else "these")


def _other_video_config(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    """Yield facts of AV1 (AV1 in ISOBMFF §2.3.3), VP8 and VP9 (VP Codec ISOBMFF Binding) and MPEG-4 part 2."""
    boxes = entry.boxes
    if len(boxes.get("av1C", b"")) >= 4:
        _, profile_level, layout, _ = boxes["av1C"][:4]
        yield "profile", _hard(profile_level >> 5)
        depth = (10 if layout & 0x40 else 8) + (2 if layout & 0x60 == 0x60 else 0)
        yield "bit depth", _hard(depth)
        yield "chroma format", _hard(layout & 0x1C, _av1_chroma(layout))
        yield "AV1 configuration", _soft(boxes["av1C"], "these")
    if len(boxes.get("vpcC", b"")) >= 7:
        profile, level, layout = boxes["vpcC"][4:7]
        yield "profile", _hard(profile)
        yield "bit depth", _hard(layout >> 4)
        yield "chroma format", _hard(max(layout >> 1 & 7, 1))
        yield "level", _soft(level)
    if "esds" in boxes:
        yield "decoder configuration", _hard(_esds(entry), "these")
    if entry.codec in ("rawvideo", "qtrle", "png"):
        yield "depth", _hard(entry.sample_size_bits)


def _av1_chroma(layout: int) -> str:
    if layout & 0x10:
        return _CHROMA[0]
    return {0x0C: _CHROMA[1], 0x08: _CHROMA[2]}.get(layout & 0x0C, _CHROMA[3])


def _esds(entry: SampleEntry) -> Hashable:
    """Return (object type, decoder configuration) of an ``esds``: its bit rates and buffer sizes mean nothing here."""
    payload = entry.boxes["esds"]
    try:
        esds = parse_esds(View(data=memoryview(payload), offset=0, path="esds", source_name=""))
    except InvalidDataError:
        return payload
    return esds.object_type_indication, esds.decoder_specific


def _audio(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    yield "sample rate", _hard(entry.sample_rate, f"{entry.sample_rate} Hz")
    yield "channels", _hard(entry.channels)
    boxes = entry.boxes
    if entry.aac:
        yield "AAC object type", _hard(entry.aac.object_type)
        yield "AAC core sample rate", _hard(entry.aac.sample_rate, f"{entry.aac.sample_rate} Hz")
        yield "samples in a packet", _hard(entry.aac.frame_samples)
        yield "SBR", _soft(bool(entry.aac.sbr))
        yield "parametric stereo", _soft(bool(entry.aac.ps))
        if not entry.aac.channels:
            yield "channel layout", _hard(_esds(entry), "these")
    elif entry.codec in ("vorbis", "mp4als") and "esds" in boxes:
        yield "decoder configuration", _hard(_esds(entry), "these")
    if entry.codec in ("flac", "alac"):
        yield "bits per sample", _hard(entry.sample_size_bits)
        yield "samples in a packet", _hard(entry.frame_samples)  # FFmpeg's FLAC decoder keeps its first buffer size
    if entry.codec == "alac" and "alac" in boxes:
        yield "Apple Lossless settings", _hard(boxes["alac"][4:16], "these")
    if entry.codec == "opus" and len(boxes.get("dOps", b"")) >= 11:
        # Left out: pre-skip and input rate, which are about the ends of a file.
        yield "Opus output gain and mapping", _hard((boxes["dOps"][1], boxes["dOps"][8:]), "these")
    if "chan" in boxes:
        yield "channel layout", _soft(boxes["chan"], "these")
    if entry.codec in ("ac3", "eac3"):
        yield "channel mode", _soft(_dolby_mode(entry), "these")
    if entry.codec not in _SELF_DESCRIBING:
        yield from _uncovered(entry)


def _dolby_mode(entry: SampleEntry) -> Hashable:
    """Return what ``dac3`` or ``dec3`` says without its bit rate."""
    dac3, dec3 = entry.boxes.get("dac3"), entry.boxes.get("dec3")
    if dac3 is not None and len(dac3) >= 3:
        return int.from_bytes(dac3[:3]) >> 5
    if dec3 is not None and len(dec3) >= 2:
        return (dec3[1] & 7, dec3[2:])
    return None


def _other(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    if entry.timecode:
        timecode = entry.timecode
        text = f"{timecode.number_of_frames} frames a second, {'drop' if timecode.drop_frame else 'non-drop'} frame"
        yield "timecode format", _hard(timecode, text)
    else:
        yield "description", _soft(entry.raw, "these")


def _uncovered(entry: SampleEntry) -> Iterator[tuple[str, Fact]]:
    """Yield the boxes that no other fact covers, as they are: their lack differs from their presence."""
    for name, payload in entry.boxes.items():
        if name not in _COVERED:
            yield f"box {name}", _soft(payload, "these", "none")
