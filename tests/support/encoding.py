"""Files for tests, made by the FFmpeg program."""

from __future__ import annotations

import os
import subprocess

from support.media import ffmpeg_exe

__all__ = ["ffmpeg"]


def ffmpeg(*words: str | os.PathLike[str]) -> None:
    """Run FFmpeg with the words of a command line."""
    command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(os.fspath, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
