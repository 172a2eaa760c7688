"""Joins show every picture of every piece once, in order and in time, with their sound; what cannot be so is refused.

FFmpeg and PyAV are the judges (``support.joins``). Real files come from ``FFZERO_MEDIA``.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import ffzero
from ffzero.edits.plan import Copy, Plan, Render
from ffzero.errors import RenderRequiredError
from support import boxes, media, oracle
from support.command_line import call
from support.joins import (
    GOP,
    Section,
    check_join,
    check_samples,
    clip_of,
    edits,
    made,
    movie_seconds,
    sample_entries,
    sections,
    sound_packets,
    timecode_counters,
)
from support.shown import Shown, psnr_db
from support.shown import shown as pictures_of

MILLISECOND = Fraction(1, 1000)
EXACT = Fraction(0)


def write(parts: list[Section], output: Path, boundary: str = "auto", audio: str | None = None) -> Any:
    """Write the join and return its ``WriteResult``."""
    return clip_of(ffzero, parts).write(output, boundary=boundary, audio=audio)


def whole(*names: str) -> list[Section]:
    return sections(*[(made(name), None, None) for name in names])


def groups(*ranges: tuple[str, int, int]) -> list[Section]:
    """Return sections from one group of pictures up to another."""
    return sections(*[(made(name), first * GOP, stop * GOP) for name, first, stop in ranges])


def renders(plan: Plan) -> list[Render]:
    return [segment for segment in plan.segments if isinstance(segment, Render)]


class TestWholeFiles:
    def test_a_real_set(self, ffzero_media: Path, tmp_path: Path) -> None:
        names = [ffzero_media / "real" / f"append_v{number}.mp4" for number in (1, 2, 3)]
        output = tmp_path / "out.mp4"
        ffzero.concat_videos(names, output)
        parts = sections(*[(name, None, None) for name in names])
        assert check_join(output, parts, time_slack=MILLISECOND) == []

    def test_a_file_with_itself(self, ffzero_media: Path, tmp_path: Path) -> None:
        name = ffzero_media / "real" / "append_v1.mp4"
        output = tmp_path / "out.mp4"
        result = ffzero.concat_videos([name, name, name], output)
        assert result.warnings == ()
        assert check_join(output, sections(*[(name, None, None)] * 3)) == []

    def test_sound_that_only_the_second_file_has_is_not_lost(self, tmp_path: Path) -> None:
        ffzero.concat_videos([made("b_silent.mp4"), made("b.mp4")], tmp_path / "out.mp4")
        after = oracle.decode_audio_pcm(tmp_path / "out.mp4")
        assert after is not None and abs(after.start_s - 4) < MILLISECOND
        whole_sound = oracle.decode_audio_pcm(made("b.mp4"))
        assert whole_sound is not None and abs(len(after.samples) - len(whole_sound.samples)) <= 1024

    def test_a_hundred_files(self, tmp_path: Path) -> None:
        names = [tmp_path / f"{number:03d}.mp4" for number in range(100)]
        for name, model in zip(names, itertools.cycle(("a.mp4", "b_90000.mp4")), strict=False):
            shutil.copyfile(made(model), name)
        output = tmp_path / "out.mp4"
        started = time.perf_counter()
        result = ffzero.concat_videos(names, output)
        elapsed_s = time.perf_counter() - started
        assert result.frames_copied == 100 * 100
        assert elapsed_s < 6, "what is read is a hundred headers"
        parts = whole(*itertools.islice(itertools.cycle(("a.mp4", "b_90000.mp4")), 100))
        assert check_join(output, parts, time_slack=EXACT) == []


VARIANTS = ("b.mp4", "b_90000.mp4", "b_30000.mp4", "b_chunks.mp4", "b_order.mp4", "b_first.mp4", "b_fragments.mp4")


class TestGroupsOfPictures:
    @pytest.mark.parametrize(
        "ranges",
        [
            [("a.mp4", 2, 4), ("a.mp4", 7, 9)],
            [("a.mp4", 7, 10), ("a.mp4", 0, 1), ("a.mp4", 0, 1)],
            [("a.mp4", 2, 4), ("b.mp4", 1, 3), ("a.mp4", 0, 1), ("b.mp4", 9, 10)],
            [("a_441.mp4", 1, 2), ("a_441.mp4", 3, 5)],
            [("hevc.mp4", 1, 3), ("hevc.mp4", 5, 6), ("hevc.mp4", 0, 2)],
            [("a.mov", 1, 3), ("b.mov", 1, 3)],
        ],
        ids=["one file", "backwards", "two files", "44.1 kHz", "HEVC", "MOV"],
    )
    def test_each_picture_once_and_in_order(self, ranges: list[tuple[str, int, int]], tmp_path: Path) -> None:
        parts = groups(*ranges)
        output = tmp_path / f"out{parts[0].path.suffix}"
        result = write(parts, output)
        assert result.frames_copied == sum(10 * (stop - first) for _, first, stop in ranges)
        assert result.warnings == ()
        assert check_join(output, parts, time_slack=EXACT) == []

    @pytest.mark.parametrize("pair", [("a.mp4", "b.mp4"), ("a_441.mp4", "a_441.mp4")], ids=["48 kHz", "44.1 kHz"])
    def test_fifty_joints_do_not_drift(self, pair: tuple[str, str], tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = groups(*[(pair[number % 2], number % 9, number % 9 + 1) for number in range(51)])
        write(parts, output)
        assert check_join(output, parts, time_slack=EXACT) == []
        assert abs(movie_seconds(output) - 51 * GOP) < MILLISECOND

    @pytest.mark.parametrize("names", [("a_pcm.mov", "b_pcm.mov"), ("a_pcm.mov", "a_pcm.mov")], ids=["two", "one"])
    def test_uncompressed_sound_to_the_sample(self, names: tuple[str, str], tmp_path: Path) -> None:
        output = tmp_path / "out.mov"
        parts = groups((names[0], 2, 4), *[(names[number % 2], number % 9, number % 9 + 1) for number in range(20)])
        write(parts, output)
        assert check_join(output, parts, time_slack=EXACT, sound=0) == []
        assert check_samples(output, parts) == []

    def test_pieces_that_go_on_merge(self, tmp_path: Path) -> None:
        movie = ffzero.open(made("a.mp4"))
        (movie[0:2] + movie[2:4]).write(tmp_path / "two.mp4")
        movie[0:4].write(tmp_path / "one.mp4")
        assert (tmp_path / "two.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
        assert len((movie["0:00.3" : Fraction(13, 10)] + movie[1.3:2] + movie[2:4]).pieces) == 1


class TestTheSameInAnotherForm:
    """Same coding, other timescales, chunks, track orders, places of the index, containers."""

    @pytest.mark.parametrize("name", [*VARIANTS[1:], "b.mov"])
    @pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
    def test_whole(self, name: str, is_first: bool, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = whole(name, "a.mp4") if is_first else whole("a.mp4", name)
        write(parts, output)
        assert sample_entries(output) == 1
        assert check_join(output, parts, time_slack=EXACT) == []

    @pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
    def test_pieces_of_all(self, is_first: bool, tmp_path: Path) -> None:
        ranges = [("a.mp4", 2, 4), *[(name, 1, 3) for name in VARIANTS if name != "b_fragments.mp4"]]
        parts = groups(*(ranges if is_first else reversed(ranges)))
        write(parts, tmp_path / "out.mp4")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    def test_pieces_of_fragments(self, tmp_path: Path) -> None:
        path = made("b_fragments.mp4")
        keys = oracle.keyframe_times(path)  # its first picture is not at 0
        parts = sections((path, keys[3], keys[5]), (made("a.mp4"), GOP, 2 * GOP), (path, keys[1], keys[2]))
        write(parts, tmp_path / "out.mp4")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    def test_fragments_joined_with_fragments(self, tmp_path: Path) -> None:
        parts = whole("a_fragments.mp4", "b_fragments.mp4")
        write(parts, tmp_path / "out.mp4")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    def test_timescales_without_a_common_one_in_32_bits(self, tmp_path: Path) -> None:
        parts = whole("a_prime.mp4", "b_prime.mp4")
        write(parts, tmp_path / "out.mp4")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=MILLISECOND) == []

    def test_joints_between_the_ticks_of_a_coarse_timescale(self, tmp_path: Path) -> None:
        parts = sections(*[(made("a_25.mp4"), None, Fraction(13, 32)), (made("a_25.mp4"), None, Fraction(13, 32))])
        write(parts, tmp_path / "out.mp4")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=MILLISECOND, sound=0) == []


class TestParameterSets:
    @pytest.mark.parametrize(
        ("names", "entries"),
        [
            (("a.mp4", "other_sets.mp4"), 2),
            (("other_sets.mp4", "a.mp4", "other_sets.mp4"), 2),
            (("a.mp4", "other_sets.mp4", "third_sets.mp4", "a.mp4"), 3),
            (("hevc.mp4", "hevc_other_sets.mp4", "hevc.mp4"), 2),
        ],
        ids=["H.264", "H.264 and back", "three", "HEVC"],
    )
    def test_several_sample_entries(self, names: tuple[str, ...], entries: int, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = whole(*names)
        write(parts, output)
        assert sample_entries(output) == entries
        assert check_join(output, parts, time_slack=EXACT) == []
        assert [digest for _, digest in oracle.decode_video_pyav(output)] == [
            digest for name in names for _, digest in oracle.decode_video_pyav(made(name))
        ]

    @pytest.mark.parametrize("names", [("a.mp4", "avc3.mp4"), ("hevc.mp4", "hev1.mp4")], ids=["H.264", "HEVC"])
    @pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
    def test_sample_entries_of_two_names(self, names: tuple[str, str], is_first: bool, tmp_path: Path) -> None:
        """FFmpeg shows nothing of a sample entry that has another four-character code than the track's first."""
        output = tmp_path / "out.mp4"
        parts = whole(*(names if is_first else reversed(names)))
        write(parts, output)
        assert check_join(output, parts, time_slack=EXACT) == []

    def test_pieces(self, tmp_path: Path) -> None:
        parts = groups(*[(name, number, number + 1) for number in range(6) for name in ("a.mp4", "other_sets.mp4")])
        write(parts, tmp_path / "out.mp4")
        assert sample_entries(tmp_path / "out.mp4") == 2
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    @pytest.mark.parametrize("at", [Fraction(1), Fraction(5), Fraction(7)])
    def test_seeking_into_each_part(self, at: Fraction, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        write(whole("a.mp4", "other_sets.mp4"), output)
        assert after_seek(output, at) == next(item for item in oracle.decode_video_pyav(output) if item[0] >= at)


def after_seek(source: Any, at: Fraction, options: dict[str, str] | None = None) -> tuple[Fraction, str]:
    """Return time and digest of the first picture at or after ``at``, found by seeking."""
    with av.open(str(source) if isinstance(source, Path) else source, options=options or {}) as container:
        container.seek(int(at * av.time_base))
        for frame in container.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            if frame.pts * frame.time_base >= at:
                return frame.pts * frame.time_base, hashlib.sha1(frame.to_ndarray().tobytes()).hexdigest()
    raise AssertionError(f"no picture at or after {at}")


class TestSound:
    @pytest.mark.parametrize("codec", ["ac3", "opus", "mp3"])
    @pytest.mark.parametrize("form", ["whole", "pieces"])
    def test_packets(self, codec: str, form: str, tmp_path: Path) -> None:
        first, second = f"a_{codec}.mp4", f"b_{codec}.mp4"
        parts = whole(first, second) if form == "whole" else groups((first, 2, 4), (second, 1, 3), (first, 6, 8))
        write(parts, tmp_path / "out.mp4", audio="copy")
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    def test_lossless_packets(self, tmp_path: Path) -> None:
        parts = groups(("a_alac.mov", 2, 4), ("b_alac.mov", 1, 3), ("a_alac.mov", 0, 1))
        write(parts, tmp_path / "out.mov", audio="copy")
        assert check_join(tmp_path / "out.mov", parts, time_slack=EXACT) == []

    def test_it_begins_with_the_pictures_and_ends_within_a_packet_of_them(self, tmp_path: Path) -> None:
        output, parts = tmp_path / "out.mp4", groups(("a.mp4", 2, 5), ("b.mp4", 1, 4))
        write(parts, output)
        after = oracle.decode_audio_pcm(output)
        assert after is not None and not after.gaps and abs(after.start_s) * after.rate <= 1
        shown = [packet for packet in sound_packets(output) if not packet.is_hidden]
        assert abs(shown[-1].pts + shown[-1].duration - 6 * GOP) <= shown[-1].duration


class TestOtherTracks:
    @pytest.mark.parametrize("second", ["multi.mp4", "multi_swapped.mp4"], ids=["same", "swapped"])
    def test_languages_cues_and_chapters(self, second: str, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = groups(("multi.mp4", 1, 4), (second, 2, 9))
        result = write(parts, output)
        assert result.warnings == ()
        assert check_join(output, parts, time_slack=EXACT, sound=2) == []
        found = oracle.describe(output)
        assert [track.language for track in found.of("audio")] == ["eng", "deu"]
        assert [(track.language, track.codec) for track in found.of("subtitle")] == [("fra", "mov_text")]
        assert [cue_of(cue) for cue in found.cues[0]] == [
            (Fraction("0.1"), Fraction("0.6"), "first"),
            (Fraction("1.1"), Fraction("1.2"), "across"),  # cut by the piece's end
            (Fraction("1.2"), Fraction("1.4"), "first"),  # begun before the piece
            (Fraction("1.9"), Fraction("2.9"), "across"),
            (Fraction("3.4"), Fraction("3.9"), "last"),
        ]
        assert [(chapter.start_s, chapter.title) for chapter in found.chapters] == CHAPTERS

    def test_quicktime_chapters(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mov"
        parts = groups(("multi.mov", 1, 4), ("multi.mov", 2, 9))
        assert write(parts, output).warnings == ()
        found = oracle.describe(output)
        assert [(chapter.start_s, chapter.title) for chapter in found.chapters] == CHAPTERS
        assert found.chapters[-1].end_s == 4
        assert [cue_of(cue)[2] for cue in found.cues[0]] == ["first", "across", "first", "across", "last"]

    def test_a_file_without_cues_between_two_with(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        parts = groups(("cues.mp4", 0, 5), ("a.mp4", 0, 2), ("cues.mp4", 6, 10))
        assert write(parts, output).warnings == ()
        assert check_join(output, parts, time_slack=EXACT) == []
        assert [cue_of(cue) for cue in oracle.describe(output).cues[0]] == [
            (Fraction("0.5"), Fraction(1), "first"),
            (Fraction("1.5"), Fraction(2), "across"),
            (Fraction("2.8"), Fraction("2.9"), "across"),
            (Fraction("3.4"), Fraction("3.9"), "last"),
        ]

    def test_a_gap_between_cues_of_more_ticks_than_32_bits(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        movie = ffzero.open(made("sparse.mp4"))  # an hour and a half, at a million ticks a second
        (movie[0:2] + ffzero.open(made("sparse.mp4"))[0:5400] + movie[0:2]).write(output)
        found = [cue_of(cue) for cue in oracle.describe(output).cues[0] if cue.payload[2:]]
        assert found[-2:] == [(Fraction("5402.5"), Fraction(5403), "first"), (Fraction("5403.5"), 5404, "across")]

    def test_cues_that_only_the_second_file_has_are_named(self, tmp_path: Path) -> None:
        parts = groups(("a.mp4", 0, 2), ("cues.mp4", 0, 5))
        result = write(parts, tmp_path / "out.mp4")
        assert "subtitle" in " ".join(result.warnings)
        assert check_join(tmp_path / "out.mp4", parts, time_slack=EXACT) == []

    def test_timecode(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mov"
        parts = groups(("a_timecode.mov", 1, 3), ("b_timecode.mov", 2, 4), ("a_timecode.mov", 0, 1))
        assert write(parts, output).warnings == ()
        first, second = 10 * 3600 * 25, (3600 + 2 * 60 + 3) * 25 + 4
        assert timecode_counters(output) == [(2 * GOP, first + 10), (2 * GOP, second + 20), (GOP, first)]
        assert [track.timecode for track in oracle.describe(output).of("timecode")] == ["10:00:00:10"]
        assert check_join(output, parts, time_slack=EXACT, sound=0) == []

    def test_timecodes_of_other_rates_prevent_no_join(self, tmp_path: Path) -> None:
        parts = groups(("a_timecode.mov", 1, 3))
        clip = clip_of(ffzero, parts) + ffzero.open(made("c_timecode.mov"))[:]
        clip.write(tmp_path / "out.mov")
        counters = timecode_counters(tmp_path / "out.mov")
        assert counters == [(2 * GOP, 10 * 3600 * 25 + 10), (Fraction(4), 10 * 30)]
        assert sample_entries(tmp_path / "out.mov", b"tmcd") == 2

    def test_timecode_of_a_join_that_is_cut_again(self, tmp_path: Path) -> None:
        joined, output = tmp_path / "joined.mov", tmp_path / "out.mov"
        write(groups(("a_timecode.mov", 1, 3), ("b_timecode.mov", 2, 4)), joined)
        ffzero.open(joined)[GOP : 3 * GOP].write(output)
        first, second = 10 * 3600 * 25, (3600 + 2 * 60 + 3) * 25 + 4
        assert timecode_counters(output) == [(GOP, first + 20), (GOP, second + 20)]


CHAPTERS = [
    (Fraction(0), "One"),
    (Fraction("0.6"), "Two"),
    (Fraction("1.2"), "One"),
    (Fraction("1.4"), "Two"),
    (Fraction("2.9"), "Three"),
]


def cue_of(cue: oracle.Cue) -> tuple[Fraction, Fraction, str]:
    return cue.start_s, cue.end_s, cue.payload[2:].decode()


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


class TestKeyframes:
    @pytest.mark.parametrize("names", [("a.mp4", "b.mp4"), ("hevc.mp4", "hevc.mp4")], ids=["H.264", "HEVC"])
    def test_snapped_to_closed_groups(self, names: tuple[str, str], tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        asked = sections(
            (made(names[0]), Fraction("0.5"), GOP * 3), (made(names[1]), Fraction("0.95"), Fraction("2.1"))
        )
        clip = clip_of(ffzero, asked)
        plan = clip.plan(boundary="keyframe")
        assert not plan.needs_render
        assert [piece["start_s"] for piece in plan.pieces] == [0.4, 0.8]
        clip.write(output, boundary="keyframe")
        end = plan.pieces[1]["end_s"]
        assert 2.1 <= end < 2.4, "it ends where no hidden picture is needed, soon after what was asked"
        snapped = sections((made(names[0]), GOP, GOP * 3), (made(names[1]), 2 * GOP, Fraction(str(end))))
        assert check_join(output, snapped, time_slack=EXACT) == []
        hidden = [segment for segment in plan.segments if isinstance(segment, Copy) and segment.kind == "video"]
        assert all(segment.hidden_before == segment.hidden_after == 0 for segment in hidden)

    @pytest.mark.parametrize("name", ["open_gop.mp4", "hevc_open_gop.mp4"])
    def test_open_groups(self, name: str, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        path = made(name)
        keys = oracle.keyframe_times(path)
        assert len(keys) > 4 and keys[2] == 2 * GOP + keys[0], keys
        clip = clip_of(
            ffzero, sections((path, Fraction("0.5"), Fraction("1.1")), (path, Fraction("1.7"), Fraction("2.7")))
        )
        plan = clip.plan(boundary="keyframe")
        assert not plan.needs_render, str(plan)
        clip.write(output, boundary="keyframe")
        parts = sections(
            *[(path, Fraction(str(piece["start_s"])), Fraction(str(piece["end_s"]))) for piece in plan.pieces]
        )
        assert all(part.zero in keys and part.zero == part.start for part in parts)
        assert check_join(output, parts, time_slack=EXACT) == []

    @pytest.mark.parametrize("name", ["a.mp4", "hevc.mp4"])
    def test_pictures_that_the_sources_hide(self, name: str, tmp_path: Path) -> None:
        """Where a joint falls at an edit of the source, what is hidden is shown or left out, but nothing is coded."""
        trimmed, output = tmp_path / "trimmed.mp4", tmp_path / "out.mp4"
        ffzero.open(made(name))[0.5:1.75].write(trimmed)
        clip = ffzero.concat([trimmed, trimmed])
        assert clip.plan().needs_render
        plan = clip.plan(boundary="keyframe")
        assert not plan.needs_render, str(plan)
        clip.write(output, boundary="keyframe")
        shown = [frame.digest for frame in oracle.decode(output).videos[0]]
        source = [frame.digest for frame in oracle.decode(made(name)).videos[0]]
        assert len(shown) == plan.frames_copied
        assert shown == shown[: len(shown) // 2] * 2
        first = source.index(shown[0])
        assert first in (10, 20) and shown[: len(shown) // 2] == source[first : first + len(shown) // 2]

    def test_every_boundary_mode_agrees_on_key_pictures(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 1, 3), ("b.mp4", 5, 6)))
        written = set()
        for boundary in ("auto", "keyframe", "edit-list", "render"):
            clip.write(tmp_path / f"{boundary}.mp4", boundary=boundary)
            written.add((tmp_path / f"{boundary}.mp4").read_bytes())
        assert len(written) == 1


NAMES = ("with space.mp4", "quo'te\".mp4", "new\nline.mp4", "🎬.mp4", "-dash.mp4", "a,b;c:d|e\\f#%20.mp4")


class TestUnwritten:
    def test_a_file_object_has_the_bytes_that_are_written(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 3)))
        clip.write(tmp_path / "out.mp4")
        written = (tmp_path / "out.mp4").read_bytes()
        with clip.open() as file:
            assert file.readable() and file.seekable() and not file.writable()
            assert file.read() == written
            assert file.seek(-100, 2) == len(written) - 100
            assert file.read() == written[-100:]
            assert (file.seek(5000), file.read(70000)) == (5000, written[5000:75000])

    def test_pyav_reads_and_seeks_it(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 5)))
        clip.write(tmp_path / "out.mp4")
        wanted = oracle.decode_video_pyav(tmp_path / "out.mp4")
        with clip.open() as file:
            assert oracle.decode_video_pyav(file) == wanted
        for at in (Fraction(2), Fraction("0.3"), Fraction("1.52")):
            with clip.open() as file:
                assert after_seek(file, at) == next(item for item in wanted if item[0] >= at)

    def test_ffmpeg_reads_and_seeks_it(self, tmp_path: Path) -> None:
        clip = clip_of(ffzero, groups(("a.mp4", 2, 4), ("other_sets.mp4", 1, 5)))
        clip.write(tmp_path / "out.mp4")
        with clip.ffmpeg_input() as arguments:
            for seek in ([], ["-ss", "0.92"], ["-ss", "2"]):
                assert frame_hashes(*seek, *arguments) == frame_hashes(*seek, "-i", str(tmp_path / "out.mp4"))
            wanted = oracle.decode_video_pyav(tmp_path / "out.mp4")
            for at in (Fraction("1.52"), Fraction("0.3")):
                found = after_seek(arguments.url, at, arguments.options)
                assert found == next(item for item in wanted if item[0] >= at)

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        shutil.copyfile(made("a.mp4"), name)
        clip = ffzero.concat([name, made("b.mp4"), name])
        result = clip.write(f"out {name}")
        parts = whole("a.mp4", "b.mp4", "a.mp4")
        assert check_join(Path(str(result)).absolute(), parts, time_slack=EXACT) == []
        with clip.ffmpeg_input() as arguments:
            assert frame_hashes(*arguments) == frame_hashes("-i", str(Path(result).absolute()))


def frame_hashes(*arguments: str) -> list[str]:
    """Return what FFmpeg says of every picture of an input; it must not complain."""
    argv = [media.ffmpeg_exe(), "-nostdin", "-v", "warning", *arguments, "-map", "0:v", "-f", "framehash", "-"]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    lines = [line for line in run.stdout.splitlines() if not line.startswith("#")]
    assert lines
    return lines


class TestCommandLine:
    def test_concat(self, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        outcome = call("concat", made("a.mp4"), made("b.mp4"), "-o", output, "--json")
        assert outcome.status == 0, outcome
        assert outcome.object["frames_copied"] == 200
        assert check_join(output, whole("a.mp4", "b.mp4"), time_slack=EXACT) == []
        assert call("concat", made("a.mp4"), made("b.mp4"), "-o", output).status == 2, "it is there"

    def test_concat_that_needs_coding(self, tmp_path: Path) -> None:
        argv = ["concat", made("a.mp4"), made("small.mp4"), "-o", tmp_path / "out.mp4"]
        dry = call(*argv, "--dry-run")
        assert "size differs (160×120 and 128×96)" in dry.out
        outcome = call(*argv, "--json")
        assert outcome.status == 0, outcome
        assert (outcome.object["frames_copied"], outcome.object["frames_rendered"]) == (100, 100)
        like = call(*argv[:3], "-o", tmp_path / "like.mp4", "--like", made("small.mp4"), "--json")
        assert like.status == 0
        assert pictures_of(tmp_path / "like.mp4")[0].width == 128

    def test_dry_run(self, tmp_path: Path) -> None:
        argv = ["cut", made("a.mp4"), "-s", "0.5", "-e", "1.5", "-o", tmp_path / "out.mp4", "--dry-run", "--json"]
        plan = call(*argv).object
        assert plan["frames_copied"] == 25 and plan["frames_rendered"] == 0 and not plan["needs_render"]
        video = next(segment for segment in plan["segments"] if segment["kind"] == "video")
        assert video["action"] == "copy" and video["hidden_before"] >= 2
        plan = call(*argv, "--boundary", "render").object
        assert plan["needs_render"] and plan["frames_rendered"] > 0
        assert list(tmp_path.iterdir()) == []


def test_moov_and_edits_of_a_long_join(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    write(groups(*[("a.mp4", number, number + 1) for number in (3, 1, 4, 1, 5, 9)]), output)
    assert [len(track) for track in edits(output)] == [1, 1]
    assert [box.kind for box in boxes.top_level(output)][:2] == [b"ftyp", b"moov"]
    video, sound = edits(output)
    assert video[0][0] == 6 * GOP
    assert abs(sound[0][0] - 6 * GOP) <= Fraction(1024, 48000)
