"""Whether a source can be what a record tells of: a record may be damaged, and a source replaced."""

from __future__ import annotations

from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.record import Record
from ffzero.timebase import format_time

__all__ = ["misfits"]

_SLACK_S = 60
"""Black pictures and silence may stand for what a source is too short for."""


def misfits(media: Media, path: str, record: Record) -> str:
    """Say what the record tells of that the source does not have; empty where nothing."""
    tracks = {track.id: track.table.count for track in media.box.tracks}
    start, end = media.range
    for piece in record.pieces:
        if piece.input == path and not start - _SLACK_S <= piece.start_s <= piece.end_s <= end + _SLACK_S:
            return (
                f"it is shown from {format_time(start)} to {format_time(end)}, and the record tells of "
                f"{format_time(piece.start_s)} to {format_time(piece.end_s)}"
            )
    for segment in record.segments:
        if segment.input != path:
            continue
        if not start - _SLACK_S <= segment.source_start_s <= end + _SLACK_S or not _is_paced_well(segment):
            return f"the record tells of a part at {float(segment.source_start_s):g} s that cannot be"
        if _is_blank(segment):
            continue
        if segment.track not in tracks:
            return f"it has no track {segment.track}, of which the record tells"
        if isinstance(segment, Copy):
            bounds = (segment.first_sample, *(n for pair in segment.drops for n in pair), segment.stop_sample)
            if list(bounds) != sorted(bounds) or bounds[0] < 0 or bounds[-1] > tracks[segment.track]:
                return (
                    f"its track {segment.track} has {tracks[segment.track]} samples, and the record tells of those "
                    f"from {segment.first_sample} to {segment.stop_sample}"
                )
    return ""


def _is_paced_well(segment: Segment) -> bool:
    if segment.start_s is None or segment.end_s is None:
        return False
    if isinstance(segment, Copy) or segment.step_s is None:
        return True
    return segment.step_s > 0 and segment.steps * segment.step_s <= segment.end_s - segment.start_s + 2 * segment.step_s


def _is_blank(segment: Segment) -> bool:
    """Whether black pictures or silence stand for what the source does not have."""
    return isinstance(segment, Render) and segment.decode_from_sample is None
