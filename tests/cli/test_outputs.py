"""What commands that write clips take: outputs that may be named, values that mean something, inputs they can read."""

from __future__ import annotations

import errno
import math
import os
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import ffzero
from ffzero.errors import UsageError
from ffzero.storage import local
from support.command_line import call
from support.media import ffmpeg_exe
from support.samples import copy_sample

COMMANDS = {
    "cut": ("cut", "in.mp4", "-s", "1.1", "-e", "4"),
    "concat": ("concat", "in.mp4", "in.mp4"),
    "remove": ("remove", "in.mp4", "--range", "1-2"),
    "apply": ("apply", "in.mp4", "--filter", "hflip", "-s", "1", "-e", "1.2"),
    "split": ("split", "in.mp4", "--at", "2"),
}
OTHER_COMMANDS = {"transcode": ("transcode", "in.mp4"), "stream": ("stream", "in.mp4")}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["cut", "concat", "remove", "apply"])
@pytest.mark.parametrize("more", [(), ("--verify",), ("--dry-run",)], ids=["plain", "verify", "dry run"])
def test_an_input_is_never_replaced_by_what_is_made_of_it(command: str, more: tuple[str, ...]) -> None:
    whole = Path("in.mp4").read_bytes()
    os.mkdir("sub")
    os.symlink("in.mp4", "soft.mp4")
    os.link("in.mp4", "hard.mp4")
    for name in ("in.mp4", "./sub/../in.mp4", "soft.mp4", "hard.mp4", os.path.abspath("in.mp4")):
        outcome = call(*COMMANDS[command], "-o", name, "-y" if not more or more == ("--verify",) else "--json", *more)
        assert outcome.status == 2, name
        assert "the output is the input" in outcome.err + outcome.out
        assert Path("in.mp4").read_bytes() == whole
    assert sorted(path.name for path in Path().iterdir()) == ["hard.mp4", "in.mp4", "soft.mp4", "sub"]


def test_a_file_that_others_are_made_like_is_an_input() -> None:
    copy_sample(Path(), "like.mp4")
    with pytest.raises(UsageError, match="the output is the input"):
        ffzero.concat(["in.mp4", "in.mp4"], like="like.mp4").write("like.mp4", overwrite=True)


def test_the_old_interface_copies_no_file_onto_itself() -> None:
    """With settings, which code it anew, it may: see ``tests/pipelines/test_coding.py``."""
    with pytest.raises(UsageError, match="the output is the input"):
        ffzero.cut_video("in.mp4", "in.mp4", 1, 1, overwrite=True)


@pytest.mark.parametrize("command", COMMANDS | OTHER_COMMANDS)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "missing/out.mp4"), "the folder does not exist"),
        (("-o", "out.mp4", "--engine", "bogus"), "no such engine"),
    ],
)
def test_a_dry_run_tells_what_would_be_refused(command: str, words: tuple[str, ...], said: str) -> None:
    outcome = call(*(COMMANDS | OTHER_COMMANDS)[command], *words, "--dry-run")
    assert outcome.status in (1, 2)
    assert said in outcome.message


def test_an_engine_that_has_nothing_to_do_has_a_name_nevertheless() -> None:
    assert "no such engine" in call("cut", "in.mp4", "-e", "1", "-o", "out.mp4", "--engine", "bogus").message
    with pytest.raises(UsageError, match="at least one worker"):
        ffzero.open("in.mp4")[:1].write("out.mp4", jobs=0)
    assert not os.path.exists("out.mp4")


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv"])
def test_names_steer_no_terminal(output: str) -> None:
    name = "x\x1b[31m\n.mp4"
    os.rename("in.mp4", name)
    outcome = call("cut", name, "-s", "1.1", "-e", "2", "-o", "\x07" + output, "--dry-run", "--boundary", "keyframe")
    assert outcome.status == 0, outcome.err
    assert r"x\x1b[31m\n.mp4" in outcome.out
    clip = ffzero.open(name)[1.1:2]
    for text in (outcome.out, str(clip.plan("render")), *map(str, clip.plan("render").renders)):
        assert not set(text) & {"\x1b", "\x07"}
        assert r"x\x1b[31m\n.mp4" in text


def test_an_existing_output_tells_how_it_is_replaced() -> None:
    Path("out.mp4").touch()
    assert "-y" in call(*COMMANDS["cut"], "-o", "out.mp4").message
    Path("out_001.mp4").touch()
    assert "-y" in call("split", "in.mp4", "--at", "2", "-o", "out.mp4").message
    Path("1.png").touch()
    assert "-y" in call("frames", "in.mp4", "--at", "1", "-o", "%d.png").message


@pytest.fixture
def other(folder: Path) -> Path:
    """The film as Matroska, a text that is none, its sound alone, and its pictures alone."""
    run_ffmpeg("-i", "in.mp4", "-t", "2", "-c", "copy", "in.mkv")
    Path("text.mp4").write_text("no media")
    run_ffmpeg("-i", "in.mp4", "-t", "1", "-vn", "-c", "copy", "sound.m4a")
    run_ffmpeg("-i", "in.mp4", "-t", "1", "-an", "-c", "copy", "mute.mp4")
    return folder


def run_ffmpeg(*words: str) -> None:
    subprocess.run([ffmpeg_exe(), "-v", "error", *words], check=True, timeout=60)


REFUSED = [
    (("apply", "in.mkv", "--filter", "hflip"), "only MP4 and MOV can be edited", "ffzero cut "),
    (("apply", "text.mp4", "--filter", "hflip"), "not a media file", ""),
    (("cut", "text.mp4", "-e", "1", "--boundary", "render"), "not a media file", ""),
    (("cut", "in.mkv", "-e", "1", "--verify"), "in.mkv: what is copied packet by packet", "Write MP4 or MOV"),
    (("apply", "in.mp4", "-e", "0.1", "--filter", "subtitles=missing.srt"), "Unable to open missing.srt", "it names"),
    (("apply", "in.mp4", "-e", "0.1", "--filter", "nonesuch=3"), "near '3'", "Check their names"),
    (("apply", "sound.m4a", "--filter", "hflip"), "no pictures that it could be applied to", "inspect"),
    (("apply", "mute.mp4", "--audio-filter", "volume=0"), "no sound that it could be applied to", "inspect"),
    (("split", "in.mp4", "--scenes", "--threshold", "nan"), "nan", "--help"),
    (("stream", "in.mp4", "--follow", "--idle", "nan"), "nan", "--help"),
]


@pytest.mark.parametrize(("words", "said", "hint"), REFUSED, ids=[" ".join(case[0])[:40] for case in REFUSED])
def test_what_cannot_be_is_told_with_what_can(other: Path, words: tuple[str, ...], said: str, hint: str) -> None:
    outcome = call(*words, "-o", "out.mp4")
    assert outcome.status in (1, 2)
    assert said in outcome.message
    assert hint in outcome.message
    assert not os.path.exists("out.mp4")


def test_whether_an_input_can_be_read_is_found_by_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode, **_: False)
    assert call("inspect", "in.mp4").status == 0

    def denied(path: object, *_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(local.os, "open", denied)
    outcome = call("inspect", os.path.abspath("in.mp4"))
    assert outcome.status == 1
    assert "in.mp4: cannot be opened: Permission denied" in outcome.message


QUITS = """import sys
def at_once(clip): sys.exit(4)
def picture(frame): sys.exit(4)
def later(clip): return clip.map(picture)
"""


@pytest.mark.parametrize(("function", "place"), [("at_once", "chunk 0"), ("later", "a function that was called")])
def test_a_function_that_would_end_the_program_is_an_error(function: str, place: str) -> None:
    Path("quits.py").write_text(QUITS)
    outcome = call("stream", "in.mp4", "-o", "out.mp4", "--chunk", "50s", "--call", f"quits.py:{function}")
    assert outcome.status == 1
    assert place in outcome.message.split(": error: ")[1]
    assert "would end the program (SystemExit: 4)" in outcome.message


def test_a_chunk_far_longer_than_asked_tells_why(other: Path) -> None:
    run_ffmpeg("-i", "in.mp4", "-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "999", "-an", "one.mp4")
    outcome = call("stream", "one.mp4", "-o", "out.mp4", "--chunk", "1s", "--json")
    (warning,) = outcome.object["warnings"]
    assert warning.startswith("a chunk of 4 s was not made shorter: chunks begin at keyframes")
    assert call("stream", "in.mp4", "-o", "out.mp4", "--chunk", "2s", "--json", "-y").object["warnings"] == []


def test_hidden_frames_are_no_part_of_the_rate() -> None:
    with ffzero.open("in.mp4") as movie:
        plain = movie.info().tracks[0]
        key = movie.keyframes()[1]
        movie[key + Fraction(2, 5) : key + 1].write("cut.mp4")
    track = ffzero.open("cut.mp4").info().tracks[0]
    assert (track.frame_rate, track.shown_count) == (plain.frame_rate, 15)
    assert track.sample_count is not None and track.sample_count > 15
    assert f"15 frames, {track.sample_count - 15} more hidden" in call("inspect", "cut.mp4").out


def test_values_that_mean_nothing_are_refused_in_words() -> None:
    movie = ffzero.open("in.mp4")
    for wrong in (
        lambda: ffzero.concat("in.mp4"),
        lambda: ffzero.concat(5),  # type: ignore[arg-type]
        lambda: ffzero.concat([5]),  # type: ignore[list-item]
        lambda: movie.split(5),  # type: ignore[arg-type]
        lambda: movie.split(scenes=math.nan),
        lambda: movie.split(scenes=-3),
        lambda: movie.split([1], boundary="foo"),
        lambda: movie[:2].crossfade(movie[:2], frames=1.5),  # type: ignore[arg-type]
        lambda: movie[:2].crossfade("in.mp4"),  # type: ignore[arg-type]
        lambda: movie[np.array([1]) : 5],
        lambda: movie[np.array([1, 2]) : 5],
        lambda: ffzero.generate_video_segments("in.mp4", follow=True, idle_timeout=math.nan),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert movie[np.float32(1) : np.int64(5)].duration == 4
