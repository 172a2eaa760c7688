"""``ffzero split``: one file into several."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.part_names import check_names, part_names
from ffzero.cli.parts import show_parts, write_parts
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.ranges import FiniteRange, time_of
from ffzero.cli.signals import cancellable
from ffzero.cli.writing import Writing, writing_options
from ffzero.errors import UsageError
from ffzero.timebase import TOLERANCE

if TYPE_CHECKING:
    from ffzero.api import Clip

__all__ = ["size_in_bytes", "split"]

_AT_KEYFRAMES = "only MP4 and MOV are cut at any frame: here each part begins with the keyframe at or before its time"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]?)(i?)B?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@click.command()
@click.argument("input", type=click.Path(readable=False))
@click.option("--at", "at", multiple=True, metavar="TIME,...", help="Split at these times.")
@click.option("--every", metavar="TIME", help="Split into parts of this length.")
@click.option(
    "--size",
    metavar="SIZE",
    help="Split into files of at most this size (100M is 100 million bytes, 100Mi is 100 MiB), at keyframes.",
)
@click.option("--chapters", is_flag=True, help="Split where chapters begin.")
@click.option("--scenes", is_flag=True, help="Split where the scene changes (needs ffzero[scenes]).")
@click.option(
    "--threshold",
    type=FiniteRange(0, 255, min_open=True),
    metavar="N",
    help="How much a picture must differ from the one before it to begin a scene, up to 255.  [default: 27]",
)
@writing_options(audio=False)
@click.pass_obj
def split(
    console: Console,
    /,
    input: str,
    at: tuple[str, ...],
    every: str | None,
    size: str | None,
    chapters: bool,
    scenes: bool,
    threshold: float | None,
    writing: Writing,
) -> None:
    """Split INPUT into parts that together are the whole, each picture in just one of them.

    A number takes the place of %d or %03d in OUTPUT, else it goes before the extension; {title} becomes the title of
    the chapter in which a part begins. Give one of --at, --every, --size, --chapters and --scenes.
    """
    way = _way(at, every, size, chapters=chapters, scenes=scenes, threshold=threshold)
    output = writing.output
    falls_on = "keyframe" if output is not None and not _cut_exactly(output) else writing.boundary
    start_quickly()
    with ffzero.open(input) as movie:
        with TerminalProgress(console.stderr) as progress, cancellable() as cancel:
            parts = movie.split(**way, boundary=falls_on, reporter=progress, cancel=cancel)
        names = _names(output, parts, movie[:])
        known = [name for name in names if name is not None]
        check_names(known, input, overwrite=writing.overwrite or writing.dry_run)
        if not writing.dry_run:
            writing.proof.check_records(known, overwrite=writing.overwrite)
        notes = [_AT_KEYFRAMES] if falls_on != writing.boundary or movie.media is None else []
        plans = [part.plan(output=name, **writing.plan_options) for part, name in zip(parts, names, strict=True)]
        if writing.dry_run or output is None:
            show_parts(console, output, names, plans, notes)
        else:
            for plan in plans:
                plan.require_possible()
            write_parts(console, output, known, parts, plans, notes, writing)


def _way(
    at: Sequence[str], every: str | None, size: str | None, *, chapters: bool, scenes: bool, threshold: float | None
) -> dict[str, Any]:
    """Return how the movie is split, as arguments of ``split``. Raises ``UsageError`` unless it is told once."""
    ways: dict[str, Any] = {}
    if at:
        ways["at"] = [time_of("at", time.strip()) for times in at for time in times.split(",")]
    if every is not None:
        ways["every"] = time_of("every", every)
    if size is not None:
        ways["size_bytes"] = size_in_bytes("size", size)
    if chapters:
        ways["chapters"] = True
    if scenes:
        ways["scenes"] = True if threshold is None else threshold
    elif threshold is not None:
        raise UsageError("--threshold is for --scenes", hint="Give both, or neither")
    if len(ways) != 1:
        found = "more than one was given" if ways else "none was given"
        raise UsageError(
            f"how to split is told once; {found}", hint="Give one of --at, --every, --size, --chapters and --scenes"
        )
    return ways


def size_in_bytes(option: str, text: str) -> int:
    """Return a size such as 100M or 700Mi in bytes. Raises ``UsageError`` that names the option."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match.group(3) and not match.group(2)):
        raise UsageError(f"--{option}: not a size: {text!r}", hint="Sizes are bytes (1000000), or 100M, 1.5G, 700Mi")
    number, unit, binary = match.groups()
    size = int(Fraction(number) * (1024 if binary else 1000) ** _POWERS[unit.upper()])
    if not size:
        raise UsageError(f"--{option}: the parts would be empty")
    return size


def _cut_exactly(output: str) -> bool:
    """Whether the outputs' container is one that can be cut at any picture."""
    from ffzero.containers.detect import container_for_output

    return container_for_output(output) == "isobmff"


def _names(output: str | None, parts: Sequence[Clip], whole: Clip) -> Sequence[str | None]:
    if output is None:
        return [None] * len(parts)
    return part_names(output, _titles(parts, whole) if "{title}" in output else [""] * len(parts))


def _titles(parts: Sequence[Clip], whole: Clip) -> list[str]:
    """Return for each part the title of the chapter in which it begins; empty where there is none."""
    chapters = sorted(whole.chapters(), key=lambda chapter: chapter.start_s)
    titles = []
    at = Fraction(0)
    for part in parts:
        place = bisect_right(chapters, at + TOLERANCE, key=lambda chapter: chapter.start_s)
        titles.append(chapters[place - 1].title if place else "")
        at += part.duration
    return titles
