"""Stages by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ffzero.errors import UsageError
from ffzero.pipelines.array_processors import AudioProcessor, VideoProcessor
from ffzero.pipelines.processors import (
    CompositeProcessor,
    FilterProcessor,
    FunctionProcessor,
    Outcome,
    Processor,
    TransformProcessor,
    as_processor,
)


class Noted(Processor):
    """Keeps a diary, and fails where told."""

    def __init__(self, name: str, diary: list[str], fails_in: str = "") -> None:
        super().__init__(name)
        self.diary = diary
        self.fails_in = fails_in

    def _note(self, what: str) -> None:
        self.diary.append(f"{what} {self.name}")
        if what == self.fails_in:
            raise ArithmeticError(f"{what} {self.name}")

    def setup(self) -> None:
        self._note("setup")

    def process(self, data: Any) -> Any:
        self._note("process")
        return data

    def teardown(self) -> None:
        self._note("teardown")


def test_a_processor_is_named_after_its_class_and_can_be_called() -> None:
    class Doubling(Processor):
        def process(self, data: Any) -> Any:
            return data * 2

    assert Doubling().name == "Doubling"
    assert Doubling("twice").name == "twice"
    assert Doubling()(4) == 8
    with pytest.raises(TypeError):
        Processor()  # type: ignore[abstract]


def test_function_transform_and_filter() -> None:
    assert FunctionProcessor(len)([1, 2]) == 2
    assert FunctionProcessor(len).name == "len"
    double = TransformProcessor(lambda number: number * 2, when=lambda number: number > 3)
    assert [double(number) for number in (3, 4)] == [3, 8]
    assert TransformProcessor(str)(3) == "3"
    even = FilterProcessor(lambda number: number % 2 == 0)
    assert [even(number) for number in (0, 1, 2)] == [0, Outcome.DROP, 2]


def test_composite_runs_its_stages_in_order_and_stops_at_a_drop() -> None:
    seen: list[int] = []
    both = CompositeProcessor([lambda number: number + 1, FilterProcessor(lambda number: number % 2 == 0)])
    assert both.add(lambda number: seen.append(number) or number * 10) is both
    assert [both(number) for number in (1, 2)] == [20, Outcome.DROP]
    assert seen == [2]


def test_composite_sets_up_and_tears_down_in_reverse() -> None:
    diary: list[str] = []
    with CompositeProcessor([Noted("a", diary), Noted("b", diary)]) as both:
        both.process(1)
    assert diary == ["setup a", "setup b", "process a", "process b", "teardown b", "teardown a"]


def test_a_failed_setup_tears_down_what_was_set_up() -> None:
    diary: list[str] = []
    with pytest.raises(ArithmeticError, match="setup b"):
        CompositeProcessor([Noted("a", diary), Noted("b", diary, "setup"), Noted("c", diary)]).setup()
    assert diary == ["setup a", "setup b", "teardown a"]


def test_a_failed_teardown_does_not_keep_the_others_from_theirs() -> None:
    diary: list[str] = []
    both = CompositeProcessor([Noted("a", diary), Noted("b", diary, "teardown")])
    both.setup()
    with pytest.raises(ArithmeticError):
        both.teardown()
    assert diary[-2:] == ["teardown b", "teardown a"]


@pytest.mark.parametrize("stage", [3, None, "name", Noted])
def test_what_is_no_stage_is_refused(stage: object) -> None:
    with pytest.raises(UsageError):
        as_processor(stage)


class Inverting(VideoProcessor):
    def process_frame(self, frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return 255 - frame


def test_video_processor_takes_one_frame_many_and_streams() -> None:
    frames = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    before = frames.copy()
    inverting = Inverting()
    assert np.array_equal(inverting(frames[0]), 255 - frames[0])
    assert np.array_equal(inverting(frames), 255 - frames)
    assert inverting(frames[:0]).shape == (0, 4, 6, 3)
    taken: list[int] = []

    def stream() -> Iterator[np.ndarray[Any, Any]]:
        for number, frame in enumerate(frames):
            taken.append(number)
            yield frame

    results = inverting(stream())
    assert taken == []
    assert np.array_equal(next(results), 255 - frames[0])
    assert taken == [0]
    assert np.array_equal(frames, before)


class Louder(AudioProcessor):
    def process_samples(self, samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return samples * 2


def test_audio_processor_takes_blocks_and_streams() -> None:
    samples = np.linspace(-0.5, 0.5, 8, dtype=np.float32).reshape(2, 4)
    assert np.array_equal(Louder()(samples), samples * 2)
    assert [block.tolist() for block in Louder()(iter([samples[0]]))] == [(samples[0] * 2).tolist()]


@pytest.mark.parametrize("data", [3, "in.mp4", np.zeros(5), np.zeros((1, 1, 1, 1, 1))])
def test_what_is_no_picture_is_refused(data: object) -> None:
    with pytest.raises(UsageError):
        Inverting()(data)


@pytest.mark.parametrize("data", [3, b"in.mp4", np.zeros((2, 2, 2))])
def test_what_is_no_sound_is_refused(data: object) -> None:
    with pytest.raises(UsageError):
        Louder()(data)
