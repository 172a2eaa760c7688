"""Every cut shows exactly the pictures of its range, with their sound, as FFmpeg sees both files.

By default two random and six chosen cuts of every file; ``--exhaustive`` makes it ten random ones, and whole copies of
the long files too. Real files come from ``FFZERO_MEDIA``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.errors import EncryptedError, RenderRequiredError
from support import media, synth
from support.boxes import interior_edits
from support.oracle import Frame, decode, decode_video_pyav, describe, keyframe_times
from support.rendering import Picture, check_pictures, pictures
from support.verdict import check_cut, expected_frames

TARGETED = ("first-picture", "one-picture", "last-picture", "at-keyframe", "before-keyframe", "after-keyframe")
LONG = frozenset({"long_1080p_lowbitrate.mp4", "long_180p_av1.mp4"})
"""Decoding these whole takes FFmpeg tens of seconds."""
SHORT_S = Fraction(3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A half-open range in seconds; ``None`` leaves that end of the slice open."""

    start: Fraction | None
    end: Fraction | None

    def __str__(self) -> str:
        return f"[{_text(self.start)} : {_text(self.end)})"

    def of(self, movie: Any) -> Any:
        return movie[self.start : self.end]


def _text(time: Fraction | None) -> str:
    return "" if time is None else f"{time} = {float(time):.6f} s"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"item", "kind"} <= set(metafunc.fixturenames):
        whole = bool(metafunc.config.getoption("--exhaustive"))
        params = [
            pytest.param(item, kind, id=f"{item.name}-{kind}", marks=pytest.mark.xdist_group(item.name))
            for item in media.playable()
            for kind in _kinds(item, whole)
        ]
        metafunc.parametrize(("item", "kind"), params)


def _kinds(item: media.Media, exhaustive: bool) -> Iterator[str]:
    yield from (f"random-{number}" for number in range(10 if exhaustive else 2))
    yield from TARGETED
    if exhaustive or item.name not in LONG:
        yield "whole"


def shown(item: media.Media) -> list[Frame]:
    """Return the pictures of the file's main video, in the order shown.

    FFmpeg's muxers never let time run backwards, but where a part of the file with three edits overlaps the next, its
    demuxer does: the times of that file are PyAV's.
    """
    path = item.path()
    kinds = [track.kind for track in describe(path, key=item.key).tracks if track.kind in ("video", "cover")]
    frames = list(decode(path, key=item.key, keep=True).videos[kinds.index("video")])
    if not interior_edits(path):
        return frames
    times = [pts for pts, _ in decode_video_pyav(path)]
    return [Frame(pts=pts, digest=frame.digest) for pts, frame in zip(times, frames, strict=True)]


def choose(kind: str, item: media.Media, frames: list[Frame]) -> Cut:
    """Return the cut that ``kind`` means for this file; the same one in every run."""
    times = sorted({frame.pts for frame in frames if frame.pts >= 0})  # the movie's timeline begins at 0
    dice = random.Random(f"{item.name} {kind}")
    if kind == "whole":
        return Cut(start=None, end=None)
    if kind.startswith("random"):
        return _random_cut(times, dice)
    if kind == "last-picture":
        return Cut(start=times[-1], end=None)
    if kind == "first-picture":
        return Cut(start=times[0], end=times[1] if len(times) > 1 else None)
    if kind == "one-picture":
        middle = len(times) // 2
        return Cut(start=times[middle], end=times[middle + 1])
    keys = sorted(set(keyframe_times(item.path())) & set(times)) or times[:1]
    later = keys[1:] or keys
    at = times.index(later[dice.randrange(len(later))])
    index = {"at-keyframe": at, "before-keyframe": max(0, at - 1), "after-keyframe": min(len(times) - 1, at + 1)}[kind]
    start = times[index]
    return Cut(start=start, end=start + SHORT_S)


def _random_cut(times: list[Fraction], dice: random.Random) -> Cut:
    """Return a range with at least one picture; its ends fall anywhere, its lengths from a picture to 20 s alike."""
    total = max(times[-1] - times[0], Fraction(1, 1000))
    longest = min(float(total), 20.0)
    length = longest * math.exp(dice.random() * math.log(0.02 if longest > 1 else 0.2))
    start = times[0] + total * Fraction(dice.randrange(990_000), 1_000_000)
    start = Fraction(round(start * 1_000_000), 1_000_000)
    following = next(time for time in times if time >= start - Fraction(1, 1_000_000))
    end = Fraction(math.ceil(max(start + Fraction(length), following + Fraction(1, 1000)) * 1000), 1000)
    return Cut(start=max(start, Fraction(0)), end=end)


def crossed_edits(item: media.Media, cut: Cut, frames: list[Frame]) -> bool:
    """Whether the cut has pictures on both sides of a jump from one edit to the next."""
    if item.name != "three_edits.mp4":
        return False
    ends = [round(sum(shown for shown, _ in synth.THREE_EDITS[: number + 1]) * 25) for number in range(2)]
    places = [frames.index(frame) for frame in expected_frames(frames, cut.start or Fraction(0), cut.end)]
    return any(min(places) < end <= max(places) for end in ends)


def one_after_another(found: list[Picture]) -> Iterator[Picture]:
    """Yield pictures without overlaps: FFmpeg lets the second edit of the file begin before the first has ended."""
    last = None
    for one in found:
        time = one.time if last is None else max(one.time, last + Fraction(1, 25))
        yield Picture(time=time, planes=one.planes)
        last = time


@pytest.mark.timeout(300)
def test_a_cut_shows_exactly_its_range(item: media.Media, kind: str, tmp_path: Path) -> None:
    frames = shown(item)
    cut = choose(kind, item, frames)
    output = tmp_path / f"out{item.path().suffix}"
    try:
        with ffzero.open(item.path()) as movie:
            clip = cut.of(movie)
            clip.plan(boundary="auto")
            result = clip.write(output, overwrite=True)
    except RenderRequiredError as error:
        assert crossed_edits(item, cut, frames), f"{item.name} {kind} {cut}: nothing here needs coding: {error}"
        assert not output.exists(), f"{item.name} {kind} {cut}: refused, and yet there is an output"
        return
    except EncryptedError:
        assert item.key, f"{item.name} {kind} {cut}: this file is not encrypted"
        return
    if result.frames_rendered:
        assert crossed_edits(item, cut, frames), f"{item.name} {kind} {cut}: nothing here needs coding"
        # From the beginning: FFmpeg does not seek to the right place behind an edit.
        begin, end = cut.start or Fraction(0), cut.end
        wanted = [one for one in pictures(item.path()) if one.time >= begin and (end is None or one.time < end)]
        wanted = list(one_after_another(wanted))
        assert check_pictures(wanted, pictures(output), peak=255, rendered=result.frames_rendered) == []
        return
    problems = check_cut(
        item.path(),
        output,
        cut.start or Fraction(0),
        cut.end,
        key=item.key,
        frames=frames,
        warnings=[str(warning) for warning in getattr(result, "warnings", ())],
    )
    assert not problems, f"{item.name} {kind} {cut}:\n  " + "\n  ".join(problems)


@pytest.mark.parametrize(
    "name", ["h264_open_gop.mp4", "hevc_cra_rasl_hvc1.mp4", "frag_sidx.mp4", "sparse_4g5_co64.mp4"]
)
def test_a_clip_that_is_not_written_shows_its_range_too(name: str) -> None:
    path = media.made(name)
    start, end = Fraction(23, 10), Fraction(41, 10)
    wanted = [(pts, digest) for pts, digest in decode_video_pyav(path) if start <= pts < end]
    with ffzero.open(path) as movie, movie[start:end].open() as file:
        got = decode_video_pyav(file)
    assert [digest for _, digest in got] == [digest for _, digest in wanted]
    assert max(abs((g - got[0][0]) - (w - wanted[0][0])) for (g, _), (w, _) in zip(got, wanted, strict=True)) < 0.002
