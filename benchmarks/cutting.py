"""Cutting two thirds out of a long file, and joining many files, each beside ``ffmpeg -c copy``."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.measure import Costs, Job, in_turns, run
from benchmarks.media import Picture, ffmpeg_exe, make_long, make_parts
from benchmarks.places import Place
from benchmarks.report import COSTS_HEADER, Section, Target, costs_data, costs_row, megabytes, seconds
from benchmarks.scales import Scale
from benchmarks.verify import check_cut, check_joined, duration

__all__ = ["FFMPEG", "FFZERO", "cut_job", "ffmpeg_cut_job", "measure_concat", "measure_cut", "measure_in_process"]

FFZERO = (sys.executable, "-m", "ffzero")
FFMPEG = (ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", "error", "-y")
_MEMORY_LIMIT_MB = 100


def cut_job(source: Path, output: Path, start: Fraction, end: Fraction) -> Job:
    """Return the job of ``ffzero cut``."""
    span = ("-s", f"{float(start):.3f}", "-e", f"{float(end):.3f}")
    command = (*FFZERO, "cut", str(source), "-o", str(output), *span, "--json", "-y")
    return Job(name="ffzero cut", command=command, output=output, inputs=[source])


def ffmpeg_cut_job(source: Path, output: Path, start: Fraction, end: Fraction, *options: str) -> Job:
    """Return the job of the same cut by stream copy; ``options`` are the output's, and come into the name."""
    span = ("-ss", f"{float(start):.3f}", "-i", str(source), "-t", f"{float(end - start):.3f}")
    command = (*FFMPEG, *span, "-map", "0", "-c", "copy", *options, str(output))
    return Job(name=" ".join(("ffmpeg -c copy", *options)), command=command, output=output, inputs=[source])


def measure_cut(scale: Scale, place: Place, picture: Picture, loop: Path, tell: Callable[[str], None]) -> Section:
    """Cut two thirds of a long file of repetitions of ``loop`` on ``place``."""
    source, output = place.folder / "long.mp4", place.folder / "cut.mp4"
    tell(f"making {megabytes(scale.long_bytes)} on {place.filesystem}")
    make_long(loop, source, size_bytes=scale.long_bytes)
    length = duration(source)
    start = Fraction(length // 6) + Fraction(370, 1000)  # no key picture is there
    end = start + Fraction(length * 2 // 3)
    jobs = [
        cut_job(source, output, start, end),
        ffmpeg_cut_job(source, output, start, end),
        ffmpeg_cut_job(source, output, start, end, "-movflags", "+faststart"),
    ]
    tell(f"cutting on {place.filesystem}, warm")
    frames: list[int] = []

    def check(job: Job) -> None:
        if job is jobs[0]:
            frames.append(check_cut(output, source, start, end))

    warm = in_turns(jobs, place, repeats=scale.repeats, check=check)
    tell(f"cutting on {place.filesystem}, cold")
    cold = in_turns(jobs[:2], place, repeats=scale.cold_repeats, cold=True)
    inside = measure_in_process(source, start, end, repeats=scale.repeats, output=output)
    size = source.stat().st_size
    what = f"{picture.megabits:g} Mb/s on {place.filesystem}"
    title = f"Cut {megabytes(size * 2 / 3)} out of {megabytes(size)} ({length // 60} min) of {what}"
    source.unlink()
    ours, peer = warm[jobs[0].name], warm[jobs[1].name]
    rows = [costs_row(costs, peer) for costs in warm.values()]
    cold_peer = cold[jobs[1].name]
    rows += [(f"{row[0]}, cold", *row[1:]) for row in (costs_row(costs, cold_peer) for costs in cold.values())]
    report = json.loads(ours.runs[-1].stdout)
    moved = ", ".join(f"{megabytes(count)} by {name}" for name, count in report["methods"].items())
    return Section(
        title=title,
        header=COSTS_HEADER,
        rows=rows,
        notes=(
            f"ffzero's own report: {moved}",
            f"in process, warm: open {seconds(statistics.median(inside['open_s']))}, plan"
            f" {seconds(statistics.median(inside['plan_s'][1:]))}, plan and write {seconds(min(inside['write_s']))}",
            f"{frames[0]} pictures checked",
        ),
        targets=_cut_targets(f"cut, {what}", ours, peer, place),
        data={
            "warm": {name: costs_data(costs) for name, costs in warm.items()},
            "cold": {name: costs_data(costs) for name, costs in cold.items()},
            "in_process": inside,
            "frames": frames[0],
            "methods": report["methods"],
        },
    )


def _cut_targets(name: str, ours: Costs, peer: Costs, place: Place) -> list[Target]:
    """Return what DESIGN.md promises for a cut on a place that shares blocks, or on one that doesn't."""
    targets = _common_targets(name, ours, peer, 15 if place.private else 2.5)
    if place.private:
        return [*targets, Target(name=f"{name}: written", value=ours.written_bytes / 1e6, limit=1, unit="MB")]
    return [*targets, Target(name=f"{name}: CPU", value=ours.cpu_s / peer.cpu_s, limit=0.5, unit="× ffmpeg")]


def _common_targets(name: str, ours: Costs, peer: Costs, least_ratio: float) -> list[Target]:
    ratio, memory = peer.wall_s / ours.wall_s, ours.peak_bytes / 1e6
    return [
        Target(name=f"{name}: speed", value=ratio, limit=least_ratio, unit="× ffmpeg", at_least=True),
        Target(name=f"{name}: peak memory", value=memory, limit=_MEMORY_LIMIT_MB, unit="MB"),
    ]


def measure_in_process(
    source: Path, start: Fraction, end: Fraction, *, repeats: int, output: Path | None = None
) -> dict[str, Any]:
    """Open, plan and (given an output) write a cut in one fresh process; see ``in_process`` for what comes back."""
    job = {
        "path": str(source),
        "start": f"{float(start):.3f}",
        "end": f"{float(end):.3f}",
        "repeats": repeats,
        "output": None if output is None else str(output),
    }
    done = run((sys.executable, "-m", "benchmarks.in_process", json.dumps(job)))
    return {**json.loads(done.stdout), "peak_bytes": done.peak_bytes}


def measure_concat(scale: Scale, place: Place, loop: Path, tell: Callable[[str], None]) -> Section:
    """Join many files on ``place``."""
    folder, output, playlist = place.folder / "parts", place.folder / "joined.mp4", place.folder / "parts.txt"
    tell(f"making {scale.parts} files on {place.filesystem}")
    parts = make_parts(loop, folder, count=scale.parts, part_s=scale.part_s)
    playlist.write_text("".join(f"file '{part}'\n" for part in parts), encoding="utf-8")
    command = (*FFZERO, "concat", *map(str, parts), "-o", str(output), "--json", "-y")
    ffmpeg = (*FFMPEG, "-f", "concat", "-safe", "0", "-i", str(playlist), "-map", "0", "-c", "copy", str(output))
    jobs = [
        Job(name="ffzero concat", command=command, output=output, inputs=parts),
        Job(name="ffmpeg -f concat -c copy", command=ffmpeg, output=output, inputs=parts),
    ]
    tell(f"joining on {place.filesystem}")
    frames: list[int] = []

    def check(job: Job) -> None:
        if job is jobs[0]:
            frames.append(check_joined(output, parts))

    warm = in_turns(jobs, place, repeats=scale.repeats, check=check)
    total = sum(part.stat().st_size for part in parts)
    shutil.rmtree(folder)
    ours, peer = warm[jobs[0].name], warm[jobs[1].name]
    report = json.loads(ours.runs[-1].stdout)
    moved = ", ".join(f"{megabytes(count)} by {name}" for name, count in report["methods"].items())
    return Section(
        title=f"Join {len(parts)} files, {megabytes(total)} together, on {place.filesystem}",
        header=COSTS_HEADER,
        rows=[costs_row(costs, peer) for costs in warm.values()],
        notes=(f"ffzero's own report: {moved}", f"{frames[0]} pictures checked"),
        targets=_common_targets(f"concat, {place.filesystem}", ours, peer, 15 if place.private else 3),
        data={"warm": {name: costs_data(costs) for name, costs in warm.items()}, "frames": frames[0]},
    )
