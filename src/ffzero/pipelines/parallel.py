"""All stages at once: threads joined by bounded channels, results in the order of the items."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from ffzero.pipelines.channel import Channel, ChannelEnded
from ffzero.pipelines.processors import Outcome
from ffzero.pipelines.sizes import SizeFunction, size_of
from ffzero.pipelines.stages import ErrorHandler, Stage
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = ["channels_for", "run_parallel"]

_SOURCE_GRACE_S = 1.0
"""How long the end of a run waits for a source that is in the middle of making an item. Its thread is a daemon."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error on its way to the consumer, behind the results that came before it."""

    error: BaseException


def channels_for(
    stages: Sequence[Stage], capacity: int, capacity_bytes: int | None = None, measure: SizeFunction = size_of
) -> list[Channel]:
    """Return the queues before each stage and behind the last, each with the same bounds."""
    names = ["source", *(stage.processor.name for stage in stages), "results"]
    return [
        Channel(capacity, f"{before} → {after}", capacity_bytes=capacity_bytes, measure=measure)
        for before, after in pairwise(names)
    ]


def run_parallel(
    stages: Sequence[Stage],
    channels: Sequence[Channel],
    source: Iterable[Any],
    on_error: ErrorHandler,
    cancel: CancelToken | None = None,
) -> Iterator[Any]:
    """Yield the results in order while all stages work. Closing the iterator ends all threads.

    Stages that are busy then finish their item first. An error comes out where its item's result would have, a
    cancellation at once.
    """
    feeder = threading.Thread(target=_feed, args=(source, channels[0]), name="ffzero-source", daemon=True)
    workers = [
        threading.Thread(target=target, name=f"ffzero-{stage.processor.name}", daemon=True)
        for stage, inlet, outlet in zip(stages, channels, channels[1:], strict=False)
        for target in [_Worker(stage, inlet, outlet, on_error, cancel)] * stage.workers
    ]
    started: list[threading.Thread] = []
    try:
        for thread in (feeder, *workers):
            thread.start()
            started.append(thread)
        while True:
            try:
                item = channels[-1].get(cancel)
            except ChannelEnded:
                break
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        for channel in channels:
            channel.cancel()
        for thread in started:
            thread.join(_SOURCE_GRACE_S if thread is feeder else None)


def _feed(source: Iterable[Any], outlet: Channel) -> None:
    try:
        for item in source:
            outlet.put(item)
    except ChannelEnded:
        close: Callable[[], None] | None = getattr(source, "close", None)
        if close is not None:  # a generator: let it clean up here, on the thread that ran it
            close()
    except BaseException as error:
        with contextlib.suppress(ChannelEnded):
            outlet.put(_Failure(error))
    finally:
        outlet.close()


class _Worker:
    """The loop of one stage, shared by its threads: each takes the next item, and puts its result in turn."""

    def __init__(
        self, stage: Stage, inlet: Channel, outlet: Channel, on_error: ErrorHandler, cancel: CancelToken | None
    ) -> None:
        self._stage, self._inlet, self._outlet, self._on_error = stage, inlet, outlet, on_error
        self._cancel = cancel
        self._taking = threading.Lock()
        self._turn = threading.Condition()
        self._taken = self._put = 0
        self._ended = False
        self._running = stage.workers

    def __call__(self) -> None:
        try:
            while True:
                with self._taking:
                    item = self._inlet.get()
                    number = self._taken
                    self._taken += 1
                self._deliver(number, self._result(item))
        except ChannelEnded:
            self._leave()

    def _result(self, item: Any) -> Any:
        if isinstance(item, _Failure):
            return item
        try:
            return self._stage.run(item, self._on_error, self._cancel)
        except BaseException as error:
            return _Failure(error)

    def _deliver(self, number: int, result: Any) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._put == number or self._ended)
            if self._ended:
                raise ChannelEnded
            try:
                if result is not Outcome.DROP:
                    self._outlet.put(result)
            except ChannelEnded:
                self._ended = True
                raise
            finally:
                self._put += 1
                self._turn.notify_all()

    def _leave(self) -> None:
        with self._turn:
            self._running -= 1
            if not self._running:
                self._outlet.close()
