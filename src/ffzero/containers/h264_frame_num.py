"""H.264 pictures whose frame_num is coded in more bits (ITU-T H.264, 08/2021, §7.4.2.1.1, §7.4.3), all else as it is.

Some parsers read supplemental information by whichever SPS they saw last, and a recovery point counts in frame_num
(§D.2.8): one of the source's may be past what the shorter numbers of coded pictures beside it can say.
"""

from __future__ import annotations

from ffzero.containers.bits import BitReader, bit_string, escape, exp_golomb, unescape
from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_sps
from ffzero.containers.h264_slice_data import join_slice, without_padding
from ffzero.containers.h264_slice_header import slice_header
from ffzero.errors import InvalidDataError

__all__ = ["LongerFrameNumbers", "with_frame_num_length"]

_SLICES = frozenset({H264NalType.SLICE, H264NalType.IDR})
_HEADER_BITS = 8
_LEAST_LENGTH = 4


def with_frame_num_length(sps: bytes, length: int) -> bytes:
    """Return an SPS NAL unit whose frame_num is of ``length`` bits (4 to 16), all else as it is.

    Raises ``InvalidDataError`` where it is damaged.
    """
    start = _HEADER_BITS + parse_h264_sps(sps).frame_num_bit
    bits = BitReader(unescape(sps))
    bits.skip(start)
    bits.ue()
    count, value = bits.rest()
    kept = bit_string(unescape(sps), start) + exp_golomb(length - _LEAST_LENGTH)
    digits = kept + (f"{value:0{count}b}" if count else "") + "1"
    digits += "0" * (-len(digits) % 8)
    return escape(int(digits, 2).to_bytes(len(digits) // 8))


class LongerFrameNumbers:
    """Rewrites the slices of one encoder's pictures, in decoding order, for an SPS with longer frame numbers.

    The pictures have no gaps in frame_num, and no I_PCM macroblocks where they are CAVLC (x264 makes none without
    rate-distortion decisions).
    """

    def __init__(self, sps: H264Sps, pps: H264Pps, length: int) -> None:
        """Take the encoder's own SPS and PPS; ``length`` is in bits."""
        self._sps = sps
        self._pps = pps
        self._length = length
        self._number = 0

    def unit(self, nal: bytes) -> bytes:
        """Return a NAL unit with its frame_num in the longer form; itself where it is no slice."""
        if nal[0] & 31 not in _SLICES:
            return nal
        header = slice_header(nal, self._sps, self._pps)
        ahead = (header.frame_num - self._number) % (1 << self._sps.log2_max_frame_num)
        self._number = 0 if header.idr_pic_id is not None else self._number + ahead
        body, padding = without_padding(nal)
        rbsp = unescape(body)
        start, stop = header.frame_num_bits
        head = bit_string(rbsp, header.end_bits)
        number = f"{self._number % (1 << self._length):0{self._length}b}"
        head = head[:start] + number + head[stop:]
        joined = join_slice(head, rbsp, header.end_bits, self._sps, cabac=self._pps.cabac, has_pcm=False)
        if joined is None:
            raise InvalidDataError("a slice cannot follow a longer header")
        return joined + padding
