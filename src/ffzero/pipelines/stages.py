"""A processor at its place in a pipeline: what is done with its errors, and what it cost."""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ffzero.errors import CancelledError, UsageError
from ffzero.pipelines.processors import Outcome, Processor
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = ["ErrorHandler", "ErrorPolicy", "Retry", "Stage", "is_handler", "place_of"]

_MOST_FAILURES = 1000
"""Failed items that a report lists; all are counted."""
_POLL_S = 0.05


class ErrorPolicy(enum.Enum):
    """What becomes of an item whose stage failed."""

    RAISE = enum.auto()
    """The error ends the run."""
    SKIP = enum.auto()
    """The item is dropped, counted as failed and listed in the statistics; the run goes on."""
    RETRY = enum.auto()
    """The stage is run again on it, as ``Retry()`` says."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Run a stage up to ``times`` more on an item that failed.

    It waits ``delay_s`` seconds before the first time, and ``backoff`` times longer before each other. What still fails
    then is dealt with as ``then`` says.
    """

    times: int = 3
    delay_s: float = 0.0
    backoff: float = 2.0
    then: ErrorPolicy = ErrorPolicy.RAISE

    def __post_init__(self) -> None:
        if self.times < 1 or self.delay_s < 0 or self.backoff < 1:
            raise UsageError("nothing is retried so", found=f"{self.times} times after {self.delay_s} s")
        if self.then is ErrorPolicy.RETRY:
            raise UsageError("what failed to the end is raised or skipped")


ErrorHandler = ErrorPolicy | Retry | Callable[[Exception, Processor, Any], Any]
"""A policy for all errors, or a function of (error, stage, item) that returns a policy or the result to go on with.

A function that returns ``None`` has only looked: the error is raised.
"""


def is_handler(value: object) -> bool:
    return isinstance(value, ErrorPolicy | Retry) or callable(value)


def place_of(item: Any) -> str:
    """Return which chunk of a stream an item is and its time range, as words; empty for what is no chunk."""
    index = getattr(item, "index", None)
    if isinstance(index, bool) or not isinstance(index, int):
        return ""
    from ffzero.pipelines.segments import Segment, range_text

    segment = getattr(item, "segment", item)
    where = f" ({range_text(segment)})" if isinstance(segment, Segment) else ""
    return f"chunk {index}{where}"


class Stage:
    """A processor, how many threads may run it at once in parallel mode, and its counts."""

    def __init__(self, processor: Processor, workers: int = 1) -> None:
        if workers < 1:
            raise UsageError("a stage needs at least one worker", found=workers)
        self.processor = processor
        self.workers = workers
        self._lock = threading.Lock()
        self._taken = self._passed = self._dropped = self._failed = 0
        self._retried = 0
        self._elapsed_s = 0.0
        self._failures: deque[dict[str, Any]] = deque(maxlen=_MOST_FAILURES)

    def run(self, item: Any, on_error: ErrorHandler, cancel: CancelToken | None = None) -> Any:
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
            result = self._handled(error, item, on_error, cancel)
        finally:
            self._count(time.perf_counter() - began, failed, result is Outcome.DROP)
        return result

    def _handled(self, error: Exception, item: Any, on_error: ErrorHandler, cancel: CancelToken | None) -> Any:
        answer = on_error if isinstance(on_error, ErrorPolicy | Retry) else on_error(error, self.processor, item)
        if answer is ErrorPolicy.RETRY:
            answer = Retry()
        if isinstance(answer, Retry):
            retried = self._again(answer, item, cancel)
            if not isinstance(retried, Exception):
                return retried
            error, answer = retried, answer.then
        if answer is ErrorPolicy.SKIP:
            self._note(error, item)
            return Outcome.DROP
        if answer is ErrorPolicy.RAISE or answer is None:
            place = place_of(item)
            if place:
                error.chunk_place = place  # type: ignore[attr-defined]
            error.add_note(f"in stage {self.processor.name!r} of the pipeline{place and ', ' + place}")
            raise error
        return answer

    def _again(self, retry: Retry, item: Any, cancel: CancelToken | None) -> Any:
        """Return what a later attempt returns, or the last one's exception."""
        delay_s = retry.delay_s
        failure: Exception = CancelledError("cancelled")
        for _ in range(retry.times):
            _wait(delay_s, cancel)
            delay_s *= retry.backoff
            with self._lock:
                self._retried += 1
            try:
                return self.processor.process(item)
            except CancelledError:
                raise
            except Exception as error:
                failure = error
        return failure

    def _note(self, error: Exception, item: Any) -> None:
        index = getattr(item, "index", None)
        with self._lock:
            self._failures.append(
                {
                    "item": index if isinstance(index, int) else None,
                    "where": place_of(item),
                    "error": f"{type(error).__name__}: {error}",
                }
            )

    def _count(self, elapsed_s: float, failed: bool, dropped: bool) -> None:
        with self._lock:
            self._taken += 1
            self._failed += failed
            self._dropped += dropped and not failed
            self._passed += not dropped
            self._elapsed_s += elapsed_s

    def get_stats(self) -> dict[str, Any]:
        """Return the counts as JSON-ready data; ``elapsed_s`` is time in the processor, of all workers together.

        ``failures`` lists the items that were skipped, the last thousand: number, place in the source, error.
        """
        with self._lock:
            return {
                "name": self.processor.name,
                "workers": self.workers,
                "items_in": self._taken,
                "items_out": self._passed,
                "items_dropped": self._dropped,
                "items_failed": self._failed,
                "retries": self._retried,
                "elapsed_s": self._elapsed_s,
                "failures": list(self._failures),
            }


def _wait(delay_s: float, cancel: CancelToken | None) -> None:
    """Sleep, but not through a cancellation."""
    end = time.monotonic() + delay_s
    while True:
        if cancel is not None:
            cancel.check()
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _POLL_S))
