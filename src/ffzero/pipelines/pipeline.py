"""Pipelines: stages in a row, run on one item, on a stream of items, or on all stages at once."""

from __future__ import annotations

import enum
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Self

from ffzero.errors import UsageError
from ffzero.pipelines.channel import Channel
from ffzero.pipelines.chunks import chunks
from ffzero.pipelines.parallel import channels_for, run_parallel
from ffzero.pipelines.processors import Outcome, Processor, as_processor, set_up
from ffzero.pipelines.sizes import SizeFunction, size_of
from ffzero.pipelines.stages import ErrorHandler, ErrorPolicy, Stage, is_handler
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, no_report
from ffzero.timebase import TimeLike

__all__ = ["ProcessingMode", "StreamingPipeline", "ZeroCopyPipeline"]

_QUEUE_ITEMS = 8
_ONE_ITEM = (str, bytes, bytearray, memoryview, tuple, Mapping, os.PathLike)


class ProcessingMode(enum.Enum):
    """How ``execute`` takes its data."""

    BATCH = "batch"
    """One item, through all stages; the result is returned."""
    STREAMING = "streaming"
    """An iterable of items, one after another, lazily; an iterator of results is returned."""
    PARALLEL = "parallel"
    """An iterable of items, each stage on a thread of its own; the results are in order."""


class ZeroCopyPipeline:
    """Stages in a row. What flows between them is passed on as it is, never copied.

    In parallel mode ``queue_size`` bounds each queue between stages in items, and ``queue_bytes`` in bytes too, as
    ``measure`` tells of an item (by default ``size_of``): the stages before a slow one wait, up to the reader.
    """

    def __init__(
        self,
        mode: ProcessingMode | str = ProcessingMode.BATCH,
        *,
        error_handler: ErrorHandler = ErrorPolicy.RAISE,
        queue_size: int = _QUEUE_ITEMS,
        queue_bytes: int | None = None,
        measure: SizeFunction = size_of,
    ) -> None:
        self._stages: list[Stage] = []
        self._lock = threading.Lock()
        self._channels: list[Channel] = []
        self._queue_size = Channel(queue_size, capacity_bytes=queue_bytes).capacity
        self._queue_bytes, self._measure = queue_bytes, measure
        self._started = self._finished = 0
        self._elapsed_s = 0.0
        self.set_mode(mode)
        self.set_error_handler(error_handler)

    @property
    def mode(self) -> ProcessingMode:
        return self._mode

    @property
    def stages(self) -> tuple[Processor, ...]:
        """The processors, in order."""
        return tuple(stage.processor for stage in self._stages)

    def add_stage(self, stage: Processor | Callable[[Any], Any], *, workers: int = 1) -> Self:
        """Append a processor or a function; returns the pipeline. Parallel mode runs it on ``workers`` threads."""
        self._stages.append(Stage(as_processor(stage), workers))
        return self

    def set_mode(self, mode: ProcessingMode | str) -> Self:
        """Choose how ``execute`` takes its data; returns the pipeline."""
        try:
            self._mode = ProcessingMode(mode)
        except ValueError:
            names = ", ".join(item.value for item in ProcessingMode)
            raise UsageError(f"unknown mode {mode!r}", expected=names) from None
        return self

    def set_error_handler(self, handler: ErrorHandler | None) -> Self:
        """Choose what becomes of errors of stages; ``None`` raises them. Returns the pipeline. See ``ErrorHandler``."""
        if handler is not None and not is_handler(handler):
            raise UsageError("an error handler is an ErrorPolicy, a Retry or a function", found=type(handler).__name__)
        self._on_error: ErrorHandler = ErrorPolicy.RAISE if handler is None else handler
        return self

    def execute(self, data: Any, *, reporter: Reporter = no_report, cancel: CancelToken | None = None) -> Any:
        """Run ``data`` through the stages as the mode says.

        Batch mode returns the result of one item, ``None`` where it was dropped; streaming mode an iterator that works
        when it is read; parallel mode a list. The last two take a path, a tuple, bytes or a mapping as one item.

        ``reporter`` is told of every result (unit ``items``; the total where the data has a length), with the seconds
        that are left (``details["eta_s"]``). Raises ``CancelledError`` once ``cancel`` is set.
        """
        if self._mode is ProcessingMode.BATCH:
            results = list(self._run([data], ProcessingMode.STREAMING, reporter, cancel))
            return results[0] if results else None
        items = [data] if isinstance(data, _ONE_ITEM) or not isinstance(data, Iterable) else data
        results_in_order = self._run(items, self._mode, reporter, cancel)
        return results_in_order if self._mode is ProcessingMode.STREAMING else list(results_in_order)

    def get_stats(self) -> dict[str, Any]:
        """Return counts and times since the pipeline was made, by stage, and the last parallel run's queues.

        JSON-ready. ``elapsed_s`` is the time of runs, the consumer's between results included.
        """
        with self._lock:
            started, finished, elapsed_s = self._started, self._finished, self._elapsed_s
        return {
            "mode": self._mode.value,
            "items_in": started,
            "items_out": finished,
            "elapsed_s": elapsed_s,
            "items_per_s": finished / elapsed_s if elapsed_s else 0.0,
            "stages": [stage.get_stats() for stage in self._run_stages()],
            "queues": [channel.get_stats() for channel in self._channels],
        }

    def _run_stages(self) -> list[Stage]:
        """Return the stages of a run; a subclass adds its own ends."""
        return list(self._stages)

    def _run(
        self,
        items: Iterable[Any],
        mode: ProcessingMode,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> Iterator[Any]:
        stages = self._run_stages()
        total = len(items) if isinstance(items, Sized) else None
        began = time.perf_counter()
        done = 0
        try:
            with set_up(stage.processor for stage in stages):
                for result in self._results(stages, self._counted(items), mode, cancel):
                    with self._lock:
                        self._finished += 1
                    done += 1
                    reporter(_progress(done, total, time.perf_counter() - began))
                    yield result
        finally:
            with self._lock:
                self._elapsed_s += time.perf_counter() - began

    def _results(
        self, stages: list[Stage], items: Iterator[Any], mode: ProcessingMode, cancel: CancelToken | None
    ) -> Iterator[Any]:
        if mode is ProcessingMode.PARALLEL:
            self._channels = channels_for(stages, self._queue_size, self._queue_bytes, self._measure)
            yield from run_parallel(stages, self._channels, items, self._on_error, cancel)
            return
        for item in items:
            for stage in stages:
                if cancel is not None:
                    cancel.check()
                item = stage.run(item, self._on_error, cancel)
                if item is Outcome.DROP:
                    break
            else:
                yield item

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            with self._lock:
                self._started += 1
            yield item


def _progress(done: int, total: int | None, elapsed_s: float) -> ProgressEvent:
    left_s = None if total is None else elapsed_s / done * max(0, total - done)
    return ProgressEvent(stage="pipeline", done=done, total=total, unit="items", details={"eta_s": left_s})


class StreamingPipeline(ZeroCopyPipeline):
    """A pipeline for streams of any length: memory holds the items under way, however many there are.

    ``chunk_size`` is the size of the pieces that bytes (in bytes), arrays (along the first axis) and binary files are
    taken in; other iterables give their items as they are.
    """

    def __init__(
        self,
        chunk_size: int = 1 << 20,
        mode: ProcessingMode | str = ProcessingMode.STREAMING,
        *,
        error_handler: ErrorHandler = ErrorPolicy.RAISE,
        queue_size: int = _QUEUE_ITEMS,
        queue_bytes: int | None = None,
        measure: SizeFunction = size_of,
    ) -> None:
        super().__init__(
            mode, error_handler=error_handler, queue_size=queue_size, queue_bytes=queue_bytes, measure=measure
        )
        self.chunk_size: TimeLike = chunk_size

    def process_stream(
        self, stream: Any, *, reporter: Reporter = no_report, cancel: CancelToken | None = None
    ) -> Iterator[Any]:
        """Yield the result of each item, in order and lazily; nothing is taken from ``stream`` before it is needed.

        In parallel mode the stages work ahead, as far as the queues between them hold. See ``execute`` for progress and
        cancellation.
        """
        mode = ProcessingMode.PARALLEL if self._mode is ProcessingMode.PARALLEL else ProcessingMode.STREAMING
        return self._run(self._items(stream), mode, reporter, cancel)

    def _items(self, stream: Any) -> Iterable[Any]:
        return chunks(stream, self.chunk_size)
