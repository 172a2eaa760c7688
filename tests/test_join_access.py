"""Joins that are read without being written, and joins from the command line.

FFmpeg and PyAV are the judges (``support.joins``).
"""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from support import media, oracle
from support.command_line import call
from support.joins import (
    check_join,
    clip_of,
    made,
)
from support.shown import shown as pictures_of
from support.written_joins import EXACT, after_seek, groups, whole

NAMES = ("with space.mp4", "quo'te\".mp4", "new\nline.mp4", "🎬.mp4", "-dash.mp4", "a,b;c:d|e\\f#%20.mp4")


class TestUnwritten:
    def test_a_file_object_has_the_bytes_that_are_written(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 3)))
        clip.write(tmp_path / "out.mp4")
        written = (tmp_path / "out.mp4").read_bytes()
        with clip.open() as file:
            assert file.readable() and file.seekable() and not file.writable()
            assert file.read() == written
            assert file.seek(-100, 2) == len(written) - 100
            assert file.read() == written[-100:]
            assert (file.seek(5000), file.read(70000)) == (5000, written[5000:75000])

    def test_pyav_reads_and_seeks_it(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 5)))
        clip.write(tmp_path / "out.mp4")
        wanted = oracle.decode_video_pyav(tmp_path / "out.mp4")
        with clip.open() as file:
            assert oracle.decode_video_pyav(file) == wanted
        for at in (Fraction(2), Fraction("0.3"), Fraction("1.52")):
            with clip.open() as file:
                assert after_seek(file, at) == next(item for item in wanted if item[0] >= at)

    def test_ffmpeg_reads_and_seeks_it(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 5)))
        clip.write(tmp_path / "out.mp4")
        with clip.ffmpeg_input() as arguments:
            for seek in ([], ["-ss", "0.92"], ["-ss", "2"]):
                assert frame_hashes(*seek, *arguments) == frame_hashes(*seek, "-i", str(tmp_path / "out.mp4"))
            wanted = oracle.decode_video_pyav(tmp_path / "out.mp4")
            for at in (Fraction("1.52"), Fraction("0.3")):
                found = after_seek(arguments.url, at, arguments.options)
                assert found == next(item for item in wanted if item[0] >= at)

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        shutil.copyfile(made("a.mp4"), name)
        clip = ffzero.concat([name, made("b.mp4"), name])
        result = clip.write(f"out {name}")
        parts = whole("a.mp4", "b.mp4", "a.mp4")
        assert check_join(Path(str(result)).absolute(), parts, time_slack=EXACT) == []
        with clip.ffmpeg_input() as arguments:
            assert frame_hashes(*arguments) == frame_hashes("-i", str(Path(result).absolute()))


def frame_hashes(*arguments: str) -> list[str]:
    """Return what FFmpeg says of every picture of an input; it must not complain."""
    argv = [media.ffmpeg_exe(), "-nostdin", "-v", "warning", *arguments, "-map", "0:v", "-f", "framehash", "-"]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    lines = [line for line in run.stdout.splitlines() if not line.startswith("#")]
    assert lines
    return lines


class TestCommandLine:
    def test_concat(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        outcome = call("concat", made("a.mp4"), made("b.mp4"), "-o", output, "--json")
        assert outcome.status == 0, outcome
        assert outcome.object["frames_copied"] == 200
        assert check_join(output, whole("a.mp4", "b.mp4"), time_slack=EXACT) == []
        assert call("concat", made("a.mp4"), made("b.mp4"), "-o", output).status == 2, "it is there"

    def test_concat_that_needs_coding(self, tmp_path: Path) -> None:
        argv = ["concat", made("a.mp4"), made("small.mp4"), "-o", tmp_path / "out.mp4"]
        dry = call(*argv, "--dry-run")
        assert "size differs (160×120 and 128×96)" in dry.out
        outcome = call(*argv, "--json")
        assert outcome.status == 0, outcome
        assert (outcome.object["frames_copied"], outcome.object["frames_rendered"]) == (100, 100)
        like = call(*argv[:3], "-o", tmp_path / "like.mp4", "--like", made("small.mp4"), "--json")
        assert like.status == 0
        assert pictures_of(tmp_path / "like.mp4")[0].width == 128

    def test_dry_run(self, tmp_path: Path) -> None:
        argv = ["cut", made("a.mp4"), "-s", "0.5", "-e", "1.5", "-o", tmp_path / "out.mp4", "--dry-run", "--json"]
        plan = call(*argv).object
        assert plan["frames_copied"] == 25 and plan["frames_rendered"] == 0 and not plan["needs_render"]
        video = next(segment for segment in plan["segments"] if segment["kind"] == "video")
        assert video["action"] == "copy" and video["hidden_before"] >= 2
        plan = call(*argv, "--boundary", "render").object
        assert plan["needs_render"] and plan["frames_rendered"] > 0
        assert list(tmp_path.iterdir()) == []
