"""``python -m benchmarks``: make inputs, measure, print, remove everything again."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.cutting import measure_concat, measure_cut
from benchmarks.frames import measure_frames
from benchmarks.media import Picture, make_loop
from benchmarks.places import Place, PlaceUnavailable, filesystem_of, mounted_xfs, require_space
from benchmarks.planning import measure_planning
from benchmarks.rendering import measure_rendering
from benchmarks.report import METHOD, Section, machine, render
from benchmarks.scales import FULL, QUICK, Scale
from benchmarks.starting import measure_starting
from benchmarks.verify import WrongOutput

__all__ = ["main"]

_SUITES = ("cut", "concat", "plan", "start", "render", "frames")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--dir",
        type=Path,
        help="folder for inputs and outputs, on the disk to measure (the system's for"
        " temporary files by default); a folder of its own is made in it and removed in the end",
    )
    parser.add_argument("--quick", action="store_true", help="everything small: shows that it works, measures little")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--only", choices=_SUITES, action="append", help="measure only this; may be given several times"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the arguments say; returns 0, or 1 with a message where it cannot be done."""
    options = _arguments(argv)
    scale = QUICK if options.quick else FULL
    if options.dir is not None:
        options.dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as folder:
            facts = machine(Path(folder))
            sections, missing = _measure(scale, options.only or _SUITES, Path(folder))
    except PlaceUnavailable as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    except (RuntimeError, WrongOutput) as error:
        print(f"measuring failed: {error}", file=sys.stderr)
        return 1
    if options.json:
        data = {
            "machine": facts,
            "scale": scale.name,
            "method": METHOD,
            "sections": [
                {"title": section.title, "notes": list(section.notes), **section.data} for section in sections
            ],
            "targets": [target.data() for section in sections for target in section.targets],
            "not_measured": missing,
        }
        print(json.dumps(data, indent=1))
        return 0
    print(*render(facts, sections, judged=scale is FULL), sep="\n")
    print(f"  - scale: {scale.name}", *(f"  - not measured: {line}" for line in missing), sep="\n")
    return 0


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # so that everything is removed on the way out


def _tell(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _measure(scale: Scale, suites: Sequence[str], folder: Path) -> tuple[list[Section], list[str]]:
    """Return the sections, and what could not be measured and why."""
    sections: list[Section] = []
    missing: list[str] = []
    if "start" in suites:
        sections.append(measure_starting(scale, _tell))
    if {"cut", "concat"} & set(suites):
        require_space(folder, scale.place_bytes)
        _tell("coding clips")
        loops = {picture: folder / f"loop{number}.mp4" for number, picture in enumerate(scale.pictures)}
        for picture, loop in loops.items():
            make_loop(loop, picture)
        here = folder / "disk"
        here.mkdir()
        sections += _on_place(scale, suites, Place(folder=here, filesystem=filesystem_of(folder)), loops)
        try:
            with mounted_xfs(folder, scale.place_bytes) as place:
                sections += _on_place(scale, suites, place, loops)
        except PlaceUnavailable as error:
            missing.append(f"a filesystem that shares blocks: {error}")
        for loop in loops.values():
            loop.unlink()
    if "plan" in suites:
        sections += measure_planning(scale, Place(folder=folder, filesystem=filesystem_of(folder)), _tell)
    if "render" in suites:
        loop = folder / "render-loop.mp4"
        make_loop(loop, scale.pictures[-1])
        try:
            sections += measure_rendering(scale, Place(folder=folder, filesystem=filesystem_of(folder)), loop, _tell)
        except PlaceUnavailable as error:
            missing.append(f"rendering: {error}")
    if "frames" in suites:
        found, lacking = measure_frames(scale, Place(folder=folder, filesystem=filesystem_of(folder)), _tell)
        sections += found
        missing += [f"frames, {line}" for line in lacking]
    return sections, missing


def _on_place(scale: Scale, suites: Sequence[str], place: Place, loops: Mapping[Picture, Path]) -> Iterator[Section]:
    if "cut" in suites:
        for picture, loop in loops.items():
            yield measure_cut(scale, place, picture, loop, _tell)
    if "concat" in suites:
        yield measure_concat(scale, place, loops[scale.pictures[0]], _tell)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
