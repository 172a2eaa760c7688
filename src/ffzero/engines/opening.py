"""Engines by name."""

from __future__ import annotations

from concurrent.futures import Executor

from ffzero.engines.base import Engine, check_jobs
from ffzero.errors import UsageError

__all__ = ["EngineLike", "check_engine", "open_engine"]

EngineLike = str | Executor | Engine
"""What a job takes as its engine: a name, an executor of the caller's, or an engine."""

_NAMES = '"local", "processes", "threads", "dask://HOST:PORT", "ray://HOST:PORT" or "ray://auto"'


def open_engine(engine: EngineLike = "local", jobs: int | None = None) -> Engine:
    """Return an engine, to be closed when it is done with (a context manager).

    ``"local"`` and ``"processes"`` are processes of this machine, ``"threads"`` threads of this process; ``jobs`` of
    them, by default one a processor. ``"dask://host:port"`` is a Dask scheduler, ``"ray://host:port"`` a Ray head:
    their workers must see the same files under the same names. An executor of ``concurrent.futures`` is used as it
    is, and left running. Raises ``UsageError`` for a name that is none, ``UnsupportedError`` for an extra that is not
    installed, ``EngineError`` where nobody answers.
    """
    check_engine(engine, jobs)
    if isinstance(engine, Engine):
        return engine
    if isinstance(engine, Executor):
        return Engine.of(engine, jobs=jobs)
    kind, separator, address = engine.partition("://")
    if separator and address and kind == "dask":
        from ffzero.engines.dask import dask_engine

        return dask_engine(address, jobs)
    if separator and address and kind == "ray":
        from ffzero.engines.ray import ray_engine

        return ray_engine(address, jobs)
    from ffzero.engines.local import processes, threads

    return (threads if engine == "threads" else processes)(check_jobs(jobs))


def check_engine(engine: EngineLike, jobs: int | None = None) -> None:
    """Raise ``UsageError`` for what names no engine, and for a number of jobs that is none; starts nothing."""
    if jobs is not None:
        check_jobs(jobs)
    if isinstance(engine, Engine | Executor):
        return
    if not isinstance(engine, str):
        raise UsageError(f"not an engine: {engine!r}", expected=f"an executor, or {_NAMES}")
    kind, _, address = engine.partition("://")
    if engine not in ("local", "processes", "threads") and not (kind in ("dask", "ray") and address):
        raise UsageError(f"no such engine: {engine!r}", expected=_NAMES)
