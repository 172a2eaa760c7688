"""``ffzero doctor``: what is shown, and the exit status."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ffzero.ffmpeg import hardware
from support.command_line import call
from support.media import ffmpeg_exe


@pytest.fixture(autouse=True)
def few_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "PROBED_ENCODERS", ("libx264", "flac", "h264_nvenc"))
    monkeypatch.delenv("FFZERO_FFMPEG", raising=False)


def test_json_tells_all(tmp_path: Path) -> None:
    done = call("doctor", "--json", "--ffmpeg", ffmpeg_exe(), tmp_path)
    assert (done.status, done.err) == (0, "")
    report = done.object
    assert report["ffmpeg"]["path"] == ffmpeg_exe()
    assert report["ffmpeg"]["source"] == "explicit"
    assert "subfile" in report["ffmpeg"]["protocols"]
    works = {probe["name"]: probe["works"] for probe in report["encoders"]}
    assert works["libx264"] and works["flac"]
    assert report["storage"]["path"] == str(tmp_path)
    assert report["storage"]["free_bytes"] > 0
    for ability in ("reflink", "copy_file_range", "anonymous_file", "memory_file"):
        found = report["storage"][ability]
        assert found["works"] == (found["reason"] is None)
    assert report["pyav"]
    assert os.listdir(tmp_path) == []


def test_text_names_each_part(tmp_path: Path) -> None:
    done = call("doctor", tmp_path)
    assert (done.status, done.err) == (0, "")
    for words in ("PyAV", "protocols", "ok  libx264", "Hardware encoders", "share blocks (reflink)", "memfd", "free"):
        assert words in done.out


def test_the_environment_names_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFZERO_FFMPEG", ffmpeg_exe())
    assert "FFZERO_FFMPEG" in call("doctor").out


def test_without_ffmpeg_the_rest_is_shown_and_it_fails(tmp_path: Path) -> None:
    done = call("doctor", "--ffmpeg", tmp_path / "no-ffmpeg", tmp_path)
    assert done.status == 1
    assert "none was found" in done.out
    assert "copy_file_range" in done.out
    assert "no-ffmpeg" in done.message
    report = call("doctor", "--json", "--ffmpeg", tmp_path / "no-ffmpeg", tmp_path)
    assert report.status == 1
    assert report.object["ffmpeg"] is None
    assert "no-ffmpeg" in report.object["error"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = call("doctor", tmp_path / "none")
    assert done.status == 1
    assert "is no folder" in done.message
