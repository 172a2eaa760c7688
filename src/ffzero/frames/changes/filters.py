"""Pictures through an FFmpeg filter chain. What comes out takes the place of what went in, one for one."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ffzero.errors import UsageError
from ffzero.frames.changes.field_order import is_bottom_field_first
from ffzero.frames.pictures.planes import fill
from ffzero.frames.programs import FilterProgram, start_filter

__all__ = ["FilterChain"]

_AHEAD = 2
_IN_FLIGHT = 4
_START_S = 0.4
_PATIENCE_S = 0.02
_MOST_PATIENCE_S = 1.0
_UNSPECIFIED = 2
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
_RANGES = {1: "tv", 2: "pc"}
_INPUT = ("-copyts", "-probesize", "32", "-analyzeduration", "0", "-f", "nut", "-i", "pipe:0")
_OUTPUT = ("-an", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "rawvideo", "-f", "nut", "pipe:1")


class FilterChain:
    """One run of a chain. Pictures go in and come out in order; what a filter holds back comes out at the end.

    ``zero`` is the time, in ticks of 1/``timescale`` s, at which the chain's clock begins. Raises ``UsageError`` where
    FFmpeg refuses the chain, or the number, size or order of the pictures change.
    """

    def __init__(self, chain: str, like: VideoFrame, zero: int, timescale: int) -> None:
        self._chain = chain
        self._zero = zero
        self._base = Fraction(1, timescale)
        self._held: deque[tuple[VideoFrame, int, Fraction | None]] = deque()
        self._waiting: queue.Queue[VideoFrame | None] = queue.Queue(_AHEAD)
        self._done: queue.SimpleQueue[VideoFrame | None] = queue.SimpleQueue()
        self._finished = False
        self._pace = _Pace()
        graph = ",".join((*_head(like), chain, *_tail(like)))
        self._program: FilterProgram = start_filter([*_INPUT, "-vf", graph, *_OUTPUT], chain)
        self._threads = [
            threading.Thread(target=self._write, args=(like.width, like.height, like.format.name), daemon=True),
            threading.Thread(target=self._read, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take a picture, and yield those that are done: the ones given, with new samples."""
        assert frame.pts is not None
        self._held.append((frame, frame.pts, frame.time_base))
        frame.pts, frame.time_base = frame.pts - self._zero, self._base
        while not self._finished:
            with contextlib.suppress(queue.Full):
                self._waiting.put(frame, timeout=0.05)
                break
            yield from self._available()
        del frame
        yield from self._available()
        while len(self._held) > self._pace.limit and not self._finished:
            try:
                done = self._done.get(timeout=self._pace.patience_s())
            except queue.Empty:
                self._pace.limit = len(self._held)
            else:
                yield from self._taken(done)
        if self._finished:
            raise self._failure()

    def end(self) -> Iterator[VideoFrame]:
        """Yield what was held back."""
        while not self._finished:
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=0.05)
                break
            yield from self._available()
        while not self._finished:
            yield from self._taken(self._done.get())
        error = self._program.failure()
        if error is not None:
            raise error
        if self._held:
            raise self._changed("fewer pictures than it was given", self._held[0][1])
        self.close()

    def close(self) -> None:
        """End the program, however far it is."""
        self._program.end()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        for thread in self._threads:
            thread.join(1)

    def _available(self) -> Iterator[VideoFrame]:
        while not self._done.empty():
            yield from self._taken(self._done.get())

    def _taken(self, filtered: VideoFrame | None) -> Iterator[VideoFrame]:
        if filtered is None:
            self._finished = True
            return
        self._pace.tell()
        if not self._held:
            raise self._changed("more pictures than it was given", None)
        frame, pts, base = self._held.popleft()
        frame.pts = pts
        if base is not None:
            frame.time_base = base
        if (filtered.width, filtered.height) != (frame.width, frame.height):
            raise self._changed(
                f"pictures of another size ({filtered.width}×{filtered.height} of {frame.width}×{frame.height})", pts
            )
        yield fill(frame, filtered)

    def _changed(self, what: str, pts: int | None) -> UsageError:
        where = "" if pts is None else f" at {float((pts - self._zero) * self._base):.3f} s"
        return UsageError(
            f"the filter {self._chain!r} gives {what}{where}",
            hint="On a range of a clip, only filters serve that keep each picture's place and size",
        )

    def _failure(self) -> Exception:
        return self._program.failure() or self._changed("no more pictures before the end", None)

    def _write(self, width: int, height: int, pix_fmt: str) -> None:
        # A program that ends early closes the pipe; the reader is told why.
        with contextlib.suppress(OSError, FFmpegError, ValueError):
            self._feed(width, height, pix_fmt)
        with contextlib.suppress(OSError):
            self._program.stdin.close()

    def _feed(self, width: int, height: int, pix_fmt: str) -> None:
        with av.open(self._program.stdin, "w", format="nut") as container:
            stream = container.add_stream("rawvideo")
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.time_base = stream.time_base = self._base
            while (frame := self._waiting.get()) is not None:
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def _read(self) -> None:
        with contextlib.suppress(OSError, FFmpegError, ValueError):
            self._collect()
        self._done.put(None)

    def _collect(self) -> None:
        options = {"probesize": "32", "analyzeduration": "0"}
        with av.open(self._program, "r", format="nut", options=options, buffer_size=1 << 20) as container:
            for frame in container.decode(video=0):
                self._done.put(frame)


class _Pace:
    """How many pictures may be under way (``limit``), and how long to wait for one before more may.

    FFmpeg would take dozens into its own queues, and each is held here too. Some a filter may want before it gives out
    the first, and that one is slow is no sign of it: each wait is longer than pictures have taken.
    """

    def __init__(self) -> None:
        self.limit = _IN_FLIGHT
        self._began = self._last = time.monotonic()
        self._gap_s: float | None = None

    def patience_s(self) -> float:
        now = time.monotonic()
        if self._gap_s is None:
            return max(_PATIENCE_S, self._began + _START_S - now)
        return min(_MOST_PATIENCE_S, max(_PATIENCE_S, 3 * self._gap_s))

    def tell(self) -> None:
        """Be told that a picture came out."""
        now = time.monotonic()
        if self._gap_s is None:
            self.limit = _IN_FLIGHT
        self._gap_s = max(now - self._last, 0.9 * (self._gap_s or 0))
        self._last = now


def _head(like: VideoFrame) -> list[str]:
    """Return the filter that tells what raw pictures do not say of themselves."""
    pairs = (
        ("range", like.color_range, 0),
        ("color_primaries", like.color_primaries, _UNSPECIFIED),
        ("color_trc", like.color_trc, _UNSPECIFIED),
        ("colorspace", like.colorspace, _UNSPECIFIED),
    )
    known = [f"{name}={int(value)}" for name, value, unknown in pairs if int(value) != unknown]
    if like.interlaced_frame:
        known.append(f"field_mode={'bff' if is_bottom_field_first(like) else 'tff'}")
    return [f"setparams={':'.join(known)}"] if known else []


def _tail(like: VideoFrame) -> list[str]:
    """Return the filters that bring pictures back into the form that they had."""
    name = like.format.name
    plain = name.replace("yuvj", "yuv") if name.startswith("yuvj") else name
    known = []
    if not like.format.is_rgb:
        if int(like.colorspace) in _MATRICES:
            known.append(f"out_color_matrix={_MATRICES[int(like.colorspace)]}")
        if int(like.color_range) in _RANGES:
            known.append(f"out_range={_RANGES[int(like.color_range)]}")
    scale = [f"scale={':'.join(known)}:flags=bicubic+accurate_rnd+full_chroma_int"] if known else []
    return [*scale, f"format={plain}"]
