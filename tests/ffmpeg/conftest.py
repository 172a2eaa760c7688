"""Media for the tests that run FFmpeg's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffzero.ffmpeg.binary import find_ffmpeg
from support.commands import run


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    picture, sound = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2"], ["-f", "lavfi", "-i", "sine=440:d=2"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"]
    run([find_ffmpeg().path, "-v", "error", *picture, *sound, *x264, "-c:a", "aac", f"{folder}/a.mp4"])
    run([find_ffmpeg().path, "-v", "error", *picture, *x264, f"{folder}/mute.mp4"])
    run([find_ffmpeg().path, "-v", "error", *picture, "-frames:v", "1", f"{folder}/logo.png"])
    (folder / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,500\nHello\n", encoding="utf-8")
    return folder
