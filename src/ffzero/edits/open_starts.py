"""Copied pictures at which no decoder starts afresh: whether they can go on from coded ones that stand before them.

HEVC's can always: they are renamed (``open_joints``). H.264's can where the coded pictures can be made part of their
sequence (``h264_splice``), which is foretold here from parameter sets; where not, what is copied begins elsewhere.
"""

from __future__ import annotations

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media
from ffzero.edits.rendered import Rendered
from ffzero.edits.takes import Take
from ffzero.errors import InvalidDataError, UnsupportedError

__all__ = ["can_go_on", "goes_on", "is_open"]

_ENTRIES = (None, RandomAccess.CLOSED, RandomAccess.OPEN)
_LEAST_LENGTH_SIZE = 3
"""Coded pictures have sample entries of their own where NAL units are as short as a smaller size of lengths allows."""
_FEW_FRAMES = 16
"""So few pictures may be one at another frame rate."""


def is_open(take: object) -> bool:
    """Whether a take begins at a picture whose leading pictures were left out."""
    return isinstance(take, Take) and take.access is RandomAccess.OPEN


def goes_on(before: object, media: Media, take: Take) -> bool:
    """Whether a take of ``media`` that hides nothing can stand behind ``before``: as coded pictures it can go on from.

    Reads the take's first sample.
    """
    if not isinstance(before, Rendered):
        return False
    job = before.job
    if job.target is None:
        return can_go_on(before.track.entries[before.description], job.frames, media, take)
    like = job.target.track.entries[job.target.description]
    counts = {job.frames, 1} if job.frames <= _FEW_FRAMES and not job.is_blank else {job.frames}
    return all(can_go_on(like, count, media, take) for count in counts)


def can_go_on(like: SampleEntry, count: int, media: Media, take: Take) -> bool:
    """Whether a take can go on from so many pictures coded like those of an entry. Reads the take's first sample."""
    entry = media.entry_of(take.track, take.first)
    if not is_open(take) or entry.avc is None:
        return take.access in _ENTRIES
    first = media.sample_bytes(take.track, take.first)
    if like.avc is None or first is None:
        return False
    size = entry.avc.nal_length_size
    if like.avc.nal_length_size != size or size < _LEAST_LENGTH_SIZE:
        return False
    from ffzero.containers.h264_fit import expected_misfit
    from ffzero.containers.h264_params import parse_h264_sps
    from ffzero.containers.h264_places import places_before
    from ffzero.containers.h264_splice import host_of, join_point

    sets = (*entry.avc.sps, *entry.avc.pps)
    try:
        host = host_of(first, size, sets)
        places_before(count, join_point(first, size, sets), host)
        models = [parse_h264_sps(nal) for nal in like.avc.sps]
    except (InvalidDataError, UnsupportedError):
        return False
    return bool(models) and all(expected_misfit(model, host) is None for model in models)
