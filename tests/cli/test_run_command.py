"""``ffzero run``: any FFmpeg command line, its outputs whole or absent."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ffzero.cli import run as run_cli
from support.command_line import Outcome, Terminal, call
from support.media import ffmpeg_exe
from support.ramp import RAMP_FRAMES, lumas, make_ramp

SRC = Path(__file__).parents[2] / "src"
QUICK = ["-preset", "ultrafast", "-crf", "10"]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ramp") / "in.mp4"
    make_ramp(path)
    return path


@pytest.fixture
def folder(ramp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(ramp, tmp_path / "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def succeed(*argv: object) -> Outcome:
    outcome = call("run", *argv)
    assert (outcome.err, outcome.status) == ("", 0)
    return outcome


def process(*argv: str, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # options are the caller's
        [sys.executable, "-m", "ffzero", "run", *argv], env=environment, **options
    )


class TestWords:
    @pytest.mark.parametrize("head", [["--"], ["ffmpeg"], ["--", "ffmpeg"], [], ["--", ffmpeg_exe()]])
    def test_with_and_without_the_programs_name(self, folder: Path, head: list[str]) -> None:
        outcome = succeed(*head, "-i", "in.mp4", "-an", *QUICK, "out.mp4")
        assert outcome.out.splitlines()[0].startswith("out.mp4: ")
        assert "100 frames" in outcome.out
        assert len(lumas("out.mp4")) == RAMP_FRAMES

    def test_own_options_stand_first(self, folder: Path) -> None:
        report = succeed("--timeout", "60", "--json", "-i", "in.mp4", "-c", "copy", "out.mkv").object
        assert report["outputs"] == ["out.mkv"]
        assert report["returncode"] == 0
        assert report["frames"] == RAMP_FRAMES
        assert report["argv"][1:] == ["-i", "in.mp4", "-c", "copy", "out.mkv"]

    @pytest.mark.parametrize("name", ["-a b.mp4", 'it\'s "q".mp4', "🎬.mp4", "two\nlines.mp4", "--json"])
    def test_odd_names(self, folder: Path, name: str) -> None:
        succeed("--", "-i", "in.mp4", "-c", "copy", "-f", "mp4", "--", name)
        assert files(folder) == {"in.mp4", name}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ([], "nothing was given to run"),
            (["--"], "nothing was given to run"),
            (["--timeout", "0", "--", "-version"], "--timeout"),
            (["--", "-i", "in.mp4", "-y", "./in.mp4"], "the output is the input"),
            (["--", "-i", "in.mp4", "a.mkv", "./a.mkv"], "two outputs have this name"),
            (["--json", "--", "-i", "in.mp4", "-f", "mpegts", "-"], "--json"),
        ],
    )
    def test_nonsense_is_refused(self, folder: Path, words: list[str], told: str) -> None:
        outcome = call("run", *words)
        assert outcome.status == 2
        assert told in outcome.err + outcome.out
        assert files(folder) == {"in.mp4"}

    def test_a_dry_run_says_what_becomes_of_each_output(self, folder: Path) -> None:
        words = ["-i", "in.mp4", "a b.mp4", "p%03d.png", "-f", "mpegts", "pipe:1", "-vstats_file", "v.txt", "b.ts"]
        first, *notes = succeed("--dry-run", "--", *words).out.splitlines()
        assert shlex.split(first)[1:] == words
        assert notes == [
            "# a b.mp4: there when all is well",
            "# p%03d.png: its files are moved there when all is well",
            "# pipe:1: written as FFmpeg goes",
            "# b.ts: there when all is well",
            "# what -vstats_file writes is written as FFmpeg goes",
        ]
        assert files(folder) == {"in.mp4"}
        plan = succeed("--dry-run", "--json", "--", *words).object
        assert [one["output"] for one in plan["outputs"]] == ["a b.mp4", "p%03d.png", "pipe:1", "b.ts"]


class TestOutputs:
    def test_an_existing_one_is_refused_without_y(self, folder: Path) -> None:
        (folder / "out.mkv").write_text("mine")
        words = ["-i", "in.mp4", "-c", "copy", "out.mkv"]
        outcome = call("run", "--", *words)
        assert outcome.status == 2
        assert "exists already" in outcome.message
        assert (folder / "out.mkv").read_text() == "mine"
        succeed("--", "-y", *words)
        assert len(lumas("out.mkv")) == RAMP_FRAMES

    def test_after_an_error_the_old_one_is_there(self, folder: Path) -> None:
        (folder / "out.mp4").write_text("mine")
        outcome = call("run", "--", "-y", "-i", "in.mp4", "-c:v", "nonsense", "out.mp4")
        assert outcome.status == 1
        assert "no encoder 'nonsense'" in outcome.message
        assert (folder / "out.mp4").read_text() == "mine"
        assert files(folder) == {"in.mp4", "out.mp4"}

    def test_several_outputs(self, folder: Path) -> None:
        succeed("--", "-i", "in.mp4", "-an", *QUICK, "-t", "1", "a.mp4", "-vn", "-c:a", "flac", "b.flac")
        assert files(folder) == {"in.mp4", "a.mp4", "b.flac"}
        assert len(lumas("a.mp4")) == 25

    def test_numbered_pictures_and_playlists(self, folder: Path) -> None:
        succeed("--", "-i", "in.mp4", "-t", "0.2", "p%03d.png")
        assert files(folder) == {"in.mp4", *(f"p00{number}.png" for number in range(1, 6))}
        succeed("--", "-i", "in.mp4", "-map", "0:v", "-c", "copy", "-f", "hls", "-hls_time", "1", "l.m3u8")
        text = (folder / "l.m3u8").read_text()
        assert [line for line in text.splitlines() if line.endswith(".ts")] == ["l0.ts", "l1.ts", "l2.ts", "l3.ts"]
        assert {"l0.ts", "l3.ts"} < files(folder)

    def test_devices_are_written_straight(self, folder: Path) -> None:
        if not os.path.exists("/dev/null"):
            pytest.skip("no /dev/null here")
        succeed("--", "-i", "in.mp4", "-c", "copy", "-f", "mpegts", "-y", "/dev/null")
        assert files(folder) == {"in.mp4"}

    def test_what_is_not_held_back_is_told(self, folder: Path) -> None:
        out = succeed("--", "-i", "in.mp4", "-map", "0:v", "-c", "copy", "-f", "tee", "a.mkv|[f=mpegts]b.ts").out
        assert "warning: a.mkv|[f=mpegts]b.ts is written as FFmpeg goes" in out
        assert files(folder) == {"in.mp4", "a.mkv", "b.ts"}

    def test_a_file_without_a_picture_is_no_output(self, folder: Path) -> None:
        outcome = call("run", "--", "-ss", "9", "-i", "in.mp4", "-c:v", "libx264", "out.mp4")
        assert outcome.status == 1
        assert "nothing was written" in outcome.message
        assert files(folder) == {"in.mp4"}

    def test_words_without_an_output_run_as_they_are(self, folder: Path) -> None:
        outcome = call("run", "--", "-i", "in.mp4")
        assert outcome.status == 1
        assert "no output was found among the words" in outcome.err
        assert "At least one output file must be specified" in outcome.err


class TestStreams:
    def test_standard_output(self, folder: Path) -> None:
        child = process("--", "-i", "in.mp4", "-c", "copy", "-f", "matroska", "-", stdout=subprocess.PIPE)
        found, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        (folder / "piped.mkv").write_bytes(found)
        assert len(lumas("piped.mkv")) == RAMP_FRAMES

    def test_all_of_it_arrives_at_a_slow_reader(self, folder: Path) -> None:
        words = ["-i", "in.mp4", "-f", "rawvideo", "-pix_fmt", "gray", "-an", "-"]
        child = process("--", *words, stdout=subprocess.PIPE)
        assert child.stdout is not None
        time.sleep(2.5)
        assert len(child.stdout.read()) == 160 * 120 * RAMP_FRAMES
        child.stdout.close()
        assert child.wait(60) == 0

    def test_a_reader_that_leaves_ends_it_in_silence(self, folder: Path) -> None:
        words = ["-stream_loop", "-1", "-i", "in.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-an", "-"]
        child = process("--", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout is not None
        assert len(child.stdout.read(1000)) == 1000
        child.stdout.close()
        assert child.wait(60) == 1
        assert child.stderr is not None
        assert child.stderr.read() == b""
        child.stderr.close()

    def test_standard_input(self, folder: Path) -> None:
        with open("in.mp4", "rb") as source:
            child = process("--", "-i", "-", "-c", "copy", "out.mkv", stdin=source, stdout=subprocess.DEVNULL)
            assert child.wait(60) == 0
        assert len(lumas("out.mkv")) == RAMP_FRAMES

    def test_questions_are_answered(self) -> None:
        assert succeed("--", "-version").out.startswith("ffmpeg version")
        assert len(succeed("--", "-h", "full").out) > 300_000

    def test_an_analysis_is_shown(self, folder: Path) -> None:
        words = ["-i", "in.mp4", "-af", "volumedetect", "-vn", "-f", "null", "-"]
        outcome = call("run", "--", *words)
        assert outcome.status == 0
        assert "max_volume: " in outcome.err
        assert "max_volume: " in call("run", "--json", "--", *words).object["log"]

    def test_messages_are_shown_where_they_are_asked_for(self, folder: Path) -> None:
        assert "Stream mapping" in call("run", "--", "-v", "info", "-i", "in.mp4", "-c", "copy", "out.mkv").err

    def test_progress_is_drawn(self, folder: Path) -> None:
        stdout, stderr = io.StringIO(), Terminal()
        words = ["run", "--", "-re", "-i", "in.mp4", "-t", "2", *QUICK, "out.mp4"]
        assert run_cli(words, stdout, stderr) == 0
        assert "1 second" in stderr.getvalue()


def test_a_timeout_ends_it(folder: Path) -> None:
    outcome = call("run", "--timeout", "0.5", "--", "-re", "-stream_loop", "-1", "-i", "in.mp4", "out.mkv")
    assert outcome.status == 1
    assert "did not end within 0.5 s" in outcome.message
    assert files(folder) == {"in.mp4"}


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("output", ["out.mkv", "out.m3u8", "p%d.png"])
def test_ctrl_c_leaves_nothing(folder: Path, output: str) -> None:
    child = process("--", "-re", "-i", "in.mp4", "-an", output, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while len(files(folder)) == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(files(folder)) > 1
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, b"ffzero: interrupted\n")
    assert files(folder) == {"in.mp4"}


def test_json_errors_carry_the_cause(folder: Path) -> None:
    error = call("run", "--json", "--", "-i", "no.mp4", "out.mp4").object["error"]
    assert error["type"] == "FFmpegError"
    assert "'no.mp4' does not exist" in json.dumps(error["message"])
