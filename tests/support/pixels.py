"""Pictures as FFmpeg gives them, for tests of reading: PyAV's own loop, and raw video from the program."""

from __future__ import annotations

import functools
import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support.media import cache_folder, ffmpeg_exe, made

__all__ = ["digest", "file_of", "raw_video", "shown"]


def file_of(name: str) -> Path:
    """Return a made file; ``NAME.mp4.mkv`` is NAME.mp4 put into Matroska (``.ts``: a transport stream) as it is."""
    base, suffix = Path(name).stem, Path(name).suffix
    if suffix in (".mp4", ".mov"):
        return made(name)
    path = cache_folder() / f"reading_{name}"
    if not path.exists():
        part = path.with_name(f"part_{os.getpid()}_{path.name}")
        command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-i", str(made(base)), "-c", "copy", str(part)]
        subprocess.run(command, check=True, timeout=60)
        part.replace(path)
    return path


def digest(planes: Any) -> int:
    """Return a hash of planes' samples."""
    return hash(b"".join(np.ascontiguousarray(plane).tobytes() for plane in planes))


@functools.lru_cache(maxsize=64)
def shown(path: Path, stream: int = 0) -> tuple[tuple[Fraction, int], ...]:
    """Return when each picture is shown, by FFmpeg's demuxer, and a digest of it as its decoder gives it."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=stream):
            assert frame.pts is not None and frame.time_base is not None
            planes = []
            for plane in frame.planes:
                size = 2 if max(part.bits for part in frame.format.components) > 8 else 1
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)  # type: ignore[call-overload]
                planes.append(rows[:, : plane.width * size])
            found.append((frame.pts * frame.time_base, digest(planes)))
    return tuple(found)


def raw_video(path: Path, pixel_format: str, *options: str, frames: int = 3) -> bytes:
    """Return what the FFmpeg program writes of the first pictures as raw video."""
    command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    command += [*options, "-frames:v", str(frames), "-f", "rawvideo", "-pix_fmt", pixel_format, "-"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
