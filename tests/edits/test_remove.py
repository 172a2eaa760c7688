"""Removals: the rest of a clip without some of its ranges."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.errors import TimeRangeError, UsageError
from support.oracle import decode_video
from support.samples import plain_sample


@pytest.fixture(scope="module")
def movie() -> ffzero.Movie:
    return ffzero.open(plain_sample())


def ranges(clip: ffzero.Clip) -> list[tuple[Fraction | None, Fraction | None]]:
    return [(piece.start, piece.end) for piece in clip.pieces]


@pytest.mark.parametrize(
    ("removed", "kept"),
    [
        ([(10, 20)], [(None, 10), (20, None)]),
        ([("0:10", "0:20.5"), (30, 40)], [(None, 10), (Fraction("20.5"), 30), (40, None)]),
        ([(30, 40), (10, 35), (40, 50)], [(None, 10), (50, None)]),  # unordered, overlapping, adjoining
        ([(10, 50), (20, 30)], [(None, 10), (50, None)]),
        ([(0, 10)], [(10, None)]),
        ([(None, 10)], [(10, None)]),
        ([(70, None)], [(None, 70)]),
        ([(70, 5000)], [(None, 70)]),  # what goes on beyond the end stops there
        ([], [(None, None)]),
    ],
)
def test_the_rest_is_kept(movie: ffzero.Movie, removed: list[Any], kept: list[Any]) -> None:
    assert ranges(movie.remove(removed)) == kept


def test_times_are_the_clips_own_and_go_over_joints(movie: ffzero.Movie) -> None:
    clip = movie[10:20] + movie[40:50]
    assert ranges(clip.remove([(2, 4)])) == [(10, 12), (14, 20), (40, 50)]
    assert ranges(clip.remove([(8, 12)])) == [(10, 18), (42, 50)]
    assert ranges(clip.remove([(0, 10)])) == [(40, 50)]


def test_a_rest_without_a_picture_goes_too(movie: ffzero.Movie) -> None:
    assert ranges(movie.remove([(10, "20.01"), ("20.03", 30)])) == [(None, 10), (30, None)]  # pictures at 20, 20.04
    assert ranges(movie.remove([(10, "20.01"), ("20.05", 30)]))[1] == (Fraction("20.01"), Fraction("20.05"))


@pytest.mark.parametrize(
    ("removed", "error"),
    [
        ([(0, None)], TimeRangeError),
        ([(0, 40), (30, 100)], TimeRangeError),
        (
            [
                (0, "79.99"),
            ],
            TimeRangeError,
        ),  # the last picture begins at 79.96
        ([(100, 120)], TimeRangeError),
        ([(10, 10)], TimeRangeError),
        ([(20, 10)], TimeRangeError),
        ([(-5, 10)], TimeRangeError),
        ([("soon", 10)], TimeRangeError),
        ([10, 20], UsageError),
        ([(1, 2, 3)], UsageError),
    ],
)
def test_nonsense(movie: ffzero.Movie, removed: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        movie.remove(removed)


def test_at_key_pictures_the_rest_is_copied_exactly(movie: ffzero.Movie, tmp_path: Path) -> None:
    result = movie.remove([(10, 20), (30, "75.04"), ("75.04", 78)]).write(tmp_path / "out.mp4")
    whole = decode_video(plain_sample())
    kept = [digest for time, digest in whole if not 10 <= time < 20 and not 30 <= time < 78]
    assert [digest for _, digest in decode_video(Path(result))] == kept
    assert (result.frames_copied, result.frames_rendered) == (22 * 25, 0)


def test_elsewhere_the_plan_renders_from_the_joint_to_the_next_key_picture(movie: ffzero.Movie) -> None:
    plan = movie.remove([(10, "20.52")]).plan()
    (render,) = (segment for segment in plan.renders if segment.kind == "video")
    assert (render.source_start_s, render.source_end_s, render.frames) == (Fraction("20.52"), 22, 37)


def test_elsewhere_every_picture_of_the_rest_is_there(movie: ffzero.Movie, tmp_path: Path) -> None:
    result = movie.remove([(10, "20.52")]).write(tmp_path / "out.mp4")
    whole, found = decode_video(plain_sample()), decode_video(Path(result))
    assert result.frames_rendered == 37
    assert len(found) == len(whole) - 263
    assert [digest for _, digest in found[:250]] == [digest for _, digest in whole[:250]]
    assert [digest for _, digest in found[250 + 37 :]] == [digest for time, digest in whole if time >= 22]
