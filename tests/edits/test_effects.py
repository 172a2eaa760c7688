"""Where effects and cross-fades lie on a clip's pieces: times alone, nothing is decoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.errors import TimeRangeError, UsageError
from support import media
from support.joins import made
from support.shown import psnr_db, shown


def effects(clip: ffzero.Clip) -> list[list[tuple[Fraction, Fraction, str]]]:
    return [[(each.start, each.end, each.filter) for each in piece.effects] for piece in clip.pieces]


def test_times_are_the_clips_own() -> None:
    movie = ffzero.open(made("a.mp4"))
    clip = (movie[1:2] + movie[3:4]).apply("negate", 0.5, 1.25)
    assert effects(clip) == [
        [(Fraction("1.5"), Fraction("2.25"), "negate")],
        [(Fraction("2.5"), Fraction("3.25"), "negate")],
    ]


def test_pieces_that_it_does_not_touch_have_none() -> None:
    movie = ffzero.open(made("a.mp4"))
    clip = (movie[1:2] + movie[3:4] + movie[0:1]).apply("negate", 1, 2)
    assert [len(piece.effects) for piece in clip.pieces] == [0, 1, 0]


def test_slices_keep_them_and_pieces_with_others_do_not_merge() -> None:
    movie = ffzero.open(made("a.mp4"))
    clip = movie.apply("negate", 1, 2)
    assert effects(clip[0.5:3]) == effects(clip)
    assert len((movie[0:1].apply("negate") + movie[1:2]).pieces) == 2
    assert len((clip[0:1] + clip[1:2]).pieces) == 1


def test_only_what_it_touches_is_rendered() -> None:
    clip = ffzero.open(made("a.mp4")).apply("negate", 1, 1.1)
    plan = clip.plan()
    assert plan.frames_rendered < 15
    assert plan.frames_copied + plan.frames_rendered == 100


@pytest.mark.parametrize("wrong", [None, 3, "", "  ", "a\0b"])
def test_what_is_no_effect(wrong: object) -> None:
    with pytest.raises(UsageError):
        ffzero.open(made("a.mp4")).apply(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (4, None), (9, 10)])
def test_ranges_that_hold_nothing(start: int, end: int | None) -> None:
    with pytest.raises(TimeRangeError):
        ffzero.open(made("a.mp4")).apply("negate", start, end)


def test_weights_of_a_fade_over_several_pieces_go_on() -> None:
    movie, other = ffzero.open(made("a.mp4")), ffzero.open(made("b.mp4"))
    clip = ffzero.crossfade(movie[0:1] + movie[2:3], other[0:0.8] + other[1:4], 1.5)
    blends = [[(e.start, e.end, e.blend) for e in piece.effects] for piece in clip.pieces]
    assert [len(each) for each in blends] == [1, 2, 0]
    shares = [(blend.weight_first, blend.weight_last) for each in blends for _, _, blend in each if blend]
    third, later = Fraction(1, 3), Fraction(8, 15)
    assert shares == [(0, third), (third, later), (later, 1)]
    assert [blend.start for each in blends for _, _, blend in each if blend] == [0, Fraction(1, 2), 1]
    assert effects_times(blends) == [(Fraction(1, 2), 1), (2, Fraction("2.3")), (Fraction("2.3"), 3)]


def effects_times(blends: list[list[tuple[Fraction, Fraction, object]]]) -> list[tuple[Fraction, Fraction]]:
    return [(start, end) for each in blends for start, end, _ in each]


@pytest.mark.parametrize("way", ["apply", "map"])
def test_a_picture_that_is_shown_all_the_time_has_the_effect(way: str, tmp_path: Path) -> None:
    """No picture of this file begins between 3 and 4.5 s."""
    source, output = media.made("vfr.mp4"), tmp_path / "out.mp4"
    with ffzero.open(source) as movie:
        clip = movie.apply("negate", 3.5, 4) if way == "apply" else movie.map(lambda picture: 255 - picture, 3.5, 4)
        result = clip.write(output)
    before, after = shown(source), shown(output)
    assert len(before) == len(after) and result.frames_rendered > 0
    changed = [number for number in range(len(before)) if psnr_db(after[number].luma, before[number].luma) < 30]
    times = [picture.time for picture in before]
    assert changed == [max(number for number, time in enumerate(times) if time <= Fraction(7, 2))]
