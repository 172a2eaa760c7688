"""What the pieces of a join are made like, where their pictures or their sound differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.edits.compatibility import Difference
from ffzero.edits.layout import PieceLayout
from ffzero.edits.rendering import Target
from ffzero.edits.sample_entries import EntryPool
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.takes import Take, usual_duration

__all__ = ["choose_sound_target", "choose_target", "rate_difference", "wanted_sound_target", "wanted_target"]

_STEADY = Fraction(9, 10)
"""A track is of constant rate where so many of its samples last equally long, but for a tick."""
_SAME_RATE = Fraction(1, 1000)


def wanted_target(pieces: Sequence[PieceLayout]) -> Target | None:
    """Return the pictures of the file that the pieces were asked to be like; ``None`` where none was named."""
    for piece in pieces:
        like = piece.request.like
        if like is not None and like.main_video is not None:
            return Target(media=like, track=like.main_video, description=0)
    return None


def wanted_sound_target(pieces: Sequence[PieceLayout], ids: Mapping[int, int | None], own: Track) -> Target | None:
    """Return the sound of the file that the pieces were asked to be like; ``None`` where none was, or it has none.

    Of its tracks it is the one that ``ids`` names by the ``id()`` of the movie, else one of ``own``'s language.
    """
    like = next((piece.request.like for piece in pieces if piece.request.like is not None), None)
    if like is None:
        return None
    number = ids.get(id(like))
    tracks = [track for track in like.box.tracks if like.role(track) == "audio" and track.table.count]
    tracks.sort(key=lambda track: (track.id != number, track.language != own.language))
    if not tracks:
        return None
    description = tracks[0].table.chunks.descriptions_between(0, 1)[0]
    return Target(media=like, track=tracks[0], description=description)


def choose_target(
    pieces: Sequence[PieceLayout], tracks: Sequence[Track | None], takes: Sequence[Sequence[Take]]
) -> Target:
    """Return the coding that most of the time is in, as it is; the first of equals. There must be a track.

    That codes the least anew.
    """
    return max(_groups(pieces, tracks, takes), key=lambda group: group[1])[0]


def choose_sound_target(
    pieces: Sequence[PieceLayout], tracks: Sequence[Track | None], takes: Sequence[Sequence[Take]]
) -> Target:
    """As ``choose_target`` for sound; where something differs, of those that can be coded, if any can."""

    def rank(group: tuple[Target, Fraction]) -> tuple[bool, Fraction]:
        target, length = group
        return not sound_coding(target.track, target.description, target.media).reason, length

    groups = _groups(pieces, tracks, takes)
    return max(groups, key=rank)[0] if len(groups) > 1 else groups[0][0]


def _groups(
    pieces: Sequence[PieceLayout], tracks: Sequence[Track | None], takes: Sequence[Sequence[Take]]
) -> list[tuple[Target, Fraction]]:
    """Return each coding that there is, as its first piece has it, and how long all that is in it lasts."""
    groups: list[tuple[EntryPool, int, Fraction]] = []
    for number, (piece, track, found) in enumerate(zip(pieces, tracks, takes, strict=True)):
        if track is None or not found:
            continue
        for index, (pool, first, length) in enumerate(groups):
            if not pool.mapping(track, found)[1]:
                groups[index] = pool, first, length + piece.end - piece.start
                break
        else:
            pool = EntryPool(track)
            pool.mapping(track, found)
            groups.append((pool, number, piece.end - piece.start))
    if not groups:
        number = next(number for number, track in enumerate(tracks) if track is not None)
        return [(_target(pieces, tracks, takes, number), Fraction(0))]
    return [(_target(pieces, tracks, takes, number), length) for _, number, length in groups]


def _target(
    pieces: Sequence[PieceLayout], tracks: Sequence[Track | None], takes: Sequence[Sequence[Take]], number: int
) -> Target:
    track = tracks[number]
    assert track is not None
    used = [description for take in takes[number] for description in take.descriptions()]
    return Target(media=pieces[number].request.media, track=track, description=min(used, default=0))


def rate_difference(model: Track, track: Track) -> Difference | None:
    """Tell where a track lacks the model's constant frame rate; ``None`` where it has it, or the model has none."""
    if not _is_steady(model.table):
        return None
    wanted, own = (Fraction(each.timescale, usual_duration(each.table)) for each in (model, track))
    steady = _is_steady(track.table)
    if steady and abs(own / wanted - 1) <= _SAME_RATE:
        return None
    return Difference(
        what="frame rate", first=f"{float(wanted):.6g}", second=f"{float(own):.6g}" if steady else "varying"
    )


def _is_steady(table: SampleTable) -> bool:
    """Whether pictures come at a constant rate."""
    step = usual_duration(table)
    runs = table.durations.merged()
    near = np.abs(runs.values - step) <= max(1, step // 100)
    return bool(int(runs.counts[near].sum()) >= table.count * _STEADY)
