"""What not every player handles is named, and what is plain has no risk."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffzero
from ffzero.edits.proof.player_risks import player_risks
from support import media
from support.samples import plain_sample


def risks(path: Path) -> str:
    opened = ffzero.open(path).media
    assert opened is not None
    return "\n".join(player_risks(opened))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nasa_13013.mp4", "2 video tracks"),
        ("video-h265.mp4", "hev1: Apple's players want hvc1"),
        ("long_1080p_lowbitrate.mp4", "moov after mdat"),
        ("sample_with_increasing_timestamps_320w_240h_fragmented.mp4", "18 fragments"),
        ("bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4", "an empty edit"),
        ("av1-clearkey-cbcs-video.mp4", "2 sample entries"),
    ],
)
def test_real_files(name: str, said: str) -> None:
    real = {item.name: item.path() for item in media.real_media()}
    if name not in real:
        pytest.skip("needs FFZERO_MEDIA")
    assert said in risks(real[name])


def test_an_edit_that_hides_and_none_where_all_is_rendered(tmp_path: Path) -> None:
    clip = ffzero.open(plain_sample())[3:5]
    hiding, plain = tmp_path / "hiding.mp4", tmp_path / "plain.mp4"
    clip.write(hiding, boundary="edit-list")
    clip.write(plain, boundary="render")
    assert "an edit list hides" in risks(hiding)
    assert risks(plain) == ""
