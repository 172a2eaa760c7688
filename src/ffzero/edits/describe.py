"""What an indexed movie holds, in the words of ``MovieInfo``."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ffzero.containers.info import Chapter, MovieInfo, TrackInfo
from ffzero.containers.isobmff.metadata import read_nero_chapters, read_tags
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.search import Shown, shown_between
from ffzero.containers.nal import RandomAccess
from ffzero.containers.runs import Runs
from ffzero.edits.media import Media

__all__ = ["bitrate_of", "describe", "keyframes_of"]

_MAX_LISTED_KEYFRAMES = 1_000_000
_PEEKED_KEYFRAMES = 8
_KINDS = {"text": "subtitle", "hint": "data", "still": "cover"}


def describe(media: Media) -> MovieInfo:
    """Return a movie's description. Looks at a few key pictures of H.264 and HEVC to tell open from closed GOPs."""
    box = media.box
    start, end = media.range
    tags = read_tags(box.user_data)
    container = "QuickTime" if box.is_quicktime else "MP4"
    if box.fragments:
        container = f"fragmented {container}"
    return MovieInfo(
        path=media.name,
        container=container,
        size_bytes=box.source.size_bytes,
        start_s=start,
        duration_s=end,
        tracks=tuple(_track(media, track) for track in box.tracks),
        chapters=tuple(_chapters(media, end)),
        metadata=tags,
        special=tuple(_special(media)),
    )


def _special(media: Media) -> list[str]:
    box = media.box
    special = []
    order = [header.fourcc for header in box.top_level if header.fourcc in ("moov", "mdat")]
    if order[:1] == ["mdat"] and not box.fragments:
        special.append("index at the end (moov after mdat)")
    if order.count("mdat") > 1 and not box.fragments:
        special.append(f"{order.count('mdat')} mdat boxes")
    if box.fragments:
        special.append(f"{box.fragments} fragments")
    unknown = [
        header.fourcc
        for header in box.top_level
        if header.fourcc not in ("ftyp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra", "sidx", "styp")
    ]
    if unknown:
        special.append(f"other boxes: {', '.join(dict.fromkeys(unknown))}")
    return special + list(box.warnings)


def _track(media: Media, track: Track) -> TrackInfo:
    entry, table = track.entries[0], track.table
    shown = media.track_range(track) or (Fraction(0), Fraction(0))
    role = media.role(track)
    pictures = _pictures(media, track) if role == "video" else None
    return TrackInfo(
        id=track.id,
        kind=_KINDS.get(role, role),
        codec=entry.codec,
        codec_tag=entry.fourcc,
        language=track.language,
        timescale=track.timescale,
        start_s=shown[0],
        duration_s=shown[1] - shown[0],
        sample_count=table.count,
        sync_count=table.count if table.sync is None else len(table.sync),
        payload_bytes=table.sizes.sum(0, table.count),
        width=entry.width or None,
        height=entry.height or None,
        rotation_degrees=_rotation(track.header.matrix),
        shown_count=pictures.count if pictures is not None and pictures.count < table.count else None,
        frame_rate=_frame_rate(_durations(table, pictures), table.timescale) if role == "video" else None,
        sample_rate=entry.sample_rate or None,
        channels=entry.channels or None,
        is_default=track.header.enabled,
        special=tuple(_track_special(media, track, role)),
    )


def _rotation(matrix: tuple[int, ...]) -> int:
    """Return the clockwise rotation of a display matrix, in degrees (ISO/IEC 14496-12 §6.2.2)."""
    a, b = matrix[0], matrix[1]
    return round(math.degrees(math.atan2(b, a))) % 360 if (a, b) != (0, 0) else 0


def _pictures(media: Media, track: Track) -> Shown | None:
    """Return the samples that its one edit shows; ``None`` where there are several."""
    spans = media.spans(track)
    return shown_between(track.table, spans[0].media_start, spans[0].media_stop) if len(spans) == 1 else None


def _durations(table: SampleTable, pictures: Shown | None) -> Runs:
    """Return how long samples last, without those before and after the pictures shown."""
    if pictures is None or pictures.count == table.count:
        return table.durations
    return table.durations.slice(pictures.first, pictures.stop)


def _frame_rate(durations: Runs, timescale: int) -> Fraction | None:
    ticks = durations.sum_before(len(durations))
    return Fraction(len(durations) * timescale, ticks).limit_denominator(1001) if ticks else None


def _track_special(media: Media, track: Track, role: str) -> list[str]:
    table = track.table
    notes = []
    if role == "video":
        notes += _picture_notes(media, track)
    if len(track.entries) > 1:
        notes.append(f"{len(track.entries)} sample entries")
    for entry in track.entries:
        if entry.encryption is not None:
            notes.append(f"encrypted ({entry.encryption.scheme})")
        if entry.hdr_boxes:
            notes.append(f"HDR ({', '.join(entry.hdr_boxes)})")
    notes += _edit_notes(track)
    notes += [f"{group.grouping_type.strip()} sample group" for group in table.groups]
    return list(dict.fromkeys(notes))


def _picture_notes(media: Media, track: Track) -> list[str]:
    table = track.table
    notes = []
    durations = np.unique(table.durations.values)
    if len(durations) > 2 or (len(durations) == 2 and int(durations[0]) * 2 < int(durations[1])):
        notes.append("variable frame rate")
    if table.composition is not None:
        notes.append("frames reordered (B-frames)")
    numbers = table.sync_candidates()
    if numbers is None:
        return [*notes, "every picture is a sync sample"]
    kinds = {unit.random_access for number in numbers[:_PEEKED_KEYFRAMES] if (unit := media.peek(track, int(number)))}
    if RandomAccess.OPEN in kinds:
        notes.append("open GOP")
    if RandomAccess.GRADUAL in kinds:
        notes.append("intra refresh")
    return notes


def _edit_notes(track: Track) -> list[str]:
    empty = [edit for edit in track.edits if edit.media_time == -1]
    real = [edit for edit in track.edits if edit.media_time != -1]
    notes = []
    if empty:
        delay = Fraction(sum(edit.duration for edit in empty), track.movie_timescale)
        notes.append(f"starts {float(delay):.3f} s late (empty edit)")
    if len(real) > 1:
        notes.append(f"{len(real)} edits")
    elif real and real[0].media_time:
        notes.append(f"edit starts at media time {real[0].media_time}/{track.timescale}")
    return notes


def _chapters(media: Media, end: Fraction) -> list[Chapter]:
    nero = read_nero_chapters(media.box.user_data)
    if nero:
        starts = [chapter.start for chapter in nero]
        ends = [*starts[1:], max(end, starts[-1])]
        return [
            Chapter(start_s=start, end_s=stop, title=chapter.title.decode("utf-8", "replace"))
            for chapter, start, stop in zip(nero, starts, ends, strict=True)
        ]
    for track in media.box.tracks:
        if track.id in media.chapter_tracks and track.handler == "text":
            return _text_chapters(media, track)
    return []


def _text_chapters(media: Media, track: Track) -> list[Chapter]:
    """Read a QuickTime chapter track: a 16-bit length and the title in each sample (QTFF "Chapter Lists")."""
    count = min(track.table.count, 1000)
    offsets, sizes = track.table.offsets_and_sizes(0, count)
    spans = media.spans(track)
    shift = spans[0].shift if spans else 0
    chapters = []
    for sample in range(count):
        data = bytearray(min(int(sizes[sample]), 1024))
        if len(data) < 2 or int(offsets[sample]) + len(data) > media.box.source.size_bytes:
            continue
        media.box.source.readinto_at(int(offsets[sample]), memoryview(data))
        title = bytes(data[2 : 2 + int.from_bytes(data[:2], "big")])
        text = (
            title.decode("utf-16", "replace")
            if title[:2] in (b"\xfe\xff", b"\xff\xfe")
            else title.decode("utf-8", "replace")
        )
        start, stop = (media.seconds(track, track.table.dts(sample + step) + shift) for step in (0, 1))
        if text:
            chapters.append(Chapter(start_s=start, end_s=stop, title=text))
    return chapters


def keyframes_of(media: Media) -> list[Fraction]:
    """Return the shown times of the main video's random access samples."""
    track = media.main_video
    if track is None or not track.table.count:
        return []
    numbers = track.table.sync_candidates()
    if numbers is None:
        numbers = np.arange(min(track.table.count, _MAX_LISTED_KEYFRAMES))
    times = []
    for number in numbers[:_MAX_LISTED_KEYFRAMES]:
        pts = track.table.pts(int(number))
        times += [
            media.seconds(track, pts + span.shift)
            for span in media.spans(track)
            if span.media_start <= pts < span.media_stop
        ]
    return sorted(times)


def bitrate_of(media: Media, bins: int) -> list[float] | None:
    """Return bytes of the main video (or first track) in each of ``bins`` equal times."""
    track = media.main_video or media.box.tracks[0]
    table = track.table
    if not table.count or bins < 1:
        return None
    ticks = max(1, table.durations.sum_before(table.count))
    edges = [table.first_at_or_after_dts(table.start_dts + ticks * number // bins) for number in range(bins + 1)]
    edges[-1] = table.count
    return [float(table.sizes.sum(low, high)) for low, high in pairwise(edges)]
