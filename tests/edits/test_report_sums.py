"""What a result says was shared, copied and added is the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffzero
from support.media import made


@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "multi.mp4", "prores_tc_pcm24.mov", "frag_sidx.mp4"])
def test_shared_copied_and_header_are_all(name: str, tmp_path: Path) -> None:
    clip = ffzero.open(made(name))[1.3:3.1]
    plan = clip.plan()
    result = clip.write(tmp_path / name)
    assert result.bytes_total == (tmp_path / name).stat().st_size == plan.bytes_total
    assert result.bytes_shared + result.bytes_copied + result.bytes_header == result.bytes_total
    assert result.bytes_header == plan.bytes_header
