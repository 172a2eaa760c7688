"""Seeded damage to the headers of real files: each (file, seed) pair gives the same bytes in every run."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from support.boxes import Box, children, walk

__all__ = ["boundaries", "mutated"]

_NASTY = (0, 1, 2, 7, 8, 9, 15, 16, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
Damage = Callable[[bytearray, list[Box], random.Random], str]


def mutated(data: bytes, seed: int) -> tuple[bytes, str]:
    """Return ``data`` with one to three wounds in its headers, and what they are."""
    dice, hurt, told = random.Random(seed), bytearray(data), []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        headers = [box for box in walk(hurt) if box.kind != b"mdat" and box.end <= len(hurt)]
        if not headers:
            break
        told.append(dice.choice(_DAMAGES)(hurt, headers, dice))
    return bytes(hurt), "; ".join(told)


def boundaries(data: bytes) -> list[int]:
    """Return every offset (bytes) at which a box starts, a box's body starts, or a box ends; not the whole length."""
    found = {0}
    for box in walk(data):
        found |= {box.start, box.start + 4, box.body, box.end}
    return sorted(offset for offset in found if offset < len(data))


def _leaf(headers: list[Box], dice: random.Random) -> Box:
    """Return a box, tables and descriptions more often than the boxes around them."""
    return dice.choice([box for box in headers if box.size < 40_000] or headers)


def _name(box: Box) -> str:
    return f"{box.kind.decode('latin-1')}@{box.start}"


def _flip(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    spots = [dice.randrange(box.start, box.end) for _ in range(dice.randrange(1, 9))]
    for spot in spots:
        data[spot] ^= 1 << dice.randrange(8)
    return f"bits of {_name(box)} at {spots}"


def _word(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box, value = _leaf(headers, dice), dice.choice(_NASTY)
    if box.size < box.header + 4:
        return _flip(data, headers, dice)
    at = dice.randrange(box.body, box.end - 3)
    at -= (at - box.body) % 4 if dice.random() < 0.8 else 0
    struct.pack_into(">I", data, at, value)
    return f"word of {_name(box)} at {at} = {value:#x}"


def _count(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    """Hurt the first words after version and flags, where most tables keep their length."""
    tables = [box for box in headers if box.kind[:1] in b"sctek" and box.size >= box.header + 8]
    if not tables:
        return _word(data, headers, dice)
    box, value = dice.choice(tables), dice.choice(_NASTY)
    at = box.body + (8 if box.kind == b"stsz" and dice.random() < 0.5 and box.size >= box.header + 12 else 4)
    struct.pack_into(">I", data, at, value)
    return f"count of {_name(box)} = {value:#x}"


def _size(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = dice.choice(headers)
    value = dice.choice((*_NASTY, box.size - 1, box.size + 1, box.size * 2, box.size // 2)) & 0xFFFFFFFF
    struct.pack_into(">I", data, box.start, value)
    return f"size of {_name(box)} = {value:#x}"


def _version(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    if box.size <= box.header:
        return _size(data, headers, dice)
    data[box.body] = dice.choice((0, 1, 2, 255))
    return f"version of {_name(box)} = {data[box.body]}"


def _retype(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box, other = dice.choice(headers), dice.choice(headers)
    data[box.start + 4 : box.start + 8] = other.kind
    return f"{_name(box)} called {other.kind.decode('latin-1')}"


def _resize(data: bytearray, box: Box, grown: int, *, itself: bool) -> None:
    """Add ``grown`` bytes to the sizes of the boxes around ``box``, so that only what is inside is wrong."""
    for outer in list(walk(data)):
        around = outer.start <= box.start and box.end <= outer.end and outer.header == 8
        if around and (itself or (outer.start, outer.size) != (box.start, box.size)) and outer.kind != b"mdat":
            struct.pack_into(">I", data, outer.start, (outer.size + grown) & 0xFFFFFFFF)


def _drop(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    _resize(data, box, -box.size, itself=False)
    del data[box.start : box.end]
    return f"{_name(box)} dropped"


def _double(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    copy = bytes(data[box.start : box.end])
    _resize(data, box, box.size, itself=False)
    data[box.end : box.end] = copy
    return f"{_name(box)} twice"


def _shorten(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    cut = dice.randrange(1, max(2, box.size - box.header))
    if box.size - cut < box.header:
        return _flip(data, headers, dice)
    _resize(data, box, -cut, itself=True)
    del data[box.end - cut : box.end]
    return f"{_name(box)} {cut} bytes shorter"


def _swap(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = dice.choice(headers)
    pair = list(children(data, box.end))[:1]
    if not pair or pair[0].end > len(data) or pair[0].kind == b"mdat":
        return _retype(data, headers, dice)
    second = pair[0]
    data[box.start : second.end] = data[second.start : second.end] + data[box.start : box.end]
    return f"{_name(box)} and {_name(second)} swapped"


def _zero(data: bytearray, headers: list[Box], dice: random.Random) -> str:
    box = _leaf(headers, dice)
    data[box.body : box.end] = bytes(max(0, box.size - box.header))
    return f"{_name(box)} zeroed"


_DAMAGES: tuple[Damage, ...] = (
    _flip, _flip, _flip, _word, _word, _word, _count, _count, _size, _size, _version, _retype, _drop, _double, _shorten,
    _swap, _zero,
)  # fmt: skip
