"""Coded pictures before copied ones at which no decoder starts afresh, so that the copied ones go on from them.

H.264: the coded slices are made part of the source's own sequence (``h264_splice``), for its parameters cannot change
there. HEVC: the copied picture is renamed to one that begins a sequence (``hevc_splice``). MPEG-4 Part 2: the source's
headers, which the coded pictures replaced, are said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from ffzero.containers.isobmff.codec_config import AvcConfig
from ffzero.edits.media import Media
from ffzero.edits.open_starts import is_open
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import CodedPictures
from ffzero.edits.takes import Take
from ffzero.errors import UnsupportedError

__all__ = ["continued", "is_continued", "rewritten_start"]


def is_continued(take: object, following: object) -> bool:
    """Whether pictures must be coded such that the copied ones behind them can go on from them."""
    if not isinstance(take, Rendered) or not isinstance(following, Take) or not is_open(following):
        return False
    description = following.track.table.chunks.descriptions_between(following.first, following.first + 1)[0]
    return following.track.entries[description].avc is not None


def continued(coded: CodedPictures, media: Media, following: Take, output: AvcConfig) -> CodedPictures:
    """Return H.264 pictures as part of the sequence of the copied ones that follow them, a take of ``media``.

    They are to be decoded by the output's sample entry of the copied ones, ``output``, with what is added to it.
    Raises ``UnsupportedError`` where they cannot be.
    """
    from ffzero.containers.h264_splice import as_guests, guest_pps_id, host_of, join_point

    avc = media.entry_of(following.track, following.first).avc
    assert avc is not None
    sets = (*avc.sps, *avc.pps)
    first = media.sample_bytes(following.track, following.first)
    if first is None or coded.entry is not None:
        raise UnsupportedError("coded pictures cannot be joined to an open group of pictures here", path=media.name)
    host = host_of(first, avc.nal_length_size, sets)
    guests = as_guests(
        coded.samples,
        avc.nal_length_size,
        coded.added_sets,
        host,
        pps_id=guest_pps_id(coded.added_sets, host, (*sets, *output.sps, *output.pps)),
        before=join_point(first, avc.nal_length_size, sets),
    )
    return replace(coded, samples=guests.samples, added_sets=(guests.pps,), skips_frame_numbers=True)


def rewritten_start(media: Media, take: Take, before: object) -> dict[int, bytes]:
    """Return new bytes for the first samples of a take, by their place in it, where they cannot stand as they are.

    ``before`` is what is shown before it, if anything.
    """
    found: dict[int, bytes] = {}
    entry = media.entry_of(take.track, take.first)
    if is_open(take) and entry.avc is not None:
        sets = (*entry.avc.sps, *entry.avc.pps)
        held = _held(before, entry.avc.nal_length_size, sets)
        found = _stale_markings(media, take, entry.avc.nal_length_size, sets, held)
    if not isinstance(before, Rendered):
        return found
    if is_open(take) and entry.hevc is not None:
        from ffzero.containers.hevc_splice import as_bla

        first = media.sample_bytes(take.track, take.first)
        assert first is not None
        found[0] = as_bla(first, entry.hevc.nal_length_size, has_radl=False)
    restore = before.coded.restore if before.coded is not None else b""
    first = found.get(0) or media.sample_bytes(take.track, take.first) if restore else None
    if first is not None and not first.startswith(restore[:4]):
        found[0] = restore + first
    return found


def _held(before: object, nal_length_size: int, sets: Sequence[bytes]) -> int | None:
    """Return the frame_num of the one reference picture that is held after coded pictures, if there are any."""
    if not isinstance(before, Rendered) or before.coded is None or not before.coded.skips_frame_numbers:
        return None
    from ffzero.containers.h264_splice import join_point

    last = join_point(before.coded.samples[-1], nal_length_size, (*sets, *before.coded.added_sets))
    return last.frame_num if last.is_reference else last.frame_num - 1


def _stale_markings(
    media: Media, take: Take, nal_length_size: int, sets: Sequence[bytes], held: int | None
) -> dict[int, bytes]:
    """Return samples of an open start without the commands that speak of pictures before it; see ``h264_slices``."""
    from ffzero.containers.h264_slices import without_stale_markings  # for open starts only

    samples = takewhile(lambda data: data is not None, (media.sample_bytes(take.track, n) for n in take.kept()))
    return without_stale_markings(filter(None, samples), nal_length_size, sets, before=held)
