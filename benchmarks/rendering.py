"""Cuts that code only what they must, beside smartcut and beside coding everything again."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from benchmarks.cutting import FFMPEG, FFZERO
from benchmarks.measure import Costs, Job, in_turns
from benchmarks.media import LOOP_S, make_long
from benchmarks.places import Place, PlaceUnavailable
from benchmarks.report import COSTS_HEADER, Section, Target, costs_data, costs_row, megabytes
from benchmarks.scales import Scale
from benchmarks.verify import shown_times

__all__ = ["measure_rendering"]

_SMARTCUT = "smartcut==1.7"
_START, _LENGTH = Fraction(1037, 100), Fraction(3013, 100)
_BLUR_S = 5
_MEMORY_LIMIT_MB = 300


def measure_rendering(scale: Scale, place: Place, loop: Path, tell: Callable[[str], None]) -> list[Section]:
    """Measure an exact cut out of files of several lengths, and five seconds of blur in the longest."""
    peer = _smartcut(place.folder / "peer", tell)
    sections = []
    for minutes in scale.render_minutes:
        source = place.folder / f"{minutes}min.mp4"
        tell(f"making {minutes} minutes")
        make_long(loop, source, size_bytes=round(loop.stat().st_size * minutes * 60 / LOOP_S))
        sections.append(_cut(scale, place, source, minutes, peer, tell))
        if minutes == scale.render_minutes[-1]:
            sections.append(_blur(scale, place, source, minutes, tell))
        source.unlink()
    return sections


def _smartcut(folder: Path, tell: Callable[[str], None]) -> Path:
    """Make an environment of its own for smartcut; returns its program."""
    tell("installing smartcut in an environment of its own")
    venv.create(folder, with_pip=True)
    binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")
    done = subprocess.run(
        [binaries / "python", "-m", "pip", "install", "--quiet", _SMARTCUT], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PlaceUnavailable(f"{_SMARTCUT} cannot be installed: {done.stderr[-300:].strip()}")
    return binaries / "smartcut"


def _cut(scale: Scale, place: Place, source: Path, minutes: int, peer: Path, tell: Callable[[str], None]) -> Section:
    output, end = place.folder / "cut.mp4", _START + _LENGTH
    span = ("-ss", f"{float(_START)}", "-i", str(source), "-t", f"{float(_LENGTH)}")
    coding = ("-c:v", "libx264", "-preset", "medium", "-crf", "18", "-c:a", "aac", "-b:a", "128k")
    ours = ("cut", str(source), "-o", str(output), "-s", f"{float(_START)}", "-e", f"{float(end)}")
    theirs = (str(peer), str(source), str(output), "--keep", f"{float(_START)},{float(end)}")
    jobs = [
        Job(name="ffzero cut --boundary render", command=(*FFZERO, *ours, "--boundary", "render", "-y"), output=output,
            inputs=[source]),
        Job(name=_SMARTCUT, command=theirs, output=output, inputs=[source]),
        Job(name="ffmpeg -c:v libx264 -crf 18", command=(*FFMPEG, *span, *coding, str(output)), output=output,
            inputs=[source]),
    ]  # fmt: skip
    tell(f"cutting {minutes} minutes")
    wanted = sum(1 for time in shown_times(source) if _START <= time < end)
    shown: dict[str, int] = {}

    def check(job: Job) -> None:
        shown[job.name] = len(shown_times(output))

    costs = in_turns(jobs, place, repeats=scale.render_repeats, check=check)
    mine, other = costs[jobs[0].name], costs[_SMARTCUT]
    return Section(
        title=f"Exact cut of {float(_LENGTH):g} s out of {minutes} min ({megabytes(source.stat().st_size)})",
        header=COSTS_HEADER,
        rows=[costs_row(cost, other) for cost in costs.values()],
        notes=tuple(f"{name} shows {count} pictures; the source has {wanted} there" for name, count in shown.items()),
        targets=_targets(f"render, {minutes} min", mine, other),
        data={"costs": {name: costs_data(cost) for name, cost in costs.items()}, "shown": shown, "wanted": wanted},
    )


def _targets(name: str, mine: Costs, other: Costs) -> list[Target]:
    ratio = other.wall_s / mine.wall_s
    return [
        Target(name=f"{name}: speed", value=ratio, limit=3, unit="× smartcut", at_least=True),
        Target(name=f"{name}: peak memory", value=mine.peak_bytes / 1e6, limit=_MEMORY_LIMIT_MB, unit="MB"),
    ]


def _blur(scale: Scale, place: Place, source: Path, minutes: int, tell: Callable[[str], None]) -> Section:
    """Blur five seconds of the file, and code one minute of it with FFmpeg: all of it would take so many times that."""
    output = place.folder / "blurred.mp4"
    where = ("-s", "31.2", "-e", f"{31.2 + _BLUR_S}")
    ours = (*FFZERO, "apply", str(source), "-o", str(output), "--filter", "boxblur=10", *where, "-y")
    coding = ("-vf", f"boxblur=10:enable='between(t,31.2,{31.2 + _BLUR_S})'", "-c:v", "libx264", "-preset", "medium")
    theirs = (*FFMPEG, "-i", str(source), "-t", "60", *coding, "-crf", "18", "-c:a", "copy", str(output))
    jobs = [
        Job(name=f"ffzero apply, {_BLUR_S} s of {minutes} min", command=ours, output=output, inputs=[source]),
        Job(name="ffmpeg, one minute coded", command=theirs, output=output, inputs=[source]),
    ]
    tell("blurring")
    costs = in_turns(jobs, place, repeats=scale.render_repeats)
    mine, minute = (costs[job.name] for job in jobs)
    share = 100 * mine.wall_s / (minute.wall_s * minutes)
    return Section(
        title=f"Blur {_BLUR_S} s of {minutes} min ({megabytes(source.stat().st_size)})",
        header=COSTS_HEADER,
        rows=[costs_row(cost, minute) for cost in costs.values()],
        notes=(f"coding all {minutes} min would take {minutes} times the minute: ffzero takes {share:.2f} % of that",),
        targets=[Target(name=f"blur in {minutes} min", value=share, limit=2, unit="% of coding all")],
        data={"costs": {name: costs_data(cost) for name, cost in costs.items()}, "share_percent": share},
    )
