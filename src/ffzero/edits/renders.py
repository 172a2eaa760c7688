"""The segments that tell of a layout: what is copied, and what would have to be rendered, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.rendered import Rendered
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.edits.takes import Take, usual_duration
from ffzero.edits.targets import rate_difference
from ffzero.timebase import Rounding, common_timescale, rescale

__all__ = ["front_reason", "mismatch", "tail_reason", "told"]


def mismatch(number: int, piece: PieceLayout, track: Track, role: str, takes: Sequence[Take], unlike: str) -> Render:
    """Name what of a piece cannot stand beside the others', nor be coded like it."""
    return Render(
        piece=number,
        input=piece.request.media.name,
        track=track.id,
        kind=role,
        source_start_s=piece.start,
        source_end_s=piece.end,
        frames=sum(take.shown for take in takes),
        decode_from_sample=takes[0].first if takes else None,
        reason=unlike,
    )


def front_reason(take: Take, *, is_joint: bool) -> str:
    """Say why the first pictures of a take are coded anew."""
    where = "a joint" if is_joint else "the start"
    if take.hidden_before:
        return f"{where} falls inside a group of pictures"
    return f"{where} falls at a picture at which no decoder starts afresh (open group of pictures)"


def tail_reason(*, is_joint: bool) -> str:
    """Say why the last pictures of a take are coded anew."""
    return f"the last pictures before {'a joint' if is_joint else 'the end'} need later ones to decode"


def told(item: Placed, pieces: Sequence[PieceLayout], role: str) -> Segment:
    """Return the segment that tells of what was placed."""
    if isinstance(item.take, Rendered):
        return _coded(item, item.take, pieces)
    if isinstance(item.take, RenderedSound):
        return _coded_sound(item, item.take, pieces)
    return _copied(item, item.take, pieces, role)


def _coded(item: Placed, rendered: Rendered, pieces: Sequence[PieceLayout]) -> Render:
    media = pieces[item.piece].request.media
    altered, grid = _altered(rendered), _grid(rendered)
    return Render(
        piece=item.piece,
        input=media.name,
        track=rendered.track.id,
        kind="video",
        source_start_s=media.seconds(rendered.track, rendered.start),
        source_end_s=media.seconds(rendered.track, rendered.start + rendered.media_stop - rendered.media_start),
        frames=rendered.shown,
        decode_from_sample=None if rendered.job.is_blank else rendered.job.decode_first,
        reason=rendered.reason,
        start_s=item.at_s,
        end_s=item.end_s,
        is_altered=rendered.job.target is not None or bool(altered),
        altered_s=() if rendered.job.target is not None else altered,
        step_s=None if grid is None else grid[0],
        steps=0 if grid is None else grid[1],
    )


def _altered(rendered: Rendered) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return when effects are applied to pictures, on the input's timeline."""
    start = Fraction(rendered.start, rendered.track.timescale)
    end = start + Fraction(rendered.media_stop - rendered.media_start, rendered.track.timescale)
    return tuple(
        (effect.start, effect.end) for effect in rendered.job.effects if effect.start < end and effect.end > start
    )


def _grid(rendered: Rendered) -> tuple[Fraction, int] | None:
    """Return how far apart pictures of a constant rate that is not their own come, and how many; else ``None``.

    As the renderer counts them.
    """
    job = rendered.job
    if job.target is None or (not job.is_blank and rate_difference(job.target.track, job.track) is None):
        return None
    table = job.target.track.table
    scales = (job.track.timescale, table.timescale)
    scale = common_timescale(scales, limit=2**31 - 1) or max(scales)
    start, stop = (
        rescale(ticks, job.track.timescale, scale, Rounding.NEAREST) for ticks in (job.pts_first, job.pts_stop)
    )
    step = Fraction(usual_duration(table), table.timescale)
    return step, max(1, round(Fraction(stop - start, scale) / step))


def _coded_sound(item: Placed, rendered: RenderedSound, pieces: Sequence[PieceLayout]) -> Render:
    return Render(
        piece=item.piece,
        input=pieces[item.piece].request.media.name,
        track=rendered.track.id,
        kind="audio",
        source_start_s=rendered.source_start_s,
        source_end_s=rendered.source_start_s + Fraction(rendered.samples, rendered.rate),
        frames=rendered.shown,
        decode_from_sample=None,
        reason=rendered.reason,
        start_s=item.at_s,
        end_s=item.end_s,
        is_altered=any(part.effects or part.media is None for part in rendered.job.parts),
    )


def _copied(item: Placed, take: Take, pieces: Sequence[PieceLayout], role: str) -> Copy:
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
        drops=take.drops,
    )
