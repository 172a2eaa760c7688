"""The quality setting at which a chunk looks as good as is asked for, by VMAF (https://github.com/Netflix/vmaf)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable

from ffzero.edits.clip import Clip
from ffzero.errors import FFmpegError, UnsupportedError, UsageError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.codecs import FFmpegCodec, video_encoder
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.model import file_url
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = ["Probe", "check_vmaf", "find_quality", "vmaf_of"]

_NEAR = 0.3
"""A score this near to what is wanted is not bettered: nobody sees it."""
_MOST_PROBES = 6
_FIRST = {"h264": 24.0, "hevc": 26.0, "av1": 32.0, "vp9": 33.0}
_SLOPE = -1.5
"""Points of VMAF that a step of quality costs, about, where good pictures are."""
_LONGEST_STEP = 10.0
_STEP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A quality that was tried, and the mean VMAF that came of it."""

    crf: float
    vmaf: float


def check_vmaf(vmaf: float, settings: FFmpegSettings) -> None:
    """Raise ``UsageError`` for a target that makes no sense, ``UnsupportedError`` where it cannot be sought."""
    if isinstance(vmaf, bool) or not isinstance(vmaf, int | float) or not 1 <= vmaf < 100:
        raise UsageError(f"not a VMAF score to aim at: {vmaf!r}", expected="a number from 1 to below 100")
    if settings.crf is not None or settings.video_bitrate is not None:
        raise UsageError("a VMAF to aim at chooses the crf itself", hint="Leave crf and the bitrate out")
    encoder = None if settings.video is None else video_encoder(settings.video)
    if encoder is None or not encoder.crf:
        raise UnsupportedError(f"{settings.video} has no quality that could be sought")
    binary = find_ffmpeg()
    if "libvmaf" not in binary.filters:
        raise UnsupportedError(f"{binary.path} has no libvmaf", hint="pip install imageio-ffmpeg has one that does")


def find_quality(settings: FFmpegSettings, wanted: float, probe: Callable[[float], float]) -> Probe:
    """Return the best of a few tries: each but the first lies where a line through the nearest two meets ``wanted``.

    What is tried depends on nothing but the scores.
    """
    codec = settings.video
    assert isinstance(codec, FFmpegCodec)
    encoder = video_encoder(codec)
    assert encoder is not None
    step = _STEP if encoder.fractional else 1.0
    low, high = (float(bound) for bound in encoder.crf_range)
    tried: dict[float, float] = {}
    crf = _FIRST.get(encoder.codec, (low + high) / 2)
    while crf not in tried and len(tried) < _MOST_PROBES:
        tried[crf] = probe(crf)
        if abs(tried[crf] - wanted) <= _NEAR:
            break
        crf = round(min(high, max(low, _next(tried, crf, wanted))) / step) * step
    best = min(tried, key=lambda one: (abs(tried[one] - wanted), one))
    return Probe(crf=best, vmaf=tried[best])


def _next(tried: dict[float, float], last: float, wanted: float) -> float:
    better = [crf for crf, score in tried.items() if score >= wanted]
    worse = [crf for crf, score in tried.items() if score < wanted]
    if better and worse:
        one, two = max(better), min(worse)
    elif len(tried) > 1:
        one, two = sorted(tried, key=lambda crf: abs(tried[crf] - wanted))[:2]
    else:
        one = two = last
    slope = (tried[two] - tried[one]) / (two - one) if one != two else _SLOPE
    slope = min(slope, -0.05)  # never flat: scores hardly change near 100
    step = (wanted - tried[one]) / slope
    return one + max(-_LONGEST_STEP, min(_LONGEST_STEP, step))


def vmaf_of(
    path: str, clip: Clip, settings: FFmpegSettings, *, every: int = 1, cancel: CancelToken | None = None
) -> float:
    """Return the mean VMAF of a coded file against the clip that it was made from, of every ``every``-th picture.

    Pictures are paired by their numbers. Raises ``FFmpegError``.
    """
    with tempfile.TemporaryDirectory(prefix="ffzero-vmaf-", ignore_cleanup_errors=True) as folder:
        log = os.path.join(folder, "vmaf.json")
        where = log.replace("\\", "/").replace(":", r"\\:")
        same = "settb=1/25,setpts=N,format=yuv420p"
        source = ",".join((*settings.filters(), same))
        score = f"libvmaf=log_fmt=json:n_threads=2:n_subsample={every}:log_path={where}"
        graph = f"[0:v:0]{same}[d];[1:V:0]{source}[r];[d][r]{score}"
        with clip.ffmpeg_input() as read:
            words = ["-i", file_url(path), *read, "-filter_complex", graph, "-an", "-f", "null", "-"]
            FFmpegExecutor(find_ffmpeg().path).execute(words, cancel=cancel)
        try:
            with open(log, encoding="utf-8") as file:
                return float(json.load(file)["pooled_metrics"]["vmaf"]["mean"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FFmpegError(f"libvmaf told no score: {error}", path=path) from error
