"""Is this output the cut that was asked for? Each check returns the problems that it sees, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from support import boxes
from support.oracle import (
    Chapter,
    Cue,
    Decode,
    Description,
    Frame,
    Pcm,
    decode,
    decode_audio_from,
    decode_audio_pcm,
    describe,
)

__all__ = ["check_audio", "check_cut", "check_video", "expected_frames"]

AT = Fraction(1, 1_000_000)
"""A picture within this of a boundary is at it."""
TIME_SLACK = Fraction(2, 1000)
SOUND_TAIL = 8192
"""Samples by which sound may run on: FFmpeg trims the end of an edit to whole packets only."""
PRIMING = 128
"""Samples by which an output's sound may begin before its source's first: where a track's timescale is not its sample
rate, FFmpeg counts the priming to be skipped in the wrong one of the two.
"""
LAGS = 2000
RESTARTS = 6
"""Packets of run-up within which a decoder may have been started for the output."""
SILENCE = 1e-4

Array = np.ndarray[Any, Any]


def expected_frames(frames: Sequence[Frame], start: Fraction, end: Fraction | None) -> list[Frame]:
    """Return the pictures with a time in [start, end); ``None`` is the movie's end."""
    return [f for f in frames if f.pts >= start - AT and (end is None or f.pts < end - AT)]


def check_cut(
    source: Path,
    output: Path,
    start: Fraction,
    end: Fraction | None,
    *,
    key: str | None = None,
    frames: Sequence[Frame] | None = None,
    warnings: Sequence[str] = (),
) -> list[str]:
    """Return what is wrong with ``output`` as the cut [start, end) of ``source``; empty when nothing is.

    ``frames`` are the pictures of the source's main video where FFmpeg's own times for them are not right.
    ``warnings`` are the writer's own words: a data track that could not be kept must be named there.
    """
    before, after = decode(source, key=key, keep=True), decode(output, key=key)
    problems = [f"FFmpeg says of the output only: {c}" for c in after.complaints if c not in before.complaints]
    told, found = describe(source, key=key), describe(output, key=key)
    frames = before.videos[_main_video(told)] if frames is None else frames
    wanted = expected_frames(frames, start, end)
    problems += list(_order(output))
    if not wanted or not after.videos:
        return [*problems, f"{len(wanted)} pictures wanted, {len(after.videos)} video streams in the output"]
    problems += check_video(wanted, after.videos[_main_video(found)], start, end)
    zero = wanted[0].pts
    problems += _other_videos(before, after, told, found, zero, end)
    problems += _all_audio(source, output, told, found, zero, end, key)
    problems += _tracks(told, found, _wordless(told, zero, end), warnings)
    problems += _chapters(told, found, zero, end)
    problems += _subtitles(told, found, zero, end, frames[-1].pts)
    problems += _timecode(told, found, list(frames).index(wanted[0]))
    return problems


def _main_video(description: Description) -> int:
    kinds = [track.kind for track in description.tracks if track.kind in ("video", "cover")]
    return kinds.index("video") if "video" in kinds else 0


def _order(output: Path) -> Iterator[str]:
    kinds = [box.kind for box in boxes.top_level(output)]
    if b"moov" not in kinds or b"mdat" not in kinds or kinds.index(b"moov") > kinds.index(b"mdat"):
        yield f"moov does not precede mdat: {kinds}"


def check_video(wanted: Sequence[Frame], got: Sequence[Frame], start: Fraction, end: Fraction | None) -> list[str]:
    """Compare pictures one to one, then their times from the first one on, to 2 ms."""
    problems = []
    if [f.digest for f in wanted] != [f.digest for f in got]:
        problems.append(_pictures(wanted, got))
    elif got:
        late = [(w.pts - wanted[0].pts) - (g.pts - got[0].pts) for w, g in zip(wanted, got, strict=True)]
        worst = max(range(len(late)), key=lambda i: abs(late[i]))
        if abs(late[worst]) > TIME_SLACK:
            problems.append(f"picture {worst} of {len(got)} is shown {float(-late[worst]):+.6f} s off")
    if got and abs(got[0].pts) > TIME_SLACK:
        problems.append(f"the first picture is at {float(got[0].pts):.6f} s, not 0")
    return problems


def _pictures(wanted: Sequence[Frame], got: Sequence[Frame]) -> str:
    want, have = [f.digest for f in wanted], [f.digest for f in got]
    missing = [float(f.pts) for f in wanted if f.digest not in set(have)]
    extra = [float(f.pts) for f in got if f.digest not in set(want)]
    first = next((i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b), min(len(want), len(have)))
    text = f"pictures differ: {len(want)} wanted, {len(have)} shown, first difference at picture {first}"
    text += f"; {len(missing)} missing (source times {missing[:4]})" if missing else ""
    return text + (f"; {len(extra)} not of the range (output times {extra[:4]})" if extra else "")


def _other_videos(
    before: Decode, after: Decode, told: Description, found: Description, zero: Fraction, end: Fraction | None
) -> Iterator[str]:
    """Covers are kept whole; a second video keeps its pictures, one already on show at the start included or not."""
    olds, news = _videos(before, told), _videos(after, found)
    for kind in ("cover", "video"):
        skip = 1 if kind == "video" else 0
        old, new = olds[kind][skip:], news[kind][skip:]
        for number, (source, output) in enumerate(zip(old, new, strict=False), start=1):
            wanted = list(source) if kind == "cover" else expected_frames(source, zero, end)
            digests, have = [f.digest for f in wanted], [f.digest for f in output]
            if digests not in (have, have[1:]):
                yield f"{kind} {number + skip}: {_pictures(wanted, output)}"


def _videos(decoded: Decode, description: Description) -> dict[str, list[tuple[Frame, ...]]]:
    kinds = [track.kind for track in description.tracks if track.kind in ("video", "cover")]
    pairs = list(zip(kinds, decoded.videos, strict=False))
    return {wanted: [frames for kind, frames in pairs if kind == wanted] for wanted in ("video", "cover")}


def _all_audio(
    source: Path,
    output: Path,
    told: Description,
    found: Description,
    zero: Fraction,
    end: Fraction | None,
    key: str | None,
) -> Iterator[str]:
    new = len(found.of("audio"))
    position = 0
    for number in range(len(told.of("audio"))):
        before = decode_audio_pcm(source, number, key=key)
        heard = before.sounds_from(zero) if before is not None else None
        if before is None or heard is None or (end is not None and heard >= end):
            position += new == len(told.of("audio"))  # a track with nothing to say may go or stay
            continue
        if position >= new:
            yield f"audio {number} has sound in the range, but the output has {new} audio streams"
            return
        after = decode_audio_pcm(output, position, key=key)
        position += 1
        problems = check_audio(before, after, zero, end)
        if not problems and after is not None:
            begins = after.start_s + zero
            problems = _likeness(before, after, begins)
            leads = range(1, RESTARTS + 1) if problems and not before.lossless else ()
            restarts = (decode_audio_from(source, number, begins, lead=lead, key=key) for lead in leads)
            if any(not _likeness(restart, after, begins) for restart in restarts if restart is not None):
                problems = []
        yield from (f"audio {number}: {problem}" for problem in problems)


def _likeness(before: Pcm, after: Pcm, begins: Fraction) -> list[str]:
    return _same_sound(before, after, round((begins - before.start_s) * before.rate))


def check_audio(before: Pcm, after: Pcm | None, zero: Fraction, end: Fraction | None) -> list[str]:
    """Compare where sound starts (to one sample) and how far it goes; ``zero`` is the source's time at 0."""
    if after is None:
        return ["no sample decodes"]
    if after.rate != before.rate or after.samples.shape[1] != before.samples.shape[1]:
        return [f"{before.rate} Hz x{before.samples.shape[1]} became {after.rate} Hz x{after.samples.shape[1]}"]
    problems = []
    begins = after.start_s + zero
    ought = before.sounds_from(zero) or zero
    off = (begins - ought) * before.rate
    first = ought == before.start_s and -PRIMING <= off < 0
    if abs(off) > Fraction(101, 100) + before.jitter and not first:
        problems.append(f"starts {float(off):+.2f} samples from where it ought to")
    last = before.end_s if end is None else min(end, before.end_s)
    over = (after.end_s + zero - last) * before.rate
    if not -2 - before.jitter <= over <= SOUND_TAIL:
        problems.append(f"ends {float(over):+.1f} samples from where it ought to")
    return problems


def _same_sound(before: Pcm, after: Pcm, offset: int) -> list[str]:
    skip = max(0, -offset)
    want = before.samples[max(0, offset) :]
    have = after.samples[skip:]
    length = min(len(want), len(have))
    want, have = want[:length], have[:length]
    if np.array_equal(want, have):
        return []
    if before.lossless:
        wrong = int(np.argmax((want != have).any(axis=1)))
        return [f"lossless sound differs from sample {wrong} of {length} on{_best_shift(before, after, offset)}"]
    return _similar(_mono(want), _mono(have), 0.15 if before.codec == "opus" else 0.05)


def _best_shift(before: Pcm, after: Pcm, offset: int) -> str:
    probe = after.samples[64:4160]
    for shift in range(-LAGS, LAGS + 1):
        at = offset + 64 + shift
        if at >= 0 and len(probe) and np.array_equal(before.samples[at : at + len(probe)], probe):
            return f" (it is the source's sound, {shift:+d} samples off)"
    return ""


def _mono(samples: Array) -> Array:
    scale = 1.0 if samples.dtype.kind == "f" else 1.0 / np.iinfo(samples.dtype).max
    return np.asarray(samples.astype(np.float64).mean(axis=1) * scale)


def _rms(samples: Array) -> float:
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def _similar(want: Array, have: Array, settling: float) -> list[str]:
    """Compare lossy sound; ``settling`` is how much error, of the signal, its decoder may need at first."""
    if len(want) < 256:
        return []
    if _rms(want) < SILENCE or _rms(have) < SILENCE:
        return [] if max(_rms(want), _rms(have)) < 10 * SILENCE else ["silence became sound, or sound silence"]
    problems = []
    at_zero, best, lag = _correlation(want, have)
    if at_zero < 0.99:
        problems.append(f"correlates {at_zero:.4f} at zero lag")
    if best > at_zero + 1e-3:
        problems.append(f"correlates better ({best:.4f}, not {at_zero:.4f}) {lag:+d} samples off")
    error = have - want
    head, rest = _rms(error[:2048]) / _rms(want), _rms(error[2048:]) / _rms(want)
    if head > max(settling, 4 * rest):
        problems.append(f"begins with a disturbance ({head:.3f} of the signal; {rest:.3f} later)")
    return problems


def _correlation(want: Array, have: Array, limit: int = 1 << 19) -> tuple[float, float, int]:
    """Return the normalised correlation at lag 0, the best one within ±LAGS, and its lag."""
    a, b = want[:limit], have[:limit]
    size = 1 << (len(a) + LAGS).bit_length()
    cross = np.fft.irfft(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), size)
    norm = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    reach = min(LAGS, len(a) // 4)
    values = np.concatenate((cross[size - reach :], cross[: reach + 1])) / norm
    best = int(np.argmax(values))
    return float(values[reach]), float(values[best]), best - reach


def _wordless(told: Description, zero: Fraction, end: Fraction | None) -> list[int]:
    """Return the indices of the subtitle tracks that say nothing in the range: they may go or stay."""
    pairs = zip(told.of("subtitle"), told.cues, strict=True)
    return [track.index for track, cues in pairs if not any(_within(cue, zero, end) for cue in cues)]


def _within(cue: Cue | Chapter, zero: Fraction, end: Fraction | None) -> bool:
    return cue.end_s > zero + TIME_SLACK and (end is None or cue.start_s < end - TIME_SLACK)


def _tracks(told: Description, found: Description, wordless: Sequence[int], warnings: Sequence[str]) -> Iterator[str]:
    said = " ".join(warnings).lower()
    left = list(found.tracks)
    for track in told.tracks:
        twin = next((t for t in left if (t.kind, t.language) == (track.kind, track.language)), None)
        if twin is not None:
            left.remove(twin)
            if twin.codec != track.codec:
                yield f"{track.kind} {track.index}: codec {track.codec} became {twin.codec}"
            if twin.rotation_degrees != track.rotation_degrees:
                yield f"video {track.index}: rotation {track.rotation_degrees} became {twin.rotation_degrees}"
            if twin.dispositions != track.dispositions:
                yield f"{track.kind} {track.index}: dispositions {track.dispositions} became {twin.dispositions}"
        elif track.index in wordless:
            continue
        elif track.kind == "data" and (told.chapters or "track" in said):
            continue  # a chapter track may be replaced by its list; one that cannot be kept is named
        elif track.kind not in ("audio", "subtitle") or not (said and track.kind in said):
            yield f"{track.kind} track {track.index} ({track.codec}, {track.language}) is lost"


def _chapters(told: Description, found: Description, zero: Fraction, end: Fraction | None) -> Iterator[str]:
    wanted = [
        Chapter(start_s=max(Fraction(0), c.start_s - zero), end_s=c.end_s - zero, title=c.title)
        for c in told.chapters
        if _within(c, zero, end)
    ]
    if told.chapters and not wanted and [c.title for c in found.chapters] == [told.chapters[-1].title]:
        return  # how long the last chapter lasts is a matter of taste: to its track's end or to the movie's
    same = len(wanted) == len(found.chapters) and all(
        a.title == b.title and abs(a.start_s - b.start_s) <= TIME_SLACK
        for a, b in zip(wanted, found.chapters, strict=True)
    )
    if not same:
        lists = [[(float(c.start_s), c.title) for c in chapters] for chapters in (wanted, found.chapters)]
        yield f"chapters: {lists[0]} wanted, {lists[1]} found"


def _subtitles(
    told: Description, found: Description, zero: Fraction, end: Fraction | None, last_picture: Fraction
) -> Iterator[str]:
    """Compare cues, clipped to the range; one that outlasts the pictures may be cut with them."""
    for number, (old, new) in enumerate(zip(told.cues, found.cues, strict=False)):
        wanted = [
            Cue(
                start_s=max(Fraction(0), cue.start_s - zero),
                end_s=(cue.end_s if end is None else min(end, cue.end_s)) - zero,
                payload=cue.payload,
            )
            for cue in old
            if _within(cue, zero, end)
        ]
        same = [c.payload for c in wanted] == [c.payload for c in new] and all(
            abs(a.start_s - b.start_s) <= TIME_SLACK
            and min(a.end_s, last_picture - zero) - TIME_SLACK <= b.end_s <= a.end_s + TIME_SLACK
            for a, b in zip(wanted, new, strict=True)
        )
        if not same:
            both = [[(float(c.start_s), float(c.end_s), c.payload[2:22]) for c in cues] for cues in (wanted, new)]
            yield f"subtitle {number}: {both[0]} wanted, {both[1]} found"


def _timecode(told: Description, found: Description, frames: int) -> Iterator[str]:
    old = next((t.timecode for t in told.tracks if t.kind == "timecode"), None)
    new = next((t.timecode for t in found.tracks if t.kind == "timecode"), None)
    rate = round(told.frame_rate) if told.frame_rate else 0
    if old is None or new is None or not rate or ";" in old:
        return
    hours, minutes, seconds, picture = (int(part) for part in old.split(":"))
    count = ((hours * 60 + minutes) * 60 + seconds) * rate + picture + frames
    seconds, picture = divmod(count, rate)
    wanted = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{picture:02d}"
    if new != wanted:
        yield f"timecode {old} plus {frames} pictures is {wanted}, found {new}"
