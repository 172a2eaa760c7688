"""Chunks of a stream on an engine: the stages run where the worker is, and what comes back is a reference."""

from __future__ import annotations

import atexit
import importlib
import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import TimeoutError as WaitTimeoutError
from typing import TYPE_CHECKING, Any

from ffzero.engines.base import Engine
from ffzero.engines.journal import ChunkRecord, Journal
from ffzero.errors import EngineError, UsageError
from ffzero.pipelines.processors import Processor, set_up
from ffzero.pipelines.segments import Segment
from ffzero.pipelines.stream_chunks import Chunk, ChunkStage, settle
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["EngineStage"]

_POLL_S = 0.1
_MOST_DEATHS = 3
"""How often a chunk's worker may die before that is the chunk's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A chunk as it is sent: a few kilobytes. ``stages`` are pickled once, and taken up once by each worker."""

    segment: Segment
    stages: bytes
    settings: FFmpegSettings | None
    path: str


class EngineStage(Processor):
    """All stages of a stream as one, run by the workers of an engine; finished chunks are noted in the journal here."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        stages: Sequence[Processor],
        *,
        suffix: str,
        settings: FFmpegSettings | None,
        cancel: CancelToken | None,
    ) -> None:
        super().__init__(f"{engine.name}: {', '.join(stage.name for stage in stages) or 'copy'}")
        self.engine = engine
        self.journal = journal
        self.suffix = suffix
        self.settings = settings
        self.cancel = cancel
        self._lock = threading.Lock()
        try:
            self._stages = pickle.dumps([ChunkStage(stage) for stage in stages])
        except Exception as error:
            raise UsageError(
                f"a stage cannot be sent to other processes: {error}",
                hint="Use a function of a module, or threads (engine=None)",
            ) from error

    def process(self, data: Any) -> ChunkRecord:
        """Return the record of a chunk. Raises what its stages raise, ``EngineError`` where its workers keep dying."""
        path = self.journal.path_for(data.index, self.suffix)
        task = _Task(segment=data.segment, stages=self._stages, settings=self.settings, path=path)
        for _ in range(_MOST_DEATHS):
            executor = self._executor()
            try:
                file, facts = self._result(executor.submit(_work, task))
            except BrokenExecutor as error:
                if not self._replaced(executor):
                    raise EngineError("the engine's workers died", hint="Their logs may say why") from error
                continue
            return self.journal.commit(data.index, file, facts)
        raise EngineError(f"its worker died {_MOST_DEATHS} times", hint="Is there enough memory for it?")

    def _executor(self) -> Executor:
        with self._lock:
            return self.engine.executor

    def _replaced(self, broken: Executor) -> bool:
        """Have other workers started in place of those that died, once for all who notice."""
        with self._lock:
            if self.engine.restarts and self.engine.executor is broken:
                self.engine.kill()
            return self.engine.restarts

    def _result(self, future: Future[tuple[str | None, dict[str, Any]]]) -> tuple[str | None, dict[str, Any]]:
        while True:
            if self.cancel is not None and self.cancel.cancelled:
                future.cancel()
                self.cancel.check()
            try:
                return future.result(timeout=_POLL_S)
            except WaitTimeoutError:
                if future.done():  # it is the worker's own
                    raise


_taken_up: dict[bytes, list[ChunkStage]] = {}
_taking_up = threading.Lock()


def _work(task: _Task) -> tuple[str | None, dict[str, Any]]:
    """Run in a worker: take a chunk through the stages, and write what has to be written."""
    importlib.import_module("ffzero.api")  # which brings the renderer
    chunk = Chunk(segment=task.segment, value=task.segment)
    for stage in _stages(task.stages):
        chunk = stage.process(chunk)
    return settle(chunk, task.path, task.settings, None)


def _stages(pickled: bytes) -> list[ChunkStage]:
    """Return the stages, set up once in this process and torn down at its end."""
    with _taking_up:
        if pickled not in _taken_up:
            stages: list[ChunkStage] = pickle.loads(pickled)
            atexit.register(set_up(stages).close)
            _taken_up[pickled] = stages
        return _taken_up[pickled]
