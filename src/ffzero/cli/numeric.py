"""Loading numpy for commands that count, and do no linear algebra."""

from __future__ import annotations

import os

__all__ = ["load_numpy"]

_THREADS = "OPENBLAS_NUM_THREADS"


def load_numpy() -> None:
    """Import numpy without the threads of its linear algebra, whose start takes 45 ms of a cut's 200.

    Programs started later, and a value that the user set, are left alone.
    """
    is_set = _THREADS in os.environ
    os.environ.setdefault(_THREADS, "1")
    try:
        import numpy  # noqa: F401
    finally:
        if not is_set:
            del os.environ[_THREADS]
