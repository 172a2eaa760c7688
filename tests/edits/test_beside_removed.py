"""Removals where cuts fall on key pictures: nothing that was taken out comes back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.errors import TimeRangeError
from support.encoding import ffmpeg
from support.media import made
from support.oracle import decode_video

RANGES = [("1.3", "2.9"), ("4.42", "5")]
"""Between key pictures, which stand at each second, and from one to another."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("removed")
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=8"]
    coding = ["-c:v", "libx264", "-g", "25", "-bf", "3", "-sc_threshold", "0"]
    sound = ["-f", "lavfi", "-i", "sine=440:d=8", "-c:a", "aac"]
    for name in ("in.mp4", "in.mkv", "in.ts"):
        ffmpeg(*picture, *sound, *coding, folder / name)
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "999", folder / "one.mp4")
    ffmpeg("-i", folder / "one.mp4", "-c", "copy", folder / "one.mkv")
    return folder


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.ts"])
def test_no_removed_picture_is_shown(name: str, folder: Path, tmp_path: Path) -> None:
    source, output = folder / name, tmp_path / name
    with ffzero.open(source) as movie:
        start = movie.start if movie.media is None else Fraction(0)
        clip = movie.remove([(Fraction(low) + start, Fraction(high) + start) for low, high in RANGES])
        result = clip.write(output, boundary="keyframe")
    shown = [digest for _, digest in decode_video(source)]
    kept = [shown.index(digest) for _, digest in decode_video(output)]
    assert kept == sorted(set(kept))
    removed = {n for low, high in RANGES for n in range(200) if Fraction(low) <= Fraction(n, 25) < Fraction(high)}
    assert not removed & set(kept)
    assert set(range(75, 105)) | set(range(125, 200)) <= set(kept) | set(range(105, 111))
    assert len(kept) >= 200 - len(removed) - 10
    assert any("removed ranges" in text or "late, at the key picture" in text for text in result.warnings)


@pytest.mark.parametrize("name", ["one.mp4", "one.mkv"])
def test_where_nothing_could_be_kept_it_says_so(name: str, folder: Path, tmp_path: Path) -> None:
    with ffzero.open(folder / name) as movie, pytest.raises(TimeRangeError, match="no key picture"):
        movie.remove([(1, 2)]).write(tmp_path / name, boundary="keyframe")
    assert not list(tmp_path.iterdir())


def test_a_cut_at_keyframes_shows_nothing_that_an_edit_hides(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    source = made("three_edits.mp4")
    with ffzero.open(source) as movie:
        clip = movie[Fraction("3.183") : Fraction("5.013")]
        plan = clip.plan(boundary="keyframe")
        clip.write(output, boundary="keyframe")
    shown = len(decode_video(output))
    assert shown <= 80
    with ffzero.open(output) as movie:
        assert abs(movie.duration - Fraction(plan.duration_s)) < Fraction(1, 10)
