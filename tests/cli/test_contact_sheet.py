"""``ffzero contact-sheet``: full sheets of exact frames, with their times."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

import ffzero
from ffzero.cli.label import draw_label
from support.command_line import call
from support.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sheet(path: str) -> np.ndarray:
    with av.open(path) as container:
        (frame,) = container.decode(video=0)
    return frame.to_ndarray(format="rgb24")


@pytest.mark.parametrize("span", [["-s", "10", "-d", "3"], []])
def test_tiles_are_the_frames_at_the_middles(folder: Path, span: list[str]) -> None:
    outcome = call("contact-sheet", "in.mp4", "-o", "sheet.png", "--grid", "4x3", "--width", 640, *span, "--json")
    assert outcome.status == 0, outcome.err
    length, start = (3, 10) if span else (80, 0)
    times = [start + length * (2 * number + 1) / 24 for number in range(12)]
    assert outcome.object["times_s"] == pytest.approx(times)
    picture = sheet("sheet.png")
    assert picture.shape == (90 * 3, 640, 3)
    with ffzero.open("in.mp4") as movie:
        frames = movie.frames_at(outcome.object["times_s"], size="160x")
    for number, frame in enumerate(frames):
        row, column = divmod(number, 4)
        assert np.array_equal(picture[row * 90 : row * 90 + 90, column * 160 : column * 160 + 160], frame.array)


def test_a_video_shorter_than_its_tiles_has_a_full_sheet(folder: Path) -> None:
    with ffzero.open("in.mp4") as movie:
        movie[0:0.2].write("short.mp4", boundary="render")
    assert call("contact-sheet", "short.mp4", "-o", "sheet.png", "--width", 640).status == 0
    tiles = sheet("sheet.png").reshape(3, 90, 4, 160, 3)
    assert all(tiles[row, :, column].std() > 20 for row in range(3) for column in range(4))
    assert not np.array_equal(tiles[0, :, 0], tiles[2, :, 3])


def test_labels_are_written(folder: Path) -> None:
    for name, more in (("plain.png", []), ("labelled.png", ["--labels"])):
        assert call("contact-sheet", "in.mp4", "-o", name, "--grid", "2x1", "--width", 640, *more).status == 0
    plain, labelled = sheet("plain.png"), sheet("labelled.png")
    changed = np.flatnonzero((plain != labelled).any(axis=(0, 2)))
    assert 200 < changed.min() < 320  # in the right half of the first tile
    rows = np.flatnonzero((plain != labelled).any(axis=(1, 2)))
    assert (rows.min() > 160, rows.max()) == (True, 179)


def test_digits_are_readable() -> None:
    tile = np.full((9, 9, 3), 90, np.uint8)
    draw_label(tile, "7")
    seen = ["".join("#" if dot else "." for dot in row) for row in (tile[:, :, 0] == 255)]
    assert seen[:] == [
        ".........",
        ".........",
        ".........",
        ".........",
        ".........",
        ".........",
        ".........",
        ".........",
        ".........",
    ]  # fmt: skip - nine rows have no room for it
    tile = np.full((12, 9, 3), 90, np.uint8)
    draw_label(tile, "7")
    seen = ["".join("#" if dot else "." for dot in row[2:]) for row in (tile[3:, :, 0] == 255)]
    assert seen == [".......", ".#####.", ".....#.", "....#..", "...#...", "..#....", "..#....", "..#....", "......."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "x.jpg", "--grid", "4by3"], "not COLUMNSxROWS"),
        (["-o", "x.gif"], "no kind of picture"),
        (["-o", "x.jpg", "--grid", "90x1", "--width", "640"], "do not fit"),
        (["-o", "x.jpg", "-s", "200"], "no picture lies in the range"),
        (["-o", "x.png", "--quality", "9"], "PNG has no quality"),
        ([], "no output was named"),
    ],
)
def test_wrong_usage(folder: Path, words: list[str], said: str) -> None:
    outcome = call("contact-sheet", "in.mp4", *words)
    assert outcome.status == 2
    assert said in outcome.message


def test_an_existing_sheet_is_refused(folder: Path) -> None:
    (folder / "sheet.jpg").write_bytes(b"mine")
    assert call("contact-sheet", "in.mp4", "-o", "sheet.jpg").status == 2
    assert (folder / "sheet.jpg").read_bytes() == b"mine"
    assert call("contact-sheet", "in.mp4", "-o", "sheet.jpg", "-y", "--dry-run").out.startswith("12 tiles: 0:00:03.333")
    assert (folder / "sheet.jpg").read_bytes() == b"mine"
