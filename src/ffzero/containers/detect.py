"""Which container a file is, by its signature; and which container an output's name asks for."""

from __future__ import annotations

import os

from ffzero.errors import UsageError

__all__ = ["HEAD_BYTES", "container_for_output", "detect", "detect_file"]

HEAD_BYTES = 4096
"""How many first bytes ``detect`` wants: enough for a few transport stream packets of 204 bytes."""

_ISOBMFF_FIRST_BOXES = frozenset(
    # ISO/IEC 14496-12 §4.3 (ftyp), §8.16.2 (styp); a file without ftyp is QuickTime (QTFF "Overview of the file").
    (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"sidx", b"uuid", b"junk")
)
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),  # RFC 8794 §11.2.1, the EBML header's ID
    (0, b"FLV\x01", "flv"),  # Adobe FLV 10.1 §E.2
    (0, b"OggS", "ogg"),  # RFC 3533 §6
    (0, b"fLaC", "flac"),  # RFC 9639 §6
    (0, b"FORM", "aiff"),
    (0, b".snd", "au"),
    (0, b"#!AMR", "amr"),
    (0, b"caff", "caf"),
    (0, b"wvpk", "wavpack"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpegps"),  # ISO/IEC 13818-1 §2.5.3.3, pack_start_code
    (0, b".RMF", "realmedia"),
    (0, b"DKIF", "ivf"),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),  # SMPTE ST 377-1, partition pack key
    (0, b"\x0b\x77", "ac3"),
)
_RIFF_FORMS = {b"AVI ": "avi", b"AVIX": "avi", b"WAVE": "wav"}
_TS_PACKET_SIZES = ((188, 0), (192, 4), (204, 0))
"""Bytes in a packet and before its sync byte: ISO/IEC 13818-1, Blu-ray and AVCHD (4-byte time code), DVB with FEC."""

_FAMILIES = {
    "isobmff": ("mp4", "m4v", "m4a", "m4b", "mov", "qt", "3gp", "3g2"),
    "matroska": ("mkv", "mka", "mks", "webm"),
    "mpegts": ("ts", "mts", "m2ts", "m2t"),
    "mpegps": ("mpg", "mpeg", "vob"),
    "avi": ("avi",),
    "flv": ("flv",),
    "ogg": ("ogg", "ogv", "oga", "opus"),
    "wav": ("wav",),
    "mp3": ("mp3",),
    "flac": ("flac",),
    "aac": ("aac",),
    "mxf": ("mxf",),
    "asf": ("wmv", "wma", "asf"),
}
_FAMILY_BY_EXTENSION = {extension: family for family, names in _FAMILIES.items() for extension in names}


def detect(head: bytes) -> str:
    """Return the container family that a file's first bytes show.

    ``head`` is the file's first ``HEAD_BYTES`` bytes, or all where it is shorter. The file's name plays no part.
    Returns ``isobmff`` (MP4, MOV and kin, old QuickTime without ``ftyp`` included), ``matroska`` (WebM too),
    ``mpegts``, ``avi``, ``flv``, ``ogg``, ``wav``, ``mp3``, ... or ``unknown``.
    """
    if _is_isobmff(head):
        return "isobmff"
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _RIFF_FORMS.get(head[8:12], "unknown")
    for offset, magic, family in _SIGNATURES:
        if head.startswith(magic, offset):
            return family
    if _is_mpegts(head):
        return "mpegts"
    return _mpeg_audio(head)


def detect_file(path: str | os.PathLike[str]) -> str:
    """Return ``detect`` of the file's first bytes. Raises ``OSError`` where it cannot be read."""
    with open(path, "rb") as file:
        return detect(file.read(HEAD_BYTES))


def container_for_output(path: str | os.PathLike[str]) -> str:
    """Return the container family that an output's extension asks for, named as by ``detect``.

    Raises ``UsageError`` for an extension that names no container, listing those that do.
    """
    extension = os.path.splitext(os.fspath(path))[1].lstrip(".").lower()
    family = _FAMILY_BY_EXTENSION.get(extension)
    if family is None:
        known = ", ".join(sorted(_FAMILY_BY_EXTENSION))
        what = f"no container is known for .{extension}" if extension else "the output's name has no extension"
        raise UsageError(what, path=path, hint=f"Name the output with one of: {known}")
    return family


def _is_isobmff(head: bytes) -> bool:
    """Whether a plausible first box stands there: size 0 (to the end), 1 (64-bit) or at least its own header."""
    if len(head) < 8 or head[4:8] not in _ISOBMFF_FIRST_BOXES:
        return False
    size = int.from_bytes(head[:4], "big")
    return size in (0, 1) or size >= 8


def _is_mpegts(head: bytes) -> bool:
    """Whether sync bytes (0x47) recur at a packet's length, from any of the first packet's bytes on.

    Five in a row, or as many as a shorter head holds but at least two: captures may start in the middle of a packet.
    """
    for size, prefix in _TS_PACKET_SIZES:
        for first in range(prefix, min(size + prefix, len(head))):
            marks = head[first::size][:5]
            enough = len(marks) == 5 or (len(marks) >= 2 and first == prefix)
            if enough and marks.count(0x47) == len(marks):
                return True
    return False


def _mpeg_audio(head: bytes) -> str:
    """MPEG audio and ADTS share a sync word (ISO/IEC 11172-3 §2.4.2.3, 14496-3 §1.A.2.2): layer 0 means ADTS."""
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return "unknown"
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    version, layer, bitrate, rate = (head[1] >> 3) & 3, (head[1] >> 1) & 3, head[2] >> 4, (head[2] >> 2) & 3
    return "mp3" if version != 1 and layer != 0 and bitrate != 15 and rate != 3 else "unknown"
