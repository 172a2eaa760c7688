"""HEVC coded like the source's, decodable beside it: by libx265, under parameter-set ids that the source's lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from ffzero.containers.hevc import HevcNalType
from ffzero.containers.hevc_numbers import slice_with_pps_id
from ffzero.containers.hevc_params import HevcSps, parse_hevc_sps
from ffzero.containers.hevc_slice_params import slice_params_of
from ffzero.containers.isobmff.hvcc import extended_hvcc, own_hvcc
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.frames.pictures.entries import parsed_entry, with_config
from ffzero.frames.pictures.hdr import content_light, dolby_vision_profile, mastering_display
from ffzero.frames.pictures.hevc_sets import HevcSets, free_ids, numbered_sets, promised_sets
from ffzero.frames.pictures.nal_samples import is_settings, length_prefixed, units
from ffzero.frames.pictures.recipes import Package, Recipe
from ffzero.frames.pictures.source import Source

__all__ = ["hevc_recipe"]

_PIXELS = frozenset(
    {f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", "10le", "12le")}
    | {"yuvj420p", "yuvj422p", "yuvj444p", "gray", "gray10le", "gray12le", "gbrp", "gbrp10le", "gbrp12le"}
)
_QUANTIZERS = (16, 12, 8)
_FIXED = (
    "log-level=none:info=0:repeat-headers=0:aud=0:hrd=0:open-gop=0:scenecut=0:bframes=0:b-adapt=0:rc-lookahead=0"
    ":lookahead-slices=0:high-tier=0:psy-rd=0:psy-rdoq=0:frame-threads=1:ref=1"
)
_VIDEO_FORMATS = ("component", "pal", "ntsc", "secam", "mac")
_VPS, _SPS, _PPS, _DELIMITER, _PREFIX_SEI, _SUFFIX_SEI = 32, 33, 34, 35, 39, 40
_SETS = (_VPS, _SPS, _PPS)
_RANDOM_ACCESS = range(16, 24)
_FIELD_SEQUENCE = 2
_ENHANCED = ("dvcC", "dvvC", "dvwC", "hvcE", "lhvC")
_USUAL_BITS = 8
_LENGTH_SIZE = 4
_LEAST_LENGTH_SIZE = 3
"""Rendered pictures are large: 65535 bytes may be too few for a slice."""


def hevc_recipe(source: Source) -> Recipe:
    """Return how to code pictures like an HEVC source's. Raises ``UnsupportedError`` with what cannot be matched."""
    sps = _active_sps(source)
    if source.pix_fmt not in _PIXELS:
        raise UnsupportedError(f"no encoder here makes HEVC of pixel format {source.pix_fmt}")
    if sps.vui.field_flags & _FIELD_SEQUENCE:
        raise UnsupportedError("HEVC whose pictures are single fields is not coded anew")
    if dolby_vision_profile(source.entry.boxes) == 5:
        raise UnsupportedError("Dolby Vision of profile 5 has no base picture that shows right without its metadata")
    signal = sps.vui.signal
    across, down = signal.sample_aspect
    timing = sps.vui.timing
    rate = source.rate
    if timing is not None and timing.units_in_tick and timing.time_scale:
        rate = Fraction(timing.time_scale, timing.units_in_tick)
    return Recipe(
        encoder="libx265",
        pix_fmt=source.pix_fmt,
        attempts=tuple(_options(source, sps, quantizer) for quantizer in _QUANTIZERS),
        package=lambda headers: _package(source, sps, headers),
        rate=rate,
        sample_aspect=Fraction(across, down) if across and down else None,
        color_range=source.color_range if signal.full_range else 0,
        primaries=signal.primaries,
        transfer=signal.transfer,
        matrix=signal.matrix,
        interval=1 if source.all_intra else source.interval,
        compared_later=source.bits > _USUAL_BITS,
    )


def _active_sps(source: Source) -> HevcSps:
    config = source.entry.hevc
    parsed = [parse_hevc_sps(unit) for unit in config.units(HevcNalType.SPS)] if config is not None else []
    fitting = [sps for sps in parsed if (sps.width, sps.height) == (source.width, source.height)]
    if not parsed:
        raise UnsupportedError("the HEVC source keeps its parameter sets inside the samples: they cannot be matched")
    return fitting[0] if fitting else parsed[0]


def _options(source: Source, sps: HevcSps, quantizer: int) -> dict[str, str]:
    signal = sps.vui.signal
    params = [_FIXED, f"qp={quantizer}"]
    if sps.vui.timing is None:
        params.append("vui-timing-info=0")  # so that the sets do not depend on the rate of one file of many
    if signal.video_format < len(_VIDEO_FORMATS):
        params.append(f"videoformat={_VIDEO_FORMATS[signal.video_format]}")
    if signal.overscan_appropriate is not None:
        params.append(f"overscan={'crop' if signal.overscan_appropriate else 'show'}")
    if signal.chroma_location[0]:
        params.append(f"chromaloc={signal.chroma_location[0]}")
    display, light = mastering_display(source.side_data), content_light(source.side_data)
    if display is not None:
        params.append(f"master-display={display}")
    if light is not None:
        params.append(f"max-cll={light}")
    if display is not None or light is not None:
        params.append("hdr10=1")
    return {"preset": "ultrafast", "flags": "+global_header+cgop", "x265-params": ":".join(params)}


def _package(source: Source, like: HevcSps, headers: bytes) -> Package:
    found = units(headers)
    (vps,), (sps,), (pps,) = ([unit for unit in found if unit[0] >> 1 == kind] for kind in _SETS)
    beside = [unit for unit in found if unit[0] >> 1 == _PREFIX_SEI and not is_settings(unit, 2)]
    sets = HevcSets(vps, sps, pps)
    try:
        return _sharing(source, like, sets, beside)
    except (InvalidDataError, UnsupportedError):
        return _with_own_entry(source, sets, beside)


def _sharing(source: Source, like: HevcSps, own: HevcSets, beside: Sequence[bytes]) -> Package:
    """Return the package of pictures that decode by the source's sample entry with their sets, under ids of their own.

    Raises ``UnsupportedError`` or ``InvalidDataError`` where they cannot.
    """
    config = source.entry.hevc
    assert config is not None
    if any(name in source.entry.boxes for name in _ENHANCED) or config.nal_length_size < _LEAST_LENGTH_SIZE:
        raise UnsupportedError("the source's sample entry is true of its own pictures alone")
    ids = free_ids(config, source.first_sample)
    params = slice_params_of(own)
    added = numbered_sets(promised_sets(own, like, reorder=source.reorder), ids)
    extended_hvcc(source.entry.boxes["hvcC"], added)
    # What is looked at while it is coded promises no reordering: that would hold pictures back.
    plain = own_hvcc(numbered_sets(own, ids), nal_length_size=config.nal_length_size)

    def changed(unit: bytes) -> bytes:
        return slice_with_pps_id(unit, params, ids.pps) if unit[0] >> 1 < _VPS else unit

    return Package(
        decodes_by=parsed_entry(with_config(source.entry, "hvcC", plain)),
        sample=_samples(config.nal_length_size, beside, changed),
        added_sets=tuple(added),
    )


def _with_own_entry(source: Source, sets: HevcSets, beside: Sequence[bytes]) -> Package:
    record = own_hvcc(sets, nal_length_size=_LENGTH_SIZE)
    entry = with_config(source.entry, "hvcC", record, without=_ENHANCED)
    lost = [name for name in _ENHANCED if name in source.entry.boxes]
    return Package(
        decodes_by=parsed_entry(entry),
        sample=_samples(_LENGTH_SIZE, beside, bytes),
        entry=entry,
        warnings=(f"rendered pictures lack Dolby Vision metadata ({', '.join(lost)})",) if lost else (),
    )


def _samples(length_size: int, beside: Sequence[bytes], changed: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return what makes samples of what the encoder gives out, key pictures with ``beside`` before them."""
    before = b"".join(len(unit).to_bytes(length_size) + unit for unit in beside)

    def sample(coded: bytes) -> bytes:
        body = length_prefixed(
            coded,
            length_size,
            dropped=(*_SETS, _DELIMITER),
            sei=(_PREFIX_SEI, _SUFFIX_SEI),
            hevc=True,
            changed=changed,
        )
        key = body[length_size] >> 1 in _RANDOM_ACCESS
        return before + body if key else body

    return sample
