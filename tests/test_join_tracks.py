"""What joins keep besides pictures: sound, other languages, cues, chapters and timecodes.

FFmpeg and PyAV are the judges (``support.joins``).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.errors import UnsupportedError
from support import oracle
from support.encoding import ffmpeg
from support.joins import (
    GOP,
    check_join,
    clip_of,
    made,
    sample_entries,
    sound_packets,
    timecode_counters,
)
from support.written_joins import EXACT, groups, whole, write


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

    def test_packets_of_a_depth_that_no_encoder_has_are_copied(self, tmp_path: Path) -> None:
        source = tmp_path / "in.mp4"
        sound = ["-f", "lavfi", "-i", "aevalsrc=sin(2000*t):s=48000:d=2", "-c:a", "flac", "-strict", "-2"]
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2", *sound, "-c:v", "libx264", "-g", "25", source)
        with ffzero.open(source) as movie:
            assert movie.media is not None and movie.media.box.tracks[1].entries[0].sample_size_bits == 32
            piece = movie[Fraction(1, 5) : Fraction(8, 5)]
            result = (piece + piece).write(tmp_path / "out.mp4")
            assert result.frames_rendered > 0
            with pytest.raises(UnsupportedError, match="flac sound of 32 bits"):
                piece.apply_audio("volume=0.5").write(tmp_path / "no.mp4")
        assert len(sound_packets(tmp_path / "out.mp4")) > 2 * 14

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
