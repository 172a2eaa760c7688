"""Effects on a range: FFmpeg's own filters are the oracle inside it, the source outside."""

from __future__ import annotations

import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from ffzero.errors import TimeRangeError, UsageError
from support.joins import GOP, made
from support.media import ffmpeg_exe
from support.shown import Shown, filtered, psnr_db, shown

START, END = Fraction("1.0"), Fraction("1.6")
FIRST, STOP = 25, 40
"""The pictures of [START, END) at 25 a second."""
GOOD_DB = 45

Array = np.ndarray[Any, Any]


def applied(path: Path, effect: Any, output: Path, start: Any = START, end: Any = END) -> list[Shown]:
    result = ffzero.open(path).apply(effect, start, end).write(output)
    assert result.frames_rendered > 0
    return shown(output)


def check_outside(got: list[Shown], source: list[Shown], first: int = FIRST, stop: int = STOP) -> None:
    """All pictures are there at their times; those outside of the range are the source's, coded anew or copied."""
    assert [picture.time for picture in got] == [picture.time for picture in source]
    group = int(GOP * 25)
    for number, (mine, yours) in enumerate(zip(got, source, strict=True)):
        if number // group < first // group or number // group > (stop - 1) // group:
            assert np.array_equal(mine.data, yours.data), f"picture {number} was copied"
        elif not first <= number < stop:
            assert psnr_db(mine.data, yours.data) >= GOOD_DB, number


CHAINS = ("boxblur=4", "negate", "hue=s=0", "drawbox=20:20:40:40:red:fill", "null", "fade=out:3:10")


class TestFilters:
    @pytest.mark.parametrize("chain", CHAINS)
    def test_as_ffmpeg_does_it(self, chain: str, tmp_path: Path) -> None:
        source = shown(made("a.mp4"))
        got = applied(made("a.mp4"), chain, tmp_path / "out.mp4")
        check_outside(got, source)
        wanted = filtered(made("a.mp4"), f"trim={float(START)}:{float(END)},setpts=PTS-STARTPTS,{chain}")
        assert len(wanted) == STOP - FIRST
        for mine, yours in zip(got[FIRST:STOP], wanted, strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    def test_a_filter_that_holds_pictures_back(self, tmp_path: Path) -> None:
        got = applied(made("a.mp4"), "tmix=frames=3", tmp_path / "out.mp4")
        check_outside(got, shown(made("a.mp4")))
        wanted = filtered(made("a.mp4"), f"trim={float(START)}:{float(END)},setpts=PTS-STARTPTS,tmix=frames=3")
        for mine, yours in zip(got[FIRST:STOP], wanted, strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    @pytest.mark.parametrize("order", ["tff", "bff"])
    def test_fields_keep_their_order(self, order: str, tmp_path: Path) -> None:
        path, moving = tmp_path / "in.mp4", "testsrc2=s=160x96:r=25:d=2,setfield=" + order
        coding = f"-c:v libx264 -preset veryfast -flags +ildct+ilme -x264-params {order}=1:keyint=25 -pix_fmt yuv420p"
        argv = [ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", moving, *coding.split(), str(path)]
        subprocess.run(argv, check=True, timeout=60)
        got, wanted = applied(path, "yadif", tmp_path / "out.mp4"), filtered(path, "yadif")
        assert len(got) == len(wanted) == 50
        for mine, yours in zip(got[FIRST + 1 : STOP - 1], wanted[FIRST + 1 : STOP - 1], strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    @pytest.mark.parametrize("name", ["hevc.mp4", "open_gop.mp4", "b_90000.mp4", "b_fragments.mp4"])
    def test_other_files(self, name: str, tmp_path: Path) -> None:
        source = shown(made(name))
        got = applied(made(name), "negate", tmp_path / "out.mp4", source[FIRST].time, source[STOP].time)
        assert [picture.time for picture in got] == [p.time - source[0].time + got[0].time for p in source]
        for mine, yours in zip(got[FIRST:STOP], filtered(made(name), "negate")[FIRST:STOP], strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB
        assert sum(np.array_equal(mine.data, yours.data) for mine, yours in zip(got, source, strict=True)) >= 40

    def test_ten_bits(self, ffzero_media: Path, tmp_path: Path) -> None:
        path = ffzero_media / "real" / "h264_10bits.mp4"
        got = applied(path, "negate", tmp_path / "out.mp4", Fraction(1, 2), None)
        wanted = filtered(path, "negate")
        assert {picture.pix_fmt for picture in got} == {"yuv420p10le"}
        for mine, yours in zip(got[15:], wanted[15:], strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    def test_one_after_another_where_they_overlap(self, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4")).apply("negate", START, END).apply("hflip", Fraction("1.4"), 2)
        (render,) = (segment for segment in clip.plan().renders if segment.kind == "video")
        assert "negate" in render.reason and "hflip" in render.reason
        clip.write(tmp_path / "out.mp4")
        got = shown(tmp_path / "out.mp4")
        both, second = filtered(made("a.mp4"), "negate,hflip"), filtered(made("a.mp4"), "hflip")
        assert psnr_db(got[30].data, filtered(made("a.mp4"), "negate")[30].data) >= GOOD_DB
        assert psnr_db(got[37].data, both[37].data) >= GOOD_DB
        assert psnr_db(got[45].data, second[45].data) >= GOOD_DB

    def test_all_of_a_cut_at_a_time_inside_a_group(self, tmp_path: Path) -> None:
        ffzero.open(made("a.mp4"))[0.52:1.2].apply("negate").write(tmp_path / "out.mp4", boundary="render")
        got, wanted = shown(tmp_path / "out.mp4"), filtered(made("a.mp4"), "negate")[13:30]
        assert [picture.time for picture in got] == [Fraction(number, 25) for number in range(17)]
        for mine, yours in zip(got, wanted, strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    @pytest.mark.parametrize(
        ("chain", "word"),
        [
            ("nosuchfilter", "no filter 'nosuchfilter'"),
            ("boxblur=rubbish", "boxblur=rubbish"),
            ("negate=nonsense=1", "nonsense"),
            ("scale=80:60", "80×60 of 160×120"),
            ("select='not(mod(n,2))'", "fewer pictures"),
            ("fps=50", "more pictures"),
            ("negate,", "'negate,'"),
            ("[a]negate[b", "does not work"),
        ],
    )
    def test_what_does_not_work_is_named_and_nothing_is_left(self, chain: str, word: str, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4")).apply(chain, START, END)
        with pytest.raises(UsageError) as caught:
            clip.write(tmp_path / "out.mp4")
        assert word in str(caught.value)
        assert list(tmp_path.iterdir()) == []


class TestCancelling:
    def test_it_ends_the_filter_and_leaves_nothing(self, tmp_path: Path) -> None:
        cancel = ffzero.CancelToken()
        at: list[int] = []

        def report(event: ffzero.ProgressEvent) -> None:
            if event.stage == "render" and event.done >= 3:
                at.append(event.done)
                cancel.cancel()

        clip = ffzero.open(made("a.mp4")).apply("negate")
        with pytest.raises(ffzero.CancelledError):
            clip.write(tmp_path / "out.mp4", reporter=report, cancel=cancel)
        assert at and at[0] < 90
        assert list(tmp_path.iterdir()) == []
        assert "ffmpeg" not in children()

    def test_damage_in_the_middle(self, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged.mp4"
        data = bytearray(made("a.mp4").read_bytes())
        index = ffzero.open(made("a.mp4")).samples()
        begin = int(index.offset_bytes[30]) + 40
        data[begin : begin + 300] = bytes(300)
        damaged.write_bytes(data)
        with pytest.raises(ffzero.DecodeError, match=r"damaged\.mp4.* at 1\.\d+ s"):
            ffzero.open(damaged).apply("negate", START, END).write(tmp_path / "out.mp4")
        assert list(tmp_path.iterdir()) == [damaged]
        assert "ffmpeg" not in children()


def children() -> str:
    """Return the names of this process's children."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if not found.exists():
        pytest.skip("no list of children here")
    names = [Path(f"/proc/{pid}/comm") for pid in found.read_text().split()]
    return " ".join(name.read_text() for name in names if name.exists())


class TestFunctions:
    def test_only_what_it_changes_is_changed(self, tmp_path: Path) -> None:
        times: list[Fraction] = []

        def white_corner(picture: Array, time: Fraction) -> Array:
            assert picture.dtype == np.uint8 and picture.shape == (120, 160, 3)
            times.append(time)
            picture[20:60, 40:100] = 255
            return picture

        source = shown(made("a.mp4"))
        got = applied(made("a.mp4"), white_corner, tmp_path / "out.mp4")
        check_outside(got, source)
        assert sorted(set(times)) == [Fraction(number, 25) for number in range(STOP - FIRST)]
        for mine, yours in zip(got[FIRST:STOP], source[FIRST:STOP], strict=True):
            assert mine.luma[24:56, 44:96].mean() == pytest.approx(235, abs=1), "white of limited range"
            assert psnr_db(mine.luma[64:], yours.luma[64:]) >= GOOD_DB

    def test_colours_come_back(self, tmp_path: Path) -> None:
        """Swapping red and blue twice, in two effects, gives the picture again."""
        clip = ffzero.open(made("a.mp4"))[:]
        for _ in range(2):
            clip = clip.apply(lambda picture, _: np.ascontiguousarray(picture[:, :, ::-1]), START, END)
        clip.write(tmp_path / "out.mp4")
        got, source = shown(tmp_path / "out.mp4"), shown(made("a.mp4"))
        least = min(psnr_db(mine.luma, yours.luma) for mine, yours in zip(got, source, strict=True))
        assert least >= 35, "colours outside of what RGB has are lost"

    def test_nothing_changed(self, tmp_path: Path) -> None:
        got = applied(made("a.mp4"), lambda picture, _: picture, tmp_path / "out.mp4")
        for mine, yours in zip(got, shown(made("a.mp4")), strict=True):
            assert psnr_db(mine.data, yours.data) >= GOOD_DB

    def test_ten_bits_are_given_as_sixteen(self, ffzero_media: Path, tmp_path: Path) -> None:
        def dark(picture: Array, _: Fraction) -> Array:
            assert picture.dtype == np.uint16 and int(picture.max()) > 60000
            picture[:100] = 0
            return picture

        path = ffzero_media / "real" / "h264_10bits.mp4"
        got = applied(path, dark, tmp_path / "out.mp4", Fraction(1, 2), None)
        assert got[20].luma[10:90].mean() == pytest.approx(64, abs=4)
        assert psnr_db(got[20].luma[104:], shown(path)[20].luma[104:]) >= GOOD_DB

    @pytest.mark.parametrize(
        ("answer", "word"),
        [(lambda _: None, "NoneType"), (lambda p: p[:50], "(50, 160, 3)"), (lambda p: p.astype(float), "float64")],
    )
    def test_what_is_no_picture_is_refused(self, answer: Any, word: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            applied(made("a.mp4"), lambda picture, _: answer(picture), tmp_path / "out.mp4")
        assert word in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_its_error_is_told_with_the_time(self, tmp_path: Path) -> None:
        def fails(picture: Array, time: Fraction) -> Array:
            if time >= Fraction("0.2"):
                raise KeyError("the face")
            return picture

        with pytest.raises(UsageError, match=r"fails failed at 0\.200 s.*KeyError: 'the face'") as caught:
            applied(made("a.mp4"), fails, tmp_path / "out.mp4")
        assert isinstance(caught.value.__cause__, KeyError)
        assert list(tmp_path.iterdir()) == []


class TestCrossfades:
    def test_pictures_mix_one_after_another(self, tmp_path: Path) -> None:
        first, second = ffzero.open(made("a.mp4"))[:2], ffzero.open(made("b.mp4"))[1:]
        clip = first.crossfade(second, frames=10)
        assert clip.duration == Fraction("4.6")
        plan = clip.plan()
        assert plan.frames_rendered <= 10 + 2 * 10, "the fade and the group that it ends in"
        clip.write(tmp_path / "out.mp4")
        got, a, b = shown(tmp_path / "out.mp4"), shown(made("a.mp4")), shown(made("b.mp4"))
        assert [picture.time for picture in got] == [Fraction(number, 25) for number in range(50 + 75 - 10)]
        for number in range(10):
            share = (number + 0.5) / 10
            mixed = a[40 + number].data * (1 - share) + b[25 + number].data * share
            assert psnr_db(got[40 + number].data, mixed.round().astype(np.uint8)) >= GOOD_DB
        assert np.array_equal(got[0].data, a[0].data)
        assert psnr_db(got[50].data, b[35].data) >= GOOD_DB
        assert np.array_equal(got[-1].data, b[-1].data)

    def test_into_a_clip_of_pieces_with_an_effect(self, tmp_path: Path) -> None:
        """What fades in spans two pieces, one with an effect of its own."""
        movie, other = ffzero.open(made("a.mp4")), ffzero.open(made("b.mp4"))
        second = other[0:0.2].apply("negate") + other[2:3]
        clip = movie[:1].crossfade(second, 0.4)
        clip.write(tmp_path / "out.mp4")
        got, a, b = shown(tmp_path / "out.mp4"), shown(made("a.mp4")), shown(made("b.mp4"))
        assert len(got) == 25 + 30 - 10
        negative = filtered(made("b.mp4"), "negate")
        for number, other_picture in ((2, negative[2]), (7, b[52])):
            share = (number + 0.5) / 10
            mixed = a[15 + number].data * (1 - share) + other_picture.data * share
            assert psnr_db(got[15 + number].data, mixed.round().astype(np.uint8)) >= GOOD_DB - 5

    def test_what_makes_no_sense(self) -> None:
        movie = ffzero.open(made("a.mp4"))
        for wrong in ({}, {"duration": 1, "frames": 3}, {"frames": 0}):
            with pytest.raises(UsageError):
                movie[:1].crossfade(movie[2:], **wrong)
        with pytest.raises(TimeRangeError, match="longer than a clip"):
            movie[:1].crossfade(movie[2:], 1)
