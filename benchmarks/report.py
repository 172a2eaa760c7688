"""What was measured, as tables to read and as plain data."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ffzero
from benchmarks.measure import Costs
from benchmarks.media import ffmpeg_exe
from benchmarks.places import filesystem_of

__all__ = ["METHOD", "Section", "Target", "costs_data", "costs_row", "machine", "megabytes", "render", "seconds"]

METHOD = (
    "Every contestant runs as a whole process (interpreter start and imports included), in turns, after one round that"
    " is not counted; figures are medians, (least to most) beside them, and peak memory is the highest of all runs.",
    "Python's bytecode is kept between runs, as for an installed package.",
    "Before each run the last output is removed and the disk is synced. Warm: the input is in the page cache. Cold: its"
    " pages were dropped before each run (posix_fadvise), while the filesystem's own caches stay.",
    "'on disk' is the wall time with an fsync of the output after it. Neither program syncs by itself.",
    "'written' is what the filesystem allocated anew: by its free blocks on the image (metadata included), by the"
    " output's blocks elsewhere.",
    "FFmpeg runs as -ss START -i INPUT -t LENGTH -map 0 -c copy: its index comes last, and it starts at a key picture"
    " and keeps the pictures before START. ffzero's index comes first, as FFmpeg's with -movflags +faststart, and its"
    " cut is exact. Both write the same number of bytes within one group of pictures.",
    "ffzero's outputs were checked before they counted: number and times of the pictures, and three pictures at random"
    " places decoded and compared with the source's.",
    "Frames: wall and CPU time are taken inside each process once its imports are done, those of its children included;"
    " peak memory is the sum over the process and its children, sampled.",
    "A mounted image lies on the same disk and goes through a loop device with direct I/O, which slows writing to it.",
    "Peak memory counts mapped and shared pages too; the launcher's own, about 8 MB, is its least.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure that was promised: ``value`` must be at least (``at_least``) or at most ``limit``, in ``unit``."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def data(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in ("name", "value", "limit", "unit", "at_least")}
        return {**fields, "met": self.met}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table; ``data`` holds the same and more as plain values."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    targets: Sequence[Target] = ()
    data: dict[str, Any] = field(default_factory=dict)


def seconds(value: float) -> str:
    """Return a time with three digits that count."""
    if value < 1:
        return f"{value * 1000:.3g} ms" if value < 0.0995 else f"{value * 1000:.0f} ms"
    return f"{value:.3g} s"


def megabytes(count: float) -> str:
    """Return bytes in units of 10^6, or of 10^3 where they are few."""
    return f"{count / 1e3:.0f} kB" if abs(count) < 1e6 else f"{count / 1e6:,.0f} MB"


COSTS_HEADER = ("", "wall", "", "× ffmpeg", "CPU", "on disk", "peak memory", "written")


def costs_row(costs: Costs, peer: Costs) -> tuple[str, ...]:
    """Return the cells of ``COSTS_HEADER``."""
    return (
        costs.name,
        seconds(costs.wall_s),
        f"({seconds(costs.wall_least_s)} to {seconds(costs.wall_most_s)})",
        f"{peer.wall_s / costs.wall_s:.1f}" if costs is not peer else "1",
        seconds(costs.cpu_s),
        seconds(costs.durable_s),
        megabytes(costs.peak_bytes),
        megabytes(costs.written_bytes),
    )


def costs_data(costs: Costs) -> dict[str, Any]:
    """Return medians and the single runs as plain values."""
    names = ("wall_s", "wall_least_s", "wall_most_s", "cpu_s", "peak_bytes", "durable_s", "written_bytes")
    runs = [{"wall_s": one.wall_s, "cpu_s": one.cpu_s, "durable_s": one.durable_s} for one in costs.runs]
    return {**{name: getattr(costs, name) for name in names}, "runs": runs}


def machine(folder: Path) -> dict[str, Any]:
    """Return what the figures depend on."""
    import av
    import numpy as np

    version = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "filesystem": filesystem_of(folder),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "av": av.__version__,
        "ffzero": ffzero.__version__,
        "ffmpeg": version,
        "executable": sys.implementation.name,
    }


def render(facts: dict[str, Any], sections: Sequence[Section], *, judged: bool) -> Iterator[str]:
    """Yield the lines of the report; ``judged``: with what was promised, for inputs of the promised sizes."""
    yield "ffzero benchmarks"
    memory = f"{facts['memory_bytes'] / 2**30:.0f} GiB, " if facts["memory_bytes"] else ""
    load = "" if facts["load_before"] is None else f", load {facts['load_before']:.1f} at the start"
    yield f"  {facts['cores']} cores, {memory}{facts['kernel']}, {facts['filesystem']}{load}"
    yield f"  ffzero {facts['ffzero']}, FFmpeg {facts['ffmpeg']}, Python {facts['python']}, numpy {facts['numpy']}"
    for section in sections:
        yield ""
        yield section.title
        yield from _table(section.header, section.rows)
        for note in section.notes:
            yield f"  {note}"
    targets = [target for section in sections for target in section.targets]
    if targets and judged:
        yield ""
        yield "Targets"
        yield from _table(("", "measured", "must be", ""), [_target_row(target) for target in targets])
    yield ""
    yield "Method"
    for line in METHOD:
        yield f"  - {line}"


def _target_row(target: Target) -> tuple[str, ...]:
    sign = "≥" if target.at_least else "≤"
    digits = ".2f" if target.limit < 10 else ".1f"
    return (
        target.name,
        f"{target.value:{digits}} {target.unit}",
        f"{sign} {target.limit:g} {target.unit}",
        "met" if target.met else "MISSED",
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  " + "  ".join((first, *rest)).rstrip()
