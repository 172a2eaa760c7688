"""Stages: a processor takes one item and returns one, says that there is none, or fails."""

from __future__ import annotations

import abc
import contextlib
import enum
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from ffzero.errors import UsageError

__all__ = [
    "CompositeProcessor",
    "FilterProcessor",
    "FunctionProcessor",
    "Outcome",
    "Processor",
    "TransformProcessor",
    "as_processor",
    "set_up",
]


class Outcome(enum.Enum):
    """What ``process`` may return in place of a result."""

    DROP = enum.auto()
    """The item ends here; no later stage sees it."""


class Processor(abc.ABC):
    """A stage. Derive from it and write ``process``; ``setup`` and ``teardown`` enclose each run of a pipeline.

    ``process`` runs on one thread at a time unless the stage was added with more workers.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name if name is not None else type(self).__name__

    def setup(self) -> None:  # noqa: B027 - most stages need none
        """Prepare for a run: called once before its first item."""

    @abc.abstractmethod
    def process(self, data: Any) -> Any:
        """Return what the next stage gets for ``data``, or ``Outcome.DROP``."""

    def teardown(self) -> None:  # noqa: B027 - most stages need none
        """Let go of what ``setup`` took: called once after the last item, also after an error."""

    def __call__(self, data: Any) -> Any:
        return self.process(data)

    def __enter__(self) -> Self:
        self.setup()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.teardown()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class FunctionProcessor(Processor):
    """Any callable of one argument as a stage."""

    def __init__(self, function: Callable[[Any], Any], name: str | None = None) -> None:
        if not callable(function):
            raise UsageError("a function stage needs something to call", found=type(function).__name__)
        super().__init__(name if name is not None else getattr(function, "__name__", type(function).__name__))
        self.function = function

    def process(self, data: Any) -> Any:
        return self.function(data)


class TransformProcessor(FunctionProcessor):
    """Replaces the items for which ``when`` is true (all, where it is left out); the others pass as they are."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        name: str | None = None,
        *,
        when: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(function, name)
        self.when = when

    def process(self, data: Any) -> Any:
        return self.function(data) if self.when is None or self.when(data) else data


class FilterProcessor(FunctionProcessor):
    """Lets the items pass for which the function is true, and drops the others."""

    def process(self, data: Any) -> Any:
        return data if self.function(data) else Outcome.DROP


class CompositeProcessor(Processor):
    """Several stages as one, in order; an item that one of them drops is dropped."""

    def __init__(self, processors: Iterable[Processor | Callable[[Any], Any]] = (), name: str | None = None) -> None:
        super().__init__(name)
        self.processors = [as_processor(processor) for processor in processors]
        self._running = contextlib.ExitStack()

    def add(self, processor: Processor | Callable[[Any], Any]) -> Self:
        """Append a stage; returns the composite."""
        self.processors.append(as_processor(processor))
        return self

    def setup(self) -> None:
        self._running = set_up(self.processors)

    def process(self, data: Any) -> Any:
        for processor in self.processors:
            data = processor.process(data)
            if data is Outcome.DROP:
                break
        return data

    def teardown(self) -> None:
        self._running.close()


def set_up(processors: Iterable[Processor]) -> contextlib.ExitStack:
    """Set all of them up, or none; closing the result tears them down in reverse, each even where another fails."""
    with contextlib.ExitStack() as stack:
        for processor in processors:
            processor.setup()
            stack.callback(processor.teardown)
        return stack.pop_all()


def as_processor(stage: object) -> Processor:
    """Return a processor as it is, any other callable as a ``FunctionProcessor``. Raises ``UsageError``."""
    if isinstance(stage, Processor):
        return stage
    if isinstance(stage, type) and issubclass(stage, Processor):
        raise UsageError(f"{stage.__name__} is a class of stages", hint=f"Add an instance: {stage.__name__}(...)")
    if not callable(stage):
        raise UsageError("a stage is a processor or a function", found=type(stage).__name__)
    return FunctionProcessor(stage)
