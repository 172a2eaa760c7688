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

from ffzero.api import open as open_movie

__all__ = ["main"]


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = action()
    return time.perf_counter() - started, value


def main(text: str) -> None:
    """Do the job and print what it took: lists of seconds, in order; the first of each found nothing prepared."""
    job = json.loads(text)
    result: dict[str, Any] = {"open_s": [], "plan_s": [], "write_s": []}
    movie = plan = None
    for _ in range(job["repeats"]):
        movie = None  # so that no two are held at a time
        taken_s, movie = _timed(lambda: open_movie(job["path"]))
        result["open_s"].append(taken_s)
    assert movie is not None
    clip = movie[job["start"] : job["end"]]
    for _ in range(job["repeats"] + 1):
        plan = None
        taken_s, plan = _timed(clip.plan)
        result["plan_s"].append(taken_s)
    assert plan is not None
    result |= {"frames": plan.frames_copied, "header_bytes": plan.bytes_header}
    if job["output"] is not None:
        for _ in range(job["repeats"]):
            result["write_s"].append(_timed(lambda: clip.write(job["output"], overwrite=True))[0])
            os.unlink(job["output"])
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
