"""A processor at its place in a pipeline: what is done with its errors, and what it cost."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from typing import Any

from ffzero.errors import CancelledError, UsageError
from ffzero.pipelines.processors import Outcome, Processor

__all__ = ["ErrorHandler", "ErrorPolicy", "Stage"]


class ErrorPolicy(enum.Enum):
    """What becomes of an item whose stage failed."""

    RAISE = enum.auto()
    """The error ends the run."""
    SKIP = enum.auto()
    """The item is dropped, and counted as failed; the run goes on."""


ErrorHandler = ErrorPolicy | Callable[[Exception, Processor, Any], Any]
"""A policy for all errors, or a function of (error, stage, item) that returns a policy or the result to go on with.

A function that returns ``None`` has only looked: the error is raised.
"""


class Stage:
    """A processor, how many threads may run it at once in parallel mode, and its counts."""

    def __init__(self, processor: Processor, workers: int = 1) -> None:
        if workers < 1:
            raise UsageError("a stage needs at least one worker", found=workers)
        self.processor = processor
        self.workers = workers
        self._lock = threading.Lock()
        self._taken = self._passed = self._dropped = self._failed = 0
        self._elapsed_s = 0.0

    def run(self, item: Any, on_error: ErrorHandler) -> Any:
        """Return the result for an item, or ``Outcome.DROP``; raises what the processor raises where that is asked."""
        began = time.perf_counter()
        failed = False
        result: Any = Outcome.DROP
        try:
            result = self.processor.process(item)
        except CancelledError:
            raise
        except Exception as error:
            failed = True
            result = self._handled(error, item, on_error)
        finally:
            self._count(time.perf_counter() - began, failed, result is Outcome.DROP)
        return result

    def _handled(self, error: Exception, item: Any, on_error: ErrorHandler) -> Any:
        answer = on_error if isinstance(on_error, ErrorPolicy) else on_error(error, self.processor, item)
        if answer is ErrorPolicy.SKIP:
            return Outcome.DROP
        if answer is ErrorPolicy.RAISE or answer is None:
            error.add_note(f"in stage {self.processor.name!r} of the pipeline")
            raise error
        return answer

    def _count(self, elapsed_s: float, failed: bool, dropped: bool) -> None:
        with self._lock:
            self._taken += 1
            self._failed += failed
            self._dropped += dropped and not failed
            self._passed += not dropped
            self._elapsed_s += elapsed_s

    def get_stats(self) -> dict[str, Any]:
        """Return the counts as JSON-ready data; ``elapsed_s`` is time in the processor, of all workers together."""
        with self._lock:
            return {
                "name": self.processor.name,
                "workers": self.workers,
                "items_in": self._taken,
                "items_out": self._passed,
                "items_dropped": self._dropped,
                "items_failed": self._failed,
                "elapsed_s": self._elapsed_s,
            }
