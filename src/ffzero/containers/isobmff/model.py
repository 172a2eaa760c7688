"""What a movie file holds, as read: tracks with their sample tables, and everything else verbatim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ffzero.containers.isobmff.boxes import BoxHeader
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["Edit", "MovieBox", "Track", "TrackHeader"]

EMPTY_EDIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit list entry (ISO/IEC 14496-12 §8.6.6): ``duration`` in movie ticks, ``media_time`` in media ticks.

    A ``media_time`` of -1 is an empty edit: nothing is shown for its duration.
    """

    duration: int
    media_time: int
    rate: int = 0x10000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackHeader:
    """``tkhd`` (§8.3.2). ``matrix`` holds nine fixed-point numbers, ``width`` and ``height`` are 16.16."""

    track_id: int
    flags: int
    creation_time: int
    modification_time: int
    duration: int
    layer: int
    alternate_group: int
    volume: int
    matrix: tuple[int, ...]
    width: int
    height: int

    @property
    def enabled(self) -> bool:
        return bool(self.flags & 1)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One track. Raw boxes are kept whole, header included, in file order."""

    header: TrackHeader
    handler: str
    handler_box: bytes
    language: str
    language_code: int
    entries: tuple[SampleEntry, ...]
    table: SampleTable
    edits: tuple[Edit, ...]
    movie_timescale: int
    media_header: bytes
    """``vmhd``, ``smhd``, ``gmhd``, ``nmhd``, ... verbatim; empty where there is none."""
    references: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    extra_boxes: tuple[bytes, ...] = ()
    """Children of ``trak`` that are carried verbatim: ``udta``, ``meta``, ``tapt``, unknown ones."""
    extra_media_boxes: tuple[bytes, ...] = ()
    """Children of ``mdia`` that are carried verbatim: ``elng``, ..."""
    extra_information_boxes: tuple[bytes, ...] = ()
    """Children of ``minf`` that are carried verbatim: QuickTime's data handler, unknown ones."""
    lost_boxes: tuple[str, ...] = ()
    """Children of ``stbl`` that speak of single samples in ways that a cut cannot keep (``subs``, ``csgp``, ...)."""
    fragmented_edits: bool = False
    """Samples lie in fragments, where FFmpeg applies only an edit's start."""
    external: bool = False
    """The samples lie in another file (a reference movie)."""
    aux_boxes: tuple[str, ...] = ()
    """Sample auxiliary boxes seen (``saiz``, ``saio``, ``senc``)."""

    @property
    def id(self) -> int:
        return self.header.track_id

    @property
    def timescale(self) -> int:
        return self.table.timescale


@dataclass(frozen=True, kw_only=True)
class MovieBox:
    """A whole file as indexed: its source, tracks and every other box."""

    source: ByteSource
    file_type: bytes
    """The ``ftyp`` box verbatim; empty in QuickTime files of old."""
    timescale: int
    duration: int
    header_box: bytes
    """``mvhd`` payload verbatim."""
    tracks: tuple[Track, ...]
    user_data: bytes
    """``moov/udta`` payload."""
    extra_boxes: tuple[bytes, ...]
    """Other children of ``moov`` verbatim: ``meta``, ``iods``, ``pssh``, unknown ones."""
    top_level: tuple[BoxHeader, ...]
    fragments: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def is_quicktime(self) -> bool:
        return not self.file_type or self.file_type[8:12] == b"qt  "

    def track(self, track_id: int) -> Track:
        """Return the track of that ID; ``KeyError`` where there is none."""
        for track in self.tracks:
            if track.id == track_id:
                return track
        raise KeyError(track_id)
