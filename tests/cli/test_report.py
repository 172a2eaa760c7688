"""Where a cut really fell, in words, for both ways of making it."""

from __future__ import annotations

from typing import Any

import pytest

from ffzero.cli.report import summary
from ffzero.reporting import WriteResult

ROPE = {
    "action": "copy", "piece": 0, "input": "in.mp4", "track": 1, "kind": "video", "start_s": 0.0, "end_s": 30.0,
    "source_start_s": 10.52, "hidden_before": 13, "hidden_after": 0,
}  # fmt: skip
RENDER = {**ROPE, "action": "render", "source_start_s": 1.0, "source_end_s": 2.0, "hidden_before": 0}
REMUX = {"kind": "copy", "source": "in.mkv", "start_s": 5.0, "actual_start_s": 4.0, "actual_end_s": None}


@pytest.mark.parametrize(
    ("segment", "line"),
    [
        (ROPE, "  0:00:10.520 to 0:00:40.520 of in.mp4; 13 more frames for the decoder, not shown"),
        ({**ROPE, "hidden_before": 0}, "  0:00:10.520 to 0:00:40.520 of in.mp4"),
        (
            {**ROPE, "hidden_before": 0, "hidden_after": 1},
            "  0:00:10.520 to 0:00:40.520 of in.mp4; 1 more frame for the",
        ),
        (RENDER, "  0:00:01.000 to 0:00:02.000 of in.mp4"),
        (REMUX, "  0:00:04.000 to the end of in.mkv"),
    ],
)
def test_range(segment: dict[str, Any], line: str) -> None:
    assert summary(WriteResult(output="out.mp4", segments=(segment,)))[1].startswith(line)


def test_sound_and_unknown_segments_are_left_out() -> None:
    segments: tuple[dict[str, Any], ...] = ({**ROPE, "kind": "audio"}, {"anything": 1})
    assert len(summary(WriteResult(output="out.mp4", segments=segments))) == 1


def test_a_long_list_is_cut_short() -> None:
    lines = summary(WriteResult(output="out.mp4", segments=(REMUX,) * 100))
    assert len(lines) == 8
    assert lines[-1] == "  ... and 94 more"


def test_every_part_that_there_is_has_a_line() -> None:
    result = WriteResult(
        output="o\n.mp4", bytes_total=400, bytes_shared=100, bytes_copied=100, bytes_rendered=100, bytes_header=100,
        frames_rendered=3, methods={"FICLONERANGE": 100, "copy_file_range": 60, "pread/pwrite": 40, "literal": 200},
        warnings=("a", "b"),
    )  # fmt: skip
    assert summary(result) == [
        "o\\n.mp4: 400 B, 3 frames, in 0 ms",
        "  shared    100 B  25%  FICLONERANGE",
        "  copied    100 B  25%  copy_file_range, pread/pwrite",
        "  rendered  100 B  25%  3 frames",
        "  header    100 B  25%",
        "  warning: a",
        "  warning: b",
    ]
