"""Bits of a raw byte sequence payload (H.264 §7.2, HEVC §9.2), and emulation prevention."""

from __future__ import annotations

import re

from ffzero.errors import InvalidDataError, TruncatedError

__all__ = ["BitReader", "bit_string", "escape", "exp_golomb", "signed_exp_golomb", "unescape"]

_EXP_GOLOMB_WINDOW_BYTES = 9
_MAX_LEADING_ZEROS = 32
_EMULATION = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def unescape(nal: bytes) -> bytes:
    """Return ``nal`` without its emulation prevention bytes (H.264 §7.3.1, HEVC §7.3.1.1); a copy if it has any."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def escape(rbsp: bytes) -> bytes:
    """Return ``rbsp`` with emulation prevention bytes: what ``unescape`` takes back."""
    escaped = _EMULATION.sub(b"\x00\x00\x03", rbsp)
    # Only cabac_zero_words end in zero; then the NAL unit ends in an escape of nothing (H.264 §7.4.1).
    return escaped + (b"\x03" if escaped.endswith(b"\0") else b"")


def bit_string(data: bytes, count: int) -> str:
    """Return the first ``count`` bits of ``data`` as a string of 0 and 1."""
    size = (count + 7) // 8
    return f"{int.from_bytes(data[:size]):0{size * 8}b}"[:count]


def exp_golomb(value: int) -> str:
    """Return ``value`` as ue(v), a string of 0 and 1 (H.264 §9.1)."""
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def signed_exp_golomb(value: int) -> str:
    """Return ``value`` as se(v), a string of 0 and 1 (H.264 §9.1.1)."""
    return exp_golomb(2 * value - 1 if value > 0 else -2 * value)


class BitReader:
    """Reads big-endian bit fields; running past the end is a ``TruncatedError``, never an ``IndexError``.

    ``base_offset_bytes`` is added to the offsets that errors report; it names where ``data`` lies in something larger
    (escaped bytes are not counted back, so an offset inside an escaped NAL unit is approximate).
    """

    __slots__ = ("_base", "_data", "_end", "_position")

    def __init__(self, data: bytes, *, base_offset_bytes: int = 0) -> None:
        self._data = data
        self._base = base_offset_bytes
        self._position = 0
        self._end = len(data) * 8

    @property
    def position_bits(self) -> int:
        return self._position

    @property
    def remaining_bits(self) -> int:
        return self._end - self._position

    @property
    def offset_bytes(self) -> int:
        return self._base + (self._position >> 3)

    def u(self, bits: int) -> int:
        """Read an unsigned field of ``bits`` bits, u(n)."""
        start, end = self._position, self._position + bits
        if end > self._end:
            raise TruncatedError(
                "a bit field runs past the end", offset_bytes=self.offset_bytes, expected=bits, found=self._end - start
            )
        self._position = end
        last = (end + 7) >> 3
        value = int.from_bytes(self._data[start >> 3 : last]) >> (last * 8 - end)
        return value & ((1 << bits) - 1)

    def flag(self) -> bool:
        """Read one bit as a truth value."""
        return self.u(1) == 1

    def skip(self, bits: int) -> None:
        """Pass over ``bits`` bits."""
        if self._position + bits > self._end:
            raise TruncatedError("a bit field runs past the end", offset_bytes=self.offset_bytes)
        self._position += bits

    def ue(self, maximum: int = 2**32 - 2) -> int:
        """Read an unsigned Exp-Golomb code, ue(v); above ``maximum`` is an ``InvalidDataError``."""
        first = self._position >> 3
        window = self._data[first : first + _EXP_GOLOMB_WINDOW_BYTES]
        width = len(window) * 8 - (self._position & 7)
        bits = int.from_bytes(window) & ((1 << max(width, 0)) - 1)
        zeros = width - bits.bit_length()
        length = 2 * zeros + 1
        if bits == 0 or zeros > _MAX_LEADING_ZEROS or length > width:
            raise TruncatedError("an Exp-Golomb code runs past the end", offset_bytes=self.offset_bytes)
        value = (bits >> (width - length)) - 1
        if value > maximum:
            raise InvalidDataError(
                "a value is out of range", offset_bytes=self.offset_bytes, expected=f"at most {maximum}", found=value
            )
        self._position += length
        return value

    def se(self) -> int:
        """Read a signed Exp-Golomb code, se(v)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def rest(self) -> tuple[int, int]:
        """Return the unread bits without the RBSP trailing bits, as (count, value), and stop at the end."""
        count = self.remaining_bits
        value = self.u(count)
        if value == 0:
            return (0, 0)
        trailing = (value & -value).bit_length()
        return (count - trailing, value >> trailing)
