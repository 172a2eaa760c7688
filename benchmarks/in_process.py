"""Opening, planning and writing a cut inside one process, timed: ``python -m benchmarks.in_process JOB``.

``JOB`` is a JSON object: ``path``, ``start``, ``end`` (seconds as text), ``repeats``, and ``output`` (or null). A job
has a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import ffzero

__all__ = ["main"]


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = action()
    return time.perf_counter() - started, value


def main(text: str) -> None:
    """Do the job and print what it took: lists of seconds, in order; the first of each found nothing prepared."""
    job = json.loads(text)
    opened = [_timed(lambda: ffzero.open(job["path"])) for _ in range(job["repeats"])]
    movie = opened[-1][1]
    clip = movie[job["start"] : job["end"]]
    planned = [_timed(clip.plan) for _ in range(job["repeats"] + 1)]
    result: dict[str, Any] = {
        "open_s": [seconds for seconds, _ in opened],
        "plan_s": [seconds for seconds, _ in planned],
        "frames": planned[0][1].frames_copied,
        "header_bytes": planned[0][1].bytes_header,
        "write_s": [],
    }
    if job["output"] is not None:
        for _ in range(job["repeats"]):
            result["write_s"].append(_timed(lambda: clip.write(job["output"], overwrite=True))[0])
            os.unlink(job["output"])
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
