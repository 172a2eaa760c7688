"""How like two pictures are: PSNR and SSIM by numpy, VMAF by the FFmpeg program."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import field
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from ffzero.errors import FFZeroError
from ffzero.frames.pictures.planes import raw_planes
from ffzero.frames.programs import FilterProgram, start_filter
from ffzero.values import dataclass

__all__ = ["Quality", "luma_psnr", "same_picture", "ssim"]

_MOST_DB = 100.0
"""What pictures that do not differ at all count as."""
_MIN_SIDE = 32


def same_picture(one: VideoFrame, two: VideoFrame) -> bool:
    """Whether two pictures are the same to the bit."""
    if one.format.name != two.format.name or (one.width, one.height) != (two.width, two.height):
        return False
    return all(np.array_equal(a, b) for a, b in zip(raw_planes(one), raw_planes(two), strict=True))


def _luma(frame: VideoFrame) -> tuple[np.ndarray, int]:
    """Return the first plane as numbers, and what white is."""
    bits = max(component.bits for component in frame.format.components)
    plane = raw_planes(frame)[0]
    if bits > 8:
        plane = np.ascontiguousarray(plane).view("<u2")
    return plane.astype(np.int64), (1 << bits) - 1


def luma_psnr(one: VideoFrame, two: VideoFrame) -> float:
    """Return the PSNR of the first plane in dB, at most 100."""
    (a, peak), (b, _) = _luma(one), _luma(two)
    error = float(np.mean((a - b) ** 2))
    return _MOST_DB if error == 0 else min(_MOST_DB, 10 * math.log10(peak * peak / error))


def ssim(one: VideoFrame, two: VideoFrame) -> float:
    """Return the structural similarity of the first plane: windows of 8 by 8 at every fourth row and column.

    As FFmpeg's filter counts it (Wang et al., "Image quality assessment", IEEE TIP 13(4), 2004). 1 where a picture is
    too small to have windows.
    """
    (a, peak), (b, _) = _luma(one), _luma(two)
    s1, s2 = _windows(a), _windows(b)
    squares, product = _windows(a * a + b * b), _windows(a * b)
    if not s1.size:
        return 1.0
    c1, c2 = 0.01**2 * peak**2 * 64, 0.03**2 * peak**2 * 64 * 63
    variance = squares * 64 - s1 * s1 - s2 * s2
    covariance = product * 64 - s1 * s2
    found = (2 * s1 * s2 + c1) * (2 * covariance + c2) / ((s1 * s1 + s2 * s2 + c1) * (variance + c2))
    return float(found.mean())


def _windows(plane: np.ndarray) -> np.ndarray:
    """Return the sums of the windows, float64."""
    rows, columns = plane.shape[0] // 4, plane.shape[1] // 4
    blocks = plane[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).sum(axis=(1, 3)).astype(np.float64)
    found: np.ndarray = blocks[:-1, :-1] + blocks[1:, :-1] + blocks[:-1, 1:] + blocks[1:, 1:]
    return found


@dataclass(slots=True)
class Quality:
    """Gathers how like pictures are to those that they were coded from, one after another."""

    psnr_db: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    _vmaf: _Vmaf | None = None
    _tried: bool = False
    _scores: list[float] = field(default_factory=list)

    def add(self, source: VideoFrame, coded: VideoFrame) -> None:
        """Take a pair of pictures of one size and format."""
        self.psnr_db.append(luma_psnr(source, coded))
        self.ssim.append(ssim(source, coded))
        if not self._tried:
            self._tried, self._vmaf = True, _Vmaf.start(source)
        if self._vmaf is not None and not self._vmaf.add(source, coded):
            self._vmaf = None

    def close(self) -> None:
        """End what measures VMAF; its scores are there then. Can be called again."""
        if self._vmaf is not None:
            self._scores, self._vmaf = self._vmaf.finish(), None

    @property
    def vmaf(self) -> list[float]:
        return self._scores

    def to_dict(self) -> dict[str, Any]:
        """Return the least and the mean of each measure; those of VMAF are ``None`` where it was not to be had."""
        return {
            "pictures": len(self.psnr_db),
            **_both("psnr_db", self.psnr_db, 2),
            **_both("ssim", self.ssim, 5),
            **_both("vmaf", self.vmaf, 2),
        }


def _both(name: str, values: list[float], digits: int) -> dict[str, float | None]:
    least = round(min(values), digits) if values else None
    return {f"{name}_min": least, f"{name}_mean": round(sum(values) / len(values), digits) if values else None}


class _Vmaf:
    """FFmpeg with its libvmaf, fed pairs of pictures, one above the other."""

    def __init__(self, program: FilterProgram, folder: tempfile.TemporaryDirectory[str], log: str) -> None:
        self._program, self._folder, self._log = program, folder, log

    @classmethod
    def start(cls, frame: VideoFrame) -> _Vmaf | None:
        """Return one for pictures like ``frame``, ``None`` where VMAF cannot be had of them."""
        name = frame.format.name.replace("yuvj", "yuv")
        if not name.startswith("yuv4") or frame.height % 2 or min(frame.width, frame.height) < _MIN_SIDE:
            return None
        folder = tempfile.TemporaryDirectory(prefix="ffzero-vmaf-", ignore_cleanup_errors=True)
        log = os.path.join(folder.name, "vmaf.json")
        halves = "[0:v]split[a][b];[a]crop=iw:ih/2:0:0[d];[b]crop=iw:ih/2:0:ih/2[r]"
        where = log.replace("\\", "/").replace(":", r"\\:")
        chain = f"{halves};[d][r]libvmaf=log_fmt=json:n_threads=2:log_path={where}"
        size = f"{frame.width}x{frame.height * 2}"
        source = ["-f", "rawvideo", "-pixel_format", name, "-video_size", size, "-framerate", "25", "-i", "pipe:0"]
        try:
            program = start_filter([*source, "-filter_complex", chain, "-f", "null", "-"], "libvmaf")
        except FFZeroError:
            folder.cleanup()
            return None
        return cls(program, folder, log)

    def add(self, source: VideoFrame, coded: VideoFrame) -> bool:
        """Whether a pair could be handed over; ends everything where not."""
        try:
            for above, below in zip(raw_planes(coded), raw_planes(source), strict=True):
                for plane in (above, below):
                    _write(self._program, np.ascontiguousarray(plane))
        except OSError:
            self._end()
            return False
        return True

    def finish(self) -> list[float]:
        """Return the score of each pair, none where it did not work."""
        try:
            self._program.stdin.close()
            if self._program.failure() is not None:
                return []
            with open(self._log, encoding="utf-8") as file:
                return [float(frame["metrics"]["vmaf"]) for frame in json.load(file)["frames"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        finally:
            self._end()

    def _end(self) -> None:
        self._program.end()
        self._folder.cleanup()


def _write(program: FilterProgram, plane: np.ndarray) -> None:
    rest = memoryview(plane.data).cast("B")
    while rest:
        rest = rest[program.stdin.write(rest) or 0 :]
