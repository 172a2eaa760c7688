"""Progress on a terminal: nothing for quick jobs, a bar for those that take longer than a second."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from ffzero.cli.text import byte_count, count
from ffzero.reporting import ProgressEvent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["TerminalProgress"]

_PATIENCE_S = 1.0
_REFRESH_S = 0.1


class TerminalProgress:
    """A ``Reporter`` that draws a bar on ``stream`` while it is entered, if that is a terminal and the job is long.

    rich is imported when the first bar is drawn, never before.
    """

    def __init__(self, stream: TextIO, *, patience_s: float = _PATIENCE_S) -> None:
        self._stream = stream
        self._wanted = stream.isatty()
        self._begun_s = time.monotonic()
        self._due_s = self._begun_s + patience_s
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, event: ProgressEvent) -> None:
        now_s = time.monotonic()
        if not self._wanted or now_s < self._due_s:
            return
        self._due_s = now_s + _REFRESH_S
        if self._progress is None:
            self._progress = _new_progress(self._stream)
            self._progress.start()
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._progress.add_task(event.stage, total=event.total, amount="")
        self._progress.update(
            self._tasks[event.stage], completed=event.done, total=event.total, amount=_amount(event), refresh=True
        )


def _amount(event: ProgressEvent) -> str:
    if event.unit != "bytes":
        return ", ".join([count(event.done, event.unit.removesuffix("s")), *_pace(event)])
    return byte_count(event.done) + (f" of {byte_count(event.total)}" if event.total is not None else "")


def _pace(event: ProgressEvent) -> list[str]:
    """Return frames per second, the speed against playing and the memory in use, where they are known."""
    fps, speed = event.details.get("fps"), event.details.get("speed")
    memory = event.details.get("memory_bytes")
    return [
        *([f"{fps:.0f} fps"] if fps else []),
        *([f"{speed:.3g}x"] if speed else []),
        *([f"{byte_count(memory)} of memory"] if memory else []),
    ]


def _new_progress(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
        auto_refresh=False,  # drawn from the events: no thread, and a bar that stands still says so
    )
