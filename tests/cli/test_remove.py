"""``ffzero remove``: its ranges, and what is written and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffzero.cli.demo_media import shown_times
from support.command_line import call
from support.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_rest_is_written(folder: Path) -> None:
    outcome = call("remove", "in.mp4", "-o", "out.mp4", "--range", "0:10-0:20", "--range", "70-", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.object["frames_copied"] == len(shown_times(Path("out.mp4"))) == 60 * 25


def test_dry_run_shows_the_plan_and_writes_nothing(folder: Path) -> None:
    outcome = call("remove", "in.mp4", "-o", "out.mp4", "--range", "-10", "--range=15 - 20", "--dry-run", "--json")
    pieces = [(piece["start_s"], piece["end_s"]) for piece in outcome.object["pieces"]]
    assert pieces[0] == (10, 15)
    assert pieces[1][0] == 20
    assert not Path("out.mp4").exists()


def test_boundary_keyframe_copies_all(folder: Path) -> None:
    argv = ["remove", "in.mp4", "--range", "10.3-20.7", "--dry-run", "--json", "--boundary", "keyframe"]
    assert call(*argv).object["frames_rendered"] == 0


def test_an_existing_output_is_kept_unless_told(folder: Path) -> None:
    Path("out.mp4").write_text("precious")
    argv = ["remove", "in.mp4", "-o", "out.mp4", "--range", "10-20"]
    assert call(*argv).status == 2
    assert Path("out.mp4").read_text() == "precious"
    assert call(*argv, "-y").status == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["--range START-END"]),
        (["--range", "10"], ["--range", "'10'", "START-END"]),
        (["--range", "-"], ["--range"]),
        (["--range", "20-10"], ["does not end after its start"]),
        (["--range", "10-x"], ["--range", "'x'"]),
        (["--range", "10--5"], ["--range", "'-5'"]),
    ],
)
def test_nonsense_is_refused_before_anything_is_opened(options: list[str], words: list[str]) -> None:
    outcome = call("remove", "no such file", "-o", "out.mp4", *options)
    assert outcome.status == 2
    assert all(word in outcome.message for word in words), outcome.message


@pytest.mark.parametrize("ranges", [["0-"], ["0-50", "40-90"], ["100-110"]])
def test_nothing_left_or_nothing_there(folder: Path, ranges: list[str]) -> None:
    options = [word for text in ranges for word in ("--range", text)]
    assert call("remove", "in.mp4", "-o", "out.mp4", *options).status == 2
    assert not Path("out.mp4").exists()
