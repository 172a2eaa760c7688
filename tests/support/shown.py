"""Pictures as a player shows them: arrays with their times, and what FFmpeg itself makes of a file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support import media

__all__ = ["Shown", "filtered", "psnr_db", "shown"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture: its time in seconds, its planes as one array, its size and pixel format."""

    time: Fraction
    data: Array
    width: int
    height: int
    pix_fmt: str

    @property
    def luma(self) -> Array:
        """Its first plane, of a planar format."""
        return self.data[: self.height, : self.width]


def shown(path: Path) -> list[Shown]:
    """Decode all pictures of a file's first video track. FFmpeg must not complain."""
    with av.open(str(path)) as container:
        return [
            Shown(
                time=frame.pts * frame.time_base,
                data=frame.to_ndarray(),
                width=frame.width,
                height=frame.height,
                pix_fmt=frame.format.name,
            )
            for frame in container.decode(video=0)
            if frame.pts is not None and frame.time_base is not None
        ]


def filtered(path: Path, chain: str, *options: str, before: Sequence[str] = ()) -> list[Shown]:
    """Return what FFmpeg's program makes of a file with a filter chain, without loss."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.nut")
        argv = [media.ffmpeg_exe(), "-nostdin", "-v", "error", *before, "-i", str(path), "-an", "-vf", chain]
        argv += [*options, "-fps_mode", "passthrough", "-c:v", "rawvideo", str(made)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        return shown(made)


def psnr_db(first: Array, second: Array) -> float:
    """Return the peak signal-to-noise ratio of arrays of samples of 8 bits (or 10, where they have 16)."""
    peak = 255 if first.dtype == np.uint8 else 1023
    error = float(((first.astype(np.float64) - second) ** 2).mean())
    return 100.0 if error == 0 else float(10 * np.log10(peak * peak / error))
