"""``--jobs``, ``--engine`` and the options of chunks on the command line."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.command_line import call
from support.encoding import ffmpeg


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with a key picture each second."""
    path = tmp_path_factory.mktemp("engine") / "in.mp4"
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=4", *coding, path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_file_with_workers(video: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    assert call("apply", str(video), "--filter", "hflip", "-o", str(one)).status == 0
    assert (
        call("apply", str(video), "--filter", "hflip", "-o", str(two), "--jobs", "2", "--engine", "threads").status == 0
    )
    assert digest(one) == digest(two)


def test_chunks_are_shown_and_coded(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    words = ["transcode", str(video), "-o", str(out), "--jobs", "2", "--chunk", "1", "--preset", "ultrafast"]
    plan = call(*words, "--dry-run")
    assert plan.status == 0
    assert "4 chunks" in plan.out
    assert "closed GOPs at chunk borders" in plan.out
    assert not out.exists()
    done = call(*words, "--json")
    assert done.status == 0
    assert [segment["frames"] for segment in json.loads(done.out)["segments"]] == [25, 25, 25, 25]
    told = call(*words, "-y", "--vmaf", "80")
    assert told.status == 0
    assert "chunk 4" in told.out
    assert "VMAF" in told.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "nowhere"], "no such engine"),
        (["--two-pass"], "need a bitrate"),
        (["--vmaf", "90", "--crf", "20"], "chooses the crf"),
        (["--jobs", "2", "-s", "1"], "one pass"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_what_makes_no_sense_is_refused(video: Path, tmp_path: Path, words: list[str], message: str) -> None:
    done = call("transcode", str(video), "-o", str(tmp_path / "out.mp4"), *words)
    assert done.status == 2
    assert message in done.err
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_command_that_is_ended(
    exhaustive: bool, video: Path, tmp_path: Path, number: signal.Signals
) -> None:
    if number == signal.SIGTERM and not exhaustive:
        pytest.skip("one signal is enough but for --exhaustive")
    out = tmp_path / "out.mp4"
    filters = ",".join(["boxblur=20:8"] * 12)
    long = tmp_path / "in.mp4"
    ffmpeg("-stream_loop", "15", "-i", video, "-c", "copy", long)
    words = ["apply", str(long), "--filter", filters, "-o", str(out), "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FFZERO_TEST_MARK": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-m", "ffzero", *words], env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(name.endswith(".done") for _, _, names in os.walk(tmp_path) for name in names):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(number)
    child.communicate()
    deadline = time.monotonic() + 20
    while (running(str(tmp_path)) or os.listdir(tmp_path) != ["in.mp4"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(str(tmp_path)) == []
    assert os.listdir(tmp_path) == ["in.mp4"]


def running(mark: str) -> list[str]:
    """The processes that still run with a mark in their environment, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"FFZERO_TEST_MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found
