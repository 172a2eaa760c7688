"""What a cut takes of one track: which samples, what of them is shown, and the table that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.nal import RandomAccess
from ffzero.containers.runs import Runs, frozen
from ffzero.timebase import Rounding, rescale
from ffzero.values import dataclass

__all__ = ["Take", "usual_duration"]


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
    packet_ticks: int = 0
    """What each packet decodes to, where that is constant: hidden packets are given this duration, because a decoder
    trims what it decodes and not what the table says."""
    squeezed: int = 0
    """How many of the first samples, all hidden, are decoded one tick after another instead of at their own times.

    A long hidden lead makes FFmpeg's probing end before it meets the other tracks, GStreamer drop the last pictures,
    and players that ignore edits lag.
    """
    access: RandomAccess | None = None
    """What the first sample is, where its codec is read: after other pictures only ``CLOSED`` decodes cleanly."""
    not_sync: tuple[int, ...] = ()
    """Samples in the hidden lead that the file calls sync samples and that are none: players would start there."""
    note: str = ""

    @property
    def starts_cleanly(self) -> bool:
        """Whether the take can follow other pictures: nothing hidden first, and a decoder starts afresh there."""
        return not self.hidden_before and self.access in (None, RandomAccess.CLOSED)

    def kept(self) -> Iterator[int]:
        """Yield the numbers of the samples that are kept, in decoding order."""
        at = self.first
        for low, high in self.drops:
            yield from range(at, low)
            at = high
        yield from range(at, self.stop)

    def descriptions(self) -> list[int]:
        """Return the sample entry numbers that the samples use."""
        return self.track.table.chunks.descriptions_between(self.first, self.stop)

    def lead(self, timescale: int) -> int:
        """Return the time from the beginning of ``table(timescale)`` to ``media_start``, in its ticks."""
        dts = self.track.table.dts
        if self.squeezed:
            return self._scaled(self.media_start - dts(self.first + self.squeezed), timescale) + self._kept_squeezed
        if self.packet_ticks:
            shown = self.media_start - dts(self.first + self.hidden_before)
            return self._scaled(self.hidden_before * self.packet_ticks + shown, timescale)
        return self._scaled(self.media_start - dts(self.first) - self._moved, timescale)

    def _scaled(self, ticks: int, timescale: int) -> int:
        return rescale(ticks, self.track.timescale, timescale, Rounding.NEAREST)

    @property
    def _kept_squeezed(self) -> int:
        return self._kept_of(self.squeezed)

    def _kept_of(self, count: int) -> int:
        """Return how many of the first ``count`` samples are not dropped."""
        return count - sum(high - low for low, high in self.drops if high <= self.first + count)

    @property
    def _moved(self) -> int:
        """Ticks by which the first sample is decoded later, so that its duration stays its own.

        FFmpeg takes a key picture whose duration reaches past the edit for one after it.
        """
        if not self.drops or self.drops[0][0] != self.first + 1:
            return 0
        table, (low, high) = self.track.table, self.drops[0]
        gone = table.dts(high) - table.dts(low)
        return gone if table.pts(self.first) >= table.dts(self.first) + gone else 0

    def table(self, timescale: int) -> SampleTable:
        """Return the kept samples as a table whose dts begins at 0 and whose last duration is not 0."""
        table = self.track.table.slice(self.first, self.stop)
        for low, high in reversed(self.drops):
            table = table.without(low - self.first, high - self.first)
        if self.packet_ticks and self.hidden_before:
            hidden = Runs.constant(self.hidden_before, self.packet_ticks)
            shown = table.durations.slice(self.hidden_before, table.count)
            table = replace(table, durations=Runs.concat([hidden, shown]))
        if table.count and table.durations.at(table.count - 1) == 0:
            table = table.with_last_duration(usual_duration(self.track.table))
        table = self._without_false_sync(table).resampled(timescale)
        if self.squeezed:
            return table.squeezed(self._kept_squeezed)
        return table.with_first_later(self._scaled(self._moved, timescale)) if self._moved else table

    def _without_false_sync(self, table: SampleTable) -> SampleTable:
        if not self.not_sync:
            return table
        wrong = [self._kept_of(sample - self.first) for sample in self.not_sync]
        numbers = np.arange(table.count) if table.sync is None else table.sync
        return replace(table, sync=frozen(np.setdiff1d(numbers, wrong)))


def usual_duration(table: SampleTable) -> int:
    """Return the duration of most samples, for a last one that the file gives none."""
    runs = table.durations.merged()
    positive = runs.values > 0
    if not np.any(positive):
        return 1
    return int(runs.values[positive][np.argmax(runs.counts[positive])])
