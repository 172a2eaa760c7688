"""H.264 coded like the source's, decodable beside it: by libx264, with parameter-set ids that the source's lack."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_frame_num import LongerFrameNumbers, with_frame_num_length
from ffzero.containers.h264_params import H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.nal_units import iter_nal_units
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.entries import parsed_entry, with_config
from ffzero.frames.pictures.h264_sets import free_set_id, merged_avcc, own_avcc, promised_sps
from ffzero.frames.pictures.nal_samples import length_prefixed, units
from ffzero.frames.pictures.recipes import Package, Recipe
from ffzero.frames.pictures.source import Source

__all__ = ["h264_recipe"]

_PROFILES = {
    66: "baseline", 77: "main", 100: "high", 110: "high10", 122: "high422", 244: "high444", 44: "high444",
}  # fmt: skip
_PIXELS = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray"}
    | {"yuv420p10le", "yuv422p10le", "yuv444p10le", "gray10le"}
)
_QUANTIZERS = (14, 10, 6)
"""A constant quantizer's error does not depend on how long pictures last; 14 is some 47 dB."""
_VIDEO_FORMATS = ("component", "pal", "ntsc", "secam", "mac", "undef")
_FIXED = (
    "open-gop=0:scenecut=0:aq-mode=0:psy=0:mbtree=0:rc-lookahead=0:sync-lookahead=0:force-cfr=1:stitchable=1"
    ":ref=1:weightp=0"
)
"""A second reference takes a seventh more time and saves no bytes. ``stitchable``: the picture parameter set is one
and the same for every quantizer."""
_DROPPED = (H264NalType.SPS, H264NalType.PPS, H264NalType.ACCESS_UNIT_DELIMITER)
_CONTINUED_INTERVAL = 1 << 30
_LENGTH_SIZE = 4
_LEAST_LENGTH_SIZE = 3
"""Rendered pictures are large: 65535 bytes may be too few for a slice."""


def h264_recipe(source: Source) -> Recipe:
    """Return how to code pictures like an H.264 source's. Raises ``UnsupportedError`` with what cannot be matched."""
    sets = _parameter_sets(source)
    sps = _active_sps(source, sets)
    if sps.profile not in _PROFILES:
        raise UnsupportedError(f"no encoder here makes H.264 of profile {sps.profile}")
    pix_fmt = source.pix_fmt.replace("gbrp", "yuv444p")
    if pix_fmt not in _PIXELS:
        raise UnsupportedError(f"no encoder here makes H.264 of pixel format {source.pix_fmt}")
    signal = sps.vui.signal
    number = free_set_id(*(_of_type(sets, kind) for kind in (H264NalType.SPS, H264NalType.PPS)))
    across, down = signal.sample_aspect
    return Recipe(
        encoder="libx264",
        pix_fmt=pix_fmt,
        attempts=tuple(_options(sps, source, number, quantizer) for quantizer in _QUANTIZERS),
        package=lambda headers: _package(source, sps, headers),
        rate=_rate(sps, source),
        sample_aspect=Fraction(across, down) if across and down else None,
        color_range=source.color_range if signal.full_range else 0,
        primaries=signal.primaries,
        transfer=signal.transfer,
        matrix=signal.matrix,
        interlaced=not sps.frame_mbs_only,
        interval=_CONTINUED_INTERVAL if source.continued else 1 if source.all_intra else source.interval,
    )


def _of_type(sets: list[bytes], kind: H264NalType) -> list[bytes]:
    return [unit for unit in sets if unit[0] & 31 == kind]


def _parameter_sets(source: Source) -> list[bytes]:
    """Return the parameter sets of the sample entry and of the sample at which decoding starts."""
    config = source.entry.avc
    if config is None:
        raise UnsupportedError("the H.264 source has no decoder configuration: it cannot be matched")
    sample = source.first_sample
    inside = [sample[at : at + size] for at, size in iter_nal_units(sample, config.nal_length_size)]
    kept = (H264NalType.SPS, H264NalType.PPS)
    return [*config.sps, *config.pps, *(unit for unit in inside if unit[0] & 31 in kept)]


def _active_sps(source: Source, sets: list[bytes]) -> H264Sps:
    parsed = [parse_h264_sps(unit) for unit in _of_type(sets, H264NalType.SPS)]
    fitting = [sps for sps in parsed if (sps.width, sps.height) == (source.width, source.height)]
    if not parsed:
        raise UnsupportedError("the H.264 source has no parameter sets where decoding starts: it cannot be matched")
    return fitting[0] if fitting else parsed[0]


def _options(sps: H264Sps, source: Source, number: int, quantizer: int) -> dict[str, str]:
    signal = sps.vui.signal
    # x264 counts from the least quantizer of the bit depth (QpBdOffset, §7.4.2.1.1): each bit is 6 steps. 0 is without
    # loss: where the source is, for FFmpeg decodes what is beside pictures of another kind wrongly.
    quantizer = 0 if sps.lossless_bypass else quantizer + 6 * (sps.bit_depth_luma - 8)
    params = [_FIXED, f"sps-id={number}", f"qp={quantizer}"]
    if source.continued:
        params.append("keyint=infinite")
    if source.continued and not sps.frame_mbs_only and not sps.adaptive_frame_field:
        params.append("fake-interlaced=1")
    if sps.profile == 44:
        params.append("cabac=0")
    if signal.video_format < len(_VIDEO_FORMATS) - 1:
        params.append(f"videoformat={_VIDEO_FORMATS[signal.video_format]}")
    if signal.overscan_appropriate is not None:
        params.append(f"overscan={'crop' if signal.overscan_appropriate else 'show'}")
    if signal.chroma_location[0]:
        params.append(f"chromaloc={signal.chroma_location[0]}")
    if sps.vui.pic_struct_present:
        params.append("pic-struct=1")
    psnr = "" if sps.lossless_bypass else "+psnr"  # without loss x264 tells 0 dB
    return {
        "preset": "superfast",
        "profile": _PROFILES[sps.profile],
        "thread_type": "frame",
        "flags": "+global_header" + psnr + ("+ildct+ilme" if _coded_as_fields(sps, source) else ""),
        "x264-params": ":".join(params),
    }


def _coded_as_fields(sps: H264Sps, source: Source) -> bool:
    """Whether macroblocks are coded as frames or fields; what is continued must have as few tools as the source."""
    return not sps.frame_mbs_only and (sps.adaptive_frame_field or not source.continued)


def _rate(sps: H264Sps, source: Source) -> Fraction:
    timing = sps.vui.timing
    if timing is not None and timing.units_in_tick and timing.time_scale:
        return Fraction(timing.time_scale, 2 * timing.units_in_tick)
    return source.rate


def _package(source: Source, like: H264Sps, headers: bytes) -> Package:
    config = source.entry.avc
    assert config is not None
    found = units(headers)
    (sps,), (pps,) = (_of_type(found, kind) for kind in (H264NalType.SPS, H264NalType.PPS))
    coded_by, length = parse_h264_sps(sps), like.log2_max_frame_num
    changed: Callable[[bytes], bytes] = bytes
    if length > coded_by.log2_max_frame_num and not source.continued:
        changed = LongerFrameNumbers(coded_by, parse_h264_pps(pps), length).unit
        sps = with_frame_num_length(sps, length)
    added = (promised_sps(sps, like, reorder=source.reorder), pps)
    if config.nal_length_size >= _LEAST_LENGTH_SIZE:
        record, length_size = merged_avcc(source.entry.boxes["avcC"], added), config.nal_length_size
    else:
        record, length_size = own_avcc(source.entry.boxes["avcC"], added), _LENGTH_SIZE
    entry = with_config(source.entry, "avcC", record)
    own = length_size != config.nal_length_size
    return Package(
        decodes_by=parsed_entry(entry),
        sample=lambda coded: length_prefixed(
            coded, length_size, dropped=_DROPPED, sei=(H264NalType.SEI,), changed=changed
        ),
        entry=entry if own else None,
        added_sets=() if own else added,
    )
