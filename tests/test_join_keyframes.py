"""Joins on keyframes hide no picture and code none.

FFmpeg and PyAV are the judges (``support.joins``).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.edits.plan import Copy
from support import oracle
from support.joins import (
    GOP,
    check_join,
    clip_of,
    made,
    sections,
)
from support.written_joins import EXACT, groups


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
        assert hidden and all(segment.hidden_before == segment.hidden_after == 0 for segment in hidden)

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
