"""Joins of whole files and of groups of pictures: each picture once, in order and in time.

FFmpeg and PyAV are the judges (``support.joins``). Real files come from ``FFZERO_MEDIA``.
"""

from __future__ import annotations

import itertools
import shutil
import time
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from support import boxes, oracle
from support.joins import (
    GOP,
    check_join,
    check_samples,
    edits,
    made,
    movie_seconds,
    sections,
)
from support.written_joins import EXACT, MILLISECOND, groups, whole, write


class TestWholeFiles:
    def test_a_real_set(self, ffzero_media: Path, tmp_path: Path) -> None:
        names = [ffzero_media / "real" / f"append_v{number}.mp4" for number in (1, 2, 3)]
        output = tmp_path / "out.mp4"
        ffzero.concat_videos(names, output)
        parts = sections(*[(name, None, None) for name in names])
        assert check_join(output, parts, time_slack=MILLISECOND) == []

    def test_a_file_with_itself(self, ffzero_media: Path, tmp_path: Path) -> None:
        name = ffzero_media / "real" / "append_v1.mp4"
        output = tmp_path / "out.mp4"
        result = ffzero.concat_videos([name, name, name], output)
        assert result.warnings == ()
        assert check_join(output, sections(*[(name, None, None)] * 3)) == []

    def test_sound_that_only_the_second_file_has_is_not_lost(self, tmp_path: Path) -> None:
        ffzero.concat_videos([made("b_silent.mp4"), made("b.mp4")], tmp_path / "out.mp4")
        after = oracle.decode_audio_pcm(tmp_path / "out.mp4")
        assert after is not None and after.start_s < MILLISECOND
        whole_sound = oracle.decode_audio_pcm(made("b.mp4"))
        assert whole_sound is not None
        assert abs(len(after.samples) - len(whole_sound.samples) - 4 * after.rate) <= 1024
        assert not after.samples[: round(3.9 * after.rate)].any() and after.samples[5 * after.rate :].any()

    def test_a_hundred_files(self, tmp_path: Path) -> None:
        names = [tmp_path / f"{number:03d}.mp4" for number in range(100)]
        for name, model in zip(names, itertools.cycle(("a.mp4", "b_90000.mp4")), strict=False):
            shutil.copyfile(made(model), name)
        output = tmp_path / "out.mp4"
        started = time.perf_counter()
        result = ffzero.concat_videos(names, output)
        elapsed_s = time.perf_counter() - started
        assert result.frames_copied == 100 * 100
        assert elapsed_s < 6, "what is read is a hundred headers"
        parts = whole(*itertools.islice(itertools.cycle(("a.mp4", "b_90000.mp4")), 100))
        assert check_join(output, parts, time_slack=EXACT) == []


class TestGroupsOfPictures:
    @pytest.mark.parametrize(
        "ranges",
        [
            [("a.mp4", 2, 4), ("a.mp4", 7, 9)],
            [("a.mp4", 7, 10), ("a.mp4", 0, 1), ("a.mp4", 0, 1)],
            [("a.mp4", 2, 4), ("b.mp4", 1, 3), ("a.mp4", 0, 1), ("b.mp4", 9, 10)],
            [("a_441.mp4", 1, 2), ("a_441.mp4", 3, 5)],
            [("hevc.mp4", 1, 3), ("hevc.mp4", 5, 6), ("hevc.mp4", 0, 2)],
            [("a.mov", 1, 3), ("b.mov", 1, 3)],
        ],
        ids=["one file", "backwards", "two files", "44.1 kHz", "HEVC", "MOV"],
    )
    def test_each_picture_once_and_in_order(self, ranges: list[tuple[str, int, int]], tmp_path: Path) -> None:
        parts = groups(*ranges)
        output = tmp_path / f"out{parts[0].path.suffix}"
        result = write(parts, output)
        assert result.frames_copied == sum(10 * (stop - first) for _, first, stop in ranges)
        assert result.warnings == ()
        assert check_join(output, parts, time_slack=EXACT) == []

    @pytest.mark.parametrize("pair", [("a.mp4", "b.mp4"), ("a_441.mp4", "a_441.mp4")], ids=["48 kHz", "44.1 kHz"])
    def test_fifty_joints_do_not_drift(self, pair: tuple[str, str], tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = groups(*[(pair[number % 2], number % 9, number % 9 + 1) for number in range(51)])
        write(parts, output)
        assert check_join(output, parts, time_slack=EXACT) == []
        assert abs(movie_seconds(output) - 51 * GOP) < MILLISECOND

    @pytest.mark.parametrize("names", [("a_pcm.mov", "b_pcm.mov"), ("a_pcm.mov", "a_pcm.mov")], ids=["two", "one"])
    def test_uncompressed_sound_to_the_sample(self, names: tuple[str, str], tmp_path: Path) -> None:
        output = tmp_path / "out.mov"
        parts = groups((names[0], 2, 4), *[(names[number % 2], number % 9, number % 9 + 1) for number in range(20)])
        write(parts, output)
        assert check_join(output, parts, time_slack=EXACT, sound=0) == []
        assert check_samples(output, parts) == []

    def test_pieces_that_go_on_merge(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        (movie[0:2] + movie[2:4]).write(tmp_path / "two.mp4")
        movie[0:4].write(tmp_path / "one.mp4")
        assert (tmp_path / "two.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
        assert len((movie["0:00.3" : Fraction(13, 10)] + movie[1.3:2] + movie[2:4]).pieces) == 1


def test_moov_and_edits_of_a_long_join(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    write(groups(*[("a.mp4", number, number + 1) for number in (3, 1, 4, 1, 5, 9)]), output)
    assert [len(track) for track in edits(output)] == [1, 1]
    assert [box.kind for box in boxes.top_level(output)][:2] == [b"ftyp", b"moov"]
    video, sound = edits(output)
    assert video[0][0] == 6 * GOP
    assert abs(sound[0][0] - 6 * GOP) <= Fraction(1024, 48000)
