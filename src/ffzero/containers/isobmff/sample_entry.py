"""Sample entries: what a track's ``stsd`` says of its coding (ISO/IEC 14496-12 §8.5.2, §12; QTFF "Sound Sample
Descriptions"). The raw bytes are kept as they are; unknown boxes and codes are no error.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ffzero.containers.isobmff.audio_config import audio_config
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import AacConfig, AvcConfig, HevcConfig, parse_avcc, parse_esds, parse_hvcc
from ffzero.containers.isobmff.codec_names import DATA_CODECS, OBJECT_TYPES, VIDEO_CODECS
from ffzero.values import dataclass

__all__ = ["Colour", "Encryption", "SampleEntry", "TimecodeFormat", "parse_sample_entry"]

_KINDS = {
    "vide": "video",
    "auxv": "video",
    "pict": "video",
    "soun": "audio",
    "text": "subtitle",
    "subt": "subtitle",
    "sbtl": "subtitle",
    "subp": "subtitle",
    "clcp": "subtitle",
    "tmcd": "timecode",
}
_HDR_BOXES = ("mdcv", "clli", "SmDm", "CoLL", "amve", "dvcC", "dvvC", "dvwC", "hvcE", "avcE")
_PROTECTED = frozenset({"encv", "enca", "enct", "encs", "encm", "resv", "drms", "drmi"})
_FIXED_POINT_SHIFT = 16
_TERMINATOR = "\0\0\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Code points of ITU-T H.273; ``full_range`` is ``None`` where not said (QuickTime ``nclc``)."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Protection of the samples (ISO/IEC 23001-7): ``scheme`` is cenc, cbcs, ...; IV sizes in bytes."""

    scheme: str
    is_protected: bool
    iv_size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimecodeFormat:
    """A QuickTime timecode description (QTFF "Timecode Sample Description")."""

    flags: int
    timescale: int
    frame_duration: int
    number_of_frames: int

    @property
    def drop_frame(self) -> bool:
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEntry:
    """One entry of ``stsd``.

    ``raw`` is the whole box as read, 8-byte header included. ``codec`` is FFmpeg's name where known, else the
    four-character code. ``original_format`` is the code beneath encryption, else ``fourcc``. ``boxes`` holds the
    payload of the first child box of each type (those inside a QuickTime ``wave`` too). Sizes are 0 where the kind has
    none; ``sample_rate`` and ``channels`` are the decoder configuration's where it says more than the entry.
    """

    fourcc: str
    raw: bytes = field(repr=False)
    kind: str
    codec: str
    original_format: str
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0
    sample_size_bits: int = 0
    boxes: Mapping[str, bytes] = field(default_factory=dict, repr=False, hash=False)
    avc: AvcConfig | None = None
    hevc: HevcConfig | None = None
    aac: AacConfig | None = None
    colour: Colour | None = None
    encryption: Encryption | None = None
    timecode: TimecodeFormat | None = None
    frame_samples: int = 0
    """Audio samples in one packet at ``sample_rate`` where they are constant and known, else 0."""

    @property
    def nal_length_size(self) -> int | None:
        """Size in bytes of the length before each NAL unit, for H.264 and HEVC with their configuration."""
        config = self.avc or self.hevc
        return config.nal_length_size if config else None

    @property
    def encryption_scheme(self) -> str | None:
        return self.encryption.scheme if self.encryption else None

    @property
    def aac_object_type(self) -> int | None:
        return self.aac.object_type if self.aac else None

    @property
    def hdr_boxes(self) -> tuple[str, ...]:
        """Names of the high dynamic range and Dolby Vision boxes that are present."""
        return tuple(name for name in _HDR_BOXES if name in self.boxes)


def parse_sample_entry(raw: bytes, handler: str, *, offset_bytes: int = 0, source_name: str = "") -> SampleEntry:
    """Parse one entry of ``stsd``, ``raw`` being the whole box and ``handler`` the media's ``hdlr`` type.

    ``offset_bytes`` is where ``raw`` lies in file ``source_name``, for errors. Raises ``InvalidDataError`` where a
    declared size or count does not fit; unknown codes parse.
    """
    head = View(data=memoryview(raw), offset=offset_bytes, path="stsd", source_name=source_name)
    if head.u32(0) != len(raw):
        raise head.error("a sample entry has a wrong size", 0, expected=len(raw), found=head.u32(0))
    fourcc = raw[4:8].decode("latin-1")
    view = View(data=memoryview(raw)[8:], offset=offset_bytes + 8, path=f"stsd/{fourcc}", source_name=source_name)
    kind = "timecode" if fourcc == "tmcd" else _KINDS.get(handler, "data")
    view.need(8)
    if kind == "video":
        fields, children = _visual(view)
    elif kind == "audio":
        fields, children = _sound(view)
    else:
        fields, children = _other(view, fourcc)
    fields.update(_protection(children, fourcc))
    fields["boxes"] = {name: child.raw() for name, child in children.items()}
    fields["codec"] = DATA_CODECS.get(fields["original_format"], fields["original_format"])
    if kind == "video":
        fields.update(_video_config(fields, children))
    elif kind == "audio":
        fields.update(audio_config(fields, children))
    for internal in ("little_endian", "lpcm_flags"):
        fields.pop(internal, None)
    return SampleEntry(fourcc=fourcc, raw=bytes(raw), kind=kind, **fields)


def _visual(view: View) -> tuple[dict[str, Any], dict[str, View]]:
    """VisualSampleEntry (ISO/IEC 14496-12 §12.1.3.2), with the inline palette that QuickTime allows."""
    depth, table_id = view.u16(74), view.u16(76)
    at = 78
    if table_id == 0 and depth in (2, 4, 8):
        at += 8 + 8 * (view.u16(at + 6) + 1)
    fields = {"width": view.u16(24), "height": view.u16(26), "sample_size_bits": depth}
    return fields, view.child_map(at)


def _sound(view: View) -> tuple[dict[str, Any], dict[str, View]]:
    """AudioSampleEntry (§12.2.3.2) and QuickTime sound descriptions 0, 1 and 2."""
    version = view.u16(8)
    fields: dict[str, Any] = {
        "channels": view.u16(16),
        "sample_size_bits": view.u16(18),
        "sample_rate": view.u32(24) >> _FIXED_POINT_SHIFT,
    }
    at = 28
    # An ISO AudioSampleEntryV1 has no QuickTime fields: its first box, as a rule srat, stands in their place.
    if version == 1 and not (len(view) >= 36 and bytes(view.data[32:36]) in _ISO_FIRST_BOXES):
        at = 44
        view.need(16, 28)
    elif version == 2:
        at = 64
        view.need(36, 28)
        rate, channels = struct.unpack_from(">dI", view.data, 32)
        fields["sample_rate"] = int(rate) if math.isfinite(rate) and 0 <= rate < 2**32 else 0
        fields["channels"] = channels
        fields["sample_size_bits"], fields["lpcm_flags"] = view.u32(48), view.u32(52)
    children = view.child_map(at)
    if "wave" in children:
        for name, child in children["wave"].child_map(lenient=True).items():
            if name != _TERMINATOR:
                children.setdefault(name, child)
    if "srat" in children:
        fields["sample_rate"] = children["srat"].u32(4)
    if "enda" in children:
        fields["little_endian"] = children["enda"].u16(0) == 1
    return fields, children


_ISO_FIRST_BOXES = frozenset(
    {b"srat", b"esds", b"chnl", b"sinf", b"dac3", b"dec3", b"dOps", b"dfLa", b"pcmC", b"btrt", b"ddts"}
)


def _other(view: View, fourcc: str) -> tuple[dict[str, Any], dict[str, View]]:
    """Timecode and others. Only descriptions whose layout is known are searched for boxes, and leniently."""
    if fourcc == "tmcd":
        timecode = TimecodeFormat(
            flags=view.u32(12), timescale=view.u32(16), frame_duration=view.u32(20), number_of_frames=view.u8(24)
        )
        return {"timecode": timecode}, view.child_map(26, lenient=True) if len(view) > 26 else {}
    starts = {"tx3g": 38, "enct": 38, "wvtt": 8, "mp4s": 8, "mebx": 8, "c608": 8, "c708": 8}
    at = starts.get(fourcc)
    return {}, view.child_map(at, lenient=True) if at is not None and at <= len(view) else {}


def _protection(children: Mapping[str, View], fourcc: str) -> dict[str, Any]:
    """Read ``sinf`` (§8.12) of a protected entry: the original format, the scheme, and ``tenc``."""
    if fourcc not in _PROTECTED or "sinf" not in children:
        return {"original_format": fourcc}
    sinf = children["sinf"].child_map()
    original = sinf["frma"].raw()[:4].decode("latin-1") if "frma" in sinf else fourcc
    if fourcc == "resv":
        return {"original_format": original}
    scheme = ""
    if "schm" in sinf:
        sinf["schm"].need(8)
        scheme = sinf["schm"].raw()[4:8].decode("latin-1")
    tenc = sinf["schi"].child_map().get("tenc") if "schi" in sinf else None
    encryption = Encryption(
        scheme=scheme,
        is_protected=tenc.u8(6) != 0 if tenc else True,
        iv_size_bytes=tenc.u8(7) if tenc else 0,
    )
    return {"original_format": original, "encryption": encryption}


def _video_config(fields: Mapping[str, Any], children: Mapping[str, View]) -> dict[str, Any]:
    original = fields["original_format"]
    config: dict[str, Any] = {"codec": VIDEO_CODECS.get(original, original)}
    if original == "dvh1" and "hvcC" in children:
        config["codec"] = "hevc"
    if "avcC" in children and config["codec"] == "h264":
        config["avc"] = parse_avcc(children["avcC"])
    if "hvcC" in children and config["codec"] == "hevc":
        config["hevc"] = parse_hvcc(children["hvcC"])
    if "esds" in children and original == "mp4v":
        indication = parse_esds(children["esds"]).object_type_indication
        config["codec"] = OBJECT_TYPES.get(indication, config["codec"])
    if "colr" in children:
        config["colour"] = _colour(children["colr"])
    return config


def _colour(view: View) -> Colour | None:
    """Read a ``colr`` of type nclx or nclc (§12.1.5); ICC profiles stay raw."""
    view.need(4)
    kind = bytes(view.data[:4])
    if kind not in (b"nclx", b"nclc"):
        return None
    full_range = view.u8(10) >= 128 if kind == b"nclx" else None
    return Colour(primaries=view.u16(4), transfer=view.u16(6), matrix=view.u16(8), full_range=full_range)
