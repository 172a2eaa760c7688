"""Whether the sound of an output lies where its source's does: by correlation around every joint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from av.error import FFmpegError

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record
from ffzero.frames.proof.media import sound_of
from ffzero.reporting import CancelToken
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["Match", "match_sound", "sound_checks"]

_SPAN_S = Fraction(1, 2)
"""How much of the output's sound is looked for in the source's."""
_AWAY_S = Fraction(6, 100)
"""How far from a joint: what is coded or faded at it is not the source's."""
_REACH_S = Fraction(1, 4)
"""How far off it is looked for."""
_LEAST_S = Fraction(1, 20)
_SILENT = 1e-4
_LEAST_LIKENESS = 0.5
_AS_GOOD = 0.9995
"""Tones match themselves at every period: of places as good as the best the nearest is taken."""
_START_SLACK_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How much later than in the source sound is found, in seconds, and how like it is there (1: the same)."""

    offset_s: float
    likeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A stretch of the output at an end of a piece."""

    what: str
    at_s: Fraction
    source_at_s: Fraction
    length_s: Fraction
    input: str
    track: int
    is_start: bool


def sound_checks(
    output: Media, record: Record, sources: Mapping[str, Media], *, cancel: CancelToken | None = None
) -> list[Check]:
    """Return a check for each sound track: its offsets from the source's sound at the ends of each piece, in ms."""
    ids = {track.id for track in output.box.tracks}
    checks = []
    for number, kind in record.tracks.items():
        if kind != "audio" or number not in ids:
            continue
        if {piece.input for piece in record.pieces} - set(sources):
            checks.append(skipped("sound", f"audio track {number}: without its source"))
            continue
        checks.append(_check(output, output.box.track(number), record, sources, cancel))
    return checks


def _check(
    output: Media, track: Track, record: Record, sources: Mapping[str, Media], cancel: CancelToken | None
) -> Check:
    name, problems, silent = f"audio track {track.id}", [], 0
    offsets: list[dict[str, Any]] = []
    for place in _places(record, track.id):
        source = sources[place.input]
        own = next((each for each in source.box.tracks if each.id == place.track), None)
        if own is None or source.role(own) != "audio":
            silent += 1  # the piece has no sound: silence stands in its place
            continue
        if any(entry.encryption is not None for entry in own.entries):
            return skipped("sound", f"{name}: encrypted")
        try:
            match = _measured(output.name, track.id, source.name, own.id, place, cancel)
        except (FFmpegError, KeyError, EOFError) as error:
            problems.append(f"{place.what} does not decode: {error}")
            continue
        if match is None:
            silent += 1
            continue
        offsets.append(
            {"place": place.what, "offset_ms": round(match.offset_s * 1000, 3), "like": round(match.likeness, 4)}
        )
        slack = _START_SLACK_S if place.is_start else _packet_s(own) + _START_SLACK_S
        if match.likeness < _LEAST_LIKENESS:
            problems.append(f"{place.what} is not the source's sound (likeness {match.likeness:.2f})")
        elif abs(match.offset_s) > slack:
            problems.append(f"{place.what} is {match.offset_s * 1000:+.1f} ms off")
    details = {"track": track.id, "offsets": offsets, "silent_places": silent}
    if problems:
        more = f"; and {len(problems) - 4} more" if len(problems) > 4 else ""
        return failed("sound", f"{name}: {'; '.join(problems[:4])}{more}", **details)
    if not offsets:
        return skipped("sound", f"{name}: silent or altered wherever it could be compared", **details)
    worst = max((float(offset["offset_ms"]) for offset in offsets), key=abs)
    return passed("sound", f"{name}: at most {worst:+.2f} ms off the source's at {len(offsets)} places", **details)


def _places(record: Record, number: int) -> Iterator[_Place]:
    """Yield where to look: behind the beginning and before the end of what is shown of each piece."""
    segments = record.of_track(number)
    altered = [
        (segment.start_s, segment.end_s)
        for segment in segments
        if isinstance(segment, Render) and segment.is_altered and segment.start_s is not None and segment.end_s
    ]
    for place in _ends(record, segments):
        stop = place.at_s + place.length_s
        if not any(start < stop + _AWAY_S and end > place.at_s - _AWAY_S for start, end in altered if end):
            yield place


def _ends(record: Record, segments: Sequence[Segment]) -> Iterator[_Place]:
    # What is coded at a joint may be told of the track that it is made like, which need not be the piece's own.
    certain = sorted(segments, key=lambda segment: isinstance(segment, Copy))
    tracks = {segment.input: segment.track for segment in certain}
    tracks_of_pieces = {segment.piece: segment.track for segment in certain}
    for number, piece in enumerate(record.pieces):
        track = tracks_of_pieces.get(number, tracks.get(piece.input))
        if track is None:
            continue
        away = _AWAY_S if number else Fraction(0)
        length = piece.end_s - piece.start_s - away - _AWAY_S
        if length < _LEAST_S:
            continue
        first = piece.at_s + away
        yield _Place(
            what=f"the sound at {format_time(first)}",
            at_s=first,
            source_at_s=piece.start_s + away,
            length_s=min(_SPAN_S, length),
            input=piece.input,
            track=track,
            is_start=not number,
        )
        if length > _SPAN_S:
            last = piece.at_s + piece.end_s - piece.start_s - _AWAY_S
            yield _Place(
                what=f"the sound up to {format_time(last)}",
                at_s=last - _SPAN_S,
                source_at_s=piece.end_s - _AWAY_S - _SPAN_S,
                length_s=_SPAN_S,
                input=piece.input,
                track=track,
                is_start=False,
            )


def _measured(
    output: str, track: int, source: str, source_track: int, place: _Place, cancel: CancelToken | None
) -> Match | None:
    heard, rate = sound_of(output, track, place.at_s, place.at_s + place.length_s, cancel)
    start, end = place.source_at_s - _REACH_S, place.source_at_s + place.length_s + _REACH_S
    there, its_rate = sound_of(source, source_track, start, end, cancel)
    if its_rate != rate:
        times = np.arange(int((end - start) * rate)) * (its_rate / rate)
        there = np.interp(times, np.arange(len(there)), there).astype(np.float32) if len(there) else there
    return match_sound(heard, there, rate)


def match_sound(heard: np.ndarray, source: np.ndarray, rate: int) -> Match | None:
    """Return where in ``source``, which reaches equally far to both sides of it, ``heard`` is found.

    ``None`` where either is silent.
    """
    reach = (len(source) - len(heard)) // 2
    if not len(heard) or reach < 0 or min(_loudness(heard), _loudness(source)) < _SILENT:
        return None
    size = 1 << (len(source) + len(heard)).bit_length()
    spectrum = np.fft.rfft(source.astype(np.float64), size) * np.conj(np.fft.rfft(heard.astype(np.float64), size))
    product = np.fft.irfft(spectrum, size)[: len(source) - len(heard) + 1]
    energy = np.concatenate(([0.0], np.cumsum(source.astype(np.float64) ** 2)))
    around = energy[len(heard) :] - energy[: len(energy) - len(heard)]
    floor = float((heard.astype(np.float64) ** 2).sum()) * 1e-3
    likeness = product / np.sqrt(np.maximum(around, floor) * max(floor * 1e3, 1e-12))
    good = np.flatnonzero(likeness >= likeness.max() * _AS_GOOD)
    best = int(good[np.argmin(np.abs(good - reach))])
    return Match(offset_s=(reach - best) / rate, likeness=float(likeness[best]))


def _loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def _packet_s(track: Track) -> float:
    """Return how long a packet of sound is, in seconds: a joint that copies falls between two of them."""
    return float(Fraction(max(1, track.table.durations.at(0)), track.timescale))
