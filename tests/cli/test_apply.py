"""``ffzero apply``: an effect on a range of a real file, and what is said where it makes no sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import oracle
from support.command_line import call
from support.joins import made
from support.shown import filtered, psnr_db, shown


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


def test_a_filter_on_a_range(output: Path) -> None:
    outcome = call("apply", made("a.mp4"), "-o", output, "--filter", "boxblur=4", "-s", "1", "-e", "1.6", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.object["frames_rendered"] <= 20
    assert outcome.object["frames_copied"] == 100 - outcome.object["frames_rendered"]
    got, source, blurred = shown(output), shown(made("a.mp4")), filtered(made("a.mp4"), "boxblur=4")
    assert len(got) == 100
    assert np.array_equal(got[19].data, source[19].data)
    assert psnr_db(got[25].data, blurred[25].data) >= 45
    assert psnr_db(got[39].data, blurred[39].data) >= 45
    assert np.array_equal(got[40].data, source[40].data)


def test_filters_one_after_another_for_a_duration(output: Path) -> None:
    words = ["apply", made("a.mp4"), "-o", output, "--filter", "negate", "--filter", "hflip", "-s", "3.6", "-d", "9"]
    assert call(*words).status == 0
    got, wanted = shown(output), filtered(made("a.mp4"), "negate,hflip")
    assert all(psnr_db(mine.data, yours.data) >= 45 for mine, yours in zip(got[90:], wanted[90:], strict=True))


def test_sound_alone(output: Path) -> None:
    outcome = call("apply", made("a.mp4"), "-o", output, "--audio-filter", "volume=0", "-s", "1", "-e", "2", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.object["frames_copied"] == 100
    sound = oracle.decode_audio_pcm(output)
    assert sound is not None
    loud = [abs(sound.samples[int(at * sound.rate) :][:4800]).max() for at in (0.5, 1.5, 2.5)]
    assert loud[1] < 0.001 * loud[0] and loud[2] > 0.5 * loud[0]


def test_a_dry_run_names_what_is_coded(output: Path) -> None:
    words = ["apply", made("a.mp4"), "--filter", "negate", "-s", "1", "-e", "1.6", "--dry-run", "--json"]
    plan = call(*words).object
    (render,) = (segment for segment in plan["segments"] if segment["action"] == "render")
    assert "negate" in render["reason"]
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ([], "no effect"),
        (["--filter", " "], "not a filter chain"),
        (["--filter", "nosuch"], "no filter 'nosuch'"),
        (["--filter", "scale=10:10"], "10×10"),
        (["--filter", "negate", "-s", "9"], "nothing of the clip"),
        (["--filter", "negate", "-s", "2", "-e", "1"], "not after the start"),
    ],
)
def test_what_makes_no_sense(words: list[str], word: str, output: Path) -> None:
    outcome = call("apply", made("a.mp4"), "-o", output, *words)
    assert outcome.status == 2
    assert word in outcome.message
    assert list(output.parent.iterdir()) == []


def test_another_container_is_refused(tmp_path: Path) -> None:
    outcome = call("apply", made("a.mp4"), "-o", tmp_path / "out.mkv", "--filter", "negate")
    assert outcome.status == 1
    assert "MP4 or MOV" in outcome.message
    assert list(tmp_path.iterdir()) == []
