"""Splits: the parts together are the whole, each picture in just one of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.edits.parts import scenes as scene_seam
from ffzero.errors import CancelledError, TimeRangeError, UnsupportedError, UsageError
from ffzero.reporting import CancelToken, ProgressEvent
from support.media import ffmpeg_exe, made
from support.oracle import decode_video, keyframe_times
from support.samples import plain_sample


@pytest.fixture(scope="module")
def movie() -> ffzero.Movie:
    return ffzero.open(plain_sample())


def ranges(parts: Sequence[ffzero.Clip]) -> list[list[tuple[Fraction | None, Fraction | None]]]:
    return [[(piece.start, piece.end) for piece in part.pieces] for part in parts]


def digests(path: Path) -> list[str]:
    return [digest for _, digest in decode_video(path)]


def written(parts: Sequence[ffzero.Clip], folder: Path, suffix: str, **options: Any) -> list[Path]:
    return [Path(part.write(folder / f"{n}{suffix}", **options)) for n, part in enumerate(parts)]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("h264_open_gop.mp4", {"at": [Fraction(1, 3), 1, "2.22", 3.003]}),
        ("vfr.mp4", {"at": [0.5, "0:01.01", 4]}),
        ("vfr.mp4", {"every": "1", "boundary": "keyframe"}),
        ("hevc_cra_rasl_hvc1.mp4", {"every": Fraction(7, 3)}),
        ("h264_open_gop.mp4", {"size_bytes": 100_000}),
        ("frag_sidx.mp4", {"every": 3}),
    ],
)
def test_the_parts_decode_to_the_whole(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    parts = ffzero.open(made(name)).split(**how)
    files = written(parts, tmp_path, ".mp4", boundary=how.get("boundary", "auto"))
    assert len(files) > 2
    assert [digest for file in files for digest in digests(file)] == digests(made(name))


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_other_containers_are_split_at_key_pictures(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    subprocess.run(
        [ffmpeg_exe(), "-v", "error", "-i", plain_sample(), "-t", "9", "-c", "copy", source], check=True, timeout=30
    )
    files = written(ffzero.open(source).split(at=[1, 3, "3.5", 7]), tmp_path, suffix)
    whole = digests(source)
    assert [len(digests(file)) for file in files] == [50, 100, len(whole) - 150]  # keyframes at 0, 2, 4, 6
    assert [digest for file in files for digest in digests(file)] == whole


def test_other_containers_are_not_split_where_pictures_cross_a_key_picture(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    argv = [ffmpeg_exe(), "-v", "error", "-i", made("h264_open_gop.mp4"), "-c", "copy", source]
    subprocess.run(argv, check=True, timeout=30)
    movie = ffzero.open(source)
    files = written(movie.split(every=1), tmp_path, ".mkv")
    assert len(files) < len(movie.keyframes())
    assert [digest for file in files for digest in digests(file)] == digests(source)


class TestTimes:
    def test_parts_begin_at_the_next_picture(self, movie: ffzero.Movie) -> None:
        parts = movie.split(at=["0:10.01", 20])  # 25 frames per second
        assert ranges(parts) == [[(None, Fraction("10.04"))], [(Fraction("10.04"), 20)], [(20, None)]]
        assert sum(part.duration for part in parts) == movie.duration

    def test_times_between_the_same_two_pictures_are_one(self, movie: ffzero.Movie) -> None:
        assert ranges(movie.split(at=[10.01, 10.02, 10.04])) == ranges(movie.split(at=[10.04]))

    def test_order_does_not_matter_nor_does_zero(self, movie: ffzero.Movie) -> None:
        assert ranges(movie.split([30, 0, 10])) == ranges(movie.split([10, 30]))

    def test_every(self, movie: ffzero.Movie) -> None:
        assert len(movie.split(every="0:30")) == 3
        assert ranges(movie.split(every=1000)) == [[(None, None)]]

    def test_a_clip_is_split_on_its_own_clock_and_over_joints(self, movie: ffzero.Movie) -> None:
        clip = movie[10:20] + movie[40:50]
        assert ranges(clip.split(every=8)) == [[(10, 18)], [(18, 20), (40, 46)], [(46, 50)]]
        assert ranges(clip.split(at=[10])) == [[(10, 20)], [(40, 50)]]

    def test_keyframe_parts_begin_at_the_key_picture_before(self, movie: ffzero.Movie) -> None:
        parts = movie.split(at=[1, 5, 5.9, 7.2], boundary="keyframe")  # a key picture every 2 s
        assert ranges(parts) == [[(None, 4)], [(4, 6)], [(6, None)]]

    def test_an_open_key_picture_is_no_place_for_a_keyframe_cut(self) -> None:
        movie = ffzero.open(made("h264_open_gop.mp4"))
        assert len(movie.keyframes()) > 3
        assert len(movie.split(every=1, boundary="keyframe")) == 1

    @pytest.mark.parametrize(
        ("how", "error"),
        [
            ({}, UsageError),
            ({"at": [1], "every": 1}, UsageError),
            ({"at": []}, UsageError),
            ({"at": "10"}, UsageError),
            ({"at": ["soon"]}, TimeRangeError),
            ({"at": [-1]}, TimeRangeError),
            ({"at": [10, 1000]}, TimeRangeError),
            ({"every": 0}, TimeRangeError),
            ({"every": "0.0001"}, UsageError),
            ({"size_bytes": 0}, UsageError),
            ({"chapters": True}, UsageError),
        ],
    )
    def test_nonsense(self, movie: ffzero.Movie, how: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error):
            movie.split(**how)


class TestSizes:
    LIMIT = 300_000

    def test_parts_are_as_large_as_may_be_and_begin_with_key_pictures(
        self, movie: ffzero.Movie, tmp_path: Path
    ) -> None:
        parts = movie.split(size_bytes=self.LIMIT)
        sizes = [file.stat().st_size for file in written(parts, tmp_path, ".mp4")]
        assert len(sizes) > 3
        assert max(sizes) <= self.LIMIT
        starts = [part.pieces[0].start for part in parts[1:]]
        keys = keyframe_times(plain_sample())
        assert set(starts) <= set(keys)
        for part, start in zip(parts, [None, *starts], strict=False):
            end = part.pieces[-1].end
            further = next((key for key in keys if end is not None and key > end), None)
            if further is not None:
                assert (movie[start:further].plan().bytes_total or 0) > self.LIMIT
        assert not any(
            segment.hidden_before for part in parts for segment in part.plan().segments if segment.kind == "video"
        )

    def test_one_that_fits_stays_whole(self, movie: ffzero.Movie) -> None:
        assert ranges(movie.split(size_bytes=1 << 40)) == [[(None, None)]]

    def test_less_than_a_group_of_pictures_is_an_error(self, movie: ffzero.Movie) -> None:
        with pytest.raises(UsageError, match=r"up to the next key picture, takes .* bytes"):
            movie.split(size_bytes=10_000)

    def test_only_where_sizes_are_known(self, tmp_path: Path) -> None:
        source = tmp_path / "in.mkv"
        ffzero.open(plain_sample())[:5].write(source)
        with pytest.raises(UnsupportedError, match="only MP4 and MOV"):
            ffzero.open(source).split(size_bytes=100_000)


class TestChapters:
    def test_parts_begin_with_the_chapters(self) -> None:
        movie = ffzero.open(made("multi.mp4"))
        starts = [chapter.start_s for chapter in movie.info().chapters]
        assert len(starts) > 1
        parts = movie.split(chapters=True)
        edges = [*(start for start in starts if start > movie.start), None]
        for part, edge in zip(parts, edges, strict=True):
            end = part.pieces[0].end
            assert end is edge is None or (end is not None and edge is not None and 0 <= end - edge < Fraction(1, 20))

    def test_those_of_a_clip_are_on_its_own_clock(self) -> None:
        movie = ffzero.open(made("multi.mp4"))
        first, second = movie[:].chapters()[:2]
        clip = movie[first.end_s - Fraction(1, 2) :]
        found = clip.chapters()
        assert (found[0].title, found[0].start_s, found[0].end_s) == (first.title, 0, Fraction(1, 2))
        assert (found[1].title, found[1].start_s) == (second.title, Fraction(1, 2))
        twice = (movie[: first.end_s] + movie[: first.end_s]).chapters()
        assert [chapter.title for chapter in twice] == [first.title] * 2


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of 45 pictures each at 30000/1001 per second, with B-frames, and no key picture at the changes."""
    path = tmp_path_factory.mktemp("scenes") / "in.mp4"
    look = "=size=192x108:rate=30000/1001:duration=1.5015"
    inputs = [f"testsrc2{look}", f"smptebars{look}", "mandelbrot=size=192x108:rate=30000/1001"]
    argv = [ffmpeg_exe(), "-v", "error", *(word for name in inputs for word in ("-f", "lavfi", "-i", name))]
    argv += ["-filter_complex", "[2:v]trim=end_frame=45[c];[0:v][1:v][c]concat=n=3", "-pix_fmt", "yuv420p"]
    argv += ["-c:v", "libx264", "-g", "999", "-sc_threshold", "0", "-bf", "3", str(path)]
    subprocess.run(argv, check=True, timeout=60)
    return path


class TestScenes:
    CHANGES = (Fraction(45 * 1001, 30_000), Fraction(90 * 1001, 30_000))

    @pytest.fixture(autouse=True)
    def detector(self) -> None:
        pytest.importorskip("scenedetect")

    def test_parts_begin_exactly_with_the_scenes(self, scenes: Path, tmp_path: Path) -> None:
        events: list[ProgressEvent] = []
        parts = ffzero.open(scenes).split(scenes=True, reporter=events.append)
        assert ranges(parts) == [[pair] for pair in pairwise([None, *self.CHANGES, None])]
        assert {event.stage for event in events} == {"scenes"}
        assert [len(digests(file)) for file in written(parts, tmp_path, ".mp4")] == [45, 45, 45]

    def test_in_a_clip_they_are_on_its_own_clock(self, scenes: Path) -> None:
        clip = ffzero.open(scenes)["0.5":]
        assert ranges(clip.split(scenes=True))[1][0][0] == self.CHANGES[0]
        assert len(ffzero.open(scenes)["1.6":"2.9"].split(scenes=True)) == 1

    def test_threshold(self, scenes: Path) -> None:
        assert len(ffzero.open(scenes).split(scenes=255)) == 1

    def test_can_be_cancelled(self, scenes: Path) -> None:
        token = CancelToken()
        token.cancel()
        with pytest.raises(CancelledError):
            ffzero.open(scenes).split(scenes=True, cancel=token)

    def test_there_must_be_pictures(self, tmp_path: Path) -> None:
        sound = tmp_path / "in.m4a"
        argv = [ffmpeg_exe(), "-v", "error", "-i", plain_sample(), "-vn", "-t", "3", "-c", "copy", sound]
        subprocess.run(argv, check=True, timeout=30)
        with pytest.raises(UnsupportedError, match="no pictures"):
            ffzero.open(sound).split(scenes=True)


def test_without_a_scene_detector_the_extra_is_named(movie: ffzero.Movie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect.common", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'ffzero\[scenes\]'"):
        movie.split(scenes=True)


def test_another_detector_may_be_handed_in(movie: ffzero.Movie) -> None:
    class Known:
        def changes(self, path: str, start_s: Fraction, end_s: Fraction, **_: Any) -> Iterator[Fraction]:
            return iter([start_s + Fraction("1.0007")])

    before = list(scene_seam._provider)
    try:
        scene_seam.use_scene_detector(Known)  # type: ignore[arg-type]
        assert ranges(movie[10:20].split(scenes=True)) == [[(10, 11)], [(11, 20)]]
    finally:
        scene_seam._provider[:] = before


def test_sound_alone_is_split_at_the_times_themselves(tmp_path: Path) -> None:
    source = tmp_path / "in.m4a"
    argv = [ffmpeg_exe(), "-v", "error", "-i", plain_sample(), "-vn", "-t", "9", "-c", "copy", source]
    subprocess.run(argv, check=True, timeout=30)
    parts = ffzero.open(source).split(at=["1.0007", 5])
    assert ranges(parts) == [[(None, Fraction("1.0007"))], [(Fraction("1.0007"), 5)], [(5, None)]]
    written(parts, tmp_path, ".m4a")
