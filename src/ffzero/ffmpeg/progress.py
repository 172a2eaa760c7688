"""What ``ffmpeg -progress`` writes, as numbers and as ``ProgressEvent``.

The stream is ``key=value`` lines; ``progress=continue`` or ``progress=end`` closes each block (ffmpeg.html §5.4,
``-progress``). Anything else in it is ignored: it comes from a program that may be any program.
"""

from __future__ import annotations

import math
from typing import Any

from ffzero.reporting import ProgressEvent
from ffzero.values import dataclass

__all__ = ["FFmpegProgress", "ProgressParser"]

_LONGEST_LINE_BYTES = 4096
_MOST_PAIRS = 256
_LARGEST = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpegProgress:
    """One block: ``None`` for what FFmpeg does not know (``N/A``).

    ``time_s`` is how far the output reaches, ``speed`` is seconds of output per second, ``bit_rate_bps`` bits/s.
    """

    frames: int | None = None
    fps: float | None = None
    bit_rate_bps: float | None = None
    size_bytes: int | None = None
    time_s: float | None = None
    frames_duplicated: int | None = None
    frames_dropped: int | None = None
    speed: float | None = None
    ended: bool = False

    def details(self, duration_s: float | None) -> dict[str, Any]:
        """Return the numbers with ``percent`` and ``eta_s`` where ``duration_s`` and the speed allow them."""
        percent = eta_s = None
        if duration_s is not None and duration_s > 0 and (self.time_s is not None or self.ended):
            done_s = duration_s if self.ended else min(max(self.time_s or 0.0, 0.0), duration_s)
            percent = 100.0 * done_s / duration_s
            if self.ended:
                eta_s = 0.0
            elif self.speed is not None and self.speed > 0:
                eta_s = (duration_s - done_s) / self.speed
        return {
            "percent": percent,
            "eta_s": eta_s,
            "time_s": self.time_s,
            "duration_s": duration_s,
            "frames": self.frames,
            "fps": self.fps,
            "speed": self.speed,
            "size_bytes": self.size_bytes,
            "bit_rate_bps": self.bit_rate_bps,
        }

    def event(self, *, stage: str = "ffmpeg", duration_s: float | None = None) -> ProgressEvent:
        """Return the block as an event in whole seconds; ``details`` carries the exact numbers."""
        known = duration_s is not None and duration_s > 0
        total = math.ceil(duration_s) if known and duration_s is not None else None
        done = max(0, int(self.time_s or 0))
        if total is not None:
            done = total if self.ended else min(done, total)
        return ProgressEvent(stage=stage, done=done, total=total, unit="seconds", details=self.details(duration_s))


class ProgressParser:
    """Takes bytes as they come and returns the blocks that they complete; holds a few kilobytes at most."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._too_long = False
        self._pairs: dict[str, str] = {}

    def feed(self, data: bytes) -> list[FFmpegProgress]:
        """Return the blocks completed by ``data``."""
        blocks = []
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._append(end)
            block = None if self._too_long else self._take(bytes(self._line))
            if block is not None:
                blocks.append(block)
            self._line.clear()
            self._too_long = False
        self._append(rest)
        return blocks

    def _append(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._line) + len(part) > _LONGEST_LINE_BYTES
        if self._too_long:
            self._line.clear()
        else:
            self._line += part

    def _take(self, line: bytes) -> FFmpegProgress | None:
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        if not equals:
            return None
        key, value = key.strip(), value.strip()
        if key != "progress":
            if len(self._pairs) < _MOST_PAIRS:
                self._pairs[key] = value
            return None
        pairs, self._pairs = self._pairs, {}
        return _block(pairs, ended=value == "end")


def _block(pairs: dict[str, str], *, ended: bool) -> FFmpegProgress:
    # out_time_ms has counted microseconds since it was added; it is what FFmpeg before 4.1 has.
    time_us = _integer(pairs.get("out_time_us", pairs.get("out_time_ms")))
    bit_rate = pairs.get("bitrate", "")
    kilobits = _number(bit_rate.removesuffix("kbits/s")) if bit_rate.endswith("kbits/s") else None
    return FFmpegProgress(
        frames=_count(pairs.get("frame")),
        fps=_number(pairs.get("fps")),
        bit_rate_bps=None if kilobits is None else kilobits * 1000,
        size_bytes=_count(pairs.get("total_size")),
        time_s=None if time_us is None else time_us / 1e6,
        frames_duplicated=_count(pairs.get("dup_frames")),
        frames_dropped=_count(pairs.get("drop_frames")),
        speed=_number(pairs.get("speed", "").removesuffix("x")),
        ended=ended,
    )


def _integer(text: str | None) -> int | None:
    # More digits are no count, and int() of thousands of them is refused.
    if text is None or len(text) > 20:
        return None
    try:
        value = int(text)
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None


def _count(text: str | None) -> int | None:
    value = _integer(text)
    return value if value is not None and value >= 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
