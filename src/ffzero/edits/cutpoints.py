"""Which samples of a track a cut needs, and which it must hide.

A cut of a coded picture track starts decoding at a random access sample at or before its first picture and ends, in
decoding order, with the last sample that any of its pictures needs. What lies between and outside the range is hidden
by the edit; leading pictures that nothing needs are left out. Audio keeps the pre-roll that its codec wants.

Pure: the only thing asked of a file is ``peek``, which says what an access unit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, takewhile

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.search import Shown, first_pts_at_or_after, shown_between
from ffzero.containers.nal import AccessUnit, RandomAccess
from ffzero.edits.takes import Take, usual_duration

__all__ = [
    "Peek",
    "closed_stop",
    "closed_stop_before",
    "next_closed",
    "splice_points",
    "take_pictures",
    "take_sound",
]

Peek = Callable[[Track, int], AccessUnit | None]
"""Says what sample ``n`` of a track is, or ``None`` where its codec has no access units that ffzero reads."""

_MAX_STEPS_BACK = 4096
_MAX_PEEKS_BACK = 512
"""Key pictures looked at before the file's own word is taken: more than ten minutes of them."""


def take_pictures(
    track: Track, span: Span, low: int, high: int, peek: Peek, *, snap: bool = False, closed: bool = False
) -> Take | None:
    """Return what a cut of ``[low, high)`` (media ticks, inside ``span``) needs of a picture track.

    With ``snap`` the cut falls on a random access picture at or before ``low`` and ends where no picture is hidden.
    With ``closed`` only a picture at which a decoder starts afresh serves. ``None`` where no picture lies in the range.
    """
    table = track.table
    low, high = max(low, span.media_start), min(high, span.media_stop)
    shown = shown_between(table, low, high) if low < high else None
    if shown is None:
        return None
    sync, access, note = _random_access(track, shown, peek, closed=closed)
    clean = access in (None, RandomAccess.CLOSED, RandomAccess.OPEN)
    sync_pts = table.pts(sync)
    if snap:
        low = min(sync_pts, shown.first_pts)
        high = closed_stop(table, shown.stop)
        shown = shown_between(table, low, high) or shown
    drops = tuple(_leading(table, sync, sync_pts, shown.stop)) if clean else ()
    dropped = sum(stop - first for first, stop in drops)
    later = takewhile(lambda number: number > sync, _candidates_back(table, shown.first))
    passed_over = tuple(number for number in later if table.pts(number) <= shown.first_pts)
    squeezed = shown.first - sync  # what is decoded before the first shown picture
    hidden_after = _count_at_or_after(table, sync, shown.stop, high)
    following = first_pts_at_or_after(table, shown.last_pts + 1)
    natural = following if following is not None else shown.last_pts + _last_duration(table)
    natural = natural if snap else min(natural, span.media_stop)
    return Take(
        track=track,
        first=sync,
        stop=shown.stop,
        media_start=shown.first_pts,
        media_stop=max(shown.last_pts + 1, min(high, natural)),
        start=shown.first_pts + span.shift,
        shown=shown.count,
        drops=drops,
        hidden_before=shown.stop - sync - dropped - shown.count - hidden_after,
        hidden_after=hidden_after,
        natural_stop=natural,
        access=access,
        not_sync=passed_over,
        squeezed=squeezed if all(stop <= sync + squeezed for _, stop in drops) else 0,
        note=note,
    )


def _last_duration(table: SampleTable) -> int:
    return table.durations.at(table.count - 1) or usual_duration(table)


def _random_access(track: Track, shown: Shown, peek: Peek, *, closed: bool) -> tuple[int, RandomAccess | None, str]:
    """Return the sample at which decoding starts, what it is (``None``: not known), and a note if it is not clean."""
    wanted = (RandomAccess.CLOSED,) if closed else (RandomAccess.CLOSED, RandomAccess.OPEN)
    fallback = gradual = None
    for candidate in islice(_candidates_back(track.table, shown.first), _MAX_PEEKS_BACK):
        if track.table.pts(candidate) > shown.first_pts:
            continue  # a leading picture of it is shown: decoding must start earlier
        unit = peek(track, candidate)
        if unit is None or unit.random_access in wanted:
            return candidate, unit.random_access if unit else None, ""
        fallback = fallback or (candidate, unit.random_access)
        if gradual is None and _recovers(track, candidate, unit, shown, peek):
            gradual = candidate
    if gradual is not None:
        note = "decoding starts at an intra refresh: some players show nothing until it is complete"
        return gradual, RandomAccess.GRADUAL, note
    if fallback is not None:
        return *fallback, "no clean random access picture before the cut; the sync sample table is trusted"
    note = "no random access picture before the cut: its first pictures may not decode, as in the source"
    return 0, RandomAccess.NONE, note


def _candidates_back(table: SampleTable, last: int) -> Iterator[int]:
    numbers = table.sync_candidates()
    if numbers is None:
        yield from range(last, max(-1, last - _MAX_STEPS_BACK), -1)
        return
    for position in range(int(np.searchsorted(numbers, last, side="right")) - 1, -1, -1):
        yield int(numbers[position])


def _recovers(track: Track, candidate: int, unit: AccessUnit, shown: Shown, peek: Peek) -> bool:
    """Whether pictures are right from the first shown one on when decoding starts at a gradual refresh."""
    if unit.random_access is not RandomAccess.GRADUAL:
        return False
    recovered = _recovered(track, candidate, unit.recovery_frames, shown.first, peek)
    return recovered is not None and track.table.pts(recovered) <= shown.first_pts


def _recovered(track: Track, sample: int, reference_frames: int, last: int, peek: Peek) -> int | None:
    """Return the sample ``reference_frames`` steps of frame_num later, ``None`` beyond ``last`` (H.264 §D.2.8)."""
    while reference_frames > 0:
        unit = peek(track, sample)
        reference_frames -= unit is None or unit.is_reference
        sample += 1
        if sample > last:
            return None
    return sample


def _leading(table: SampleTable, sync: int, sync_pts: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of samples after ``sync`` in decoding order that are shown before it (leading pictures)."""
    least, _ = table.composition_range
    bound = min(stop, table.first_at_or_after_dts(sync_pts - least))
    if bound <= sync + 1:
        return
    early = np.flatnonzero(table.pts_column(sync + 1, bound) < sync_pts) + sync + 1
    if not len(early):
        return
    breaks = np.flatnonzero(np.diff(early) > 1)
    starts = np.concatenate(([0], breaks + 1))
    stops = np.concatenate((breaks, [len(early) - 1]))
    for first, last in zip(early[starts], early[stops], strict=True):
        yield int(first), int(last) + 1


def _count_at_or_after(table: SampleTable, first: int, stop: int, ticks: int) -> int:
    _, most = table.composition_range
    first = max(first, table.first_at_or_after_dts(ticks - most))
    return int(np.count_nonzero(table.pts_column(first, stop) >= ticks)) if first < stop else 0


def next_closed(track: Track, low: int, high: int, peek: Peek) -> int | None:
    """Return the time of the first picture in ``[low, high)`` (media ticks) at which a decoder starts afresh."""
    for candidate in splice_points(track, low - 1, high, peek):
        unit = peek(track, candidate)
        if unit is None or unit.random_access is RandomAccess.CLOSED:
            return track.table.pts(candidate)
    return None


def closed_stop_before(track: Track, low: int, high: int) -> int | None:
    """Return the last time up to ``high`` at which a cut from ``low`` on can end with no later picture needed."""
    table = track.table
    shown = shown_between(table, low, high)
    for at in range(shown.stop if shown is not None else 0, shown.first if shown is not None else 0, -1):
        stop = closed_stop(table, at)
        if stop <= high:
            return stop
    return None


def closed_stop(table: SampleTable, stop: int) -> int:
    """Return the time at which a cut after at least ``stop`` samples can end with no later picture needed, in ticks.

    That is the least pts of the samples from some ``n >= stop`` on, all samples before ``n`` being shown earlier.
    """
    at = stop
    while at < table.count:
        bound = min(table.count, at + 64)
        latest = _latest_before(table, at)
        upcoming = first_in_order = table.pts_column(at, bound)
        if int(upcoming.min()) > latest and _none_earlier(table, bound, int(first_in_order.min())):
            return int(upcoming.min())
        at += 1
    return 1 << 61


def _latest_before(table: SampleTable, stop: int) -> int:
    return int(table.pts_column(max(0, stop - 64), stop).max()) if stop else -(1 << 61)


def _none_earlier(table: SampleTable, first: int, ticks: int) -> bool:
    least, _ = table.composition_range
    bound = table.first_at_or_after_dts(ticks - least)
    return bound <= first or int(table.pts_column(first, bound).min()) > ticks


def splice_points(track: Track, after_pts: int, before_pts: int, peek: Peek) -> Iterator[int]:
    """Yield the samples shown between two times (ticks, both exclusive) from which a decoder can go on after others.

    Either it starts afresh there, or it is right but for leading pictures, which must be left out then.
    """
    table = track.table
    numbers = table.sync_candidates()
    least, most = table.composition_range
    first = table.first_at_or_after_dts(after_pts - most)
    if numbers is None:
        numbers = np.arange(first, min(table.count, table.first_at_or_after_dts(before_pts - least)))
    for position in range(int(np.searchsorted(numbers, first)), len(numbers)):
        candidate = int(numbers[position])
        if table.dts(candidate) + least >= before_pts:
            return
        if not after_pts < table.pts(candidate) < before_pts:
            continue
        unit = peek(track, candidate)
        if unit is None or unit.random_access in (RandomAccess.CLOSED, RandomAccess.OPEN):
            yield candidate


def take_sound(track: Track, span: Span, low: int, high: int, *, preroll: int, packet_ticks: int = 0) -> Take | None:
    """Return what ``[low, high)`` (media ticks) needs of a track whose samples follow one another in time.

    Serves audio and data alike. ``preroll`` is how many samples before the first are kept for the decoder,
    ``packet_ticks`` what a packet decodes to (0: its duration); where its duration says more, there is a gap.
    """
    table = track.table
    low = max(low, span.media_start, table.start_dts)
    high = min(high, span.media_stop, table.dts(table.count))
    if low >= high or not table.count:
        return None
    first = table.first_at_or_after_dts(low)
    if first == table.count or table.dts(first) > low:
        first -= 1
        if packet_ticks and low - table.dts(first) >= packet_ticks:  # the cut falls into a gap behind the packet
            first += 1
            low = table.dts(first)
            if low >= high:
                return None
    stop = max(first + 1, table.first_at_or_after_dts(high))
    if packet_ticks and stop == first + 1 and stop < table.count:
        stop += 1  # FFmpeg drops a last packet that the edit begins inside of
    kept = _sync_before(table, max(0, first - preroll))
    return Take(
        track=track,
        first=_packet_start(table, kept),
        stop=_packet_stop(table, stop),
        media_start=low,
        media_stop=high,
        start=low + span.shift,
        shown=stop - first,
        hidden_before=first - kept,
        natural_stop=min(table.dts(stop), span.media_stop),
        packet_ticks=packet_ticks,
    )


def _sync_before(table: SampleTable, sample: int) -> int:
    if table.sync is None or not len(table.sync) or int(table.sync[0]) > sample:
        return sample
    return int(table.sync[int(np.searchsorted(table.sync, sample, side="right")) - 1])


def _packet_start(table: SampleTable, sample: int) -> int:
    return sample - sample % table.sizes.unit_samples


def _packet_stop(table: SampleTable, sample: int) -> int:
    unit = table.sizes.unit_samples
    return min(table.count, -(-sample // unit) * unit)
