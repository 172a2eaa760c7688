"""The plain sample that documentation, examples and the command line's tests work on."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.media import cache_folder, ffmpeg_exe

__all__ = ["closed_sample", "copy_sample", "plain_sample"]

_PICTURE = "testsrc2=size=192x108:rate=25:duration=80"
_SOUND = "sine=frequency=440:sample_rate=48000:duration=80"
_CODING = (
    "-c:v libx264 -preset ultrafast -bf 2 -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p"
    " -c:a aac -b:a 64k -metadata title=Sample"
)


@functools.cache
def plain_sample() -> Path:
    """Return an MP4 of 80 s: 25 fps H.264 with B-frames, a closed group of pictures every 2 s, AAC sound."""
    return _made("plain_sample.mp4", _PICTURE, _SOUND, _CODING)


@functools.cache
def closed_sample() -> Path:
    """Return an MP4 of 10 s: 25 fps H.264, a closed group every 10 pictures, AAC sound that never repeats."""
    coding = _CODING.replace("50", "10") + " -t 10"
    return _made("closed_sample.mp4", _PICTURE, "aevalsrc=0.4*sin(2*PI*(200+150*t)*t):s=48000", coding)


def _made(name: str, picture: str, sound: str, coding: str) -> Path:
    path = cache_folder() / name
    if not path.exists():
        handle, part = tempfile.mkstemp(suffix=".mp4", dir=path.parent)
        os.close(handle)
        inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
        argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *inputs, *coding.split(), part]
        subprocess.run(argv, check=True, timeout=100)
        os.replace(part, path)
    return path


def copy_sample(folder: Path, *names: str) -> None:
    """Put copies of the sample into ``folder``."""
    for name in names:
        shutil.copyfile(plain_sample(), folder / name)
