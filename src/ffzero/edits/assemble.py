"""From a layout to bytes: the payload rope out of the sources' extents, and the header around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ffzero.containers.isobmff.metadata import (
    NeroChapter,
    read_nero_chapters,
    without_stale_tags,
    write_user_data,
)
from ffzero.containers.isobmff.model import Edit, Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.writer import OutputMovie, OutputTrack, write_movie
from ffzero.edits.cues import empty_cue
from ffzero.edits.laying.cues import lay_cues
from ffzero.edits.laying.parts import Laid, Placed
from ffzero.edits.laying.pictures import lay_pictures
from ffzero.edits.laying.sound import lay_sound
from ffzero.edits.laying.timecode import lay_timecode
from ffzero.edits.layout import Layout, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.open_joints import rewritten_start
from ffzero.edits.payload import lay_payload
from ffzero.edits.sound.joined import has_coded_sound, lay_joined_sound
from ffzero.edits.takes import Take
from ffzero.extents.rope import Extent, Rope
from ffzero.timebase import Rounding, common_timescale, rescale
from ffzero.values import dataclass

__all__ = ["Assembly", "assemble"]

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
    payload, tables = lay_payload([piece.request.media.box.source for piece in layout.pieces], laid)
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
        return lay_pictures(_with_clean_starts(track.placed, layout), track.timescale)
    if track.role in ("text", "chapters"):
        empty = empty_cue(track.model.entries[0].codec)
        total = layout.duration if track.role == "text" else None  # an empty last title would be a chapter
        return lay_cues(track.placed, track.timescale, empty, total)
    if track.role == "timecode" and all(item.take.track.entries[0].timecode for item in track.placed):
        medias = [layout.pieces[item.piece].request.media for item in track.placed]
        counters = [
            [_timecode_counter(media, item.take.track, number) for number in range(item.own.first, item.own.stop)]
            for media, item in zip(medias, track.placed, strict=True)
        ]
        return lay_timecode(track.placed, track.timescale, counters)
    if has_coded_sound(track.placed):
        return lay_joined_sound(track.placed, track.timescale, layout.pieces)
    return lay_sound(track.placed, track.timescale)


def _with_clean_starts(placed: Sequence[Placed], layout: Layout) -> list[Placed]:
    """Return picture takes with those samples rewritten that could not stand where they now do."""
    found: list[Placed] = []
    for item in placed:
        if isinstance(item.take, Take):
            media = layout.pieces[item.piece].request.media
            before = found[-1].take if found else None
            item = replace(item, rewritten=rewritten_start(media, item.take, before))
        found.append(item)
    return found


def _timecode_counter(media: Media, track: Track, sample: int) -> int:
    offsets, sizes = track.table.offsets_and_sizes(sample, sample + 1)
    if int(sizes[0]) < 4:
        return 0
    data = bytearray(4)
    media.box.source.readinto_at(int(offsets[0]), memoryview(data))
    return int.from_bytes(data, "big")


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
