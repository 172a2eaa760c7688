"""What it takes to start: ``import ffzero`` and ``ffzero --help`` beside an interpreter that does nothing."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from benchmarks.cutting import FFZERO
from benchmarks.measure import run
from benchmarks.report import Section, Target, megabytes, seconds
from benchmarks.scales import Scale

__all__ = ["measure_starting"]

_COMMANDS = {
    "python -c pass": (sys.executable, "-c", "pass"),
    "python -c 'import numpy'": (sys.executable, "-c", "import numpy"),
    "import ffzero": (sys.executable, "-c", "import ffzero"),
    "import ffzero; ffzero.open": (sys.executable, "-c", "import ffzero; ffzero.open"),
    "ffzero --help": (*FFZERO, "--help"),
    "ffzero cut --help": (*FFZERO, "cut", "--help"),
}
_LOADED = "import sys, ffzero; ffzero.open; print(*sorted({'av', 'imageio_ffmpeg'} & set(sys.modules)))"


def measure_starting(scale: Scale, tell: Callable[[str], None]) -> Section:
    """Start everything in turns."""
    tell("starting")
    runs = {name: [run(command)] for name, command in _COMMANDS.items()}
    for _ in range(scale.start_repeats):
        for name, command in _COMMANDS.items():
            runs[name].append(run(command))
    walls = {name: statistics.median(one.wall_s for one in done[1:]) for name, done in runs.items()}
    least = walls["python -c pass"]
    loaded = run((sys.executable, "-c", _LOADED)).stdout.split()
    rows = [
        (
            name,
            seconds(wall),
            f"+{seconds(max(0.0, wall - least))}",
            megabytes(max(one.peak_bytes for one in runs[name])),
        )
        for name, wall in walls.items()
    ]
    return Section(
        title="Starting, warm",
        header=("", "wall", "more than python", "peak memory"),
        rows=rows,
        notes=(f"heavy modules that ffzero.open loads: {', '.join(loaded) or 'none'}",),
        targets=(
            Target(name="PyAV or FFmpeg modules loaded before they are needed", value=len(loaded), limit=0, unit=""),
        ),
        data={"wall_s": walls},
    )
