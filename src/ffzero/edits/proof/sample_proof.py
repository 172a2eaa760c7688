"""Whether copied samples are the source's: each one's bytes hashed, against those of the one it was copied from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction

import numpy as np

from ffzero.containers.aac import silent_aac
from ffzero.containers.isobmff.model import Track
from ffzero.containers.nal import RandomAccess
from ffzero.edits.cues import empty_cue
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record
from ffzero.edits.proof.sample_hashes import hash_of, hashes, kept, nth, run_bytes
from ffzero.edits.proof.sample_runs import Difference, DifferenceKind, differences, end_of, start_of
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.holes import HOLE_S
from ffzero.edits.takes import usual_duration
from ffzero.errors import CancelledError, FFZeroError
from ffzero.reporting import CancelToken
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["copied_checks"]

_PCM_BLOCK = 4096
_CUE_SLACK_S = Fraction(1, 100)
_SOUND_SLACK_S = Fraction(1, 1000)
_MAX_NAMED = 4
_HEADED_BY_COPY = frozenset({"h264", "hevc", "mpeg4", "mpeg2video"})
"""Codecs of which copied samples are given other headers where decoding starts at an open group of pictures."""
_NEAR = 16
_MAX_LATE = 4
"""Packets of sound that may be left out where a joint falls inside of one."""


def copied_checks(
    output: Media, record: Record, sources: Mapping[str, Media], *, cancel: CancelToken | None = None
) -> list[Check]:
    """Return a check for each track of the output. Reads the copied samples of both files whole."""
    ids = {track.id for track in output.box.tracks}
    checks = []
    for number, kind in record.tracks.items():
        if number not in ids:
            continue  # told by the check of tracks
        name = f"{kind} track {number}"
        if kind == "timecode":
            checks.append(skipped("copied", f"{name}: timecode samples are always written anew"))
            continue
        missing = {segment.input for segment in record.of_track(number)} - set(sources)
        if missing:
            checks.append(skipped("copied", f"{name}: without its source {', '.join(sorted(missing))}"))
            continue
        try:
            checks.append(_TrackProof(output, output.box.track(number), kind, cancel).check(record, sources))
        except CancelledError:
            raise
        except FFZeroError as error:
            checks.append(failed("copied", f"{name}: {error}"))
    return checks


@dataclass(slots=True)
class _TrackProof:
    """One output track being compared."""

    output: Media
    track: Track
    kind: str
    cancel: CancelToken | None
    compared: int = 0
    rewritten: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def check(self, record: Record, sources: Mapping[str, Media]) -> Check:
        name = f"{self.kind} track {self.track.id}"
        segments = record.of_track(self.track.id)
        if self._is_pcm:
            self._pcm(segments, sources)
        elif self.kind in ("text", "chapters"):
            self._cues(segments, sources)
        else:
            self._samples(segments, sources)
        details = {"track": self.track.id, "samples": self.compared, "rewritten": self.rewritten}
        if self.problems:
            more = len(self.problems) - _MAX_NAMED
            listed = "; ".join(self.problems[:_MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
            return failed("copied", f"{name}: {listed}", **details, problems=self.problems)
        unit = "samples" if self.compared != 1 else "sample"
        text = f"{name}: {self.compared} copied {unit}, each the source's bit for bit"
        if self.rewritten:
            what = "coded anew beside joints" if self.kind == "audio" else "with headers written anew"
            text += f" but {len(self.rewritten)} {what}, which are compared by decoding"
        return passed("copied", text, **details)

    @property
    def _is_pcm(self) -> bool:
        return self.kind == "audio" and self.track.entries[0].codec.startswith("pcm")

    def _samples(self, segments: Sequence[Segment], sources: Mapping[str, Media]) -> None:
        have = hashes(self.output, self.track, [(0, self.track.table.count)], self.cancel, self.problems)
        at = 0
        for number, segment in enumerate(segments):
            if isinstance(segment, Render):
                at += segment.coded
                continue
            source = sources[segment.input]
            track = source.box.track(segment.track)
            want = hashes(source, track, kept(segment), self.cancel, self.problems)
            if number:
                at = self._past_silence(have, at, want)
            at, first = self._begin(have, at, want, is_first=not number)
            free = self._free(number, segments, source, len(want))
            stop = _unchanged(have, at - first, want, max(first, free[1])) if self.kind == "audio" else len(want)
            found = list(differences(have, at, want[:stop], first))
            if self.kind == "video" and all(one.kind is DifferenceKind.CHANGED for one in found):
                self._marks(at, segment, track)
            elif self.kind == "audio" and not number and not found:
                self._times(at + segment.hidden_before, segment, source, segment.hidden_before, _SOUND_SLACK_S, 1)
            if told := [
                difference for difference in found if not self._is_filled_hole(difference, segment, source, have)
            ]:
                self._tell(told, segment, source, free)
            self.compared += len(want) - first
            at = end_of(found, at, stop - first)
            self.rewritten += range(at, at + len(want) - stop)
            at += len(want) - stop
        if at < len(have):
            self.problems.append(f"{len(have) - at} samples more than planned, from sample {at} on")
        if at > len(have) and isinstance(segments[-1], Render):
            self.problems.append(f"{at - len(have)} samples fewer than planned at the end")

    def _marks(self, at: int, segment: Copy, track: Track) -> None:
        """Take note of copied pictures that are called key pictures and are none in the source."""
        known, table = track.table.sync_candidates(), self.track.table
        if known is None or not kept(segment):
            return
        numbers = np.concatenate([np.arange(low, high) for low, high in kept(segment)])
        marked = np.arange(len(numbers)) if table.sync is None else table.sync - at
        marked = marked[(marked > 0) & (marked < len(numbers))]  # the first was looked at when it was copied
        wrong = marked[~np.isin(numbers[marked], known)]
        if len(wrong):
            self.problems.append(f"{len(wrong)} called key pictures that are none, from sample {at + int(wrong[0])} on")

    def _cues(self, segments: Sequence[Segment], sources: Mapping[str, Media]) -> None:
        """Compare cues, between whose ranges empty ones may stand."""
        have = hashes(self.output, self.track, [(0, self.track.table.count)], self.cancel, self.problems)
        cue = empty_cue(self.track.entries[0].codec)
        empty, at = None if cue is None else hash_of(cue), 0
        for segment in segments:
            if isinstance(segment, Render):
                continue
            source = sources[segment.input]
            track = source.box.track(segment.track)
            want = hashes(source, track, kept(segment), self.cancel, self.problems)
            while at < len(have) and have[at] == empty and self._begins_before(at, segment.start_s):
                at += 1
            found = list(differences(have, at, want))
            if found:
                self._tell(found, segment, source, (0, len(want)))
            else:
                self._times(at, segment, source)
                self._end_time(at + len(want), segment)
            self.compared += len(want)
            at = end_of(found, at, len(want))
        more = sum(one != empty for one in have[at:])
        if more:
            self.problems.append(f"{more} samples more than planned, from sample {at} on")

    def _begins_before(self, at: int, time: Fraction) -> bool:
        spans = self.output.spans(self.track)
        begin = self.output.seconds(self.track, self.track.table.pts(at) + spans[0].shift) if spans else Fraction(0)
        return begin < time - _CUE_SLACK_S

    def _end_time(self, at: int, segment: Copy) -> None:
        """Take note of cues of which the last, before sample ``at``, is shown for too short a time."""
        spans = self.output.spans(self.track)
        end = self.output.seconds(self.track, self.track.table.dts(at) + spans[0].shift) if len(spans) == 1 else None
        if end is not None and end < segment.end_s - _CUE_SLACK_S - Fraction(1, self.track.timescale):
            wanted = format_time(segment.end_s)
            self.problems.append(f"sample {at - 1} is shown until {format_time(end)}, not {wanted}")

    def _times(
        self,
        at: int,
        segment: Copy,
        source: Media,
        skip: int = 0,
        most: Fraction = _CUE_SLACK_S,
        count: int | None = None,
    ) -> None:
        """Take note of samples that are not shown when they should be, where each file shows its track in one go.

        Those from the segment's ``skip``-th on, ``count`` at most; cues begin no sooner than what is shown.
        """
        track = source.box.track(segment.track)
        mine, its = self.output.spans(self.track), source.spans(track)
        numbers = [number for low, high in kept(segment) for number in range(low, high)][skip:][:count]
        if len(mine) != 1 or len(its) != 1:
            return
        slack = most + Fraction(1, self.track.timescale) + Fraction(1, track.timescale)
        for place, number in enumerate(numbers, at):
            late = source.seconds(track, track.table.pts(number) + its[0].shift) - segment.source_start_s
            late = late if self.kind == "audio" else max(Fraction(0), late)
            time = self.output.seconds(self.track, self.track.table.pts(place) + mine[0].shift)
            if abs(time - segment.start_s - late) > slack:
                wanted = format_time(segment.start_s + late)
                self.problems.append(f"sample {place} is shown at {format_time(time)}, not {wanted}")
                return

    @property
    def _silence(self) -> bytes | None:
        """The hash of a packet of silence, where there is such of the codec."""
        aac = self.track.entries[0].aac
        packet = silent_aac(aac.channels) if aac is not None else None
        return None if packet is None else hash_of(packet)

    def _is_filled_hole(self, found: Difference, segment: Copy, source: Media, have: Sequence[bytes]) -> bool:
        """Whether packets were put in because the source's before them lasts longer than what it decodes to."""
        if found.kind is not DifferenceKind.EXTRA or self.kind != "audio" or not found.number:
            return False
        table = source.box.track(segment.track).table
        longer = table.durations.at(nth(kept(segment), found.number - 1)) - usual_duration(table)
        filled = set(have[found.at : found.at + found.count])
        return longer > HOLE_S * table.timescale and filled == {self._silence}

    def _past_silence(self, have: Sequence[bytes], at: int, want: Sequence[bytes]) -> int:
        """Return where the packets end that were put in because the sound before ended before its pictures."""
        if (silence := self._silence) is not None and silence not in want[:1]:
            while at < len(have) and have[at] == silence:
                at += 1
        return at

    def _begin(self, have: Sequence[bytes], at: int, want: Sequence[bytes], *, is_first: bool) -> tuple[int, int]:
        """Return where a copied range begins in the output, and with which of its samples."""
        if is_first:
            return at, 0
        if self.kind not in ("video", "audio"):
            # What lasted until then goes on instead of being there again.
            return at, int(have[at - 1 : at] == want[:1] and have[at : at + 1] != want[:1])
        if any(a == b for late in range(_MAX_LATE + 1) for a, b in _beside(have, at, want, late, _NEAR)):
            return at, min(range(_MAX_LATE + 1), key=lambda late: _unlike(have, at, want, late))
        return start_of(have, at, want, window=_NEAR)

    def _free(self, number: int, segments: Sequence[Segment], source: Media, wanted: int) -> tuple[int, int]:
        """Return ``(low, high)``: samples of the range before ``low`` and from ``high`` on need not be the source's."""
        segment = segments[number]
        assert isinstance(segment, Copy)
        after = bool(number) and isinstance(segments[number - 1], Render)
        before = number + 1 < len(segments) and isinstance(segments[number + 1], Render)
        track = source.box.track(segment.track)
        if self.kind == "video":
            stop = self._rewritable(segment, source, track, after)
            return sum(max(0, min(high, stop) - low) for low, high in kept(segment)), wanted
        if self.kind == "audio":
            spare = sound_coding(track, track.table.chunks.descriptions_between(0, 1)[0]).spare
            return spare * after, wanted - spare * before
        return 0, wanted

    def _tell(self, found: Iterable[Difference], segment: Copy, source: Media, free: tuple[int, int]) -> None:
        """Take note of differences, in words; those that the copying itself makes are no problems."""
        numbers, track = kept(segment), source.box.track(segment.track)
        for difference in found:
            original = nth(numbers, difference.number)
            if difference.kind is DifferenceKind.CHANGED and not free[0] <= difference.number < free[1]:
                self.rewritten.append(difference.at)
                continue
            where = f"source sample {original} at {format_time(_time(source, track, original))}"
            match difference.kind:
                case DifferenceKind.CHANGED:
                    text = f"sample {difference.at} has other bytes than {where}"
                case DifferenceKind.SWAPPED:
                    other = nth(numbers, difference.other)
                    text = f"sample {difference.at} is swapped: it holds source sample {other} instead of {where}"
                case DifferenceKind.MISSING:
                    text = f"{difference.count} missing from sample {difference.at} on: {where}"
                case DifferenceKind.EXTRA:
                    text = f"{difference.count} that were not planned before {where}, from sample {difference.at} on"
            self.problems.append(text)

    def _rewritable(self, segment: Copy, source: Media, track: Track, after_rendered: bool) -> int:
        """Return the source sample before which headers may have been written anew."""
        first = segment.first_sample
        if self.kind != "video" or source.entry_of(track, first).codec not in _HEADED_BY_COPY:
            return first
        unit = source.peek(track, first)
        if unit is None or unit.random_access is RandomAccess.CLOSED:
            return first + 1 if after_rendered and unit is None else first
        syncs = track.table.sync_candidates()
        later = [] if syncs is None else [int(number) for number in syncs if number > first][:1]
        if not later:
            return segment.stop_sample
        following = source.peek(track, later[0])  # it may refer to leading pictures that were left out
        return later[0] + (following is not None and following.random_access is RandomAccess.OPEN)

    def _pcm(self, segments: Sequence[Segment], sources: Mapping[str, Media]) -> None:
        """Compare sound whose every sample of signal is a sample of the container, in blocks."""
        at = 0
        for segment in segments:
            if isinstance(segment, Render):
                at += segment.frames
                continue
            source = sources[segment.input]
            track = source.box.track(segment.track)
            for first in range(segment.first_sample, segment.stop_sample, _PCM_BLOCK):
                if self.cancel is not None:
                    self.cancel.check()
                stop = min(first + _PCM_BLOCK, segment.stop_sample)
                place = at + first - segment.first_sample
                if place + stop - first > self.track.table.count:
                    self.problems.append(f"the sound ends at sample {self.track.table.count}, too early")
                    return
                if run_bytes(self.output, self.track, place, place + stop - first) != run_bytes(
                    source, track, first, stop
                ):
                    where = format_time(_time(source, track, first))
                    self.problems.append(f"samples from {place} on have other bytes than the source's at {where}")
            self.compared += segment.samples
            at += segment.samples


def _beside(
    have: Sequence[bytes], at: int, want: Sequence[bytes], late: int, most: int
) -> Iterator[tuple[bytes, bytes]]:
    return zip(have[at : at + most], want[late : late + most], strict=False)


def _unlike(have: Sequence[bytes], at: int, want: Sequence[bytes], late: int) -> int:
    """Return how many samples from ``late`` on are not there in a row; packets of silence are all alike.

    More than there are where none is: nothing speaks for it.
    """
    wanted = max(0, len(want) - late)
    found = sum(a == b for a, b in _beside(have, at, want, late, wanted))
    return wanted - found if found else len(want) + 1


def _unchanged(have: Sequence[bytes], at: int, want: Sequence[bytes], least: int) -> int:
    """Return how many samples are there at their own places, the last ones of which (from ``least`` on) need not be.

    What was coded in their stead is not to be looked for: another piece may hold the same sound.
    """
    for stop in range(len(want), least - 1, -1):
        if 0 < stop <= len(have) - at and have[at + stop - 1] == want[stop - 1]:
            return stop
    return len(want)


def _time(media: Media, track: Track, sample: int) -> float:
    return float(media.seconds(track, track.table.pts(min(sample, track.table.count - 1))))
