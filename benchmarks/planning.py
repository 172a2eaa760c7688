"""Planning cuts of recordings of many hours: time in process, growth with length, memory of the whole command."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from benchmarks.cutting import FFZERO, cut_job, ffmpeg_cut_job, measure_in_process
from benchmarks.measure import in_turns, run
from benchmarks.media import Picture, make_loop
from benchmarks.places import Place
from benchmarks.recordings import LAYOUTS, Recording, make_recording
from benchmarks.report import COSTS_HEADER, Section, Target, costs_data, costs_row, megabytes, seconds
from benchmarks.scales import Scale
from benchmarks.verify import check_cut

__all__ = ["measure_planning"]

_PICTURE = Picture(size="320x180", megabits=0.8)
_PLAN_LIMIT_MS = 30
_MEMORY_LIMIT_MB = 100
_SHORT_S = 30


def _spans(hours: int) -> list[tuple[str, Fraction, Fraction]]:
    """Return the cuts of a recording: 30 s, a tenth and nine tenths of it, none at a key picture."""
    start = Fraction(hours * 180) + Fraction(370, 1000)
    return [
        (f"{_SHORT_S} s", start, start + _SHORT_S),
        (_length(hours * 360), start, start + hours * 360),
        (_length(hours * 3240), start, start + hours * 3240),
    ]


def _length(seconds_long: int) -> str:
    return f"{seconds_long // 3600} h" if seconds_long % 3600 == 0 else f"{seconds_long // 60} min"


def measure_planning(scale: Scale, place: Place, tell: Callable[[str], None]) -> list[Section]:
    """Plan cuts of recordings of every length and layout; then cut half a minute out of the longest."""
    loop = place.folder / "small.mp4"
    make_loop(loop, _PICTURE)
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    targets: list[Target] = []
    cuts: list[Section] = []
    for layout in LAYOUTS:
        for hours in scale.hours:
            tell(f"planning cuts of {hours} h, {layout} layout")
            times = [float(time) for _, *span in _spans(hours) for time in span]
            output = place.folder / f"{layout}.mp4"
            recording = make_recording(loop, output, layout=layout, hours=hours, real_at_s=times)
            for name, start, end in _spans(hours):
                figures = measure_in_process(recording.path, start, end, repeats=scale.repeats + 2)
                rows.append(_row(recording, name, figures))
                data.append({"layout": layout, "hours": hours, "cut": name, "chunks": recording.chunks, **figures})
                if hours == scale.hours[-1]:
                    targets += _targets(recording, name, figures)
            if hours == scale.hours[-1]:
                cuts.append(_short_cut(scale, place, recording))
            recording.path.unlink()
    loop.unlink()
    planning = Section(
        title="Planning a cut of a long recording, in process, warm",
        header=("", "cut", "samples", "chunks", "open", "first plan", "plan", "new header", "peak memory"),
        rows=rows,
        notes=[f"{name}: {meaning}" for name, meaning in LAYOUTS.items()],
        targets=targets,
        data={"plans": data},
    )
    return [planning, *cuts]


def _plan_s(figures: dict[str, Any]) -> float:
    return float(statistics.median(figures["plan_s"][1:]))


def _row(recording: Recording, cut: str, figures: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{recording.hours} h, {recording.layout}",
        cut,
        f"{recording.samples:,}",
        f"{recording.chunks:,}",
        seconds(statistics.median(figures["open_s"])),
        seconds(figures["plan_s"][0]),
        seconds(_plan_s(figures)),
        megabytes(figures["header_bytes"]),
        megabytes(figures["peak_bytes"]),
    )


def _targets(recording: Recording, cut: str, figures: dict[str, Any]) -> list[Target]:
    name = f"plan {cut} of {recording.hours} h, {recording.layout}"
    memory = figures["peak_bytes"] / 1e6
    return [
        Target(name=f"{name}: time", value=_plan_s(figures) * 1000, limit=_PLAN_LIMIT_MS, unit="ms"),
        Target(name=f"{name}: peak memory", value=memory, limit=_MEMORY_LIMIT_MB, unit="MB"),
    ]


def _short_cut(scale: Scale, place: Place, recording: Recording) -> Section:
    """Cut half a minute out of the recording as a whole process, and plan nine tenths of it."""
    output = place.folder / "short.mp4"
    name, start, end = _spans(recording.hours)[0]
    jobs = [cut_job(recording.path, output, start, end), ffmpeg_cut_job(recording.path, output, start, end)]
    pictures = [Fraction(number, 30) for number in range(recording.hours * 3600 * 30)]  # the clip's rate, without a gap

    def check(job: object) -> None:
        if job is jobs[0]:
            check_cut(output, recording.path, start, end, pictures)

    costs = in_turns(jobs, place, repeats=scale.repeats, check=check)
    ours, peer = costs[jobs[0].name], costs[jobs[1].name]
    long_name, long_start, long_end = _spans(recording.hours)[-1]
    span = ("-s", f"{float(long_start):.3f}", "-e", f"{float(long_end):.3f}")
    dry = run((*FFZERO, "cut", str(recording.path), *span, "--dry-run"))
    what = f"{recording.hours} h, {recording.layout}"
    memory_name = f"cut {long_name} of {what}, --dry-run: peak memory"
    return Section(
        title=f"Cut {name} out of {what} ({megabytes(recording.header_bytes)} of index) on {place.filesystem}",
        header=COSTS_HEADER,
        rows=[costs_row(one, peer) for one in costs.values()],
        notes=(
            f"ffzero cut of {long_name}, --dry-run, whole process: {seconds(dry.wall_s)},"
            f" {megabytes(dry.peak_bytes)} peak memory",
        ),
        targets=(
            Target(name=f"cut {name} of {what}: peak memory", value=ours.peak_bytes / 1e6, limit=100, unit="MB"),
            Target(name=memory_name, value=dry.peak_bytes / 1e6, limit=_MEMORY_LIMIT_MB, unit="MB"),
        ),
        data={"costs": {name: costs_data(one) for name, one in costs.items()}, "dry_run_peak_bytes": dry.peak_bytes},
    )
