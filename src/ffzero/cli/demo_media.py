"""What the demo needs beside ffzero: a sample, the bundled FFmpeg as its peer, and a check by decoding."""

from __future__ import annotations

import hashlib
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg  # type: ignore[import-untyped]  # it ships no types

from ffzero.errors import FFZeroError
from ffzero.values import dataclass

__all__ = ["Comparison", "compare", "ffmpeg", "ffmpeg_concat", "ffmpeg_cut", "make_sample", "shown_times"]

_LOOP_S = 8
_PICTURES = 12
_TOLERANCE_S = Fraction(2, 1000)


def ffmpeg(*arguments: str | Path) -> None:
    """Run the bundled FFmpeg. Raises ``FFZeroError`` with the end of what it said."""
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *map(str, arguments)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-500:].strip()
        raise FFZeroError(f"ffmpeg failed with status {done.returncode}: {said}")


def make_sample(output: Path, *, loops: int) -> None:
    """Write a 720p25 H.264 and AAC movie of ``loops`` × 8 s: eight seconds are coded, the rest repeats them."""
    loop = output.with_name("loop.mp4")
    picture = f"testsrc2=size=1280x720:rate=25:duration={_LOOP_S},noise=alls=12:allf=t"
    coding = (
        "-c:v libx264 -preset veryfast -b:v 30M -maxrate 30M -bufsize 30M -bf 2 -g 50 -keyint_min 50 -sc_threshold 0"
    )
    try:
        ffmpeg("-f", "lavfi", "-i", picture, *coding.split(), "-pix_fmt", "yuv420p", loop)
        sound = f"sine=frequency=440:sample_rate=48000:duration={_LOOP_S * loops}"
        inputs = ("-stream_loop", str(loops - 1), "-i", loop, "-f", "lavfi", "-i", sound)
        ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", output)
    finally:
        loop.unlink(missing_ok=True)


def ffmpeg_cut(source: Path, output: Path, start: Fraction, end: Fraction) -> None:
    """Cut by stream copy: from the keyframe before ``start``."""
    ffmpeg("-ss", str(float(start)), "-to", str(float(end)), "-i", source, "-c", "copy", output)


def ffmpeg_concat(parts: list[Path], output: Path) -> None:
    """Join by the concat demuxer and stream copy."""
    playlist = output.with_suffix(".txt")
    playlist.write_text("".join(f"file {part.name}\n" for part in parts))
    try:
        ffmpeg("-f", "concat", "-i", playlist, "-c", "copy", output)
    finally:
        playlist.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An output held against the ranges that it was made of. ``worst_s`` is the largest difference in relative time."""

    shown: int
    expected: int
    compared: int
    same: int
    worst_s: float

    @property
    def exact(self) -> bool:
        return self.shown == self.expected and self.same == self.compared and self.worst_s <= _TOLERANCE_S


def shown_times(path: Path) -> list[Fraction]:
    """Return the times in seconds at which FFmpeg shows a frame of the picture, without decoding."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, 90_000)
        shown = [packet.pts for packet in container.demux(stream) if packet.pts is not None and not packet.is_discard]
        return [pts * base for pts in sorted(shown)]


def compare(output: Path, ranges: list[tuple[Path, Fraction, Fraction]]) -> Comparison:
    """Compare every shown time, and the pictures at both ends of each ``(source, start, end)``."""
    shown = shown_times(output)
    expected: list[Fraction] = []
    compared = same = 0
    for source, start, end in ranges:
        inside = [time for time in shown_times(source) if start <= time < end]
        first = len(expected)
        offset = shown[first] - inside[0] if first < len(shown) else Fraction(0)
        expected += [time + offset for time in inside]
        for time in (inside[0], inside[-_PICTURES]):
            ours, theirs = pictures(output, time + offset), pictures(source, time)
            compared += _PICTURES
            same += sum(a == b for a, b in zip(ours, theirs, strict=False))
    worst = max((abs(a - b) for a, b in zip(shown, expected, strict=False)), default=Fraction(0))
    return Comparison(shown=len(shown), expected=len(expected), compared=compared, same=same, worst_s=float(worst))


def pictures(path: Path, start: Fraction) -> list[bytes]:
    """Return digests of the first pictures at or after ``start`` seconds, to half a millisecond."""
    found: list[bytes] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        container.seek(int(start * av.time_base), backward=True)
        for frame in container.decode(stream):
            if frame.time is None or frame.time < float(start) - 0.0005:
                continue
            digest = hashlib.sha256()
            for plane in frame.planes:
                digest.update(plane)
            found.append(digest.digest())
            if len(found) == _PICTURES:
                break
    return found
