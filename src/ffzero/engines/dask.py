"""Workers of a Dask cluster (https://distributed.dask.org), the extra ``dask``."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from concurrent.futures import Executor, Future
from typing import Any

from ffzero.engines.base import Engine
from ffzero.errors import EngineError, UnsupportedError

__all__ = ["dask_engine"]

_CONNECT_S = 15
_JOIN_S = 5.0


def dask_engine(address: str, jobs: int | None = None) -> Engine:
    """Return an engine on the cluster whose scheduler is at ``address`` (``host:port``).

    As many run at a time as the workers have threads, or ``jobs``. Work whose worker dies is sent to another. Raises
    ``UnsupportedError`` where Dask is not installed, ``EngineError`` where no scheduler or worker answers.
    """
    cluster = _Cluster(address)
    count = sum(cluster.client.nthreads().values())
    if not count:
        cluster.leave()
        raise EngineError(f"the Dask scheduler at {address} has no workers", hint=f"Start one: dask worker {address}")
    return Engine(
        lambda: _executor(cluster),
        name=f"dask://{address}",
        workers=jobs or count,
        travels=True,
        stop=_stop,
        release=cluster.leave,
    )


class _Cluster:
    """A connection to a scheduler, made when it is first asked for, and made again after ``leave``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop: _Loop | None = None
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = self._connected()
        return self._client

    def _connected(self) -> Any:
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise UnsupportedError(
                f"Dask is needed ({error})", hint="Install it: pip install 'ffzero[dask]'"
            ) from error
        self._loop = _Loop()
        try:
            return distributed.Client(self._address, loop=self._loop.loop, timeout=_CONNECT_S, set_as_default=False)
        except BaseException as error:
            self.leave()
            if not isinstance(error, (OSError, ValueError)):
                raise
            raise EngineError(
                f"no Dask scheduler answers at {self._address}: {error}", hint="Start one: dask scheduler --host HOST"
            ) from error

    def leave(self) -> None:
        client, self._client = self._client, None
        loop, self._loop = self._loop, None
        if client is not None:
            with contextlib.suppress(Exception):  # a cluster that is gone needs no farewell
                client.close()
        if loop is not None:
            loop.stop()


class _Loop:
    """An event loop in a thread of its own: a client that cannot connect would leave one of its own running."""

    def __init__(self) -> None:
        begun: Future[Any] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(begun)), name="ffzero-dask", daemon=True)
        self._thread.start()
        self.loop = begun.result()

    async def _run(self, begun: Future[Any]) -> None:
        self._end = asyncio.Event()
        begun.set_result(importlib.import_module("tornado.ioloop").IOLoop.current())
        await self._end.wait()

    def stop(self) -> None:
        self.loop.add_callback(self._end.set)
        self._thread.join(_JOIN_S)


def _executor(cluster: _Cluster) -> Executor:
    executor: Executor = cluster.client.get_executor(pure=False)
    return executor


def _stop(executor: Executor, kill: bool) -> None:
    with contextlib.suppress(Exception):  # a cluster that is gone needs no farewell
        executor.shutdown(wait=not kill)
