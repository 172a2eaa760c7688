"""Where copied pictures meet coded ones: a take that cannot stand as it is gets rendered parts and copied ones.

Coded pictures reach to the next picture at which a decoder can go on, and begin again where all that was copied is
complete. Nothing is hidden then, and only the groups of pictures that a boundary falls into are coded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ffzero.containers.isobmff.presentation import ENDLESS, Span
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.search import shown_between
from ffzero.edits.cutpoints import splice_points, take_pictures
from ffzero.edits.media import Media
from ffzero.edits.open_starts import can_go_on, goes_on
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import PictureEffect, PictureJob, Target
from ffzero.edits.takes import Take, usual_duration
from ffzero.timebase import TOLERANCE, Rounding, to_ticks
from ffzero.values import dataclass

__all__ = ["blank", "recoded", "spliced"]

_TAIL_SAMPLES = 512
"""How far back from a cut the end of what can be copied is looked for; decoders reorder 16 pictures at most."""

Shown = Take | Rendered


def spliced(
    media: Media, take: Take, *, front: str = "", tail: str = "", effects: Sequence[PictureEffect] = ()
) -> list[Shown]:
    """Return what shows the pictures of ``take`` with the effects, and nothing hidden at the ends.

    ``front`` and ``tail`` are the reasons for the ends to be coded; an end without one stays as it is. Nothing is read
    but samples at cut points.
    """
    splicer = _Splicer(media, take, effects)
    spans = list(_effect_spans(take, effects))
    if not spans:
        return splicer.plain(take, front, tail)
    found: list[Shown] = []
    bounds = [take.media_start, *(time for low, high, _ in spans for time in (low, high)), take.media_stop]
    for number, (low, high) in enumerate(pairwise(bounds)):
        if low >= high:
            continue
        if number % 2:
            found += splicer.rendered(low, high, spans[number // 2][2])
            continue
        part = splicer.take(low, high)
        if part is not None:
            first = "an effect ends inside a group of pictures" if low > take.media_start else front
            last = "pictures before an effect need later ones to decode" if high < take.media_stop else tail
            found += splicer.plain(part, first, last, after=found[-1] if found else None)
    return _merged(found, effects)


def recoded(media: Media, take: Take, reason: str, target: Target, effects: Sequence[PictureEffect] = ()) -> Rendered:
    """Return all pictures of a take, to be coded like ``target``."""
    (rendered,) = _Splicer(media, take, effects).rendered(take.media_start, take.media_stop, reason)
    assert isinstance(rendered, Rendered)
    return replace(rendered, job=replace(rendered.job, target=target))


def blank(target: Target, start: Fraction, length: Fraction, reason: str) -> Rendered:
    """Return ``length`` seconds of black pictures like ``target``'s, for the time from ``start`` on of an input."""
    track = target.track
    stop = max(1, to_ticks(length, track.timescale, Rounding.NEAREST))
    job = PictureJob(
        media=target.media,
        track=track,
        decode_first=0,
        decode_stop=0,
        pts_first=0,
        pts_stop=stop,
        frames=max(1, round(stop / usual_duration(track.table))),
        target=target,
    )
    begin = to_ticks(start, track.timescale, Rounding.NEAREST)
    return Rendered(job=job, media_start=0, media_stop=stop, start=begin, reason=reason)


def _effect_spans(take: Take, effects: Iterable[PictureEffect]) -> Iterable[tuple[int, int, str]]:
    """Yield the media times (ticks) inside the take that effects cover, in order and disjoint, with their names."""
    shift = take.start - take.media_start
    spans: list[tuple[int, int, str]] = []
    for effect in effects:
        low = to_ticks(effect.start - TOLERANCE, take.track.timescale, Rounding.CEIL) - shift
        high = to_ticks(effect.end - TOLERANCE, take.track.timescale, Rounding.CEIL) - shift
        low, high = max(low, take.media_start), min(high, take.media_stop)
        if low < high:
            spans.append((low, high, f"{effect.name} is applied"))
    merged: list[tuple[int, int, str]] = []
    for low, high, reason in sorted(spans):
        if merged and low <= merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], high), f"{before[2]}; {reason}")
        else:
            merged.append((low, high, reason))
    return merged


def _merged(parts: Iterable[Shown], effects: Sequence[PictureEffect]) -> list[Shown]:
    """Return the parts with neighbouring renders made one job."""
    found: list[Shown] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(last, Rendered) and isinstance(part, Rendered):
            job = replace(
                last.job,
                decode_first=min(last.job.decode_first, part.job.decode_first),
                decode_stop=max(last.job.decode_stop, part.job.decode_stop),
                pts_stop=part.job.pts_stop,
                frames=last.job.frames + part.job.frames,
                effects=tuple(effects),
            )
            reason = "; ".join(dict.fromkeys((last.reason, part.reason)))
            lead = max(last.lead_ticks, part.lead_ticks)
            found[-1] = replace(last, job=job, media_stop=part.media_stop, reason=reason, lead_ticks=lead)
        else:
            found.append(part)
    return found


@dataclass(frozen=True, slots=True)
class _Splicer:
    """The ranges of one take, each sought as a take of its own."""

    media: Media
    whole: Take
    effects: Sequence[PictureEffect]

    def plain(self, take: Take, front: str, tail: str, *, after: Shown | None = None) -> list[Shown]:
        """Return a range without effects, copied as far as its ends permit; they stay as they are without a reason.

        ``after`` are coded pictures of the same take before it.
        """
        if not take.hidden_before and goes_on(after, self.media, take):
            front = ""
        tail = tail if take.hidden_after else ""
        if not front and not tail:
            return [take]
        middle = self._middle(take, front=bool(front), tail=bool(tail))
        if middle is None:
            reason = "; ".join(dict.fromkeys(filter(None, (front, tail))))
            return self.rendered(take.media_start, take.media_stop, reason)
        lead = middle.lead(take.track.timescale)
        found: list[Shown] = [middle]
        if front:
            found = self.rendered(take.media_start, middle.media_start, front, lead) + found
        if tail and middle.media_stop < take.media_stop:
            found += self.rendered(middle.media_stop, take.media_stop, tail, lead)
        return found

    def _middle(self, take: Take, *, front: bool, tail: bool) -> Take | None:
        """Return what can be copied, ``None`` where nothing can."""
        if not front:
            return self._copied(take, take.media_start, take.first, tail=tail)
        for sync in splice_points(take.track, take.media_start, take.media_stop, self.media.peek):
            copied = self._copied(take, take.track.table.pts(sync), sync, tail=tail)
            if copied is None or (not copied.hidden_before and self._goes_on(take, copied)):
                return copied
        return None

    def _goes_on(self, take: Take, copied: Take) -> bool:
        """Whether what is copied can go on from the coded pictures of ``take`` before it."""
        before = shown_between(take.track.table, take.media_start, copied.media_start)
        if before is None:
            return False
        return can_go_on(self.media.entry_of(take.track, before.first), before.count, self.media, copied)

    def _copied(self, take: Take, start: int, sync: int, *, tail: bool) -> Take | None:
        """Return what can be copied from the picture at ``start`` on, which is decoded from sample ``sync``."""
        stop = take.media_stop
        if tail:
            stop = _complete_until(take.track.table, sync, take.stop, stop)
        found = self.take(start, stop) if stop > start else None
        if found is None or found.first != sync or (tail and found.hidden_after):
            return None
        if found.media_stop < take.media_stop or tail:
            return found
        return replace(found, media_stop=take.media_stop, natural_stop=take.natural_stop)

    def take(self, low: int, high: int) -> Take | None:
        """Return the take of a range; the last picture of the whole one lasts as long as there."""
        whole = self.whole
        span = Span(media_start=-ENDLESS, media_stop=ENDLESS, shift=whole.start - whole.media_start)
        found = take_pictures(whole.track, span, low, high, self.media.peek)
        if found is None or high < whole.media_stop:
            return found
        return replace(found, media_stop=whole.media_stop, natural_stop=whole.natural_stop)

    def rendered(self, low: int, high: int, reason: str, lead: int = 0) -> list[Shown]:
        """Return the pictures of a range, to be coded; none where there is no picture."""
        source = self.take(low, high)
        if source is None:
            return []
        job = PictureJob(
            media=self.media,
            track=source.track,
            decode_first=source.first,
            decode_stop=source.stop,
            pts_first=source.media_start,
            pts_stop=high,
            frames=source.shown,
            shift=source.start - source.media_start,
            effects=tuple(self.effects),
        )
        return [
            Rendered(
                job=job,
                media_start=source.media_start,
                media_stop=high,
                start=source.start,
                reason=reason,
                lead_ticks=lead,
            )
        ]


def _complete_until(table: SampleTable, first: int, stop: int, high: int) -> int:
    """Return the latest time up to ``high`` such that all pictures before it, and no others, come first in decoding.

    ``first`` is the sample that decoding starts with, ``stop`` the one after the last that is decoded. Returns a time
    before the first picture where there is none.
    """
    begin = max(first, stop - _TAIL_SAMPLES)
    column = table.pts_column(begin, stop)
    later = np.minimum.accumulate(column[::-1])[::-1]  # least time from a sample on
    earlier = np.maximum.accumulate(column)
    numbers = np.flatnonzero((earlier[:-1] < later[1:]) & (later[1:] <= high)) + 1
    return int(later[numbers[-1]]) if len(numbers) else -ENDLESS
