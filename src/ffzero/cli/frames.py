"""``ffzero frames``: exact frames of a video as pictures or numpy arrays."""

from __future__ import annotations

import os
import time as clock_of_system
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.frame_files import ARRAY_SUFFIXES, ArrayFile, FrameFiles, FrameNames
from ffzero.cli.memory_use import resident_bytes
from ffzero.cli.output import check_output, output_options
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.ranges import range_options, time_of, time_range
from ffzero.cli.report import plan_fields
from ffzero.cli.signals import cancellable
from ffzero.cli.text import byte_count, clock, count, printable, seconds
from ffzero.errors import FFZeroError, OutputError, TimeRangeError, UsageError
from ffzero.reporting import CancelToken, ProgressEvent, WriteResult
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.api import Movie
    from ffzero.edits.frame_values import Frame

__all__ = ["frames"]

_AT_ONCE = 16
"""Frames at given times that are held in memory together."""
_MEMORY_EVERY_S = 0.5
_DEEP_FORMATS = ("rgb48", "gray16")


@click.command()
@click.argument("input", type=click.Path(readable=False))
@range_options
@click.option("--every", metavar="STEP", help="One frame each so often: 1s, 0.5s, 0:10, or each N-th: 10.")
@click.option("--at", "at", multiple=True, metavar="TIME,...", help="The frames that are shown at these times.")
@click.option("--keyframes", is_flag=True, help="The key frames only.")
@click.option("--size", metavar="WIDTHxHEIGHT", help="Scale them; 640x and x360 keep the shape.")
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG and WebP.  [default: 90]")
@click.option(
    "--format",
    "pixels",
    default="rgb24",
    metavar="FORMAT",
    help="Pixel format: rgb24, gray, rgba, or rgb48 and gray16 for 16 bits (PNG, arrays).  [default: rgb24]",
)
@output_options
@click.pass_obj
def frames(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    every: str | None,
    at: tuple[str, ...],
    keyframes: bool,
    size: str | None,
    quality: int | None,
    pixels: str,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Write frames of INPUT as .jpg, .png, .webp, .npy or .npz, each exactly the one that is shown at its time.

    In OUTPUT, %06d becomes a number from 1, {time} the frame's time and {index} its number in the video. Its folder is
    made. A .npy name without these gets all frames as one array. Every file is whole or absent; after Ctrl-C, those
    that were finished stay.
    """
    begin, stop = time_range(start, end, duration)
    choice = _Choice.of(every, at, keyframes=keyframes, begin=begin, stop=stop)
    output = check_output(output, dry_run=dry_run)
    look = {"format": pixels, "size": size}
    single = choice.times is not None and len(choice.times) == 1
    names = None if output is None else _checked_names(output, pixels, quality, single=single)
    with ffzero.open(input) as movie:
        if names is None or dry_run:
            _show(console, movie, choice, output)
            return
        _check_folder(names, overwrite=overwrite)
        _write(console, movie, choice, names, look, quality=quality, overwrite=overwrite)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which frames: at ``times``, the key frames, or those that ``step`` takes of ``[begin, stop)``."""

    begin: Fraction | None
    stop: Fraction | None
    step: int | Fraction | None = None
    times: tuple[Fraction, ...] | None = None
    keyframes: bool = False

    @classmethod
    def of(
        cls, every: str | None, at: tuple[str, ...], *, keyframes: bool, begin: Fraction | None, stop: Fraction | None
    ) -> _Choice:
        if (every is not None) + bool(at) + keyframes > 1:
            raise UsageError("--every, --at and --keyframes exclude each other", hint="Give one of them")
        if at and (begin is not None or stop is not None):
            raise UsageError("--at names the frames; a range says nothing there", hint="Leave -s, -e and -d out")
        times = tuple(
            time for text in at for one in text.split(",") if (time := time_of("at", one.strip())) is not None
        )
        return cls(begin=begin, stop=stop, step=_step(every), times=times if at else None, keyframes=keyframes)

    def points(self, movie: Movie) -> list[Fraction] | None:
        """Return the times of the frames where they are known before decoding."""
        if self.keyframes:
            low, high = self.begin or Fraction(0), self.stop
            found = [time for time in movie.keyframes() if low <= time and (high is None or time < high)]
            if not found:
                raise TimeRangeError("no key frame lies in the range", path=movie.path)
            return found
        return None if self.times is None else list(self.times)

    def frames(self, movie: Movie, points: list[Fraction] | None, look: Any, cancel: CancelToken) -> Iterator[Frame]:
        """Yield the frames. Those at given times are decoded some at a time, so that few are held."""
        if points is None:
            yield from movie.frames(self.begin, self.stop, step=self.step, cancel=cancel, **look)
            return
        for first in range(0, len(points), _AT_ONCE):
            yield from movie.frames_at(points[first : first + _AT_ONCE], cancel=cancel, **look)

    def span(self, movie: Movie) -> tuple[Fraction, Fraction]:
        """Return the range in seconds, as far as the movie goes."""
        begin, whole = self.begin or Fraction(0), Fraction(movie.duration)
        return begin, whole if self.stop is None else min(self.stop, whole)


def _step(text: str | None) -> int | Fraction | None:
    """Return what ``--every`` says: a whole number counts frames, all else is a time."""
    if text is None:
        return None
    word = text.strip()
    if word.isascii() and word.isdigit():
        if int(word) < 1:
            raise UsageError("--every: at least each frame", found=text)
        return int(word)
    step = time_of("every", word.removesuffix("s"))
    if not step:
        raise UsageError("--every: the time is zero", hint="Leave --every out for all frames")
    return step


def _checked_names(output: str, pixels: str, quality: int | None, *, single: bool) -> FrameNames:
    """Return the names. Raises ``UsageError`` for kinds that there are not, and what a kind cannot hold."""
    from ffzero.frames.writing.images import IMAGE_SUFFIXES

    names = FrameNames(output)
    if names.suffix not in (*IMAGE_SUFFIXES, *ARRAY_SUFFIXES):
        known = ", ".join((*IMAGE_SUFFIXES, *ARRAY_SUFFIXES))
        raise UsageError("the name says no kind of picture or array", path=output, hint=f"End it with {known}")
    if not names.is_pattern and names.suffix != ".npy" and not single:
        raise UsageError(
            "one name for many frames",
            path=output,
            hint="Put a number into it: "
            f"{os.path.join(names.folder, '%06d' + names.suffix)}; only .npy holds all frames in one file",
        )
    if quality is not None and names.suffix not in (".jpg", ".jpeg", ".webp"):
        raise UsageError("--quality is for JPEG and WebP", path=output)
    if pixels in _DEEP_FORMATS and names.suffix in (".jpg", ".jpeg", ".webp"):
        raise UsageError(f"{names.suffix} holds 8 bits, not {pixels}", path=output, hint="Take .png, .npy or .npz")
    return names


def _check_folder(names: FrameNames, *, overwrite: bool) -> None:
    """Make the folder, and raise now what the first file would raise."""
    if not overwrite:
        names.refuse_existing()
    from ffzero.storage.failures import output_error

    try:
        if names.folder:
            os.makedirs(names.folder, exist_ok=True)
    except OSError as error:
        raise output_error(error, path=names.folder) from error
    if not os.access(names.folder or ".", os.W_OK):
        raise OutputError("nothing may be written in the folder", path=names.folder or ".", hint="Choose another one.")


def _show(console: Console, movie: Movie, choice: _Choice, output: str | None) -> None:
    """Tell what would be written, without decoding anything."""
    points = choice.points(movie)
    begin, stop = choice.span(movie)
    if points is None and isinstance(choice.step, Fraction):
        points = [begin + choice.step * number for number in range(-int((begin - stop) // choice.step))]
    if console.json_wanted:
        times = None if points is None else [float(time) for time in points]
        console.object({**plan_fields({}, output), "times_s": times, "start_s": float(begin), "end_s": float(stop)})
        return
    if points is None:
        which = "all frames" if choice.step is None else f"every {choice.step}th frame"
        console.line(f"{which} of {clock(begin)} to {clock(stop)}")
        return
    console.line(f"{count(len(points), 'frame')}: {', '.join(clock(time) for time in points[:8])}"
                 f"{', ...' if len(points) > 8 else ''}")  # fmt: skip


def _write(
    console: Console,
    movie: Movie,
    choice: _Choice,
    names: FrameNames,
    look: dict[str, Any],
    *,
    quality: int | None,
    overwrite: bool,
) -> None:
    begun = clock_of_system.perf_counter()
    points = choice.points(movie)
    begin, stop = choice.span(movie)
    files: list[dict[str, Any]] = []
    is_array = not names.is_pattern and names.suffix == ".npy"
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        sink = (
            ArrayFile(names, overwrite=overwrite)
            if is_array
            else FrameFiles(names, quality=quality, overwrite=overwrite)
        )
        tell = _Teller(progress, points, begin, stop)
        try:
            with closing(choice.frames(movie, points, look, cancel)) as source:  # type: ignore[type-var]  # a generator
                for number, frame in enumerate(source, 1):
                    name, size = sink.add(number, frame)
                    facts = {"time_s": float(frame.time), "index": frame.index, "pts": frame.pts}
                    files.append({"output": name, **facts, "keyframe": frame.keyframe, "bytes_total": size})
                    frame.forget()
                    tell(number, files[-1]["time_s"])
                    cancel.check()
            sink.close()
        except BaseException as error:
            if isinstance(sink, ArrayFile):
                sink.abandon(error)
            elif files and isinstance(error, FFZeroError):
                console.message(
                    f"ffzero: written before that: {count(len(files), 'frame')}, up to {files[-1]['output']}"
                )
            raise
    if not files:
        raise TimeRangeError("no frame lies in the range", path=movie.path)
    _report(console, names, files, clock_of_system.perf_counter() - begun)


class _Teller:
    """Tells of progress: in frames where their number is known, else in seconds of the video."""

    def __init__(
        self, progress: TerminalProgress, points: list[Fraction] | None, begin: Fraction, stop: Fraction
    ) -> None:
        self._progress = progress
        self._points = points
        self._begin, self._length = float(begin), max(1, int(stop - begin))
        self._started_s = self._due_s = clock_of_system.monotonic()
        self._memory: int | None = None

    def __call__(self, number: int, time_s: float) -> None:
        now_s = clock_of_system.monotonic()
        if now_s >= self._due_s:
            self._memory, self._due_s = resident_bytes(), now_s + _MEMORY_EVERY_S
        details = {"memory_bytes": self._memory, "fps": number / max(1e-3, now_s - self._started_s)}
        if self._points is not None:
            event = ProgressEvent(stage="frames", done=number, total=len(self._points), unit="frames", details=details)
        else:
            done = min(self._length, int(time_s - self._begin))
            event = ProgressEvent(stage="frames", done=done, total=self._length, unit="seconds", details=details)
        self._progress(event)


def _report(console: Console, names: FrameNames, files: list[dict[str, Any]], elapsed_s: float) -> None:
    size = sum(item["bytes_total"] for item in files)
    if not names.is_pattern:
        size = os.path.getsize(names.pattern)
    if console.json_wanted:
        result = WriteResult(output=names.pattern, bytes_total=size, frames_rendered=len(files), elapsed_s=elapsed_s)
        console.object({**result.to_dict(), "frames": files})
        return
    which = printable(files[0]["output"])
    if len(files) > 1 and names.is_pattern:
        which += f" to {printable(os.path.basename(files[-1]['output']))}"
    span = f"{clock(files[0]['time_s'])} to {clock(files[-1]['time_s'])}"
    console.line(f"{which}: {count(len(files), 'frame')}, {byte_count(size)}, {span}, in {seconds(elapsed_s)}")
