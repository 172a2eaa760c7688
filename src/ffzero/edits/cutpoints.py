"""Which samples of a track a cut needs, and which it must hide.

A cut of a coded picture track starts decoding at a random access sample at or before its first picture and ends, in
decoding order, with the last sample that any of its pictures needs. What lies between and outside the range is hidden by
the edit; leading pictures that nothing needs are left out. Audio keeps the pre-roll that its codec wants.

Pure: the only thing asked of a file is ``peek``, which says what an access unit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.search import Shown, first_pts_at_or_after, shown_between
from ffzero.containers.nal import AccessUnit, RandomAccess

__all__ = ["Peek", "Take", "closed_stop", "next_clean_sync", "take_pictures", "take_sound"]

Peek = Callable[[Track, int], AccessUnit | None]
"""Says what sample ``n`` of a track is, or ``None`` where its codec has no access units that ffzero reads."""

_MAX_STEPS_BACK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Samples ``[first, stop)`` of a track less ``drops``, of which media time ``[media_start, media_stop)`` is shown.

    Ticks are the track's. ``hidden_before`` and ``hidden_after`` count samples that are kept for decoding only.
    ``start`` is ``media_start`` on the movie's timeline, in ticks.
    """

    track: Track
    first: int
    stop: int
    media_start: int
    media_stop: int
    start: int
    shown: int
    drops: tuple[tuple[int, int], ...] = ()
    hidden_before: int = 0
    hidden_after: int = 0
    natural_stop: int = 0
    """Where the last shown sample would end by itself."""
    note: str = ""

    def descriptions(self) -> list[int]:
        """Return the sample entry numbers that the samples use."""
        return self.track.table.chunks.descriptions_between(self.first, self.stop)

    def table(self) -> SampleTable:
        """Return the kept samples as a table whose dts begins at 0 and whose last duration is not 0."""
        table = self.track.table.slice(self.first, self.stop)
        for low, high in reversed(self.drops):
            table = table.without(low - self.first, high - self.first)
        if table.count and table.durations.at(table.count - 1) == 0:
            table = table.with_last_duration(_usual_duration(self.track.table))
        return table


def _usual_duration(table: SampleTable) -> int:
    """Return the duration of most samples, for a last one that the file gives none."""
    runs = table.durations.merged()
    positive = runs.values > 0
    if not np.any(positive):
        return 1
    return int(runs.values[positive][np.argmax(runs.counts[positive])])


def take_pictures(track: Track, span: Span, low: int, high: int, peek: Peek, *, snap: bool = False) -> Take | None:
    """Return what a cut of ``[low, high)`` (media ticks, inside ``span``) needs of a picture track.

    With ``snap`` the cut falls on a random access picture at or before ``low`` and ends where no picture is hidden.
    ``None`` where no picture lies in the range.
    """
    table = track.table
    low, high = max(low, span.media_start), min(high, span.media_stop)
    shown = shown_between(table, low, high) if low < high else None
    if shown is None:
        return None
    sync, clean, note = _random_access(track, shown, peek)
    sync_pts = table.pts(sync)
    if snap:
        low = max(span.media_start, min(sync_pts, shown.first_pts))
        high = min(span.media_stop, closed_stop(table, shown.stop))
        shown = shown_between(table, low, high) or shown
    drops = tuple(_leading(table, sync, sync_pts, shown.stop)) if clean else ()
    dropped = sum(stop - first for first, stop in drops)
    hidden_after = _count_at_or_after(table, sync, shown.stop, high)
    following = first_pts_at_or_after(table, shown.last_pts + 1)
    natural = following if following is not None else shown.last_pts + _last_duration(table)
    natural = min(natural, span.media_stop)
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
        note=note,
    )


def _last_duration(table: SampleTable) -> int:
    return table.durations.at(table.count - 1) or _usual_duration(table)


def _random_access(track: Track, shown: Shown, peek: Peek) -> tuple[int, bool, str]:
    """Return the sample at which decoding starts, whether its leading pictures serve nothing later, and a note."""
    fallback = None
    for candidate in _candidates_back(track.table, shown.first):
        if track.table.pts(candidate) > shown.first_pts:
            continue  # a leading picture of it is shown: decoding must start earlier
        if fallback is None:
            fallback = candidate
        unit = peek(track, candidate)
        if unit is None or _serves(track, candidate, unit, shown, peek):
            return candidate, unit is None or unit.random_access is not RandomAccess.GRADUAL, ""
    if fallback is not None:
        return fallback, False, "no clean random access picture before the cut; the sync sample table is trusted"
    return 0, False, "no random access picture before the cut: its first pictures may not decode, as in the source"


def _candidates_back(table: SampleTable, last: int) -> Iterator[int]:
    numbers = table.sync_candidates()
    if numbers is None:
        yield from range(last, max(-1, last - _MAX_STEPS_BACK), -1)
        return
    for position in range(int(np.searchsorted(numbers, last, side="right")) - 1, -1, -1):
        yield int(numbers[position])


def _serves(track: Track, candidate: int, unit: AccessUnit, shown: Shown, peek: Peek) -> bool:
    if unit.random_access is not RandomAccess.GRADUAL:
        return unit.random_access is not RandomAccess.NONE
    recovered = _recovered(track, candidate, unit.recovery_frames, shown.first, peek)
    return recovered is not None and track.table.pts(recovered) <= shown.first_pts


def _recovered(track: Track, sample: int, reference_frames: int, last: int, peek: Peek) -> int | None:
    """Return the sample ``reference_frames`` steps of frame_num after ``sample``, ``None`` beyond ``last`` (H.264 §D.2.8)."""
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


def next_clean_sync(track: Track, after_pts: int, peek: Peek) -> int | None:
    """Return the first random access sample shown after ``after_pts`` ticks, or ``None``."""
    table = track.table
    numbers = table.sync_candidates()
    _, most = table.composition_range
    first = table.first_at_or_after_dts(after_pts - most)
    if numbers is None:
        return first if first < table.count else None
    for position in range(int(np.searchsorted(numbers, first)), len(numbers)):
        candidate = int(numbers[position])
        if table.pts(candidate) <= after_pts:
            continue
        unit = peek(track, candidate)
        if unit is None or unit.random_access in (RandomAccess.CLOSED, RandomAccess.OPEN):
            return candidate
    return None


def take_sound(track: Track, span: Span, low: int, high: int, *, preroll: int) -> Take | None:
    """Return what ``[low, high)`` (media ticks) needs of a track whose samples follow one another in time.

    Serves audio and data alike. ``preroll`` is how many samples before the first are kept for the decoder.
    """
    table = track.table
    low = max(low, span.media_start, table.start_dts)
    high = min(high, span.media_stop, table.dts(table.count))
    if low >= high or not table.count:
        return None
    first = table.first_at_or_after_dts(low)
    if first == table.count or table.dts(first) > low:
        first -= 1
    stop = max(first + 1, table.first_at_or_after_dts(high))
    kept = max(0, first - preroll)
    if table.sync is not None and len(table.sync):
        position = int(np.searchsorted(table.sync, kept, side="right")) - 1
        kept = int(table.sync[max(position, 0)]) if table.sync[0] <= kept else kept
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
    )


def _packet_start(table: SampleTable, sample: int) -> int:
    return sample - sample % table.sizes.unit_samples


def _packet_stop(table: SampleTable, sample: int) -> int:
    unit = table.sizes.unit_samples
    return min(table.count, -(-sample // unit) * unit)
