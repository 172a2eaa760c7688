"""``ffzero stream`` as a user meets it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ffzero
from ffzero.cli import run
from support.samples import copy_sample

TESTS = Path(__file__).parents[1]
STAGES = """
import os, time

def same(clip):
    return clip

def odd(clip):
    return clip if clip.index % 2 else None

def broken(clip):
    if clip.index == 2 and not os.path.exists("fixed"):
        raise RuntimeError("out of luck")
    return clip

def slow(clip):
    time.sleep(3 if clip.index == 2 else 0)
    return clip
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    (tmp_path / "stages.py").write_text(STAGES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return run(["stream", *arguments], out, err), out.getvalue(), err.getvalue()


def kept(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if "ffzero" in name)


def test_a_file_goes_through_a_function(folder: Path) -> None:
    status, out, err = call("in.mp4", "-o", "out.mp4", "--call", "stages.py:odd", "--chunk", "20s")
    assert (status, err) == (0, "")
    assert out.startswith("out.mp4: ")
    assert "4 chunks, 2 left out, " in out
    assert "of memory at most" in out or not os.path.exists("/proc/self")
    with ffzero.open("out.mp4") as movie:
        assert round(float(movie.duration)) == 40
    status, out, _ = call("in.mp4", "-o", "out.mp4", "-y", "--json", "--by", "keyframes", "--chunk", "8")
    report = json.loads(out)
    assert (status, report["chunks"], report["frames_copied"]) == (0, 5, 2000)
    assert report["segments"][1]["chunk_start_s"] == 16.0
    assert kept(folder) == []


def test_the_plan_is_shown_and_nothing_written(folder: Path) -> None:
    status, out, _ = call("in.mp4", "--dry-run", "--chunk", "30")
    assert (status, out.splitlines()[0]) == (0, "3 chunks:")
    assert "0:00:30.000 to 0:01:00.000" in out
    status, out, _ = call("in.mp4", "in.mp4", "--dry-run", "--json", "--by", "bytes", "--chunk", "1M")
    assert len(json.loads(out)["segments"]) == json.loads(out)["chunks"] == 8
    assert sorted(os.listdir(folder)) == ["in.mp4", "stages.py"]


def test_after_an_error_the_same_command_goes_on(folder: Path) -> None:
    command = ["in.mp4", "-o", "out.mp4", "--call", "stages.py:broken", "--chunk", "20"]
    status, _, err = call(*command)
    assert status == 1
    assert "chunk 2 (0:00:40.000 to 0:01:00.000 of" in err
    assert "RuntimeError: out of luck" in err
    assert "the same command goes on from there, --restart begins anew" in err
    assert kept(folder) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
    status, _, err = call(*command[:-1], "10")
    assert status == 2
    assert "chunks.size 20" in err
    assert "--restart" in err
    (folder / "fixed").touch()
    status, out, _ = call(*command)
    assert status == 0
    assert "2 from an earlier run" in out
    assert kept(folder) == []


def test_what_fails_may_be_skipped(folder: Path) -> None:
    command = ["in.mp4", "-o", "out.mp4", "--call", "stages.py:broken", "--chunk", "20"]
    status, out, _ = call(*command, "--on-error", "retry:1:skip")
    assert status == 0
    assert "skipped chunk 2 (0:00:40.000 to 0:01:00.000" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--call", "stages.py:nothing"], "has no function"),
        (["--call", "nowhere:nothing"], "cannot be imported"),
        (["--call", "nowhere.py:nothing"], "no such file"),
        (["--call", "stages"], "not an entry point"),
        (["--chunk", "soon"], "not a time"),
        (["--chunk", "0"], "longer than nothing"),
        (["--by", "bytes", "--chunk", "much"], "not a size"),
        (["--by", "keyframes", "--chunk", "1.5"], "number of keyframes"),
        (["--on-error", "cry"], "not a policy"),
        (["--follow", "--dry-run"], "no plan"),
        (["in.mp4", "--follow"], "one file at a time"),
    ],
)
def test_wrong_usage_is_told(folder: Path, options: list[str], words: str) -> None:
    status, _, err = call("in.mp4", "-o", "out.mp4", *options)
    assert status == 2
    assert words in err
    assert kept(folder) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGTERM, []), (signal.SIGINT, ["--engine", "threads"]), (signal.SIGTERM, ["--jobs", "2"])],
)
def test_a_signal_keeps_what_is_finished_and_leaves_no_process(
    folder: Path, number: signal.Signals, options: list[str]
) -> None:
    command = [sys.executable, "-m", "ffzero", "stream", "in.mp4", "-o", "out.mp4", "--call", "stages.py:slow"]
    process = subprocess.Popen(
        [*command, "--chunk", "20", *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent / "src")},
    )
    journal = folder / "out.mp4.ffzero-journal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not journal.exists() or journal.read_bytes().count(b"\n") < 3):
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "the same command goes on from there" in err
    assert kept(folder) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
    assert not (folder / "out.mp4").exists()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _lives(process.pid):
        time.sleep(0.1)
    assert not _lives(process.pid)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
