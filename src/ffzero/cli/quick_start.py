"""Loading what commands need that are done in a moment and do no linear algebra."""

from __future__ import annotations

import gc
import os

__all__ = ["start_quickly"]

_THREADS = "OPENBLAS_NUM_THREADS"
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def start_quickly() -> None:
    """Import numpy without the threads of its linear algebra (45 ms of a cut's 200); collect garbage seldom (10 ms).

    Programs started later, and a value that the user set, are left alone. Not for commands that run functions of the
    user's or go on for long: what those leave in cycles would stay for longer.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    is_set = _THREADS in os.environ
    os.environ.setdefault(_THREADS, "1")
    try:
        import numpy  # noqa: F401
    finally:
        if not is_set:
            del os.environ[_THREADS]
