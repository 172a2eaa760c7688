"""``ffzero demo``: the main jobs on a sample made here, each beside ``ffmpeg -c copy`` doing the same."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.inspect import show
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.report import summary
from ffzero.cli.signals import cancellable
from ffzero.cli.text import byte_count, count, printable, seconds
from ffzero.errors import FFZeroError, OutputError

if TYPE_CHECKING:
    from ffzero.api import Clip

__all__ = ["demo", "new_folder"]

_START, _END = Fraction("13.37"), Fraction("123.4")
_PARTS = ((Fraction(20), Fraction(60)), (Fraction(100), Fraction(140)))
_LOOPS = 20  # of 8 s
_SPACE_BYTES = 2_500_000_000


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path())
@click.pass_obj
def demo(console: Console, directory: str) -> None:
    """Make a sample video in DIR, inspect, cut and join it, and show what each step cost beside `ffmpeg -c copy`.

    Nothing that is in DIR is touched: if it exists, a new folder is made in it.
    """
    with new_folder(Path(directory).absolute()) as folder:
        sample = folder / "sample.mp4"
        _make_sample(console, sample)
        _title(console, f"ffzero inspect {sample.name}")
        loading_s = _timed(lambda: _inspect(console, sample))
        _cut(console, sample, folder / "cut.mp4")
        _join(console, sample, folder)
        console.line()
        console.line(f"The files are in {printable(str(folder))}")
        console.line(
            "Each time is of one run, of the work alone; inspecting, with loading ffzero, took"
            f" {seconds(loading_s)}. `make bench` measures with care."
        )


@contextlib.contextmanager
def new_folder(directory: Path) -> Iterator[Path]:
    """Make a folder that did not exist before: ``directory``, or ``ffzero-demo[-N]`` in it.

    An error inside removes it again.
    """
    folder = _made(directory)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _made(directory: Path) -> Path:
    candidates = [
        directory,
        *(directory / f"ffzero-demo{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000)))),
    ]
    for folder in candidates:
        try:
            folder.mkdir(parents=folder is directory)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"the folder cannot be made: {error.strerror}", path=folder) from error
        return folder
    raise OutputError("there are too many demo folders already", path=directory)


def _make_sample(console: Console, sample: Path) -> None:
    from ffzero.cli.demo_media import make_sample

    free = shutil.disk_usage(sample.parent).free
    if free < _SPACE_BYTES:
        raise OutputError(
            f"the demo needs {byte_count(_SPACE_BYTES)} of free space, and {byte_count(free)} are left",
            path=sample.parent,
            hint="Give another folder: ffzero demo DIR",
        )
    console.line("Making a sample: 720p H.264 with B-frames, a keyframe every 2 s, AAC sound")
    console.flush()
    elapsed_s = _timed(lambda: make_sample(sample, loops=_LOOPS))
    console.line(f"  {byte_count(sample.stat().st_size)} in {seconds(elapsed_s)}")


def _inspect(console: Console, sample: Path) -> None:
    with ffzero.open(sample) as movie:
        show(console, movie)


def _cut(console: Console, sample: Path, output: Path) -> None:
    from ffzero.cli.demo_media import ffmpeg_cut

    command = f"ffzero cut {sample.name} -o {output.name} -s {float(_START)} -e {float(_END)}"
    with ffzero.open(sample) as movie:
        clip = movie[_START:_END]
        _title(console, f"{command} --dry-run")
        console.line(str(clip.plan(output=output)))
        _title(console, command)
        elapsed_s = _write(console, clip, output)
    _beside(console, elapsed_s, lambda path: ffmpeg_cut(sample, path, _START, _END), output)
    _check(console, output, [(sample, _START, _END)])


def _join(console: Console, sample: Path, folder: Path) -> None:
    from ffzero.cli.demo_media import ffmpeg_concat

    parts = [folder / f"part{number}.mp4" for number in range(1, len(_PARTS) + 1)]
    with ffzero.open(sample) as movie:
        for part, (start, end) in zip(parts, _PARTS, strict=True):
            _title(console, f"ffzero cut {sample.name} -o {part.name} -s {start} -e {end}")
            _write(console, movie[start:end], part)
    output = folder / "joined.mp4"
    _title(console, f"ffzero concat {' '.join(part.name for part in parts)} -o {output.name}")
    elapsed_s = _write(console, ffzero.concat(parts), output)
    _beside(console, elapsed_s, lambda path: ffmpeg_concat(parts, path), output)
    _check(console, output, [(sample, start, end) for start, end in _PARTS])


def _title(console: Console, command: str) -> None:
    console.line()
    console.line(f"$ {command}")
    console.flush()


def _write(console: Console, clip: Clip, output: Path) -> float:
    """Write the clip, show what that cost, and return the seconds that planning and writing took."""
    begun_s = time.perf_counter()
    with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
        result = clip.write(output, reporter=progress, cancel=cancel)
    elapsed_s = time.perf_counter() - begun_s
    console.lines(summary(result))
    return elapsed_s


def _beside(console: Console, elapsed_s: float, peer: Callable[[Path], None], output: Path) -> None:
    """Run the peer into a file beside ``output``, and compare what both took."""
    theirs = output.with_name("ffmpeg-" + output.name)
    try:
        peer_s = _timed(lambda: peer(theirs))
        size = theirs.stat().st_size
    finally:
        theirs.unlink(missing_ok=True)
    console.line(
        f"  beside it: ffmpeg -c copy wrote {byte_count(size)} in {seconds(peer_s)}, {_ratio(elapsed_s, peer_s)}"
    )


def _ratio(ours_s: float, theirs_s: float) -> str:
    ratio = theirs_s / ours_s
    return f"{ratio:.3g} times as long" if ratio >= 1 else f"{1 / ratio:.3g} times as fast"


def _check(console: Console, output: Path, ranges: list[tuple[Path, Fraction, Fraction]]) -> None:
    """Count the frames that ``output`` shows and compare the pictures around each boundary with the source's."""
    from ffzero.cli.demo_media import compare

    found = compare(output, ranges)
    text = (
        f"{count(found.shown, 'frame')} shown, {found.expected:,} expected; {found.same} of {found.compared} compared"
    )
    console.line(f"  checked: {text} pictures are identical, largest time difference {seconds(found.worst_s)}")
    if not found.exact:
        raise FFZeroError("the demo's check failed", path=output, hint="Please report this")


def _timed(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s
