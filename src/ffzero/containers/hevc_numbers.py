"""HEVC NAL units under other parameter set ids (ITU-T H.265, 08/2021, §7.3.2, §7.3.6.1), all else as it is.

Encoders that cannot be told ids count from 0, as those of the pictures beside theirs do. An id is a code of variable
length: what follows it moves by some bits, up to the next place where bytes begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from ffzero.containers.bits import BitReader, bit_string, escape, exp_golomb, unescape
from ffzero.containers.hevc_params import parse_hevc_pps, read_profile_tier_level
from ffzero.containers.hevc_slice_header import hevc_slice_header
from ffzero.containers.hevc_slice_params import SliceParams

__all__ = ["from_digits", "pps_with_ids", "slice_with_pps_id", "sps_id_bits", "sps_with_ids", "vps_with_id"]

_HEADER_BITS = 16
_ID_BITS = 4
_ESCAPE = b"\0\0\3"


def vps_with_id(nal: bytes, vps_id: int) -> bytes:
    """Return a VPS NAL unit under another id (0 to 15)."""
    return from_digits(_with_first_id(_digits(nal), vps_id))


def sps_with_ids(nal: bytes, *, sps_id: int, vps_id: int) -> bytes:
    """Return an SPS NAL unit under another id (0 to 15) and of another VPS. Raises ``InvalidDataError``."""
    digits = _with_first_id(_digits(nal), vps_id)
    start, stop = sps_id_bits(nal)
    return from_digits(digits[:start] + exp_golomb(sps_id) + digits[stop:])


def pps_with_ids(nal: bytes, *, pps_id: int, sps_id: int) -> bytes:
    """Return a PPS NAL unit under another id (0 to 63) and of another SPS. Raises ``InvalidDataError``."""
    count, value = parse_hevc_pps(nal).body
    digits = bit_string(nal, _HEADER_BITS) + exp_golomb(pps_id) + exp_golomb(sps_id)
    return from_digits(digits + (f"{value:0{count}b}" if count else ""))


def sps_id_bits(nal: bytes) -> tuple[int, int]:
    """Return where the id of an SPS begins and ends, in bits of the NAL unit free of escapes.

    Raises ``InvalidDataError`` where it is damaged.
    """
    bits = BitReader(unescape(nal))
    bits.skip(_HEADER_BITS + _ID_BITS)
    last_sub_layer = bits.u(3)
    bits.skip(1)
    read_profile_tier_level(bits, last_sub_layer)
    start = bits.position_bits
    bits.ue(15)
    return start, bits.position_bits


def slice_with_pps_id(nal: bytes, params: Mapping[int, SliceParams], pps_id: int) -> bytes:
    """Return a slice segment's NAL unit that refers to the PPS ``pps_id`` (0 to 63) instead of its own in ``params``.

    The slice data stay byte by byte what they are: a header ends in a byte that is not zero, so what is escaped behind
    it depends on the data alone, and entry points count from there. Raises what ``hevc_slice_header`` raises.
    """
    header = hevc_slice_header(nal, params)
    start, stop = header.pps_id_bits
    digits = bit_string(unescape(nal), header.end_bits)
    moved = from_digits(digits[:start] + exp_golomb(pps_id) + digits[stop:])
    return moved + nal[_escaped_size(nal, header.end_bits // 8 + 1) :]


def _escaped_size(nal: bytes, count: int) -> int:
    """Return how many bytes of ``nal`` hold its first ``count`` ones without escapes."""
    at = done = 0
    while (found := nal.find(_ESCAPE, at)) >= 0 and done + found + 2 - at < count:
        done += found + 2 - at
        at = found + 3
    return at + count - done


def _with_first_id(digits: str, number: int) -> str:
    return digits[:_HEADER_BITS] + f"{number:0{_ID_BITS}b}" + digits[_HEADER_BITS + _ID_BITS :]


def _digits(nal: bytes) -> str:
    """Return a parameter set's bits free of escapes, less its trailing bits (§7.3.2.11)."""
    rbsp = unescape(nal)
    return bit_string(rbsp, 8 * len(rbsp)).rstrip("0")[:-1]


def from_digits(digits: str) -> bytes:
    """Return bits, a string of 0 and 1 that a one and zeros are added to, as escaped bytes."""
    digits += "1"
    digits += "0" * (-len(digits) % 8)
    return escape(int(digits, 2).to_bytes(len(digits) // 8))
