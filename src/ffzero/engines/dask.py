"""Workers of a Dask cluster (https://distributed.dask.org), the extra ``dask``."""

from __future__ import annotations

import contextlib
import importlib
from concurrent.futures import Executor
from typing import Any

from ffzero.engines.base import Engine
from ffzero.errors import EngineError, UnsupportedError

__all__ = ["dask_engine"]

_CONNECT_S = 15


def dask_engine(address: str, jobs: int | None = None) -> Engine:
    """Return an engine on the cluster whose scheduler is at ``address`` (``host:port``).

    As many run at a time as the workers have threads, or ``jobs``. Work whose worker dies is sent to another. Raises
    ``UnsupportedError`` where Dask is not installed, ``EngineError`` where no scheduler or worker answers.
    """
    client = _client(address)
    count = sum(client.nthreads().values())
    if not count:
        client.close()
        raise EngineError(f"the Dask scheduler at {address} has no workers", hint=f"Start one: dask worker {address}")
    return Engine(
        lambda: _executor(client),
        name=f"dask://{address}",
        workers=jobs or count,
        travels=True,
        stop=lambda executor, kill: _stop(client, executor, kill),
    )


def _client(address: str) -> Any:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise UnsupportedError(f"Dask is needed ({error})", hint="Install it: pip install 'ffzero[dask]'") from error
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no Dask scheduler answers at {address}: {error}", hint="Start one: dask scheduler --host HOST"
        ) from error


def _executor(client: Any) -> Executor:
    executor: Executor = client.get_executor(pure=False)
    return executor


def _stop(client: Any, executor: Executor, kill: bool) -> None:
    with contextlib.suppress(Exception):  # a cluster that is gone needs no farewell
        executor.shutdown(wait=not kill)
    with contextlib.suppress(Exception):
        client.close()
