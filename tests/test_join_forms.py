"""Joins of files in different forms: timescales, chunks, track orders, containers and parameter sets.

FFmpeg and PyAV are the judges (``support.joins``).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from support import oracle
from support.joins import (
    GOP,
    check_join,
    made,
    sample_entries,
    sections,
)
from support.written_joins import EXACT, MILLISECOND, after_seek, groups, whole, write

VARIANTS = ("b.mp4", "b_90000.mp4", "b_30000.mp4", "b_chunks.mp4", "b_order.mp4", "b_first.mp4", "b_fragments.mp4")


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
