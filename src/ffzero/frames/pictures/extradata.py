"""What libavcodec wants to know before the first sample, taken from the sample entry."""

from __future__ import annotations

from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import parse_esds
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.errors import UnsupportedError

__all__ = ["decoder_name", "extradata"]

_RECORDS = ("avcC", "hvcC", "av1C", "vvcC", "evcC", "glbl")
_NAMES = {"av1": "libdav1d"}
_UNREADABLE = frozenset({"rawvideo", "theora", "svq3", "uncv"})
"""What libavcodec decodes only with facts that FFmpeg's demuxer would work out."""


def decoder_name(entry: SampleEntry) -> str:
    """Return libavcodec's name of the decoder. Raises ``UnsupportedError`` for encrypted and unknown coding."""
    if entry.encryption is not None and entry.encryption.is_protected:
        raise UnsupportedError("the pictures are encrypted: they cannot be decoded without their key")
    if entry.codec in _UNREADABLE:
        raise UnsupportedError(f"{entry.codec} ({entry.fourcc}) is not decoded here")
    return _NAMES.get(entry.codec, entry.codec)


def extradata(entry: SampleEntry) -> bytes:
    """Return the decoder's configuration as FFmpeg's MP4 demuxer would hand it over; empty where there is none."""
    for name in _RECORDS:
        if name in entry.boxes:
            return entry.boxes[name]
    if "esds" in entry.boxes:
        return parse_esds(
            View(data=memoryview(entry.boxes["esds"]), offset=0, path="esds", source_name="")
        ).decoder_specific
    return b""
