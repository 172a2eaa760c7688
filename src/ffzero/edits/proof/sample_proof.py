"""Whether copied samples are the source's: each one's bytes hashed, against those of the one it was copied from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from ffzero.containers.aac import silent_aac
from ffzero.containers.isobmff.model import Track
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record
from ffzero.edits.proof.sample_runs import Difference, DifferenceKind, differences, end_of, start_of
from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.holes import HOLE_S
from ffzero.edits.takes import usual_duration
from ffzero.errors import CancelledError, FFZeroError
from ffzero.reporting import CancelToken
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["copied_checks"]

_BATCH = 4096
_PCM_BLOCK = 4096
_DIGEST_BYTES = 16
_MAX_NAMED = 4
_HEADED_BY_COPY = frozenset({"h264", "hevc", "mpeg4", "mpeg2video"})
"""Codecs of which copied samples are given other headers where decoding starts at an open group of pictures."""
_NEAR = 16
_MAX_LATE = 4
"""Packets of sound that may be left out where a joint falls inside of one."""
_SOUGHT = 1 << 20


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
        have = _hashes(self.output, self.track, [(0, self.track.table.count)], self.cancel, self.problems)
        at, sought = 0, False
        for number, segment in enumerate(segments):
            if isinstance(segment, Render):
                # What matches another input may have another frame rate.
                at, sought = at + segment.frames, sought or (segment.is_altered and self.kind == "video")
                continue
            source = sources[segment.input]
            track = source.box.track(segment.track)
            want = _hashes(source, track, _kept(segment), self.cancel, self.problems)
            if number:
                at = self._past_silence(have, at, want)
            at, first = self._begin(have, at, want, is_first=not number, sought=sought)
            free = self._free(number, segments, source, len(want))
            stop = _unchanged(have, at - first, want, max(first, free[1])) if self.kind == "audio" else len(want)
            found = list(differences(have, at, want[:stop], first))
            if told := [
                difference for difference in found if not self._is_filled_hole(difference, segment, source, have)
            ]:
                self._tell(told, segment, source, free)
            self.compared += len(want) - first
            at, sought = end_of(found, at, stop - first), False
            self.rewritten += range(at, at + len(want) - stop)
            at += len(want) - stop
        if at < len(have) and not sought and self.kind in ("video", "audio"):
            self.problems.append(f"{len(have) - at} samples more than planned, from sample {at} on")
        if at > len(have) and isinstance(segments[-1], Render) and not sought:
            self.problems.append(f"{at - len(have)} samples fewer than planned at the end")

    @property
    def _silence(self) -> bytes | None:
        """The hash of a packet of silence, where there is such of the codec."""
        aac = self.track.entries[0].aac
        packet = silent_aac(aac.channels) if aac is not None else None
        return None if packet is None else _hash(packet)

    def _is_filled_hole(self, found: Difference, segment: Copy, source: Media, have: Sequence[bytes]) -> bool:
        """Whether packets were put in because the source's before them lasts longer than what it decodes to."""
        if found.kind is not DifferenceKind.EXTRA or self.kind != "audio" or not found.number:
            return False
        table = source.box.track(segment.track).table
        longer = table.durations.at(_nth(_kept(segment), found.number - 1)) - usual_duration(table)
        filled = set(have[found.at : found.at + found.count])
        return longer > HOLE_S * table.timescale and filled == {self._silence}

    def _past_silence(self, have: Sequence[bytes], at: int, want: Sequence[bytes]) -> int:
        """Return where the packets end that were put in because the sound before ended before its pictures."""
        if (silence := self._silence) is not None and silence not in want[:1]:
            while at < len(have) and have[at] == silence:
                at += 1
        return at

    def _begin(
        self, have: Sequence[bytes], at: int, want: Sequence[bytes], *, is_first: bool, sought: bool
    ) -> tuple[int, int]:
        """Return where a copied range begins in the output, and with which of its samples."""
        if self.kind not in ("video", "audio"):
            return start_of(have, at, want, window=_SOUGHT)  # empty cues stand between
        if is_first:
            return at, 0
        if any(a == b for late in range(_MAX_LATE + 1) for a, b in _beside(have, at, want, late, _NEAR)):
            return at, min(range(_MAX_LATE + 1), key=lambda late: _unlike(have, at, want, late))
        if sought:
            return start_of(have, max(0, at - _NEAR), want, window=_SOUGHT)
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
            return sum(max(0, min(high, stop) - low) for low, high in _kept(segment)), wanted
        if self.kind == "audio":
            spare = sound_coding(track, track.table.chunks.descriptions_between(0, 1)[0]).spare
            return spare * after, wanted - spare * before
        return 0, wanted

    def _tell(self, found: Iterable[Difference], segment: Copy, source: Media, free: tuple[int, int]) -> None:
        """Take note of differences, in words; those that the copying itself makes are no problems."""
        numbers, track = _kept(segment), source.box.track(segment.track)
        for difference in found:
            original = _nth(numbers, difference.number)
            if difference.kind is DifferenceKind.CHANGED and not free[0] <= difference.number < free[1]:
                self.rewritten.append(difference.at)
                continue
            where = f"source sample {original} at {format_time(_time(source, track, original))}"
            match difference.kind:
                case DifferenceKind.CHANGED:
                    text = f"sample {difference.at} has other bytes than {where}"
                case DifferenceKind.SWAPPED:
                    other = _nth(numbers, difference.other)
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
                if _run(self.output, self.track, place, place + stop - first) != _run(source, track, first, stop):
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


def _kept(segment: Copy) -> list[tuple[int, int]]:
    """Return the ranges of source samples that are copied."""
    ranges, at = [], segment.first_sample
    for low, high in segment.drops:
        ranges.append((at, low))
        at = high
    return [(low, high) for low, high in [*ranges, (at, segment.stop_sample)] if low < high]


def _nth(ranges: Sequence[tuple[int, int]], number: int) -> int:
    for low, high in ranges:
        if number < high - low:
            return low + number
        number -= high - low
    return ranges[-1][1] if ranges else number


def _time(media: Media, track: Track, sample: int) -> float:
    return float(media.seconds(track, track.table.pts(min(sample, track.table.count - 1))))


def _hash(data: bytes | bytearray) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _hashes(
    media: Media,
    track: Track,
    ranges: Iterable[tuple[int, int]],
    cancel: CancelToken | None,
    problems: list[str],
) -> list[bytes]:
    """Return the hash of each sample; what lies beyond the end of the file is a problem, and has none."""
    source, found, beyond = media.box.source, [], 0
    first_beyond = -1
    for low, high in ranges:
        for first in range(low, high, _BATCH):
            if cancel is not None:
                cancel.check()
            places = track.table.offsets_and_sizes(first, min(first + _BATCH, high))
            for number, (offset, size) in enumerate(zip(*(column.tolist() for column in places), strict=True), first):
                if offset + size > source.size_bytes:
                    beyond, first_beyond = beyond + 1, first_beyond if beyond else number
                    found.append(b"")
                    continue
                data = bytearray(size)
                source.readinto_at(offset, memoryview(data))
                found.append(_hash(data))
    if beyond:
        problems.append(f"{media.name} ends before {beyond} of its samples, from {first_beyond} on")
    return found


def _run(media: Media, track: Track, first: int, stop: int) -> bytes:
    """Return the bytes of samples, one after another."""
    offsets, sizes = (column.tolist() for column in track.table.offsets_and_sizes(first, stop))
    out, at = bytearray(), 0
    while at < len(offsets):
        end, last = offsets[at] + sizes[at], at + 1
        while last < len(offsets) and offsets[last] == end:
            end, last = end + sizes[last], last + 1
        data = bytearray(end - offsets[at])
        if end <= media.box.source.size_bytes:
            media.box.source.readinto_at(offsets[at], memoryview(data))
        out += data
        at = last
    return bytes(out)
