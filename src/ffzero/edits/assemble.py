"""From a layout to bytes: the payload rope out of the sources' extents, and the header around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from ffzero.containers.isobmff.byte_runs import byte_runs
from ffzero.containers.isobmff.metadata import (
    NeroChapter,
    read_nero_chapters,
    without_stale_tags,
    write_user_data,
)
from ffzero.containers.isobmff.model import Edit, Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.writer import BLOCK, OutputMovie, OutputTrack, Payload, shifted, write_movie
from ffzero.containers.nal import RandomAccess
from ffzero.edits.cues import empty_cue
from ffzero.edits.layout import Layout, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.sequence import Laid, Part, lay_cues, lay_pictures, lay_sound, lay_timecode
from ffzero.edits.takes import Take
from ffzero.errors import TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.timebase import Rounding, common_timescale, rescale

__all__ = ["Assembly", "assemble"]

_BRIDGED_GAP_BYTES = 8192
"""Gaps up to this between wanted chunks are taken along: cheaper than another extent with a phase of its own."""
_PHASED_RUN_BYTES = 65536
"""Runs from this size on get filler before them, so that their blocks can be shared."""
_MAX_KEPT_BOX_BYTES = 1 << 30
_NOT_CARRIED = frozenset(
    {"ftyp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra", "sidx", "ssix", "styp", "prft", "emsg", "pnot"}
    | {"PICT", "meta", "imda", "meco"}
)


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """A clip as bytes: the whole file as a rope, how much of it is no sample, in how many extents the samples lie.

    ``header_bytes`` counts filler and samples written anew too; ``header_extent_bytes`` of them are table stretches
    that are taken from the source as they stand.
    """

    rope: Rope
    header_bytes: int
    header_extent_bytes: int
    extents: int
    warnings: tuple[str, ...]


def assemble(layout: Layout) -> Assembly:
    """Return the file that a layout without renders makes. Reads timecode samples (four bytes each), nothing else."""
    warnings: list[str] = []
    laid = [_lay(track, layout) for track in layout.tracks]
    payload, tables = _payload(layout, laid)
    scales = [table.timescale for table in tables]
    timescale = common_timescale(scales, limit=2**32 - 1) or max(scales)
    kept = {track.model.id for track in layout.tracks}
    tracks = [
        _output_track(track, item, table, timescale, kept, warnings)
        for track, item, table in zip(layout.tracks, laid, tables, strict=True)
    ]
    box = layout.pieces[0].request.media.box
    movie = OutputMovie(
        file_type=_file_type(box.file_type),
        timescale=timescale,
        header_box=box.header_box,
        tracks=tracks,
        user_data=write_user_data(box.user_data, _chapters(layout)),
        extra_boxes=_clean(box.extra_boxes, warnings),
        before_data=_carried(layout.pieces[0].request.media, warnings),
    )
    rope, header = write_movie(movie, payload)
    return Assembly(
        rope=rope,
        header_bytes=header + payload.rope.literal_bytes,
        header_extent_bytes=header - rope[:header].literal_bytes,
        extents=sum(1 for run in payload.rope.runs() if run.source is not None),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _lay(track: TrackLayout, layout: Layout) -> Laid:
    if track.role == "video":
        media = layout.pieces[track.placed[0].piece].request.media
        first = replace(track.placed[0], rewritten=_stale_markings(media, track.placed[0].take))
        return lay_pictures([first, *track.placed[1:]], track.timescale)
    if track.role in ("text", "chapters"):
        empty = empty_cue(track.model.entries[0].codec)
        total = layout.duration if track.role == "text" else None  # an empty last title would be a chapter
        return lay_cues(track.placed, track.timescale, empty, total)
    if track.role == "timecode" and all(item.take.track.entries[0].timecode for item in track.placed):
        medias = [layout.pieces[item.piece].request.media for item in track.placed]
        counters = [
            [_timecode_counter(media, item.take.track, number) for number in range(item.take.first, item.take.stop)]
            for media, item in zip(medias, track.placed, strict=True)
        ]
        return lay_timecode(track.placed, track.timescale, counters)
    return lay_sound(track.placed, track.timescale)


def _stale_markings(media: Media, take: Take) -> dict[int, bytes]:
    """Return samples of an open start without the commands that speak of pictures before it; see ``h264_slices``."""
    entry = media.entry_of(take.track, take.first)
    if take.access is not RandomAccess.OPEN or entry.avc is None:
        return {}
    from ffzero.containers.h264_slices import without_stale_markings  # for open starts only

    samples = takewhile(lambda data: data is not None, (media.sample_bytes(take.track, n) for n in take.kept()))
    sets = (*entry.avc.sps, *entry.avc.pps)
    return without_stale_markings(filter(None, samples), entry.avc.nal_length_size, sets)


def _timecode_counter(media: Media, track: Track, sample: int) -> int:
    offsets, sizes = track.table.offsets_and_sizes(sample, sample + 1)
    if int(sizes[0]) < 4:
        return 0
    data = bytearray(4)
    media.box.source.readinto_at(int(offsets[0]), memoryview(data))
    return int.from_bytes(data, "big")


def _payload(layout: Layout, laid: Sequence[Laid]) -> tuple[Payload, list[SampleTable]]:
    """Lay the pieces' bytes one after another; returns them with each track's table in payload offsets."""
    parts: list[tuple[int, int, Part]] = [
        (track, number, part) for track, item in enumerate(laid) for number, part in enumerate(item.parts)
    ]
    builder = _PayloadBuilder()
    placed: dict[tuple[int, int], SampleTable] = {}
    for piece in range(len(layout.pieces)):
        own = [(track, number, part.table) for track, number, part in parts if part.piece == piece]
        if own:
            source = layout.pieces[piece].request.media.box.source
            starts, targets = builder.add_tables(source, [table for _, _, table in own])
            for track, number, table in own:
                placed[track, number] = shifted(table, starts, targets)
    for track, number, part in parts:
        if part.piece < 0:
            placed[track, number] = shifted(
                part.table, np.zeros(1, np.int64), np.array([builder.add_literal(part.literal)])
            )
    tables = [
        SampleTable.concat([placed[track, number] for number in range(len(item.parts))])
        for track, item in enumerate(laid)
    ]
    return Payload(rope=Rope.concat(builder.ropes), anchor=builder.anchor), tables


class _PayloadBuilder:
    """Appends runs of sources, each large one at the phase of the first (see ``Payload.anchor``)."""

    def __init__(self) -> None:
        self.ropes: list[Rope] = []
        self.length = 0
        self.anchor: tuple[int, int] | None = None

    def add_literal(self, data: bytes) -> int:
        at = self.length
        self.ropes.append(Rope([Literal(data)]))
        self.length += len(data)
        return at

    def add_tables(self, source: ByteSource, tables: Sequence[SampleTable]) -> tuple[np.ndarray, np.ndarray]:
        """Append the bytes of all chunks; returns where each run of the source began and where it now begins."""
        starts, ends = byte_runs(tables, max_gap_bytes=_BRIDGED_GAP_BYTES)
        if len(ends) and int(ends[-1]) > source.size_bytes:
            raise TruncatedError(
                "samples of the clip lie beyond the end of the file",
                path=source.name,
                offset_bytes=source.size_bytes,
                expected=f"{int(ends[-1])} bytes",
                found=source.size_bytes,
                hint="The file is incomplete; a clip that ends earlier can still be made",
            )
        targets = np.empty(len(starts), np.int64)
        for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            targets[index] = self._add_run(source, start, end - start)
        return starts, targets

    def _add_run(self, source: ByteSource, start: int, length: int) -> int:
        if length >= _PHASED_RUN_BYTES:
            if self.anchor is None:
                self.anchor = (self.length, start)
            filler = (start - self.anchor[1] - (self.length - self.anchor[0])) % BLOCK
            if filler:
                self.add_literal(bytes(filler))
        at = self.length
        self.ropes.append(Rope([Extent(source, start, length)]))
        self.length += length
        return at


def _output_track(
    track: TrackLayout, laid: Laid, table: SampleTable, timescale: int, kept: set[int], warnings: list[str]
) -> OutputTrack:
    model = track.model
    references = {kind: tuple(number for number in ids if number in kept) for kind, ids in model.references.items()}
    return OutputTrack(
        header=model.header,
        handler_box=model.handler_box,
        language_code=model.language_code,
        entries=track.entries,
        table=replace(table, start_dts=0),
        edits=_edits(laid, table.timescale, timescale),
        media_header=model.media_header,
        references=references,
        extra_boxes=_clean(model.extra_boxes, warnings),
        extra_media_boxes=model.extra_media_boxes,
        extra_information_boxes=model.extra_information_boxes,
    )


def _edits(laid: Laid, from_timescale: int, timescale: int) -> list[Edit]:
    edits = []
    if laid.empty_ticks:
        empty = rescale(laid.empty_ticks, from_timescale, timescale, Rounding.NEAREST)
        edits.append(Edit(duration=empty, media_time=-1))
    shown = max(1, rescale(laid.shown_ticks, from_timescale, timescale, Rounding.CEIL))
    edits.append(Edit(duration=shown, media_time=laid.media_time))
    return edits


def _clean(boxes: Sequence[bytes], warnings: list[str]) -> list[bytes]:
    kept = []
    for raw in boxes:
        clean, reason = without_stale_tags(raw)
        if clean:
            kept.append(clean)
        if reason:
            warnings.append(reason)
    return kept


def _file_type(raw: bytes) -> bytes:
    """Return an ``ftyp`` for a progressive file: brands that promise segments or fragments are dropped."""
    if not raw:
        return raw
    segment = {b"dash", b"msdh", b"msix", b"cmfc", b"cmf2", b"cmff", b"cmfl", b"cmfs", b"cmaf", b"piff", b"lmsg"}
    major, minor = raw[8:12], raw[12:16]
    brands = [raw[at : at + 4] for at in range(16, len(raw) - 3, 4)]
    if major in segment:
        major = b"isom"
    brands = [brand for brand in brands if brand not in segment] or [major]
    payload = major + minor + b"".join(brands)
    return (len(payload) + 8).to_bytes(4, "big") + b"ftyp" + payload


def _carried(media: Media, warnings: list[str]) -> Rope:
    """Return the file's other top-level boxes (``uuid`` and unknown ones) verbatim."""
    ropes = []
    for header in media.box.top_level:
        if header.fourcc == "meta":
            warnings.append("the file's top-level meta box is left out: its items lie at fixed places of the old file")
        if header.fourcc in _NOT_CARRIED or header.overruns or not header.fourcc.isprintable():
            continue
        if header.size <= _MAX_KEPT_BOX_BYTES and header.size >= 8 and header.end < media.box.source.size_bytes + 1:
            ropes.append(Rope([Extent(media.box.source, header.offset, header.size)]))
    return Rope.concat(ropes)


def _chapters(layout: Layout) -> list[NeroChapter]:
    """Return the Nero chapters of all pieces, clipped and shifted; one that was running at a start begins there."""
    chapters: list[NeroChapter] = []
    for piece in layout.pieces:
        media = piece.request.media
        found = read_nero_chapters(media.box.user_data)
        ends = [*(chapter.start for chapter in found[1:]), media.chapters_end]
        for chapter, end in zip(found, ends, strict=False):
            if chapter.start < piece.end and (end is None or end > piece.start):
                start = max(chapter.start, piece.start) - piece.start + piece.at
                chapters.append(replace(chapter, start=start))
    return chapters
