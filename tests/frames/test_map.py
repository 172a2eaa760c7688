"""Functions mapped over pictures: what they are given, what becomes of it, and what they may not do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import ffzero
from ffzero.errors import UsageError
from support.joins import GOP, made
from support.shown import Shown, filtered, psnr_db, shown

START, END = Fraction("1.0"), Fraction("1.6")
FIRST, STOP = 25, 40
"""The pictures of [START, END) at 25 a second."""
GOOD_DB = 45

Array = np.ndarray[Any, Any]


def written(clip: ffzero.Clip, folder: Path, name: str = "out.mp4") -> list[Shown]:
    clip.write(folder / name)
    return shown(folder / name)


def source() -> list[Shown]:
    return shown(made("a.mp4"))


def check_outside(got: list[Shown], first: int = FIRST, stop: int = STOP) -> None:
    """All pictures are there at their times; those outside of the range are the source's, coded anew or copied."""
    wanted, group = source(), int(GOP * 25)
    assert [picture.time for picture in got] == [picture.time for picture in wanted]
    for number, (mine, yours) in enumerate(zip(got, wanted, strict=True)):
        if number // group < first // group or number // group > (stop - 1) // group:
            assert np.array_equal(mine.data, yours.data), f"picture {number} was copied"
        elif not first <= number < stop:
            assert psnr_db(mine.data, yours.data) >= GOOD_DB, number


def check_inverted(got: list[Shown], first: int = FIRST, stop: int = STOP) -> None:
    wanted = filtered(made("a.mp4"), "lutyuv=y=maxval+minval-val")
    for mine, yours in zip(got[first:stop], wanted[first:stop], strict=True):
        assert psnr_db(mine.data, yours.data) >= GOOD_DB


class TestOneByOne:
    def test_planes_in_place(self, tmp_path: Path) -> None:
        shapes = []

        def invert(planes: tuple[Array, ...]) -> None:
            shapes.append([plane.shape for plane in planes])
            np.subtract(251, planes[0], out=planes[0])

        got = written(ffzero.open(made("a.mp4")).map(invert, START, END, format="yuv"), tmp_path)
        check_outside(got)
        check_inverted(got)
        assert shapes == [[(120, 160), (60, 80), (60, 80)]] * (STOP - FIRST)

    @pytest.mark.parametrize("writable", [True, False])
    def test_planes_returned(self, writable: bool, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4")).map(
            lambda planes: (251 - planes[0], *planes[1:]), START, END, format="yuv", writable=writable
        )
        got = written(clip, tmp_path)
        check_outside(got)
        check_inverted(got)

    @pytest.mark.parametrize("writable", [True, False])
    def test_planes_in_each_others_place(self, writable: bool, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4")).map(lambda p: (p[0], p[2], p[1]), format="yuv", writable=writable)
        for mine, yours in zip(written(clip, tmp_path), filtered(made("a.mp4"), "swapuv"), strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    def test_luma_keeps_colour(self, tmp_path: Path) -> None:
        got = written(ffzero.open(made("a.mp4")).map(lambda luma: 251 - luma, START, END, format="gray"), tmp_path)
        check_outside(got)
        check_inverted(got)

    def test_rgb(self, tmp_path: Path) -> None:
        def mirrored(picture: Array) -> Array:
            assert picture.shape == (120, 160, 3) and picture.dtype == np.uint8
            return picture[:, ::-1]

        got = written(ffzero.open(made("a.mp4")).map(mirrored, START, END), tmp_path)
        check_outside(got)
        for mine, yours in zip(got[FIRST:STOP], filtered(made("a.mp4"), "hflip")[FIRST:STOP], strict=True):
            assert psnr_db(mine.luma, yours.luma) >= 38

    def test_pixels_left_alone_stay(self, tmp_path: Path) -> None:
        """What goes to the encoder is the source's, to the bit: coded without loss it would come out so."""

        def corner(picture: Array) -> None:
            picture[20:60, 40:100] = 255

        got = written(ffzero.open(made("a.mp4")).map(corner, START, END), tmp_path)
        plain = written(ffzero.open(made("a.mp4")).map(lambda picture: None, START, END), tmp_path, "plain.mp4")
        for mine, yours in zip(got[FIRST:STOP], plain[FIRST:STOP], strict=True):
            assert mine.luma[24:56, 44:96].mean() == pytest.approx(235, abs=1), "white of limited range"
            assert psnr_db(mine.luma[72:], yours.luma[72:]) >= GOOD_DB

    def test_a_function_that_changes_nothing_costs_nothing(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        seen: list[float] = []

        def look(picture: Array, t: float) -> Array:
            assert not picture.flags.writeable
            seen.append(t)
            return picture

        clip = movie.map(look, START, END, format="gray", writable=False)
        ours = written(clip, tmp_path)
        again = written(movie.map(lambda p: p, START, END, writable=False), tmp_path, "again.mp4")
        assert all(np.array_equal(one.data, two.data) for one, two in zip(ours, again, strict=True))
        assert seen == pytest.approx([n / 25 for n in range(FIRST, STOP)])

    def test_ten_bits(self, ffzero_media: Path, tmp_path: Path) -> None:
        def bright(luma: Array) -> Array:
            assert luma.dtype == np.uint16 and luma.max() < 1024
            return np.full_like(luma, 65535)

        path = ffzero_media / "real" / "h264_10bits.mp4"
        got = written(ffzero.open(path).map(bright, Fraction(1, 2), format="gray"), tmp_path)
        assert got[20].luma.min() >= 1020, "brought down to what ten bits hold"
        assert {picture.pix_fmt for picture in got} == {"yuv420p10le"}


class TestTimes:
    @pytest.mark.parametrize(
        ("function", "is_told"),
        [
            (lambda picture: None, False),
            (lambda picture, time: None, True),
            (lambda picture, strength=3: None, False),
            (lambda picture, t=None: None, True),
            (lambda *pictures: None, False),
        ],
    )
    def test_who_is_told(self, function: Any, is_told: bool) -> None:
        (piece,) = ffzero.open(made("a.mp4")).map(function).pieces
        mapping = piece.effects[0].map
        assert mapping is not None and mapping.with_time is is_told

    def test_they_count_from_the_clips_start_over_all_its_pieces(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        times: list[float] = []
        clip = (movie[1:1.4] + movie[3:3.2]).map(lambda picture, time: times.append(time), 0.2)
        clip.write(tmp_path / "out.mp4")
        assert times == pytest.approx([0.2 + n / 25 for n in range(10)])
        assert all(type(time) is float for time in times)

    def test_a_part_of_a_mapped_clip_keeps_them(self, tmp_path: Path) -> None:
        times: list[float] = []
        clip = ffzero.open(made("a.mp4"))[1:].map(lambda picture, time: times.append(time), 0.4, 1)
        clip[0.6:2].write(tmp_path / "out.mp4")
        inside = [time for time in times if time >= 0.599]
        assert inside == pytest.approx([0.6 + n / 25 for n in range(10)])

    def test_each_picture_once_in_order(self, tmp_path: Path) -> None:
        times: list[float] = []
        movie = ffzero.open(made("open_gop.mp4"))
        movie.map(lambda picture, time: times.append(time)).write(tmp_path / "out.mp4")
        assert len(times) == len(shown(made("open_gop.mp4"))) and times == sorted(set(times))


class TestWindows:
    def test_originals_with_the_ends_repeated(self, tmp_path: Path) -> None:
        """Each picture becomes the one two after it, the last ones the last; neighbours are not changed ones."""
        lengths = set()

        def later(pictures: list[tuple[Array, ...]]) -> tuple[Array, ...]:
            lengths.add(len(pictures))
            assert not pictures[0][0].flags.writeable
            return pictures[-1]

        got = written(ffzero.open(made("a.mp4"))[0.4:2].map(later, window=(1, 2), format="yuv"), tmp_path)
        wanted = source()[10:50]
        assert lengths == {4}
        for number, picture in enumerate(got):
            assert psnr_db(picture.data, wanted[min(number + 2, 39)].data) >= GOOD_DB, number

    @pytest.mark.parametrize("back", [1, -1])
    def test_neighbours_beyond_the_range_and_its_group(self, back: int, tmp_path: Path) -> None:
        """[0.8, 1.2) is a whole group of pictures: its neighbours are not decoded for it."""

        def other(pictures: list[Array]) -> Array:
            return pictures[1 - back]

        clip = ffzero.open(made("a.mp4")).map(other, 0.8, 1.2, window=1, format="gray")
        assert clip.plan().frames_rendered == 10
        got = written(clip, tmp_path)
        check_outside(got, 20, 30)
        for number in range(20, 30):
            assert psnr_db(got[number].luma, source()[number - back].luma) >= GOOD_DB, number

    def test_ends_of_the_clip_are_the_ends(self, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4"))[0.8:1.2].map(lambda pictures: pictures[0], window=(1, 0), format="gray")
        got = written(clip, tmp_path)
        assert psnr_db(got[0].luma, source()[20].luma) >= GOOD_DB
        assert psnr_db(got[5].luma, source()[24].luma) >= GOOD_DB

    def test_rgb_mean(self, tmp_path: Path) -> None:
        def mean(pictures: list[Array]) -> Array:
            return np.mean(pictures, axis=0).astype(np.uint8)

        got = written(ffzero.open(made("a.mp4")).map(mean, START, END, window=1), tmp_path)
        wanted = np.mean([source()[n].luma for n in (29, 30, 31)], axis=0)
        assert psnr_db(got[30].luma, wanted) >= 38
        check_outside(got)


class TestBatches:
    @pytest.mark.parametrize("format", ["rgb24", "gray"])
    @pytest.mark.parametrize("writable", [True, False])
    def test_as_one_array(self, format: Any, writable: bool, tmp_path: Path) -> None:
        sizes, times = [], []

        def model(pictures: Array, time: Array) -> Array | None:
            sizes.append(pictures.shape)
            times.extend(time.tolist())
            if not writable:
                return 255 - pictures if format == "rgb24" else 251 - pictures
            np.subtract(255 if format == "rgb24" else 251, pictures, out=pictures)
            return None

        clip = ffzero.open(made("a.mp4")).map(model, START, END, batch=4, format=format, writable=writable)
        got = written(clip, tmp_path)
        check_outside(got)
        rest = (3,) if format == "rgb24" else ()
        assert sizes == [(count, 120, 160, *rest) for count in (4, 4, 4, 3)]
        assert times == pytest.approx([n / 25 for n in range(FIRST, STOP)])
        for n in range(FIRST, STOP):
            assert psnr_db(251 - got[n].luma.astype(np.int16), source()[n].luma) >= (38 if rest else 42)


class TestChains:
    def test_with_filters_cuts_and_joins(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        clip = movie.map(lambda luma: 251 - luma, START, END, format="gray").apply("hflip", START, END)
        clip = clip.remove([(0, 0.5)]) + movie[3:]
        got = written(clip[0.3:], tmp_path)
        wanted = filtered(made("a.mp4"), "hflip,lutyuv=y=maxval+minval-val")
        assert psnr_db(got[10].data, wanted[30].data) >= GOOD_DB
        assert psnr_db(got[-1].data, source()[-1].data) >= GOOD_DB

    def test_crossfade_of_mapped_clips(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        times: list[float] = []
        first, second = movie[:2], movie[2:].map(lambda luma, time: times.append(time), format="gray")
        got = written(first.crossfade(second, frames=5), tmp_path)
        assert len(got) == 95
        assert times == pytest.approx([n / 25 for n in range(50)])

    def test_sound_is_copied(self, tmp_path: Path) -> None:
        ffzero.open(made("a.mp4")).map(lambda luma: 251 - luma, format="gray").write(tmp_path / "out.mp4")
        packets = []
        for path in (made("a.mp4"), tmp_path / "out.mp4"):
            with av.open(str(path)) as container:
                packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
        assert packets[0] == packets[1]


class TestSafety:
    def test_views_that_are_kept_stay_as_they_were(self, tmp_path: Path) -> None:
        """A function that keeps the picture before, without a copy, and a later one that writes to it."""
        kept: list[tuple[Array, Array]] = []

        def keeps(planes: tuple[Array, ...]) -> tuple[Array, ...]:
            kept.append((planes[0], planes[0].copy()))
            return planes

        def writes(planes: tuple[Array, ...]) -> None:
            planes[0][:] = 16

        movie = ffzero.open(made("a.mp4"))
        clip = movie.map(keeps, format="yuv", writable=False).map(writes, format="yuv")
        got = written(clip, tmp_path)
        assert len(kept) == 100 and max(picture.luma.max() for picture in got) <= 20
        assert all(np.array_equal(view, copy) for view, copy in kept)

    def test_writing_is_refused_where_it_was_not_asked_for(self, tmp_path: Path) -> None:
        def writes(planes: tuple[Array, ...]) -> None:
            planes[0][:] = 0

        clip = ffzero.open(made("a.mp4")).map(writes, format="yuv", writable=False)
        with pytest.raises(UsageError, match=r"writes failed at 0\.000 s.*read-only"):
            clip.write(tmp_path / "out.mp4")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["a.mp4", "hevc.mp4", "open_gop.mp4"])
    def test_pictures_that_others_are_predicted_from(self, name: str, tmp_path: Path) -> None:
        """Every other picture is painted over; those between are predicted from them and must not show it."""
        count = 0

        def every_other(planes: tuple[Array, ...]) -> None:
            nonlocal count
            count += 1
            if count % 2:
                planes[0][:] = 128

        got = written(ffzero.open(made(name)).map(every_other, format="yuv"), tmp_path)
        for number, (mine, yours) in enumerate(zip(got, shown(made(name)), strict=True)):
            if number % 2:
                assert psnr_db(mine.data, yours.data) >= GOOD_DB, number
            else:
                assert abs(int(mine.luma.mean()) - 128) <= 1


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "options", "words"),
        [
            (lambda p: p[:50], {}, ["expected uint8 (120, 160, 3) or None", "found uint8 (50, 160, 3)"]),
            (lambda p: p.astype(float), {}, ["found float64"]),
            (lambda p: None, {"writable": False}, ["found NoneType", "writable=True"]),
            (lambda p: p[0], {"format": "yuv"}, ["a tuple of uint8 (120, 160), uint8 (60, 80), uint8 (60, 80)"]),
            (lambda p: p[:1], {"batch": 4}, ["uint8 (4, 120, 160, 3)", "found uint8 (1, 120, 160, 3)"]),
            (lambda p: None, {"window": 1}, ["found NoneType"]),
            (lambda p: p, {"window": 1}, ["found list"]),
        ],
    )
    def test_what_is_no_picture(self, answer: Any, options: Any, words: list[str], tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4"))[0.4:].map(answer, START, END, **options)
        with pytest.raises(UsageError) as caught:
            clip.write(tmp_path / "out.mp4")
        for word in ["a.mp4", "at 1.000 s of the clip", *words]:
            assert word in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_its_own_error_is_the_cause(self, tmp_path: Path) -> None:
        def fails(picture: Array, time: float) -> None:
            if time > 1.19:
                raise KeyError("the face")

        with pytest.raises(
            UsageError, match=r"a\.mp4: fails failed at 1\.200 s of the clip: KeyError: 'the face'"
        ) as caught:
            ffzero.open(made("a.mp4")).map(fails, START, END).write(tmp_path / "out.mp4")
        assert isinstance(caught.value.__cause__, KeyError)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "options",
        [
            {"format": "bgr24"},
            {"window": -1},
            {"window": (1, 2, 3)},
            {"batch": 0},
            {"batch": 2, "window": 1},
            {"batch": 2, "format": "yuv"},
        ],
    )
    def test_what_makes_no_sense_is_refused_at_once(self, options: Any) -> None:
        with pytest.raises(UsageError):
            ffzero.open(made("a.mp4")).map(lambda picture: picture, **options)
        with pytest.raises(UsageError, match="not a function"):
            ffzero.open(made("a.mp4")).map("negate")  # type: ignore[arg-type]

    def test_cancelling_leaves_nothing(self, tmp_path: Path) -> None:
        cancel = ffzero.CancelToken()
        calls = 0

        def slow(picture: Array) -> None:
            nonlocal calls
            calls += 1
            if calls == 20:
                cancel.cancel()

        with pytest.raises(ffzero.CancelledError):
            ffzero.open(made("a.mp4")).map(slow).write(tmp_path / "out.mp4", cancel=cancel)
        assert calls < 40
        assert list(tmp_path.iterdir()) == []

    def test_an_interrupt_passes_and_leaves_nothing(self, tmp_path: Path) -> None:
        def interrupted(picture: Array) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ffzero.open(made("a.mp4")).map(interrupted).write(tmp_path / "out.mp4")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "h264_10bits.mp4"])
def test_pictures_are_those_of_frames(name: str, ffzero_media: Path, tmp_path: Path) -> None:
    path = made(name) if name == "a.mp4" else ffzero_media / "real" / name
    movie, given = ffzero.open(path), list[Array]()
    movie.map(lambda picture: given.append(picture.copy()), 0.2, 0.6).write(tmp_path / "out.mp4")
    wanted = movie.frames(0.2, 0.6, format="rgb24" if given[0].dtype == np.uint8 else "rgb48")
    for mine, yours in zip(given, wanted, strict=True):
        assert np.array_equal(mine, yours.array)
