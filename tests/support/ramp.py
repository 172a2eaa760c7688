"""A small video that tells its time: picture N has luma 20 + 2 N; each sound track has a tone of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import av
import numpy as np

from support.media import ffmpeg_exe

__all__ = ["RAMP_FRAMES", "lumas", "make_ramp", "picture", "tone_hz"]

RAMP_FRAMES = 100
_FPS = 25


def make_ramp(path: Path) -> None:
    """Write 4 s of 160x120 at 25 frames a second, H.264, with two AAC tracks: 440 Hz and 880 Hz."""
    picture_source = f"color=black:s=160x120:r={_FPS}:d={RAMP_FRAMES / _FPS},geq=lum=20+2*N:cb=128:cr=128"
    tones = [word for hz in (440, 880) for word in ("-f", "lavfi", "-i", f"sine={hz}:r=48000:d=4")]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-crf", "4", "-g", "25", "-c:a", "aac"]
    command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture_source, *tones, *maps]
    subprocess.run([*command, f"file:{path}"], check=True, timeout=60)


def picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the only picture of a file as luma."""
    with open(path, "rb") as file, av.open(file) as container:
        (frame,) = container.decode(video=0)
        return frame.to_ndarray(format="gray").astype(int)


def lumas(path: str | os.PathLike[str]) -> list[float]:
    """Return the mean luma of each picture; ``(luma - 20) / 2`` is its number in the source."""
    with open(path, "rb") as file, av.open(file) as container:
        return [float(frame.reformat(format="yuv420p").to_ndarray()[:4].mean()) for frame in container.decode(video=0)]


def tone_hz(path: str | os.PathLike[str]) -> tuple[float, float]:
    """Return the strongest frequency of the first sound track, and its length in seconds."""
    with open(path, "rb") as file, av.open(file) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in [*frames, *resampler.resample(None)]])
    spectrum = np.abs(np.fft.rfft(samples))
    return float(spectrum.argmax() * 48000 / len(samples)), len(samples) / 48000
