"""Joined files that differ are made alike: in size, shape, orientation, form, colour and rate."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffzero
from ffzero.frames.changes.orientation import turn_between, turning_filters
from ffzero.frames.changes.pacing import Grid
from support import media, oracle
from support.joins import made
from support.shown import filtered, psnr_db, shown

GOOD_DB = 40
"""Scaled and coded."""

ONE = 1 << 16
MATRICES = {
    "plain": (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    "clockwise": (0, ONE, 0, -ONE, 0, 0, 120 << 16, 0, 1 << 30),
    "half": (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    "counter": (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    "mirror": (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    "upside": (ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    "across": (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}


def turned(picture: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    """Return an array as a player shows it: each point goes where the matrix says (ISO/IEC 14496-12 §8.3.2)."""
    a, b, c, d = (int(np.sign(matrix[n])) for n in (0, 1, 3, 4))
    ys, xs = np.mgrid[: picture.shape[0], : picture.shape[1]]
    to_x, to_y = a * xs + c * ys, b * xs + d * ys
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    out = np.zeros((to_y.max() + 1, to_x.max() + 1), picture.dtype)
    out[to_y, to_x] = picture
    return out


FILTERS = {
    ("hflip", ""): lambda p: p[:, ::-1],
    ("vflip", ""): lambda p: p[::-1],
    ("transpose", "clock"): lambda p: np.rot90(p, -1),
    ("transpose", "cclock"): np.rot90,
    ("transpose", "cclock_flip"): lambda p: p.T,
    ("transpose", "clock_flip"): lambda p: np.rot90(p.T, 2),
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(MATRICES, MATRICES)))
def test_turned_pixels_show_alike(source: str, target: str) -> None:
    picture = np.arange(12).reshape(3, 4)
    pixels = picture
    for name in turning_filters(turn_between(MATRICES[source], MATRICES[target])):
        pixels = FILTERS[name](pixels)
    assert np.array_equal(turned(pixels, MATRICES[target]), turned(picture, MATRICES[source]))


@given(st.integers(1, 5000), st.fractions(1, 50), st.lists(st.integers(0, 5000), max_size=20))
def test_times_of_a_grid(length: int, step: Fraction, times: list[int]) -> None:
    grid = Grid(start=7, stop=7 + length, step=step)
    assert abs(grid.count * step - length) <= step / 2 or grid.count == 1
    numbers = [grid.numbers_before(Fraction(7 + time)) for time in sorted(times)]
    assert numbers == sorted(numbers)
    assert all(0 <= number <= grid.count for number in numbers)


def joined(output: Path, *names: str | Path, like: Path | None = None) -> ffzero.WriteResult:
    files = [made(name) if isinstance(name, str) else name for name in names]
    return ffzero.concat_videos(files, output, like=like)


class TestSize:
    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_smaller_one(self, is_first: bool, tmp_path: Path) -> None:
        names = ("a.mp4", "small.mp4") if is_first else ("small.mp4", "a.mp4")
        result = joined(tmp_path / "out.mp4", *names, like=made("a.mp4"))
        assert (result.frames_copied, result.frames_rendered) == (100, 100)
        got = shown(tmp_path / "out.mp4")
        assert {(p.width, p.height, p.pix_fmt) for p in got} == {(160, 120, "yuv420p")}
        assert [p.time for p in got] == [Fraction(number, 25) for number in range(200)]
        wanted = filtered(made("small.mp4"), "scale=160:120:flags=lanczos+accurate_rnd")
        scaled, copied = (got[100:], got[:100]) if is_first else (got[:100], got[100:])
        assert min(psnr_db(mine.luma, yours.luma) for mine, yours in zip(scaled, wanted, strict=True)) >= GOOD_DB
        source = shown(made("a.mp4"))
        assert all(np.array_equal(mine.data, yours.data) for mine, yours in zip(copied, source, strict=True))

    def test_bars_where_the_shape_differs(self, ffzero_media: Path, tmp_path: Path) -> None:
        wide = ffzero_media / "real" / "append_v1.mp4"  # 480x272, full range
        silent = without_sound(wide, tmp_path)
        joined(tmp_path / "out.mp4", "a_silent.mp4", silent, like=made("a_silent.mp4"))
        got = shown(tmp_path / "out.mp4")[100:]
        assert len(got) == 51
        for picture in got:
            assert picture.luma[:12].max() <= 20 and picture.luma[-12:].max() <= 20, "black bars of limited range"
            assert picture.luma[20:-20].std() > 5
        height = round(160 * 272 / 480 / 2) * 2
        wanted = filtered(wide, f"scale=160:{height}:flags=lanczos:out_range=tv,format=yuv420p")
        top = (120 - height) // 4 * 2
        assert psnr_db(got[10].luma[top : top + height], wanted[10].luma) >= GOOD_DB - 5


def without_sound(path: Path, folder: Path) -> Path:
    """Return a copy of a file's pictures."""
    import av

    output = folder / f"silent_{path.name}"
    with av.open(str(path)) as source, av.open(str(output), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return output


class TestKinds:
    def test_another_codec(self, tmp_path: Path) -> None:
        result = joined(tmp_path / "out.mp4", "a.mp4", "hevc.mp4")
        assert (result.frames_copied, result.frames_rendered) == (100, 100)
        got, source = shown(tmp_path / "out.mp4"), shown(made("hevc.mp4"))
        assert min(psnr_db(x.data, y.data) for x, y in zip(got[100:], source, strict=True)) >= 44
        assert {track.codec for track in oracle.describe(tmp_path / "out.mp4").of("video")} == {"h264"}

    def test_a_turned_one(self, tmp_path: Path) -> None:
        """The rotated file shows as before: on its side, with bars."""
        joined(tmp_path / "out.mp4", "a.mp4", "b_rotated.mp4", like=made("a.mp4"))
        got = shown(tmp_path / "out.mp4")
        wanted = filtered(made("b_rotated.mp4"), "scale=90:120:flags=lanczos")  # FFmpeg turns it by itself
        assert psnr_db(got[150].luma[:, 34:124], wanted[50].luma) >= 35
        assert got[150].luma[:, :30].max() <= 20 and got[150].luma[:, 130:].max() <= 20

    def test_ten_bits_among_eight(self, ffzero_media: Path, tmp_path: Path) -> None:
        deep = ffzero_media / "real" / "h264_10bits.mp4"
        joined(tmp_path / "out.mp4", "a_silent.mp4", deep, like=made("a_silent.mp4"))
        got = shown(tmp_path / "out.mp4")[100:]
        assert {picture.pix_fmt for picture in got} == {"yuv420p"}
        wanted = filtered(deep, "scale=120:120:flags=lanczos,format=yuv420p")
        assert psnr_db(got[0].luma[:, 20:140], wanted[0].luma) >= 38

    def test_eight_bits_among_ten(self, ffzero_media: Path, tmp_path: Path) -> None:
        deep = ffzero_media / "real" / "h264_10bits.mp4"
        joined(tmp_path / "out.mp4", deep, "a_silent.mp4", like=deep)
        got = shown(tmp_path / "out.mp4")
        assert {(p.width, p.height, p.pix_fmt) for p in got} == {(200, 200, "yuv420p10le")}
        assert len(got) == 30 + 120, "four seconds at 30 a second"


class TestRate:
    def test_thirty_among_twenty_five(self, tmp_path: Path) -> None:
        """Each time shows the picture that the source shows then; it begins and ends as long as it did."""
        joined(tmp_path / "out.mov", "a_timecode.mov", "c_timecode.mov", like=made("a_timecode.mov"))
        got, source = shown(tmp_path / "out.mov"), shown(made("c_timecode.mov"))
        assert [picture.time for picture in got] == [Fraction(number, 25) for number in range(200)]
        for number, picture in enumerate(got[100:]):
            middle = Fraction(2 * number + 1, 50)
            wanted = [p for p in source if p.time < middle][-1]
            assert psnr_db(picture.data, wanted.data) >= GOOD_DB, number

    def test_twenty_five_among_thirty(self, tmp_path: Path) -> None:
        joined(tmp_path / "out.mov", "a_timecode.mov", "c_timecode.mov", like=made("c_timecode.mov"))
        got = shown(tmp_path / "out.mov")
        assert [picture.time for picture in got] == [Fraction(number, 30) for number in range(240)]

    def test_a_varying_target_leaves_times_as_they_are(self, tmp_path: Path) -> None:
        varying = media.made("vfr.mp4")
        joined(tmp_path / "out.mp4", varying, "a_silent.mp4", like=varying)
        got, before = shown(tmp_path / "out.mp4"), len(shown(varying))
        start = got[before].time
        assert [picture.time - start for picture in got[before:]] == [Fraction(number, 25) for number in range(100)]


class TestLight:
    def test_high_dynamic_range_is_brought_down(self, tmp_path: Path) -> None:
        """Colours of a PQ file are mapped: taken as they are, they would look washed out."""
        hdr = media.made("hdr10.mp4")
        joined(tmp_path / "out.mp4", "a_silent.mp4", hdr, like=made("a_silent.mp4"))
        got = shown(tmp_path / "out.mp4")[150]
        taken = filtered(hdr, "scale=160:90:flags=lanczos,format=yuv420p")[50]
        assert psnr_db(got.luma[16:104], taken.luma[1:89]) < 25
        assert 30 < got.luma[20:100].mean() < 200
