"""Carrying out the renders of a layout: stand-ins get their coded samples, tracks the entries to decode them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from ffzero.containers.isobmff.entry_boxes import (
    with_other_parameter_sets,
    with_parameter_sets,
    with_skipped_frame_numbers,
    without_repeated,
)
from ffzero.containers.isobmff.sample_entry import parse_sample_entry
from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import Layout, PieceLayout, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.open_joints import continued, is_continued
from ffzero.edits.plan import Segment
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import CodedPictures, PictureJob, Renderer
from ffzero.edits.renders import told
from ffzero.edits.sound.joined import with_coded_sound, without_first, without_last
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.reporting import CancelToken, ProgressEvent, Reporter

__all__ = ["coded_layout"]


def coded_layout(layout: Layout, renderer: Renderer, *, reporter: Reporter, cancel: CancelToken | None) -> Layout:
    """Return the layout with all that was to be rendered coded. Raises what ``Renderer.pictures`` raises."""
    takes = [item.take for track in layout.tracks for item in track.placed]
    total = sum(take.shown for take in takes if isinstance(take, Rendered | RenderedSound))
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        reporter(ProgressEvent(stage="render", done=done, total=total, unit="frames"))

    jobs = _jobs(layout)
    renderer.prepare(list(jobs.values()), advance=advance, cancel=cancel)
    warnings: list[str] = []
    tracks = []
    for number, track in enumerate(layout.tracks):
        placed: list[Placed] = []
        for at, item in enumerate(track.placed):
            if isinstance(item.take, Rendered):
                coded = renderer.pictures(jobs[number, at], advance=advance, cancel=cancel)
                warnings += coded.warnings
                item = replace(item, take=item.take.with_coded(coded))
            elif isinstance(item.take, RenderedSound):
                sound = renderer.sound(item.take.job, advance=advance, cancel=cancel)
                warnings += sound.warnings
                item = with_coded_sound(item, sound)
                if sound.taken_before:
                    placed[-1] = without_last(placed[-1], sound.taken_before)
            elif placed and isinstance(placed[-1].take, RenderedSound):
                item = without_first(item, placed[-1].take)
            placed.append(item)
        tracks.append(_with_entries(replace(track, placed=tuple(placed)), layout.pieces))
    return replace(
        layout,
        tracks=tuple(tracks),
        segments=_told_again(layout, tracks),
        warnings=tuple(dict.fromkeys((*layout.warnings, *warnings))),
    )


def _told_again(layout: Layout, tracks: Sequence[TrackLayout]) -> tuple[Segment, ...]:
    """Return the layout's segments, those of sound as it came out: packets beside a joint may be coded too."""
    changed: dict[Segment, Segment] = {}
    for planned, track in zip(layout.tracks, tracks, strict=True):
        if any(isinstance(item.take, RenderedSound) for item in planned.placed):
            for items in zip(planned.placed, track.placed, strict=True):
                before, after = (
                    replace(told(item, layout.pieces, track.role), output_track=track.model.id) for item in items
                )
                changed[before] = after
    return tuple(changed.get(segment, segment) for segment in layout.segments)


def _jobs(layout: Layout) -> dict[tuple[int, int], PictureJob]:
    """Return the jobs of a layout's pictures, by track and place."""
    found = {}
    for number, track in enumerate(layout.tracks):
        for at, (item, following) in enumerate(zip_longest(track.placed, track.placed[1:])):
            if isinstance(item.take, Rendered):
                goes_on = following is not None and is_continued(item.take, following.take)
                found[number, at] = replace(item.take.job, continued=True) if goes_on else item.take.job
    return found


def _with_entries(track: TrackLayout, pieces: Sequence[PieceLayout]) -> TrackLayout:
    """Return the track with the sample entries that its coded pictures decode by."""
    entries = list(track.entries)
    later = (item.take for item in track.placed[1:])
    guests = [is_continued(item.take, following) for item, following in zip_longest(track.placed, later)]
    placed = [
        item if is_guest else _described(item, entries) for item, is_guest in zip(track.placed, guests, strict=True)
    ]
    for at, is_guest in enumerate(guests):
        if is_guest:  # their ids must be free among those of all others
            media = pieces[placed[at + 1].piece].request.media
            placed[at] = _as_guests(placed[at], placed[at + 1], media, entries)
    used = sorted({place for item in placed for place in item.descriptions.values()})
    if track.role != "video" or not used:
        return replace(track, entries=tuple(entries), placed=tuple(placed))
    # Where nothing of what the others are like is copied, its own entry is of no use.
    number = {place: at for at, place in enumerate(used)}
    renumbered = [
        replace(item, descriptions={key: number[place] for key, place in item.descriptions.items()}) for item in placed
    ]
    return replace(track, entries=tuple(entries[place] for place in used), placed=tuple(renumbered))


def _as_guests(item: Placed, following: Placed, media: Media, entries: list[bytes]) -> Placed:
    """Make coded pictures part of the sequence of the copied ones of ``media`` behind them, in their sample entry."""
    take = following.own
    (description,) = take.track.table.chunks.descriptions_between(take.first, take.first + 1)
    place = following.descriptions[description]
    output = parse_sample_entry(entries[place], "vide").avc
    assert isinstance(item.take, Rendered) and item.take.coded is not None and output is not None
    coded = continued(item.take.coded, media, take, output)
    entries[place] = with_skipped_frame_numbers(with_parameter_sets(entries[place], coded.added_sets))
    return replace(item, take=item.take.with_coded(coded), descriptions={0: place})


def _described(item: Placed, entries: list[bytes]) -> Placed:
    rendered = item.take
    if not isinstance(rendered, Rendered) or rendered.coded is None:
        return item
    place = item.descriptions[rendered.description]
    if rendered.coded.entry is not None:
        place = _place_of(_named_alike(rendered.coded.entry, entries), entries)
    elif rendered.coded.added_sets:
        place = _place_with_sets(rendered.coded, place, entries)
    return replace(item, descriptions={0: place})


def _place_with_sets(coded: CodedPictures, place: int, entries: list[bytes]) -> int:
    """Add the sets that coded pictures decode by to an entry; return its place, or another's where it takes none."""
    try:
        entry = with_parameter_sets(entries[place], coded.added_sets)
    except (InvalidDataError, UnsupportedError):
        if b"hvcC" not in entries[place]:
            raise
        # Coded like another file's pictures, whose entry means the same, they may have sets of the same ids.
        return _place_of(_named_alike(with_other_parameter_sets(entries[place], coded.added_sets), entries), entries)
    entries[place] = entry
    return place


def _place_of(entry: bytes, entries: list[bytes]) -> int:
    if entry not in entries:
        entries.append(entry)
    return entries.index(entry)


def _named_alike(entry: bytes, entries: Sequence[bytes]) -> bytes:
    """Return an entry for an output track: one data reference, and the first entry's name (see ``EntryPool``)."""
    return without_repeated(entry[:4] + entries[0][4:8] + entry[8:14] + b"\0\1" + entry[16:], entries[0])
