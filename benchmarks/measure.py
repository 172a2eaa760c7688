"""Measuring: commands as whole processes, in turns, each from the same state of the disk."""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.places import Place

__all__ = ["Costs", "Job", "Run", "in_turns", "run"]

_ROOT = Path(__file__).parents[1]
_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command: wall and CPU (user + system) seconds, peak resident memory.

    ``durable_s`` is the wall time and the ``fsync`` of the output after it; ``written_bytes`` are those that the
    filesystem newly allocated for the output.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    durable_s: float
    written_bytes: int
    stdout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A contestant: a command that makes ``output`` out of ``inputs``."""

    name: str
    command: Sequence[str]
    output: Path
    inputs: Sequence[Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The medians of a job's runs, and the fastest and slowest; ``runs`` are all of them, in order."""

    name: str
    wall_s: float
    wall_least_s: float
    wall_most_s: float
    cpu_s: float
    peak_bytes: int
    durable_s: float
    written_bytes: int
    runs: tuple[Run, ...] = field(repr=False)

    @classmethod
    def of(cls, name: str, runs: Sequence[Run]) -> Costs:
        walls = [one.wall_s for one in runs]
        return cls(
            name=name,
            wall_s=statistics.median(walls),
            wall_least_s=min(walls),
            wall_most_s=max(walls),
            cpu_s=statistics.median(one.cpu_s for one in runs),
            peak_bytes=max(one.peak_bytes for one in runs),
            durable_s=statistics.median(one.durable_s for one in runs),
            written_bytes=int(statistics.median(one.written_bytes for one in runs)),
            runs=tuple(runs),
        )


@functools.cache
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-bytecode-")


def environment() -> dict[str, str]:
    """Return the environment of children: they find this checkout, and bytecode is kept as for an installed package.

    Where ``PYTHONDONTWRITEBYTECODE`` is set, every start would compile all modules of a checkout.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(_ROOT / "src"), str(_ROOT), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONPYCACHEPREFIX": _bytecode().name}


def run(command: Sequence[str]) -> Run:
    """Run a command to its end and return its cost (no output file). Raises ``RuntimeError`` with what it said."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        report = Path(folder) / "cost.json"
        argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), str(report), *command]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment(), timeout=_TIMEOUT_S, check=False
        )
        out.seek(0)
        err.seek(0)
        if done.returncode:
            said = (err.read() or out.read()).decode(errors="replace")[-800:].strip()
            raise RuntimeError(f"{' '.join(command[:4])} ... failed with status {done.returncode}: {said}")
        cost = json.loads(report.read_text(encoding="utf-8"))
        return Run(**cost, durable_s=cost["wall_s"], written_bytes=0, stdout=out.read().decode(errors="replace"))


def in_turns(
    jobs: Sequence[Job], place: Place, *, repeats: int, cold: bool = False, check: Callable[[Job], None] | None = None
) -> dict[str, Costs]:
    """Run the jobs in turns, ``repeats`` times each, and return what each cost.

    Before each run its last output is removed and the filesystem is synced. A round that is not counted comes first,
    and ``check`` sees each job's output of it. ``cold`` drops the inputs from the page cache before each run instead.
    """
    runs: dict[str, list[Run]] = {job.name: [] for job in jobs}
    for turn in range(1 if cold else 0, repeats + 1):
        shift = turn % len(jobs)  # nobody always comes after the same one
        for job in (*jobs[shift:], *jobs[:shift]):
            done = _attempt(job, place, cold=cold)
            if turn:
                runs[job.name].append(done)
            elif check is not None:
                check(job)
            job.output.unlink()
    return {name: Costs.of(name, done) for name, done in runs.items()}


def _attempt(job: Job, place: Place, *, cold: bool) -> Run:
    job.output.unlink(missing_ok=True)
    before = place.settled_bytes()
    if cold:
        _forget(job.inputs)
    done = run(job.command)
    started = time.perf_counter()
    with job.output.open("rb+") as file:
        os.fsync(file.fileno())
    synced_s = time.perf_counter() - started
    return Run(
        wall_s=done.wall_s,
        cpu_s=done.cpu_s,
        peak_bytes=done.peak_bytes,
        durable_s=done.wall_s + synced_s,
        written_bytes=place.written_bytes(job.output, before),
        stdout=done.stdout,
    )


def _forget(paths: Iterable[Path]) -> None:
    """Drop the files' clean pages from the page cache; where the system has no such call, they stay."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
