"""Workers on this machine: threads of this process, or processes that end with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import util
from multiprocessing.connection import wait
from typing import Any

from ffzero.engines.base import Engine

__all__ = ["processes", "threads"]

_JOIN_S = 5.0


def threads(jobs: int) -> Engine:
    """Return an engine of threads: for codecs, which run beside each other; Python functions take turns."""
    return Engine(
        lambda: ThreadPoolExecutor(jobs, thread_name_prefix="ffzero-worker"),
        name="threads",
        workers=jobs,
        in_process=True,
    )


def processes(jobs: int) -> Engine:
    """Return an engine of processes, each started afresh: nothing of this one but what is sent is there.

    They are forked from a server that has no threads where the system has that, else spawned; so a script's own work
    stands behind ``if __name__ == "__main__"``. They end with this process, however that ends.
    """
    return Engine(lambda: _pool(jobs), name="processes", workers=jobs, restarts=True, stop=_stop)


def _pool(jobs: int) -> Executor:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(util.get_temp_dir(),))


def _begin(folder: str) -> None:
    """Prepare a worker: the terminal's Ctrl-C is its parent's to handle, and it does not outlive that.

    ``folder`` is where multiprocessing keeps the parent's sockets: a parent that is killed leaves it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(folder,), name="ffzero-parent", daemon=True).start()


def _end_with_parent(folder: str) -> None:
    # The queue's pipe does not tell: each worker holds both of its ends.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _stop(executor: Executor, kill: bool) -> None:
    if not kill:
        executor.shutdown(wait=True)
        return
    # Python 3.14 has ``kill_workers``; before it only the executor itself knows them.
    found: dict[int, Any] = dict(getattr(executor, "_processes", None) or {})
    executor.shutdown(wait=False, cancel_futures=True)
    for process in found.values():
        with contextlib.suppress(OSError, ValueError):
            process.kill()
    for process in found.values():
        with contextlib.suppress(OSError, ValueError, AssertionError):
            process.join(_JOIN_S)
