"""What AC-3 and E-AC-3 frames say of themselves (ETSI TS 102 366 §4.3, §E.1.2), so that others can be like them."""

from __future__ import annotations

from ffzero.containers.bits import BitReader
from ffzero.edits.sound.rendering import SoundJob
from ffzero.errors import UnsupportedError

__all__ = ["ac3_options"]

_SYNC_WORD = 0x0B77
_KBIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_HIGHEST_BSID, _EAC3_BSID = 10, 16
_MODES = {(1, 0): 1, (2, 0): 2, (7, 1): 6, (7, 0): 5, (3, 0): 3, (5, 0): 4}
"""Channels by coding mode and low-frequency channel, of the layouts that are named by their number of channels."""


def ac3_options(job: SoundJob) -> tuple[int, dict[str, str]]:
    """Return bit rate and encoder options for frames like the copied one beside them.

    The bit rate is the source's: the sample entry states it. Raises ``UnsupportedError`` for frames of other forms.
    """
    near = job.before or job.after
    media, track, number = (near.media, near.track, near.number) if near else (job.media, job.track, 0)
    head = media.sample_bytes(track, number, most=64) or b""
    bits = BitReader(head)
    if len(head) < 16 or bits.u(16) != _SYNC_WORD:
        raise UnsupportedError("the source's AC-3 frames are not as its sample entry says", path=media.name)
    bsid = head[5] >> 3
    rate = job.entry.sample_rate
    if job.entry.codec == "ac3" and bsid <= _HIGHEST_BSID:
        bit_rate, mode, level = _ac3(bits)
    elif job.entry.codec == "eac3" and bsid > _HIGHEST_BSID:
        bit_rate, mode, level = _eac3(bits, rate)
    else:
        raise UnsupportedError("the source's AC-3 frames are not as its sample entry says", path=media.name)
    if _MODES.get(mode) != job.entry.channels:
        raise UnsupportedError(f"AC-3 with coding mode {mode[0]} cannot be coded with its channels in place")
    return bit_rate, {"dialnorm": str(-level or -31), "channel_coupling": "0"}


def _ac3(bits: BitReader) -> tuple[int, tuple[int, int], int]:
    bits.skip(16)  # crc1
    bits.skip(2)
    rate = _KBIT_RATES[min(bits.u(6) >> 1, len(_KBIT_RATES) - 1)] * 1000
    bits.skip(5 + 3)
    mode = bits.u(3)
    if mode & 1 and mode != 1:
        bits.skip(2)
    if mode & 4:
        bits.skip(2)
    if mode == 2:
        bits.skip(2)
    low = bits.u(1)
    return rate, (mode, low), bits.u(5)


def _eac3(bits: BitReader, rate: int) -> tuple[int, tuple[int, int], int]:
    kind = bits.u(2)
    bits.skip(3)
    size = 2 * (bits.u(11) + 1)
    code = bits.u(2)
    blocks = bits.u(2)
    if kind or code == 3 or blocks != 3:
        raise UnsupportedError("E-AC-3 with dependent streams or short frames cannot be coded")
    mode, low = bits.u(3), bits.u(1)
    bits.skip(5)
    return size * 8 * rate // 1536, (mode, low), bits.u(5)
