"""Pipelines of plain functions: order, laziness, errors, ends, counts."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ffzero.errors import CancelledError, UsageError
from ffzero.pipelines.pipeline import ProcessingMode, StreamingPipeline, ZeroCopyPipeline
from ffzero.pipelines.processors import FilterProcessor, Outcome, Processor
from ffzero.pipelines.stages import ErrorPolicy, Retry
from ffzero.reporting import CancelToken, ProgressEvent

EVERY_MODE = pytest.mark.parametrize("mode", [ProcessingMode.STREAMING, ProcessingMode.PARALLEL])


def reciprocal(number: int) -> float:
    return 1 / number


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ffzero-")]


def test_batch_runs_one_item_through_all_stages() -> None:
    pipeline = ZeroCopyPipeline().add_stage(lambda items: [*items, 3]).add_stage(sum)
    assert pipeline.execute([1, 2]) == 6
    assert pipeline.add_stage(FilterProcessor(lambda total: total > 100)).execute([1]) is None
    assert ZeroCopyPipeline().execute("as it is") == "as it is"


def test_what_flows_is_not_copied() -> None:
    item = np.zeros(10)
    assert ZeroCopyPipeline().add_stage(lambda data: data).execute(item) is item
    pipeline = ZeroCopyPipeline(ProcessingMode.PARALLEL).add_stage(lambda data: data)
    assert pipeline.execute(iter([item]))[0] is item


@EVERY_MODE
def test_a_stream_keeps_its_order(mode: ProcessingMode) -> None:
    pipeline = ZeroCopyPipeline(mode)
    pipeline.add_stage(lambda number: number + 1).add_stage(FilterProcessor(lambda number: number % 3 != 0))
    assert list(pipeline.execute(range(100))) == [number for number in range(1, 101) if number % 3]
    stats = pipeline.get_stats()
    assert (stats["items_in"], stats["items_out"], stats["mode"]) == (100, 67, mode.value)
    assert [stage["items_in"] for stage in stats["stages"]] == [100, 100]
    assert stats["stages"][1]["items_dropped"] == 33
    assert stats["elapsed_s"] > 0


def test_set_mode_changes_what_execute_takes() -> None:
    pipeline = ZeroCopyPipeline().add_stage(str)
    assert pipeline.execute([1, 2]) == "[1, 2]"
    assert pipeline.set_mode("parallel").execute([1, 2]) == ["1", "2"]
    assert list(pipeline.set_mode(ProcessingMode.STREAMING).execute([1, 2])) == ["1", "2"]
    assert list(pipeline.execute("a path")) == ["a path"]
    with pytest.raises(UsageError, match="sideways"):
        pipeline.set_mode("sideways")


def test_streaming_is_lazy() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = StreamingPipeline().add_stage(str).process_stream(numbers())
    assert taken == []
    assert next(results) == "0"
    assert taken == [0]


def test_parallel_works_ahead_only_as_far_as_its_queues_hold() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    pipeline = StreamingPipeline(mode=ProcessingMode.PARALLEL, queue_size=2).add_stage(str).add_stage(str)
    results = pipeline.process_stream(numbers())
    assert next(results) == "0"
    time.sleep(0.1)
    assert len(taken) <= 1 + 3 * 2 + 2 + 1  # given out, in queues, in stages, in the feeder's hand
    results.close()  # type: ignore[attr-defined]
    assert our_threads() == []
    queues = pipeline.get_stats()["queues"]
    assert [queue["name"] for queue in queues] == ["source → str", "str → str", "str → results"]
    assert all(queue["peak_items"] <= 2 for queue in queues)


def test_parallel_stages_really_overlap() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(number: int) -> int:
        if number in (0, 1):
            meeting.wait()
        return number

    alone = ZeroCopyPipeline(ProcessingMode.PARALLEL).add_stage(meet, workers=2)
    assert alone.execute(range(20)) == list(range(20))
    meeting = threading.Barrier(2, timeout=10)
    apart = ZeroCopyPipeline(ProcessingMode.PARALLEL)
    apart.add_stage(lambda number: meet(number) if number == 1 else number)
    apart.add_stage(lambda number: meet(number) if number == 0 else number)
    assert apart.execute([0, 1]) == [0, 1]


def test_many_workers_keep_the_order() -> None:
    def uneven(number: int) -> int:
        time.sleep((number * 7 % 5) / 2000)
        return number

    pipeline = ZeroCopyPipeline(ProcessingMode.PARALLEL, queue_size=3).add_stage(uneven, workers=4)
    assert pipeline.execute(range(200)) == list(range(200))
    assert our_threads() == []


@EVERY_MODE
def test_an_error_comes_after_the_results_before_it(mode: ProcessingMode) -> None:
    pipeline = StreamingPipeline(mode=mode).add_stage(reciprocal)
    results = pipeline.process_stream([4, 2, 0, 1])
    assert [next(results), next(results)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert caught.value.__notes__ == ["in stage 'reciprocal' of the pipeline"]
    assert our_threads() == []


@EVERY_MODE
def test_an_error_of_the_source_comes_through(mode: ProcessingMode) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the source broke")

    results = StreamingPipeline(mode=mode).add_stage(str).process_stream(broken())
    assert next(results) == "1"
    with pytest.raises(OSError, match="the source broke"):
        next(results)
    assert our_threads() == []


@EVERY_MODE
def test_skipped_errors_are_counted(mode: ProcessingMode) -> None:
    pipeline = ZeroCopyPipeline(mode).add_stage(reciprocal).set_error_handler(ErrorPolicy.SKIP)
    assert list(pipeline.execute([1, 0, 2, 0])) == [1, 0.5]
    stage = pipeline.get_stats()["stages"][0]
    assert (stage["items_in"], stage["items_out"], stage["items_failed"], stage["items_dropped"]) == (4, 2, 2, 0)


def test_a_handler_decides_by_error_stage_and_item() -> None:
    told: list[tuple[str, str, object]] = []

    def handler(error: Exception, stage: Processor, item: Any) -> Any:
        told.append((type(error).__name__, stage.name, item))
        return {0: -1.0, "a": ErrorPolicy.SKIP, None: ErrorPolicy.RAISE}.get(item)

    pipeline = ZeroCopyPipeline(ProcessingMode.STREAMING).add_stage(reciprocal).set_error_handler(handler)
    assert list(pipeline.execute([2, 0, "a"])) == [0.5, -1.0]
    assert told == [("ZeroDivisionError", "reciprocal", 0), ("TypeError", "reciprocal", "a")]
    for item in (None, "b"):  # told to raise, and only looked at
        with pytest.raises(TypeError):
            list(pipeline.execute([item]))
    with pytest.raises(ZeroDivisionError):
        list(pipeline.set_error_handler(None).execute([0]))
    with pytest.raises(UsageError):
        pipeline.set_error_handler("skip")  # type: ignore[arg-type]


def test_a_cancellation_is_never_skipped() -> None:
    def cancelled(item: object) -> object:
        raise CancelledError("cancelled")

    pipeline = ZeroCopyPipeline(error_handler=ErrorPolicy.SKIP).add_stage(cancelled)
    with pytest.raises(CancelledError):
        pipeline.execute(1)


class Tracked(Processor):
    def __init__(self) -> None:
        super().__init__()
        self.open = 0
        self.opened = 0

    def setup(self) -> None:
        self.open += 1
        self.opened += 1

    def process(self, data: Any) -> Any:
        assert self.open == 1
        return reciprocal(data)

    def teardown(self) -> None:
        self.open -= 1


@EVERY_MODE
def test_stages_are_torn_down_however_a_run_ends(mode: ProcessingMode) -> None:
    stage = Tracked()
    pipeline = StreamingPipeline(mode=mode).add_stage(stage)
    assert len(list(pipeline.process_stream([1, 2]))) == 2
    assert (stage.open, stage.opened) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        list(pipeline.process_stream([1, 0]))
    assert (stage.open, stage.opened) == (0, 2)
    left = pipeline.process_stream([1, 2, 3])
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert (stage.open, stage.opened) == (0, 3)
    assert our_threads() == []


def test_leaving_a_parallel_run_does_not_wait_for_a_source_that_is_stuck() -> None:
    stuck = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        stuck.wait(60)

    results = StreamingPipeline(mode="parallel").add_stage(str).process_stream(source())
    assert next(results) == "1"
    began = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10
    stuck.set()


def test_bytes_arrays_and_files_are_taken_in_views() -> None:
    data = bytearray(range(10))
    views = list(StreamingPipeline(4).process_stream(data))
    assert [view.tobytes() for view in views] == [bytes(data[:4]), bytes(data[4:8]), bytes(data[8:])]
    views[0][0] = 99
    assert data[0] == 99  # a view, no copy
    array = np.arange(12).reshape(6, 2)
    parts = list(StreamingPipeline(4).process_stream(array))
    assert [part.shape for part in parts] == [(4, 2), (2, 2)]
    assert all(np.shares_memory(part, array) for part in parts)
    assert list(StreamingPipeline(4).process_stream(io.BytesIO(b"abcdef"))) == [b"abcd", b"ef"]
    assert list(StreamingPipeline(4).process_stream([1, 2])) == [1, 2]


@pytest.mark.parametrize("stream", [3, None, "in.mp4"])
def test_what_is_no_stream_is_refused_at_once(stream: object) -> None:
    with pytest.raises(UsageError):
        StreamingPipeline().process_stream(stream)


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_chunk_needs_a_size(size: Any) -> None:
    with pytest.raises(UsageError):
        StreamingPipeline(size).process_stream(b"abc")


def test_a_dropped_item_reaches_no_later_stage() -> None:
    seen: list[int] = []
    pipeline = ZeroCopyPipeline("streaming").add_stage(lambda number: number if number else Outcome.DROP)
    pipeline.add_stage(lambda number: seen.append(number) or number)
    assert list(pipeline.execute([0, 1])) == [1]
    assert seen == [1]


def test_a_slow_last_stage_never_grows_a_queue_past_its_bounds() -> None:
    made: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number in range(200):
            made.append(number)
            yield bytes(1000)

    def slow(block: bytes) -> int:
        time.sleep(0.001)
        return len(block)

    pipeline = StreamingPipeline(mode="parallel", queue_size=50, queue_bytes=4000)
    pipeline.add_stage(bytes).add_stage(bytes).add_stage(slow)
    for done, _ in enumerate(pipeline.process_stream(blocks()), 1):
        assert len(made) <= done + 4 * 4 + 4 + 1 + 50  # what is done, in queues, in stages, in hand, and results
    queues = pipeline.get_stats()["queues"]
    assert [queue["peak_bytes"] for queue in queues[:3]] == [4000, 4000, 4000]
    assert all(queue["peak_bytes"] <= 4000 for queue in queues)
    assert queues[0]["put_wait_s"] > 0.05  # the reader waited
    assert queues[3]["get_wait_s"] > 0.05


@EVERY_MODE
def test_what_fails_is_tried_again_as_told(mode: ProcessingMode) -> None:
    calls: list[int] = []

    def shaky(number: int) -> int:
        calls.append(number)
        if calls.count(number) <= number:
            raise OSError("not now")
        return number

    pipeline = ZeroCopyPipeline(mode, error_handler=Retry(2, delay_s=0.001)).add_stage(shaky)
    assert list(pipeline.execute([0, 1, 2])) == [0, 1, 2]
    stage = pipeline.get_stats()["stages"][0]
    assert (stage["retries"], stage["items_failed"], stage["items_out"]) == (3, 2, 3)
    calls.clear()
    with pytest.raises(OSError, match="not now"):
        list(pipeline.execute([3]))
    assert calls == [3, 3, 3]
    pipeline.set_error_handler(Retry(1, then=ErrorPolicy.SKIP))
    assert list(pipeline.execute([9, 0])) == [0]
    assert pipeline.get_stats()["stages"][0]["failures"] == [{"item": None, "where": "", "error": "OSError: not now"}]
    calls.clear()
    assert list(pipeline.set_error_handler(ErrorPolicy.RETRY).execute([3])) == [3]


def test_retries_that_make_no_sense_are_refused() -> None:
    for wrong in ({"times": 0}, {"delay_s": -1}, {"backoff": 0.5}, {"then": ErrorPolicy.RETRY}):
        with pytest.raises(UsageError):
            Retry(**wrong)  # type: ignore[arg-type]


@EVERY_MODE
def test_a_token_cancels_a_run(mode: ProcessingMode) -> None:
    token = CancelToken()
    pipeline = ZeroCopyPipeline(mode, error_handler=Retry(3, delay_s=30)).add_stage(reciprocal)
    threading.Timer(0.1, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        list(pipeline.execute([1, 0], cancel=token))  # waits to try again
    assert time.monotonic() - began < 10
    assert our_threads() == []


@EVERY_MODE
def test_progress_counts_results_and_says_what_is_left(mode: ProcessingMode) -> None:
    events: list[ProgressEvent] = []
    pipeline = ZeroCopyPipeline(mode).add_stage(str)
    list(pipeline.execute([1, 2], reporter=events.append))
    assert [(event.done, event.total, event.unit) for event in events] == [(1, 2, "items"), (2, 2, "items")]
    assert events[0].details["eta_s"] > 0
    assert events[1].details["eta_s"] == 0
    list(pipeline.execute(iter([1]), reporter=events.append))
    assert (events[-1].total, events[-1].details["eta_s"]) == (None, None)
