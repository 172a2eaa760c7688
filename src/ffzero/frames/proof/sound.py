"""Whether the sound of an output is its source's, as loud, and lies where that does: all of it, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from typing import Any

import numpy as np
from av.error import FFmpegError

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record, RecordedPiece
from ffzero.edits.takes import usual_duration
from ffzero.frames.proof.hearing import REACH_S, SILENT, Match, faults, like, loudness, match_sound, resampled
from ffzero.frames.proof.media import Sound
from ffzero.reporting import CancelToken
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["sound_checks"]

_SPAN_S = Fraction(1, 2)
"""How much of the output's sound is held against the source's at a time."""
_AWAY_S = Fraction(6, 100)
"""How far from a joint: what is coded or faded at it is not the source's."""
_PACKETS_AWAY = 2
"""A packet behind copied ones that it did not follow decodes to other sound, and so do those that lean on it."""
_LEAST_S = Fraction(1, 20)
_LEAST_LIKENESS = 0.5
_AS_EXPECTED = 0.8
_LOUD = 1e-3
"""What is softer than -60 dB an encoder may leave out."""
_START_SLACK_S = 0.001
_LENGTH_SLACK_S = Fraction(1, 10)
_MAX_NAMED = 4


def sound_checks(
    output: Media, record: Record, sources: Mapping[str, Media], *, cancel: CancelToken | None = None
) -> list[Check]:
    """Return a check for each sound track: how like its source it is, and its offsets at ends of pieces, in ms."""
    ids = {track.id for track in output.box.tracks}
    checks = []
    for number, kind in record.tracks.items():
        if kind != "audio" or number not in ids:
            continue
        if {piece.input for piece in record.pieces} - set(sources):
            checks.append(skipped("sound", f"audio track {number}: without its source"))
            continue
        checks.append(_Listening(output, output.box.track(number), record, sources, cancel).check())
    return checks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A stretch of the output; offsets are measured where ``what`` names it as an end of a piece."""

    at_s: Fraction
    source_at_s: Fraction
    length_s: Fraction
    is_start: bool
    what: str = ""

    @property
    def name(self) -> str:
        return self.what or f"the sound from {format_time(self.at_s)} to {format_time(self.at_s + self.length_s)}"


@dataclass(slots=True)
class _Listening:
    """One output track beside what it was made of."""

    output: Media
    track: Track
    record: Record
    sources: Mapping[str, Media]
    cancel: CancelToken | None
    problems: list[str] = field(default_factory=list)
    offsets: list[dict[str, Any]] = field(default_factory=list)
    silent: int = 0
    compared: int = 0
    _offset_s: float = 0.0

    def check(self) -> Check:
        name, is_encrypted = f"audio track {self.track.id}", False
        segments = self.record.of_track(self.track.id)
        self._length(segments)
        heard = Sound(self.output.name, self.track.id, Fraction(0), self.cancel)
        try:
            for number, piece in enumerate(self.record.pieces):
                own = self._own(number, piece, segments)
                if own is None:
                    self.silent += 1  # the piece has no sound: silence stands in its place
                elif any(entry.encryption is not None for entry in own.entries):
                    is_encrypted = True
                else:
                    self._piece(number, piece, own, segments, heard)
        finally:
            heard.close()
        details = {
            "track": self.track.id,
            "offsets": self.offsets,
            "silent_places": self.silent,
            "compared_places": self.compared,
        }
        if self.problems:
            more = len(self.problems) - _MAX_NAMED
            listed = "; ".join(self.problems[:_MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
            return failed("sound", f"{name}: {listed}", **details, problems=self.problems)
        if is_encrypted:
            return skipped("sound", f"{name}: encrypted", **details)
        if not self.offsets:
            return skipped("sound", f"{name}: silent or altered wherever it could be compared", **details)
        worst = max((float(offset["offset_ms"]) for offset in self.offsets), key=abs)
        text = f"{name}: at most {worst:+.2f} ms off the source's at {len(self.offsets)} places"
        return passed("sound", f"{text}; like it and as loud at {self.compared}", **details)

    def _own(self, number: int, piece: RecordedPiece, segments: Sequence[Segment]) -> Track | None:
        """Return the sound track that a piece shows."""
        # What is coded at a joint may be told of the track that it is made like, which need not be the piece's own.
        certain = sorted(segments, key=lambda segment: isinstance(segment, Copy))
        tracks = {segment.input: segment.track for segment in certain}
        tracks_of_pieces = {segment.piece: segment.track for segment in certain}
        wanted = tracks_of_pieces.get(number, tracks.get(piece.input))
        source = self.sources[piece.input]
        own = next((each for each in source.box.tracks if each.id == wanted), None)
        return own if own is not None and source.role(own) == "audio" else None

    def _length(self, segments: Sequence[Segment]) -> None:
        """Take note where the track is shown for less than planned: what players hear may end before its samples."""
        planned = max((segment.end_s for segment in segments if segment.end_s is not None), default=Fraction(0))
        shown = self.output.track_range(self.track)
        end = Fraction(0) if shown is None else shown[1]
        if end < planned - _LENGTH_SLACK_S - _packet_s(self.track):
            self.problems.append(f"it ends at {format_time(end)}, not {format_time(planned)}")

    def _piece(self, number: int, piece: RecordedPiece, own: Track, segments: Sequence[Segment], heard: Sound) -> None:
        source = Sound(piece.input, own.id, max(Fraction(0), piece.start_s - REACH_S), self.cancel)
        self._offset_s = 0.0
        packet = _packet_s(own)
        try:
            for place in _places(number, piece, segments, packet, len(self.record.pieces)):
                self._compare(place, heard, source, _START_SLACK_S + (0 if place.is_start else float(packet)))
        except (FFmpegError, KeyError, EOFError) as error:
            self.problems.append(f"the sound from {format_time(piece.at_s)} on does not decode: {error}")
        finally:
            source.close()

    def _compare(self, place: _Place, heard: Sound, source: Sound, slack: float) -> None:
        have = heard.between(place.at_s, place.at_s + place.length_s)
        start, end = place.source_at_s - REACH_S, place.source_at_s + place.length_s + REACH_S
        there = resampled(source.between(start, end), source.rate, heard.rate, end - start)
        if not len(have) or not len(there) or max(loudness(have), loudness(there)) < SILENT:
            self.silent += 1
            return
        match = self._found(place, have, there, heard.rate)
        if match is not None and place.what:
            offset = {"place": place.what, "offset_ms": round(match.offset_s * 1000, 3)}
            self.offsets.append({**offset, "like": round(match.likeness, 4)})
        offset_s = self._offset_s if match is None else match.offset_s
        late = round((float(REACH_S) - offset_s) * heard.rate)
        beside = there[late : late + len(have)]
        if match is not None and match.likeness < _LEAST_LIKENESS and loudness(beside) >= _LOUD:
            self.problems.append(f"{place.name} is not the source's sound (likeness {match.likeness:.2f})")
            return
        if match is not None and abs(offset_s) > slack:
            self.problems.append(f"{place.name} is {offset_s * 1000:+.1f} ms off")
            return
        self._offset_s = offset_s
        self.compared += 1
        self.problems += [f"{place.name} {fault}" for fault in faults(have, beside, heard.rate)]

    def _found(self, place: _Place, have: np.ndarray, there: np.ndarray, rate: int) -> Match | None:
        """Return where sound is found in the source's: where it was before if it is there, and not at an end."""
        mine, its = have.mean(axis=1), there.mean(axis=1)
        if not place.what:
            late = round((float(REACH_S) - self._offset_s) * rate)
            likeness = like(mine, its[late : late + len(mine)])
            if likeness >= _AS_EXPECTED:
                return Match(offset_s=self._offset_s, likeness=likeness)
        return match_sound(mine, its, rate)


def _places(
    number: int, piece: RecordedPiece, segments: Sequence[Segment], packet: Fraction, pieces: int
) -> Iterator[_Place]:
    """Yield where to listen: from behind the beginning to before the end of a piece, where nothing is altered."""
    altered = [
        (segment.start_s, segment.end_s)
        for segment in segments
        if isinstance(segment, Render) and segment.is_altered and segment.start_s is not None and segment.end_s
    ]
    first = max(_AWAY_S, _PACKETS_AWAY * packet) if number else Fraction(0)
    stop = piece.end_s - piece.start_s - (max(_AWAY_S, packet) if number + 1 < pieces else _AWAY_S)
    if stop - first < _LEAST_S:
        return
    count = max(1, -(-(stop - first) // _SPAN_S))
    for n in range(count):
        is_last = n == count - 1
        low = max(first, stop - _SPAN_S) if is_last else first + n * _SPAN_S
        length = min(_SPAN_S, stop - low)
        at = piece.at_s + low
        if any(start < at + length + _AWAY_S and end > at - _AWAY_S for start, end in altered):
            continue
        what = f"the sound up to {format_time(at + length)}" if is_last and n else ""
        what = f"the sound at {format_time(at)}" if not n else what
        yield _Place(
            what=what,
            at_s=at,
            source_at_s=piece.start_s + low,
            length_s=length,
            is_start=not number and not n,
        )


def _packet_s(track: Track) -> Fraction:
    """Return how long a packet of sound is, in seconds: a joint that copies falls between two of them."""
    if not track.table.count:
        return Fraction(0)
    return Fraction(max(1, usual_duration(track.table)), track.timescale)
