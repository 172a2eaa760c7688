"""The inputs: a short clip is coded, FFmpeg repeats it into a long file and splits it into many."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOOP_S", "Picture", "ffmpeg", "ffmpeg_exe", "make_long", "make_loop", "make_parts"]

LOOP_S = 32
"""Length of the coded clip: of 30 pictures and 48,000/1,024 AAC frames a second, both tracks end there to the tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How the clip is coded: H.264 at 30 fps, two B-frames, a closed group of pictures every two seconds."""

    size: str
    megabits: float


@functools.cache
def ffmpeg_exe() -> str:
    """Return the bundled FFmpeg."""
    import imageio_ffmpeg  # type: ignore[import-untyped]  # it ships no types

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg(*arguments: str | Path) -> None:
    """Run the bundled FFmpeg. Raises ``RuntimeError`` with the end of what it said."""
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"ffmpeg failed with status {done.returncode}: {done.stderr.decode(errors='replace')[-800:]}"
        )


def make_loop(output: Path, picture: Picture) -> None:
    """Code ``LOOP_S`` seconds of moving noise at a steady bit rate, with AAC sound."""
    video = f"testsrc2=size={picture.size}:rate=30:duration={LOOP_S},noise=alls=12:allf=t"
    sound = f"sine=frequency=440:sample_rate=48000:duration={LOOP_S}"
    rate = f"{picture.megabits}M"
    coding = "-c:v libx264 -preset ultrafast -bf 2 -g 60 -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p"
    rates = f"-b:v {rate} -maxrate {rate} -bufsize {rate} -c:a aac -b:a 128k"
    ffmpeg("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", sound, *coding.split(), *rates.split(), output)


def make_long(loop: Path, output: Path, *, size_bytes: int) -> None:
    """Repeat ``loop`` until the file has about ``size_bytes``."""
    repeats = max(1, round(size_bytes / loop.stat().st_size))
    ffmpeg("-stream_loop", str(repeats - 1), "-i", loop, "-map", "0", "-c", "copy", output)


def make_parts(loop: Path, folder: Path, *, count: int, part_s: int) -> Sequence[Path]:
    """Split repetitions of ``loop`` into ``count`` files of ``part_s`` s, as a camera splits a recording.

    ``part_s`` is a multiple of the two seconds between key pictures.
    """
    folder.mkdir()
    repeats = -(-(count + 1) * part_s // LOOP_S)
    split = ("-f", "segment", "-segment_time", str(part_s), "-reset_timestamps", "1")
    ffmpeg("-stream_loop", str(repeats), "-i", loop, "-map", "0", "-c", "copy", *split, folder / "part_%04d.mp4")
    parts = sorted(folder.glob("part_*.mp4"))
    for surplus in parts[count:]:
        surplus.unlink()
    if len(parts) < count:
        raise RuntimeError(f"{len(parts)} parts were made, {count} are needed")
    return parts[:count]
