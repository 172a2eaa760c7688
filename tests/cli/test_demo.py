"""``ffzero demo``: it keeps its hands off what is there, and its checks are checks."""

from __future__ import annotations

import shutil
from collections import namedtuple
from fractions import Fraction
from pathlib import Path

import pytest

from ffzero.cli import demo_media
from ffzero.cli.demo import new_folder
from ffzero.cli.demo_media import compare, ffmpeg, ffmpeg_cut
from ffzero.errors import FFZeroError, OutputError
from support.command_line import call
from support.samples import plain_sample


class TestFolder:
    def test_a_new_one_is_taken_as_it_is(self, tmp_path: Path) -> None:
        with new_folder(tmp_path / "a" / "b") as folder:
            assert folder == tmp_path / "a" / "b"
        assert folder.is_dir()

    def test_in_an_existing_one_each_run_has_its_own(self, tmp_path: Path) -> None:
        names = []
        for _ in range(3):
            with new_folder(tmp_path) as folder:
                names.append(folder.name)
        assert names == ["ffzero-demo", "ffzero-demo-2", "ffzero-demo-3"]

    def test_an_error_takes_it_away_and_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(ZeroDivisionError), new_folder(tmp_path) as folder:
            (folder / "sample.mp4").touch()
            raise ZeroDivisionError
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(OutputError, match="cannot be made"), new_folder(tmp_path / "mine"):
            pass


def test_too_little_space_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 1_000_000))
    outcome = call("demo", tmp_path)
    assert outcome.status == 1
    assert "2.5 GB of free space, and 1 MB are left" in outcome.message
    assert list(tmp_path.iterdir()) == []


def test_ffmpeg_failing_is_an_error_with_its_words() -> None:
    with pytest.raises(FFZeroError, match="No such file"):
        ffmpeg("-i", "no-such-file.mp4", "-f", "null", "-")


class TestCompare:
    def test_finds_an_inexact_cut(self, tmp_path: Path) -> None:
        start, end = Fraction("10.5"), Fraction(20)
        ffmpeg_cut(plain_sample(), tmp_path / "cut.mkv", start, end)
        assert not compare(tmp_path / "cut.mkv", [(plain_sample(), start, end)]).exact

    def test_finds_wrong_pictures(self) -> None:
        half = (plain_sample(), Fraction(0), Fraction(40))
        found = compare(plain_sample(), [half, half])
        assert found.shown == found.expected
        assert found.same < found.compared
        assert not found.exact

    def test_accepts_the_file_itself(self) -> None:
        assert compare(plain_sample(), [(plain_sample(), Fraction(0), Fraction(80))]).exact


def test_the_whole_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small_sample(output: Path, *, loops: int) -> None:
        ffmpeg("-stream_loop", "1", "-i", plain_sample(), "-c", "copy", output)

    monkeypatch.setattr(demo_media, "make_sample", small_sample)
    (tmp_path / "cut.mp4").write_bytes(b"mine")
    outcome = call("demo", tmp_path)
    assert outcome.status == 0, outcome.err
    assert outcome.out.count("beside it: ffmpeg -c copy") == 2
    assert outcome.out.count("pictures are identical") == 2
    assert (tmp_path / "cut.mp4").read_bytes() == b"mine"
    made = {path.name for path in (tmp_path / "ffzero-demo").iterdir()}
    assert made == {"sample.mp4", "cut.mp4", "part1.mp4", "part2.mp4", "joined.mp4"}
