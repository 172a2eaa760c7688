"""An engine: any executor of ``concurrent.futures``, with what a long job must know of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import Self

from ffzero.errors import UsageError

__all__ = ["Engine", "check_jobs"]


def check_jobs(jobs: int | None) -> int:
    """Return how many workers are wanted, by default one a processor. Raises ``UsageError``."""
    if jobs is None:
        return os.cpu_count() or 1
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError("there is at least one worker", found=jobs, expected="a whole number from 1 on")
    return jobs


class Engine:
    """Where work runs. A context manager; workers are started when the first work comes.

    ``start`` makes the executor, and makes another where ``restarts`` and its workers died; ``stop`` ends one, at once
    where ``kill``; ``release`` ends what the engine held before the first work came, a connection say. ``workers`` is
    how many units of work run at a time. With ``in_process`` they share this process's memory and are called as they
    are; else they are pickled. ``travels`` says that workers have not even loaded this program: functions of the main
    script go by value, where cloudpickle is installed.
    """

    def __init__(
        self,
        start: Callable[[], Executor],
        *,
        name: str,
        workers: int,
        in_process: bool = False,
        travels: bool = False,
        restarts: bool = False,
        stop: Callable[[Executor, bool], None] | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.workers = workers
        self.in_process = in_process
        self.travels = travels
        self.restarts = restarts
        self._start = start
        self._stop = stop or _shut_down
        self._release = release
        self._executor: Executor | None = None

    @classmethod
    def of(cls, executor: Executor, *, jobs: int | None = None) -> Self:
        """Return an engine on a caller's own executor, which is left running; ``jobs`` is how many run at a time."""
        from concurrent.futures import ThreadPoolExecutor

        known = jobs if jobs is not None else getattr(executor, "_max_workers", None)
        return cls(
            lambda: executor,
            name=type(executor).__name__,
            workers=check_jobs(known),
            in_process=isinstance(executor, ThreadPoolExecutor),
            stop=lambda executor, kill: None,
        )

    def __repr__(self) -> str:
        return f"<ffzero.Engine {self.name}, {self.workers} at a time>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.kill()

    @property
    def executor(self) -> Executor:
        """The executor; its workers may start only now."""
        if self._executor is None:
            self._executor = self._start()
        return self._executor

    def close(self) -> None:
        """Wait for what runs, and end the workers. The engine can be used again."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the workers at once, whatever they do."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            with contextlib.suppress(RuntimeError):  # it is broken already
                self._stop(executor, kill)
        if self._release is not None:
            self._release()


def _shut_down(executor: Executor, kill: bool) -> None:
    executor.shutdown(wait=not kill, cancel_futures=kill)
