"""How like two pictures are: PSNR and SSIM by numpy, VMAF by the FFmpeg program."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from ffzero.errors import FFZeroError
from ffzero.frames.pictures.planes import raw_planes
from ffzero.frames.programs import FilterProgram, start_filter
from ffzero.values import dataclass

__all__ = ["Likeness", "Quality", "likeness", "same_picture"]

_MOST_DB = 100.0
"""What pictures that do not differ at all count as."""
LEAST_PSNR_DB = 45.0
LEAST_VMAF = 97.0
LEAST_PSNR_WITH_VMAF_DB = 42.0
"""VMAF hardly sees what sharpens or shifts a whole picture."""
LEAST_CHROMA_DB = 40.0
LEAST_BLOCK_DB = 32.0
LEAST_SSIM = 0.97
"""What coding leaves of noisy, saturated pictures is 44 dB of chroma, 37 dB of the worst block and an SSIM of 0.985."""
_MIN_SIDE = 32
_BLOCK = 64
_MOST_BITS = 12
"""Of what samples the sums of a window fit 32 bits."""


def same_picture(one: VideoFrame, two: VideoFrame) -> bool:
    """Whether two pictures are the same to the bit."""
    if one.format.name != two.format.name or (one.width, one.height) != (two.width, two.height):
        return False
    return all(np.array_equal(a, b) for a, b in zip(raw_planes(one), raw_planes(two), strict=True))


def _samples(frame: VideoFrame) -> tuple[list[np.ndarray], int]:
    """Return each plane as numbers, those of more than 8 bits in the lowest bits, and what white is."""
    bits = max(component.bits for component in frame.format.components)
    planes = raw_planes(frame)
    if bits > 8:
        planes = [
            np.ascontiguousarray(plane).view(">u2" if frame.format.name.endswith("be") else "<u2") for plane in planes
        ]
    return [plane.astype(np.int32 if bits <= _MOST_BITS else np.int64) for plane in planes], (1 << bits) - 1


def _db(error: float, peak: int) -> float:
    return _MOST_DB if error == 0 else min(_MOST_DB, 10 * math.log10(peak * peak / error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like one picture is to another: PSNR in dB (at most 100), SSIM of the first plane.

    ``luma_db`` is that of the first plane, ``chroma_db`` that of the worst of the others, ``block_db`` that of the
    worst block of any plane: 64 by 64 of the first one's samples, what lies over them of the others.
    """

    luma_db: float
    chroma_db: float | None
    block_db: float
    ssim: float

    def weaknesses(self, vmaf: float | None) -> Iterator[str]:
        """Yield what of it is not as good as a coded picture is to be."""
        least = LEAST_PSNR_WITH_VMAF_DB if vmaf is not None and vmaf >= LEAST_VMAF else LEAST_PSNR_DB
        if self.luma_db < least:
            yield f"under {least:g} dB"
        if self.chroma_db is not None and self.chroma_db < LEAST_CHROMA_DB:
            yield f"whose colours are under {LEAST_CHROMA_DB:g} dB"
        if self.block_db < LEAST_BLOCK_DB:
            yield f"with a place under {LEAST_BLOCK_DB:g} dB"
        if self.ssim < LEAST_SSIM:
            yield f"of an SSIM under {LEAST_SSIM:g}"


def likeness(one: VideoFrame, two: VideoFrame) -> Likeness:
    """Return how like two pictures of one size and format are."""
    (first, peak), (second, _) = _samples(one), _samples(two)
    rows, columns = first[0].shape
    errors, worst = [], 0.0
    for a, b in zip(first, second, strict=True):
        size = max(8, _BLOCK * a.shape[0] // rows), max(8, _BLOCK * a.shape[1] // columns)
        sums, counts = _blocks(a - b, size)
        errors.append(float(sums.sum()) / a.size)
        worst = max(worst, float((sums / counts).max()))
    return Likeness(
        luma_db=_db(errors[0], peak),
        chroma_db=_db(max(errors[1:]), peak) if errors[1:] else None,
        block_db=_db(worst, peak),
        ssim=_ssim(first[0], second[0], peak),
    )


def _blocks(difference: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of squares of each block and how many samples it has; a last one of less than half is added."""
    edges = [
        list(range(0, max(1, length - step // 2), step)) for length, step in zip(difference.shape, size, strict=True)
    ]
    squares = np.add.reduceat(difference * difference, edges[1], axis=1, dtype=np.int64)
    sums = np.add.reduceat(squares, edges[0], axis=0).astype(np.float64)
    high, wide = (np.diff([*starts, length]) for starts, length in zip(edges, difference.shape, strict=True))
    return sums, np.outer(high, wide)


def _ssim(a: np.ndarray, b: np.ndarray, peak: int) -> float:
    """Return the structural similarity of two planes: windows of 8 by 8 at every fourth row and column.

    As FFmpeg's filter counts it (Wang et al., "Image quality assessment", IEEE TIP 13(4), 2004). 1 where a picture is
    too small to have windows.
    """
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

    pictures: list[Likeness] = field(default_factory=list)
    _vmaf: _Vmaf | None = None
    _tried: bool = False
    _scores: list[float] = field(default_factory=list)

    def add(self, source: VideoFrame, coded: VideoFrame) -> None:
        """Take a pair of pictures of one size and format."""
        self.pictures.append(likeness(source, coded))
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

    def weaknesses(self) -> list[str]:
        """Return what is not as good as it is to be, each with how many pictures it is true of."""
        scores = self.vmaf if len(self.vmaf) == len(self.pictures) else [None] * len(self.pictures)
        found = Counter(told for one, vmaf in zip(self.pictures, scores, strict=True) for told in one.weaknesses(vmaf))
        return [f"{count} {told}" for told, count in found.items()]

    def to_dict(self) -> dict[str, Any]:
        """Return the least and the mean of each measure; those of VMAF are ``None`` where it was not to be had."""
        return {
            "pictures": len(self.pictures),
            **_both("psnr_db", [one.luma_db for one in self.pictures], 2),
            **_both("chroma_psnr_db", [one.chroma_db for one in self.pictures if one.chroma_db is not None], 2),
            **_both("block_psnr_db", [one.block_db for one in self.pictures], 2),
            **_both("ssim", [one.ssim for one in self.pictures], 5),
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
