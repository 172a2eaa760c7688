"""Workers of a Ray cluster (https://docs.ray.io), the extra ``ray``."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from ffzero.engines.base import Engine
from ffzero.errors import EngineError, UnsupportedError

__all__ = ["RayExecutor", "ray_engine"]

_RETRIES = 3


class RayExecutor(Executor):
    """Calls as tasks of a Ray cluster that this process is connected to; a task whose worker dies is run again."""

    def __init__(self, ray: Any) -> None:
        self._call = ray.remote(max_retries=_RETRIES, num_cpus=1)(_call)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See ``Executor.submit``."""
        future: Future[Any] = self._call.remote(fn, args, kwargs).future()
        return future


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


def ray_engine(address: str, jobs: int | None = None) -> Engine:
    """Return an engine on a Ray cluster: the head at ``host:port``, or ``auto`` for the one of this machine.

    ``client:host:port`` goes through the cluster's client server instead, from a machine outside it. As many run at a
    time as the cluster has processors, or ``jobs``. Raises ``UnsupportedError`` where Ray is not installed,
    ``EngineError`` where no cluster answers.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UnsupportedError(f"Ray is needed ({error})", hint="Install it: pip install 'ffzero[ray]'") from error
    mine = not ray.is_initialized()
    count = _connect(ray, address)
    return Engine(
        lambda: _executor(ray, address),
        name=f"ray://{address}",
        workers=jobs or max(1, count),
        travels=True,
        stop=lambda executor, kill: None,
        release=lambda: _leave(ray, mine),
    )


def _connect(ray: Any, address: str) -> int:
    """Connect this process to the cluster if it is not, and return how many processors that has."""
    where = f"ray://{address[7:]}" if address.startswith("client:") else address
    try:
        if not ray.is_initialized():
            ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
        return int(ray.cluster_resources().get("CPU", 0))
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        raise EngineError(
            f"no Ray cluster answers at {address}: {error}", hint="Start one: ray start --head"
        ) from error


def _executor(ray: Any, address: str) -> Executor:
    _connect(ray, address)
    return RayExecutor(ray)


def _leave(ray: Any, mine: bool) -> None:
    if mine:
        with contextlib.suppress(Exception):  # a cluster that is gone needs no farewell
            ray.shutdown()
