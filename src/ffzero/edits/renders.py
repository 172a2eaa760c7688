"""The segments that tell of a layout: what is copied, and what would have to be rendered, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ffzero.containers.isobmff.model import Track
from ffzero.edits.compatibility import Difference, explain
from ffzero.edits.cutpoints import next_clean_sync
from ffzero.edits.layout import PieceLayout
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.sequence import Placed
from ffzero.edits.takes import Take

__all__ = ["copied", "lacking", "mismatch", "missing", "unclean"]


def missing(role: str, number: int, piece: PieceLayout, model: Track) -> Iterable[Segment]:
    """Pictures and sound that a piece lacks must be made; cues and data may simply be absent."""
    if role not in ("video", "audio"):
        return
    yield Render(
        piece=number,
        input=piece.request.media.name,
        track=model.id,
        kind=role,
        source_start_s=piece.start,
        source_end_s=piece.end,
        frames=0,
        decode_from_sample=None,
        reason=f"this input has no {role} track to match track {model.id} of the first",
    )


def lacking(pieces: Sequence[PieceLayout], other: Media, kind: str) -> Iterable[Segment]:
    """Yield the pieces whose pictures or sound would have to be made: only ``other`` has a track of them."""
    for number, piece in enumerate(pieces):
        if piece.request.media is not other:
            yield Render(
                piece=number,
                input=piece.request.media.name,
                track=0,
                kind=kind,
                source_start_s=piece.start,
                source_end_s=piece.end,
                frames=0,
                decode_from_sample=None,
                reason=f"this input has no {kind} track, but {other.name} has",
            )


def mismatch(
    number: int, piece: PieceLayout, track: Track, role: str, takes: Sequence[Take], differences: tuple[Difference, ...]
) -> Render:
    return Render(
        piece=number,
        input=piece.request.media.name,
        track=track.id,
        kind=role,
        source_start_s=piece.start,
        source_end_s=piece.end,
        frames=sum(take.shown for take in takes),
        decode_from_sample=takes[0].first if takes else None,
        reason=f"cannot join the first input's {role}: {explain(differences)}",
    )


def unclean(placed: Sequence[Placed], pieces: Sequence[PieceLayout], boundary: str) -> Iterable[Render]:
    """Yield what must be rendered of a picture track: around interior boundaries, or all where no edit may hide."""
    for index, item in enumerate(placed):
        media = pieces[item.piece].request.media
        if not item.take.starts_cleanly if index else item.take.hidden_before and boundary == "render":
            yield _front_render(item, media, interior=index > 0)
        if item.take.hidden_after and (index < len(placed) - 1 or boundary == "render"):
            yield _tail_render(item, media, interior=index < len(placed) - 1)


def _front_render(item: Placed, media: Media, *, interior: bool) -> Render:
    take = item.take
    sync = next_clean_sync(take.track, take.media_start, media.peek)
    stop = take.media_stop if sync is None else min(take.media_stop, take.track.table.pts(sync))
    where = "a joint" if interior else "the start"
    reason = f"{where} falls inside a group of pictures"
    if not take.hidden_before:
        reason = f"{where} falls at a picture at which no decoder starts afresh (open group of pictures)"
    return _render(item, media, take.media_start, stop, reason)


def _tail_render(item: Placed, media: Media, *, interior: bool) -> Render:
    take, table = item.take, item.take.track.table
    column = table.pts_column(max(take.first, take.stop - 256), take.stop)
    late = int((column >= take.media_stop).argmax())
    first = int(column[late:].min()) if late < len(column) else take.media_stop
    where = "a joint" if interior else "the end"
    return _render(item, media, first, take.media_stop, f"the last pictures before {where} need later ones to decode")


def _render(item: Placed, media: Media, first: int, stop: int, reason: str) -> Render:
    take = item.take
    column = take.track.table.pts_column(take.first, take.stop)
    shift = take.start - take.media_start
    return Render(
        piece=item.piece,
        input=media.name,
        track=take.track.id,
        kind="video",
        source_start_s=media.seconds(take.track, first + shift),
        source_end_s=media.seconds(take.track, stop + shift),
        frames=int(((column >= first) & (column < stop)).sum()),
        decode_from_sample=take.first,
        reason=reason,
    )


def copied(item: Placed, pieces: Sequence[PieceLayout], role: str) -> Copy:
    take = item.take
    media = pieces[item.piece].request.media
    dropped = sum(stop - first for first, stop in take.drops)
    reason = take.note
    if dropped:
        dropped_text = f"{dropped} leading pictures that nothing shown needs are left out"
        reason = f"{reason}; {dropped_text}" if reason else dropped_text
    return Copy(
        piece=item.piece,
        input=media.name,
        track=take.track.id,
        kind=role,
        first_sample=take.first,
        stop_sample=take.stop,
        samples=take.stop - take.first - dropped,
        start_s=item.at_s,
        end_s=item.end_s,
        source_start_s=media.seconds(take.track, take.start),
        hidden_before=take.hidden_before,
        hidden_after=take.hidden_after,
        reason=reason,
    )
