"""What joins must code anew: files that differ, and joints inside a group of pictures.

FFmpeg and PyAV are the judges (``support.joins``).
"""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from ffzero.errors import RenderRequiredError
from support import media, oracle
from support.joins import (
    GOP,
    check_join,
    clip_of,
    made,
    sample_entries,
    sections,
)
from support.shown import Shown, psnr_db
from support.shown import shown as pictures_of
from support.written_joins import groups, renders

DIFFERENT = {
    "rotation": ("a.mp4", "b_rotated.mp4", "video", "rotation"),
    "size": ("a.mp4", "small.mp4", "video", "160×120"),
    "codec": ("a.mp4", "hevc.mp4", "video", "hevc"),
    "sample rate": ("a.mp4", "a_441.mp4", "audio", "44100 Hz"),
    "channels": ("a_stereo.mp4", "a_mono_51.mp4", "audio", "channels"),
    "packet length": ("a_flac.mp4", "b_flac.mp4", "audio", "samples in a packet"),
    "sound codec": ("a.mp4", "b_ac3.mp4", "audio", "ac3"),
}


class TestDifferences:
    @pytest.mark.parametrize("case", DIFFERENT)
    def test_what_differs_is_said_and_made_like_the_rest(self, case: str, tmp_path: Path) -> None:
        first, second, kind, word = DIFFERENT[case]
        clip = ffzero.concat([made(first), made(second)])
        plan = clip.plan()
        (segment,) = renders(plan)
        assert segment.kind == kind and segment.is_possible
        assert word in segment.reason
        assert word in str(plan) and json.loads(json.dumps(plan.to_dict()))["needs_render"]
        output = tmp_path / "out.mp4"
        result = clip.write(output)
        after, before = oracle.decode(output), [oracle.decode(made(name), keep=True) for name in (first, second)]
        assert set(after.complaints) <= {said for source in before for said in source.complaints}
        shown = after.videos[0]
        assert [frame.pts for frame in shown] == [Fraction(number, 25) for number in range(200)]
        assert [frame.digest for frame in shown[:100]] == [frame.digest for frame in before[0].videos[0]]
        assert result.frames_rendered == (100 if kind == "video" else 0)
        assert sample_entries(output, b"soun") == 1

    @pytest.mark.parametrize("second", ["a_441.mp4", "a_mono_51.mp4", "b_ac3.mp4"])
    def test_sound_that_differs_is_heard_in_its_time(self, second: str, tmp_path: Path) -> None:
        """It is the source's, converted by FFmpeg, to the sample: found by correlation."""
        first = "a_stereo.mp4" if second == "a_mono_51.mp4" else "a.mp4"
        output = tmp_path / "out.mp4"
        ffzero.concat_videos([made(first), made(second)], output)
        after = oracle.decode_audio_pcm(output)
        assert after is not None and not after.gaps and after.rate == 48000
        wanted = converted_sound(made(second), channels=after.samples.shape[1])
        at = round((5 - after.start_s) * after.rate)
        heard = after.samples[at : at + 24000, 0].astype(np.float64)
        lags = [float(np.dot(heard, wanted[48000 + lag : 72000 + lag])) for lag in range(-40, 41)]
        assert abs(int(np.argmax(lags)) - 40) <= 1
        near = wanted[48000:72000]
        assert np.dot(heard, near) / np.sqrt(np.dot(heard, heard) * np.dot(near, near)) > 0.99

    def test_a_file_without_sound_is_silent(self, tmp_path: Path) -> None:
        parts = [made("a.mp4"), made("b_silent.mp4"), made("b.mp4")]
        clip = ffzero.concat(parts)
        assert {segment.kind for segment in renders(clip.plan())} == {"audio"}
        clip.write(tmp_path / "out.mp4")
        after = oracle.decode_audio_pcm(tmp_path / "out.mp4")
        assert after is not None and not after.gaps
        loud = np.abs(after.samples).max(axis=1)
        assert loud[int(4.1 * after.rate) : int(7.9 * after.rate)].max() < 0.001 * loud.max()
        for begin in (1, 9):
            assert loud[begin * after.rate : (begin + 1) * after.rate].max() > 0.5 * loud.max()

    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_file_without_pictures_is_black(self, is_first: bool, tmp_path: Path) -> None:
        sound = tmp_path / "sound.m4a"
        argv = [media.ffmpeg_exe(), "-v", "error", "-i", str(made("b.mp4")), "-vn", "-c", "copy", str(sound)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        names = [sound, made("a.mp4")] if is_first else [made("a.mp4"), sound]
        ffzero.concat_videos(names, tmp_path / "out.mp4")
        got = pictures_of(tmp_path / "out.mp4")
        black, others = (got[:100], got[100:]) if is_first else (got[100:], got[:100])
        assert len(black) == 100 and all(picture.luma.max() <= 17 for picture in black)
        source = pictures_of(made("a.mp4"))
        assert all(np.array_equal(mine.data, yours.data) for mine, yours in zip(others, source, strict=True))

    def test_copied_sound_stays_refused(self, tmp_path: Path) -> None:
        clip = ffzero.concat([made("a.mp4"), made("a_441.mp4")])
        with pytest.raises(RenderRequiredError, match="44100 Hz"):
            clip.write(tmp_path / "out.mp4", audio="copy")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("is_first", [True, False])
    def test_what_they_are_like_is_chosen(self, is_first: bool, tmp_path: Path) -> None:
        """By default what most of the time is like."""
        small, large = ffzero.open(made("small.mp4")), ffzero.open(made("a.mp4"))
        clip = ffzero.concat([small[:1], large[:2]] if is_first else [small[:2], large[:1]])
        clip.write(tmp_path / "out.mp4")
        assert pictures_of(tmp_path / "out.mp4")[0].width == (160 if is_first else 128)
        like = ffzero.concat([small[:1], large[:2]], like=small)
        like[0.5:2].write(tmp_path / "like.mp4")
        got = pictures_of(tmp_path / "like.mp4")
        assert (got[0].width, len(got)) == (128, 37)

    @pytest.mark.parametrize(
        ("ranges", "wanted"),
        [
            ([("a.mp4", "0", "0.4"), ("b.mp4", "0.52", "1.2")], [(1, "0.52", "0.8", 7)]),
            ([("a.mp4", "0", "0.4"), ("b.mp4", "0.52", "0.6")], [(1, "0.52", "0.6", 2)]),
            ([("a.mp4", "0", "0.48"), ("b.mp4", "0.4", "0.8")], [(0, "0.44", "0.48", 1)]),
            ([("a.mp4", "0.2", "0.6"), ("b.mp4", "0.4", "0.8")], [(0, "0.56", "0.6", 1)]),
            ([("a.mp4", "0.2", "0.56"), ("b.mp4", "0.4", "0.8")], []),
            (
                [("a.mp4", "0", "0.4"), ("b.mp4", "0.6", "1.0"), ("a.mp4", "0.8", "1.2")],
                [(1, "0.6", "0.8", 5), (1, "0.96", "1", 1)],
            ),
        ],
        ids=["front", "short", "end", "end of a cut", "nothing", "middle"],
    )
    def test_a_joint_inside_a_group_is_rendered(
        self, ranges: list[tuple[str, str, str]], wanted: list[tuple[int, str, str, int]], tmp_path: Path
    ) -> None:
        clip = clip_of(ffzero, sections(*[(made(name), Fraction(a), Fraction(b)) for name, a, b in ranges]))
        plan = clip.plan()
        coded = [each for each in renders(plan) if each.kind == "video"]
        found = [(each.piece, each.source_start_s, each.source_end_s, each.frames) for each in coded]
        assert found == [(piece, Fraction(a), Fraction(b), frames) for piece, a, b, frames in wanted]
        assert all("joint" in each.reason for each in coded)
        assert plan.frames_rendered == sum(each[3] for each in wanted)
        clip.write(tmp_path / "out.mp4")
        source = [
            picture
            for name, a, b in ranges
            for picture in pictures_of(made(name))
            if Fraction(a) <= picture.time < Fraction(b)
        ]
        check_shown(pictures_of(tmp_path / "out.mp4"), source, rendered=plan.frames_rendered)

    def test_render_hides_nothing(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        (segment,) = renders(movie[Fraction("0.52") : Fraction("1.2")].plan(boundary="render"))
        assert (segment.source_start_s, segment.source_end_s, segment.frames) == (Fraction("0.52"), Fraction("0.8"), 7)
        movie[0.52:1.2].write(tmp_path / "cut.mp4", boundary="render")
        check_shown(pictures_of(tmp_path / "cut.mp4"), pictures_of(made("a.mp4"))[13:30], rendered=7)
        movie[GOP : 3 * GOP].write(tmp_path / "out.mp4", boundary="render")
        parts = groups(("a.mp4", 1, 3))
        assert check_join(tmp_path / "out.mp4", parts) == []


def check_shown(got: list[Shown], source: list[Shown], *, rendered: int) -> None:
    """All pictures are shown, 1/25 s apart; but for so many that were coded anew they are the source's to the bit."""
    assert [picture.time for picture in got] == [Fraction(number, 25) for number in range(len(source))]
    pairs = list(zip(got, source, strict=True))
    assert sum(not np.array_equal(mine.data, yours.data) for mine, yours in pairs) <= rendered
    assert min(psnr_db(mine.data, yours.data) for mine, yours in pairs) >= 45


def converted_sound(path: Path, *, channels: int) -> np.ndarray[Any, Any]:
    """Return the first channel of a file's sound at 48 kHz in so many channels, as FFmpeg converts it."""
    argv = [media.ffmpeg_exe(), "-v", "error", "-i", str(path), "-vn", "-ac", str(channels), "-ar", "48000"]
    run = subprocess.run([*argv, "-f", "f32le", "-"], capture_output=True, check=True, timeout=60)
    return np.frombuffer(run.stdout, "<f4").reshape(-1, channels)[:, 0].astype(np.float64)
