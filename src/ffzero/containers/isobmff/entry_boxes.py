"""Visual sample entries with some of their boxes changed: what one track with two coders of pictures needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ffzero.containers.h264_splice import with_gaps_allowed
from ffzero.containers.isobmff.boxes import View, box
from ffzero.containers.isobmff.hvcc import extended_hvcc, own_hvcc
from ffzero.errors import UnsupportedError

__all__ = ["with_other_parameter_sets", "with_parameter_sets", "with_skipped_frame_numbers", "without_repeated"]

_CHILDREN_AT = 8 + 78
"""Where the boxes inside a visual sample entry begin (ISO/IEC 14496-12 §12.1.3.2)."""
_SPS = 7
_ONCE_A_TRACK = frozenset({"amve", "clli", "mdcv", "CoLL", "SmDm"})
_MOST_SPS, _MOST_PPS = 31, 255


def with_parameter_sets(entry: bytes, sets: Sequence[bytes]) -> bytes:
    """Return a sample entry whose ``avcC`` or ``hvcC`` (14496-15 §5.3.3.1, §8.3.3.1) holds these sets, NAL units, too.

    Those that it holds already are not added again. Raises ``UnsupportedError`` where they don't fit,
    ``InvalidDataError`` where an ``hvcC`` is damaged.
    """
    made = {"avcC": _extended, "hvcC": extended_hvcc}
    return _rebuilt(
        entry,
        lambda child: (
            box(child.fourcc, made[child.fourcc](child.raw(), sets)) if child.fourcc in made else child.as_box()
        ),
    )


def with_other_parameter_sets(entry: bytes, sets: Sequence[bytes]) -> bytes:
    """Return a sample entry whose ``hvcC`` holds these VPS, SPS and PPS alone, for samples like those of ``entry``."""
    return _rebuilt(
        entry, lambda child: box("hvcC", _replaced(child.raw(), sets)) if child.fourcc == "hvcC" else child.as_box()
    )


def with_skipped_frame_numbers(entry: bytes) -> bytes:
    """Return a sample entry whose SPS in ``avcC`` say that frame_num may skip some; see ``with_gaps_allowed``."""
    return _rebuilt(
        entry, lambda child: box("avcC", _gaps_allowed(child.raw())) if child.fourcc == "avcC" else child.as_box()
    )


def without_repeated(entry: bytes, first: bytes) -> bytes:
    """Return a sample entry without what the track's first one says of the whole picture sequence, and it alike.

    FFmpeg keeps light levels once a track, and complains of each that comes again.
    """
    known = {child.as_box() for child in _children(first)}
    return _rebuilt(
        entry, lambda child: b"" if child.fourcc in _ONCE_A_TRACK and child.as_box() in known else child.as_box()
    )


def _children(entry: bytes) -> list[View]:
    view = View(data=memoryview(entry)[_CHILDREN_AT:], offset=_CHILDREN_AT, path="stsd", source_name="")
    return list(view.children(lenient=True))


def _rebuilt(entry: bytes, made: Callable[[View], bytes]) -> bytes:
    body = entry[8:_CHILDREN_AT] + b"".join(map(made, _children(entry)))
    return (len(body) + 8).to_bytes(4, "big") + entry[4:8] + body


def _replaced(record: bytes, sets: Sequence[bytes]) -> bytes:
    return own_hvcc(sets, nal_length_size=(record[21] & 3) + 1)


def _gaps_allowed(config: bytes) -> bytes:
    at, sps = _units(config, 5, 0x1F)
    return config[:6] + _packed([with_gaps_allowed(unit) for unit in sps]) + config[at:]


def _extended(config: bytes, sets: Sequence[bytes]) -> bytes:
    at, sps = _units(config, 5, 0x1F)
    end, pps = _units(config, at, 0xFF)
    for unit in sets:
        known = sps if unit[0] & 0x1F == _SPS else pps
        if unit not in known:
            known.append(unit)
    if len(sps) > _MOST_SPS or len(pps) > _MOST_PPS:
        raise UnsupportedError("too many parameter sets for one sample entry")
    head = config[:5] + bytes([0xE0 | len(sps)])
    return head + _packed(sps) + bytes([len(pps)]) + _packed(pps) + config[end:]


def _units(config: bytes, at: int, mask: int) -> tuple[int, list[bytes]]:
    """Read a count byte at ``at``, then that many units; returns where they end."""
    count = config[at] & mask
    at += 1
    units = []
    for _ in range(count):
        length = int.from_bytes(config[at : at + 2], "big")
        units.append(config[at + 2 : at + 2 + length])
        at += 2 + length
    return at, units


def _packed(units: Sequence[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
