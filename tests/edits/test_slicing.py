"""Slices of clips: arithmetic on their own timeline."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.errors import TimeRangeError
from support.samples import plain_sample


@pytest.fixture(scope="module")
def movie() -> ffzero.Movie:
    return ffzero.open(plain_sample())


def ranges(clip: ffzero.Clip) -> list[tuple[Fraction | None, Fraction | None]]:
    return [(piece.start, piece.end) for piece in clip.pieces]


def test_a_slice_of_a_slice_is_a_slice_of_the_movie(movie: ffzero.Movie) -> None:
    clip = movie[10:40]
    assert ranges(clip[5:12]) == [(15, 22)]
    assert ranges(clip["0:05":"0:12.5"]) == [(15, Fraction("22.5"))]
    assert ranges(clip[:]) == ranges(clip[0:]) == ranges(clip[:30]) == ranges(clip[:1000]) == [(10, 40)]
    assert ranges(movie[:][3:]) == [(3, None)]
    assert ranges(movie[:][:3]) == [(None, 3)]
    assert ranges(movie[:][3:900]) == [(3, None)]  # beyond the end is the end
    assert ranges(clip.slice(5)[1:2]) == [(16, 17)]


def test_a_slice_may_go_over_joints(movie: ffzero.Movie) -> None:
    clip = movie[10:20] + movie[40:50] + movie[70:]  # 10 s, 10 s, 10 s
    assert clip.duration == pytest.approx(30, abs=0.1)
    assert ranges(clip[5:15]) == [(15, 20), (40, 45)]
    assert ranges(clip[10:20]) == [(40, 50)]
    assert ranges(clip[9:21]) == [(19, 20), (40, 50), (70, 71)]
    assert ranges(clip[25:]) == [(75, None)]
    whole = movie[:] + movie[0:10]
    assert ranges(whole[movie.duration + 2 :]) == [(2, 10)]


def test_consecutive_slices_are_the_whole(movie: ffzero.Movie) -> None:
    clip = movie[10:20] + movie[40:50]
    parts = [clip[start : start + Fraction(7, 3)] for start in (Fraction(7, 3) * n for n in range(9))]
    assert ranges(ffzero.concat(parts)) == ranges(clip)


def test_a_piece_that_was_asked_to_be_longer_than_its_file_ends_with_it(movie: ffzero.Movie) -> None:
    clip = movie[70:1000] + movie[0:10]
    assert clip.duration == movie.duration - 70 + 10
    assert ranges(clip[movie.duration - 70 :]) == [(0, 10)]


@pytest.mark.parametrize(("start", "end"), [(30, None), (100, 101), (5, 5), (5, 4), (-1, 3), ("soon", None)])
def test_nothing_left_is_an_error(movie: ffzero.Movie, start: object, end: object) -> None:
    with pytest.raises(TimeRangeError):
        movie[10:40][start:end]  # type: ignore[misc]


@pytest.mark.parametrize("key", [5, "1", slice(0, 10, 2)])
def test_a_clip_is_sliced_by_times(movie: ffzero.Movie, key: object) -> None:
    with pytest.raises(TimeRangeError, match="sliced by times"):
        movie[10:40][key]  # type: ignore[index]


def test_a_slice_shows_what_the_movie_shows(movie: ffzero.Movie, tmp_path: Path) -> None:
    movie[10:40][5:8].write(tmp_path / "a.mp4")
    movie[15:18].write(tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
