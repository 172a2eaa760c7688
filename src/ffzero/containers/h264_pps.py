"""H.264 picture parameter sets rewritten for another sequence parameter set (ITU-T H.264, 08/2021, §7.3.2.2)."""

from __future__ import annotations

from ffzero.containers.bits import BitReader, escape, exp_golomb, signed_exp_golomb
from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_params import H264Pps, H264Sps
from ffzero.errors import UnsupportedError

__all__ = ["adopted_pps", "has_field_orders"]

_FLAT_LIST = "1" + signed_exp_golomb(8) + 15 * signed_exp_golomb(0)
_FLAT_LIST_8X8 = _FLAT_LIST + 48 * signed_exp_golomb(0)


def has_field_orders(pps: H264Pps) -> bool:
    """Return bottom_field_pic_order_in_frame_present_flag: whether slices give each field of a frame its order."""
    count, value = pps.body
    return bool(value >> count - 1 & 1)


def adopted_pps(pps: H264Pps, host: H264Sps, pps_id: int) -> bytes:
    """Return a PPS NAL unit with ``pps_id`` for the SPS ``host``, whose scaling lists it overrides (§7.4.2.2)."""
    body = f"{pps.body[1]:0{pps.body[0]}b}"
    if host.scaling is not None:
        body = _with_flat_lists(body, host)
    bits = (
        f"{3 << 5 | H264NalType.PPS:08b}" + exp_golomb(pps_id) + exp_golomb(host.id) + f"{int(pps.cabac)}" + body + "1"
    )
    bits += "0" * (-len(bits) % 8)
    return escape(int(bits, 2).to_bytes(len(bits) // 8))


def _with_flat_lists(body: str, host: H264Sps) -> str:
    """Give a PPS without slice groups, from bottom_field_pic_order_in_frame_present_flag on, flat scaling lists."""
    reader = BitReader(int(body + "0" * (-len(body) % 8), 2).to_bytes((len(body) + 7) // 8))
    reader.skip(1)
    if reader.ue():
        raise UnsupportedError("the encoder's pictures have slice groups")
    for _ in range(2):
        reader.ue()
    reader.skip(3)
    reader.se()
    reader.se()
    chroma_offset = reader.se()
    reader.skip(3)
    start = reader.position_bits
    transform_8x8 = start < len(body) and reader.flag()
    if start < len(body):
        if reader.flag():
            raise UnsupportedError("the encoder's pictures have scaling lists")
        chroma_offset = reader.se()
    lists_8x8 = (2 if host.chroma_format != 3 else 6) if transform_8x8 else 0
    lists = 6 * _FLAT_LIST + lists_8x8 * _FLAT_LIST_8X8
    return body[:start] + f"{int(transform_8x8)}1" + lists + signed_exp_golomb(chroma_offset)
