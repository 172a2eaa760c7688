"""Coded sound of several inputs in parts, each of the piece that it is played with: beside that piece's pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.runs import frozen
from ffzero.edits.laying.parts import Part, StandsFor
from ffzero.edits.layout import PieceLayout
from ffzero.edits.media import Media
from ffzero.timebase import Rounding, to_ticks

__all__ = ["beside_pieces"]


def beside_pieces(
    table: SampleTable, data: bytes, start_s: Fraction, own: int, pieces: Sequence[PieceLayout]
) -> Iterator[Part]:
    """Yield coded packets as one part for each piece that they are played with, in order.

    ``start_s`` is when the first is played on the clip's timeline; ``own`` is the piece that has what comes before the
    next one begins. ``data`` is taken in slices, not copied elsewhere.
    """
    times = table.durations.sums_before(0, table.count)
    _, sizes = table.offsets_and_sizes(0, table.count)
    bytes_before = np.concatenate(([0], np.cumsum(sizes))).tolist()
    first = 0
    for number in range(own, len(pieces)):
        stop = table.count
        if number + 1 < len(pieces):
            ahead = to_ticks(pieces[number + 1].at - start_s, table.timescale, Rounding.NEAREST)
            stop = max(first, int(np.searchsorted(times, ahead)))
        if stop == first:
            continue
        part = table.slice(first, stop)
        yield Part(
            piece=number,
            table=replace(part, chunks=part.chunks.with_offsets(frozen(np.zeros(1, np.int64)))),
            literal=data[bytes_before[first] : bytes_before[stop]],
            instead_of=_played_with(pieces[number], start_s + Fraction(int(times[first]), table.timescale)),
        )
        first = stop


def _played_with(piece: PieceLayout, at_s: Fraction) -> StandsFor | None:
    """Return what of a piece's source is played from a time of the clip on."""
    media = piece.request.media
    shown = piece.start + max(Fraction(0), at_s - piece.at)
    track = media.main_video or next((track for track in media.box.tracks if track.table.count), None)
    if track is None or not track.table.count:
        return None
    return StandsFor(track=track, start_ticks=_media_ticks(media, track, shown), first=0, stop=track.table.count)


def _media_ticks(media: Media, track: Track, seconds: Fraction) -> int:
    """Return a time of the movie's timeline as one of the track's media."""
    ticks = to_ticks(seconds, track.timescale, Rounding.NEAREST)
    spans = media.spans(track)
    span = next((span for span in spans if span.start <= ticks < span.stop), None) or (spans[-1] if spans else None)
    return ticks - span.shift if span is not None else ticks
