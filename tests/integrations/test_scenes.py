"""PySceneDetect's scene lists."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from support.media import ffmpeg_exe

scenedetect = pytest.importorskip("scenedetect")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes at 30000/1001 frames a second, which begin with frames 0, 45 and 100."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    rate = "30000/1001"
    inputs: list[str] = []
    for source, frames in (("testsrc", 45), ("mandelbrot", 55), ("rgbtestsrc", 40)):
        inputs += ["-f", "lavfi", "-i", f"{source}=size=192x108:rate={rate},trim=end_frame={frames},format=yuv420p"]
    coding = ["-filter_complex", "concat=n=3", "-c:v", "libx264", "-preset", "ultrafast", "-g", "250"]
    subprocess.run([ffmpeg_exe(), "-v", "error", *inputs, *coding, "-sc_threshold", "0", path], check=True, timeout=60)
    return path


def test_their_list_becomes_clips_of_the_same_frames(film: Path) -> None:
    from ffzero.integrations.scenes import clips_of_scenes

    scenes = scenedetect.detect(str(film), scenedetect.ContentDetector())
    assert [start.frame_num for start, _ in scenes] == [0, 45, 100]
    with ffzero.open(film) as movie:
        clips = clips_of_scenes(movie, scenes)
        numbers = [[round(frame.time * 30) for frame in clip.frames(format="yuv")] for clip in clips]
        firsts = [clip.frame_at(0).array for clip in clips]
        assert [len(each) for each in numbers] == [45, 55, 40]
        assert all((first == movie.frame_at(Fraction(n * 1001 + 1, 30_000)).array).all()
                   for first, n in zip(firsts, (0, 45, 100), strict=True))  # fmt: skip


def test_our_scenes_as_their_list(film: Path) -> None:
    from ffzero.integrations.scenes import clips_of_scenes, scene_list

    with ffzero.open(film) as movie:
        scenes = scene_list(movie)
        starts = [Fraction(start.pts) * start.time_base for start, _ in scenes]
        assert starts == [Fraction(n * 1001, 30_000) for n in (0, 45, 100)]
        assert scenes[0][1] == scenes[1][0]
        clips = clips_of_scenes(movie, scenes)
        assert [sum(1 for _ in clip.frames(format="yuv")) for clip in clips] == [45, 55, 40]
