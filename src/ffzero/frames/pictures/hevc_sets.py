"""HEVC parameter sets for a splice: free ids, and sets of a rendered part that promise what the source's do."""

from __future__ import annotations

from typing import NamedTuple

from ffzero.containers.bits import BitReader, bit_string, escape, exp_golomb, unescape
from ffzero.containers.hevc import HevcNalType
from ffzero.containers.hevc_numbers import from_digits, pps_with_ids, sps_id_bits, sps_with_ids, vps_with_id
from ffzero.containers.hevc_params import HevcSps, hevc_set_id, parse_hevc_sps
from ffzero.containers.isobmff.codec_config import HevcConfig
from ffzero.containers.nal_units import iter_nal_units
from ffzero.errors import UnsupportedError

__all__ = ["HevcSets", "SetIds", "free_ids", "numbered_sets", "promised_sets"]

_PROFILE_AT = {HevcNalType.VPS: 6, HevcNalType.SPS: 3}
"""Where profile_tier_level stands in NAL units free of escapes (H.265 §7.3.2.1, §7.3.2.2)."""
_LEVEL = 11
_VPS_BUFFERING_BIT = (6 + 12) * 8
_MOST = {HevcNalType.VPS: 15, HevcNalType.SPS: 15, HevcNalType.PPS: 63}


class SetIds(NamedTuple):
    vps: int
    sps: int
    pps: int


class HevcSets(NamedTuple):
    """An encoder's one VPS, SPS and PPS: whole NAL units."""

    vps: bytes
    sps: bytes
    pps: bytes


def free_ids(config: HevcConfig, sample: bytes) -> SetIds:
    """Return ids that no set of a source has: not of its configuration, nor of the sample at which decoding starts.

    They are the least ones; where the sample has sets of its own, later ones may have more, and encoders count from 0:
    then the greatest. Raises ``UnsupportedError`` where all are taken, ``InvalidDataError`` for a damaged set.
    """
    inside = [sample[at : at + size] for at, size in iter_nal_units(sample, config.nal_length_size)]
    own = any(_kind(unit) in _MOST for unit in inside)
    found = []
    for kind in _MOST:
        units = [*config.units(kind), *(unit for unit in inside if _kind(unit) == kind)]
        taken = {hevc_set_id(unit) for unit in units}
        free = [number for number in range(_MOST[kind] + 1) if number not in taken]
        if not free:
            raise UnsupportedError(f"all HEVC {kind.name} ids are in use: rendered pictures have none left")
        found.append(free[-1 if own else 0])
    return SetIds(*found)


def numbered_sets(sets: HevcSets, ids: SetIds) -> HevcSets:
    """Return the sets under other ids, referring to each other. Raises ``InvalidDataError`` where one is damaged."""
    return HevcSets(
        vps=vps_with_id(sets.vps, ids.vps),
        sps=sps_with_ids(sets.sps, sps_id=ids.sps, vps_id=ids.vps),
        pps=pps_with_ids(sets.pps, pps_id=ids.pps, sps_id=ids.sps),
    )


def promised_sets(sets: HevcSets, like: HevcSps, *, reorder: int) -> HevcSets:
    """Return the sets with profile, level and picture buffer not below those of the source's SPS.

    Decoders then keep their output delay and buffers across the splice. ``reorder`` is how far the source's pictures
    are seen to be reordered. The pictures stay decodable by them: only promises grow, and the profile becomes the
    source's where the encoder says that its pictures conform to that as well. Raises ``UnsupportedError`` where there
    are temporal sub-layers (no encoder used here makes any).
    """
    own = parse_hevc_sps(sets.sps)
    if unescape(sets.sps)[2] >> 1 & 7:
        raise UnsupportedError("an SPS with temporal sub-layers is not rewritten")
    buffering = _buffering(own.buffering[-1], like.buffering[-1], reorder)
    start = _sps_buffering_bit(sets.sps)
    vps = _with_buffering(_with_profile(sets.vps, HevcNalType.VPS, like), _VPS_BUFFERING_BIT, buffering)
    sps = _with_buffering(_with_profile(sets.sps, HevcNalType.SPS, like), start, buffering)
    return HevcSets(vps=vps, sps=sps, pps=sets.pps)


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 63


def _buffering(own: tuple[int, int, int], like: tuple[int, int, int], reorder: int) -> tuple[int, int, int]:
    """Return (max_dec_pic_buffering, num_reorder, max_latency_increase_plus1) that both keep to (§7.4.3.2.1)."""
    most = max(own[1], like[1], reorder)
    # The greatest latency is one less than the sum of the last two; without a limit the last is 0.
    latency = max(own[1] + own[2], like[1] + like[2], most + 1) - most if own[2] and like[2] else 0
    return max(own[0], like[0], most + 1), most, latency


def _with_profile(nal: bytes, kind: HevcNalType, like: HevcSps) -> bytes:
    rbsp = bytearray(unescape(nal))
    at = _PROFILE_AT[kind]
    conforms = int.from_bytes(rbsp[at + 1 : at + 5]) >> (31 - like.profile) & 1
    profile = like.profile if conforms else rbsp[at] & 31
    rbsp[at] = rbsp[at] & 0xC0 | (rbsp[at] & 0x20 | like.tier << 5) | profile
    rbsp[at + _LEVEL] = max(rbsp[at + _LEVEL], like.level)
    return escape(bytes(rbsp))


def _sps_buffering_bit(nal: bytes) -> int:
    """Return where sps_sub_layer_ordering_info_present_flag stands, in bits of the NAL unit free of escapes."""
    bits = BitReader(unescape(nal))
    bits.skip(sps_id_bits(nal)[1])
    if bits.ue(3) == 3:  # chroma_format_idc
        bits.skip(1)
    bits.ue()
    bits.ue()
    if bits.flag():
        for _ in range(4):
            bits.ue()
    for _ in range(3):  # bit depths, log2_max_pic_order_cnt_lsb_minus4
        bits.ue()
    return bits.position_bits


def _with_buffering(nal: bytes, start: int, buffering: tuple[int, int, int]) -> bytes:
    """Return a set without temporal sub-layers with other values after the flag at ``start``."""
    rbsp = unescape(nal)
    bits = BitReader(rbsp)
    bits.skip(start + 1)
    for _ in range(3):
        bits.ue()
    digits = bit_string(rbsp, 8 * len(rbsp)).rstrip("0")[:-1]
    size, reorder, latency = buffering
    told = exp_golomb(size - 1) + exp_golomb(reorder) + exp_golomb(latency)
    return from_digits(digits[: start + 1] + told + digits[bits.position_bits :])
