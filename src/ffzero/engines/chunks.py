"""Units of work on an engine: handed out a few at a time, watched, and done again where a worker died.

What passes between a job and its workers lies in a folder that both see: how far each unit is, and whether to stop. It
is the same for threads, processes and other machines. A folder that is gone means stop, too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import shutil
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any

from ffzero.engines.base import Engine
from ffzero.errors import EngineError, FFZeroError, UsageError
from ffzero.ffmpeg.process import Watchdog
from ffzero.reporting import CancelToken
from ffzero.storage.failures import FULL_ERRNOS, output_error
from ffzero.storage.outputs import Destination
from ffzero.values import dataclass

__all__ = ["Desk", "Unit", "run_units", "work_folder"]

_POLL_S = 0.1
_TELL_S = 0.1
_LOOK_S = 0.05
_GRACE_S = 3.0
_MOST_DEATHS = 3
"""How often a unit's worker may die before that is the unit's fault."""
_AHEAD = 1
"""Units that wait at the workers, so that none of those is idle."""


class Desk:
    """What a unit's work is given: where to tell how far it is, and whether it is to stop."""

    def __init__(self, folder: str, number: int) -> None:
        self.folder = folder
        self.number = number
        self.cancel: CancelToken = _FolderToken(folder)
        self._done = 0
        self._due_s = 0.0

    def advance(self, count: int) -> None:
        """Say that ``count`` more of the unit's parts (pictures) are done."""
        self._done += count
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _TELL_S
        with contextlib.suppress(OSError), open(_progress_file(self.folder, self.number), "w") as file:
            file.write(str(self._done))


class _FolderToken(CancelToken):
    """Stops where the folder says so, or is gone."""

    __slots__ = ("_due_s", "_folder", "_stop")

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self._stop = _stop_file(folder)
        self._due_s = 0.0

    @property
    def cancelled(self) -> bool:
        now_s = time.monotonic()
        if not self._event.is_set() and now_s >= self._due_s:
            self._due_s = now_s + _LOOK_S
            if os.path.exists(self._stop) or not os.path.isdir(self._folder):
                self.cancel()
        return self._event.is_set()

    def check(self) -> None:
        _ = self.cancelled
        super().check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Work that is done as a whole or not at all: ``work`` is called with a ``Desk``, perhaps more than once.

    ``name`` says which part of what it is, for errors; ``parts`` how many pictures (or the like) it is for progress.
    """

    number: int
    name: str
    work: Callable[[Desk], Any]
    parts: int = 1


def run_units(
    engine: Engine,
    units: Sequence[Unit],
    folder: str,
    *,
    done: Callable[[Unit, Any], None],
    advance: Callable[[int], None] = lambda count: None,
    cancel: CancelToken | None = None,
) -> None:
    """Run units on an engine; ``done`` gets the result of each, in the order in which they end.

    ``folder`` is one that the workers see (see ``work_folder``). Where a worker dies, the units that are not finished
    go to others. Raises a unit's error with the unit's name, ``EngineError`` for one that is none of ffzero's or whose
    worker died again and again, ``UsageError`` for what cannot be sent, ``CancelledError``; what runs then is stopped.
    """
    run = _Run(engine, units, folder, done, advance)
    try:
        run.go(cancel)
    except BaseException:
        run.stop()
        raise


class _Run:
    def __init__(
        self,
        engine: Engine,
        units: Sequence[Unit],
        folder: str,
        done: Callable[[Unit, Any], None],
        advance: Callable[[int], None],
    ) -> None:
        self._engine, self._folder, self._done, self._advance = engine, folder, done, advance
        # The largest first: a long one that is begun last keeps one worker busy and all others idle.
        self._waiting = deque(sorted(units, key=lambda unit: -unit.parts))
        self._running: dict[Future[Any], Unit] = {}
        self._deaths: Counter[int] = Counter()
        self._idle_deaths = 0
        self._finished_parts = 0
        self._told = 0

    def go(self, cancel: CancelToken | None) -> None:
        while self._waiting or self._running:
            if cancel is not None:
                cancel.check()
            self._hand_out()
            finished, _ = wait(self._running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            broken = [future for future in finished if not self._took(future)]
            if broken:
                self._hand_back()
            self._tell()

    def stop(self) -> None:
        """Let go of all that runs: asked first, and ended where that does not help."""
        with contextlib.suppress(OSError), open(_stop_file(self._folder), "w"):
            pass
        for future in self._running:
            future.cancel()
        ended, rest = wait(self._running, timeout=_GRACE_S)
        for future in ended:
            if not future.cancelled() and future.exception() is None:
                with contextlib.suppress(FFZeroError):  # what led here is told
                    self._done(self._running[future], future.result())
        if rest:
            self._engine.kill()

    def _hand_out(self) -> None:
        while self._waiting and len(self._running) < self._engine.workers + _AHEAD:
            unit = self._waiting[0]
            sent = unit.work if self._engine.in_process else _pickled(unit, self._engine)
            try:
                future = self._engine.executor.submit(_call, sent, self._folder, unit.number)
            except BrokenExecutor:
                self._hand_back()
                continue
            self._waiting.popleft()
            self._running[future] = unit

    def _took(self, future: Future[Any]) -> bool:
        """Take a unit's result; return whether there is one. Raises the unit's error."""
        unit = self._running[future]
        try:
            result = future.result()
        except BrokenExecutor:
            return False
        except Exception as error:
            told = error if type(error).__module__.startswith("ffzero.") else getattr(error, "cause", None)  # Ray's
            if isinstance(error, OSError) and not isinstance(error, FFZeroError) and error.errno in FULL_ERRNOS:
                told = output_error(error, path=error.filename or tempfile.tempdir)
            if isinstance(told, FFZeroError):
                raise told.within(unit.name) from error
            raise EngineError(f"{unit.name}: {type(error).__name__}: {error}") from error
        del self._running[future]
        self._done(unit, result)
        self._finished_parts += unit.parts
        return True

    def _hand_back(self) -> None:
        """Take back what was given to workers one of which died; nobody knows which of them it was."""
        units = list(self._running.values())
        self._running.clear()
        self._engine.kill()
        self._idle_deaths += 0 if units else 1
        for unit in units:
            self._deaths[unit.number] += 1
            if self._deaths[unit.number] > _MOST_DEATHS:
                raise EngineError(
                    f"{unit.name}: the worker died {self._deaths[unit.number]} times (killed, or out of memory)",
                    hint="See the system's log; fewer jobs need less memory",
                )
        if not self._engine.restarts or self._idle_deaths > _MOST_DEATHS:
            raise EngineError(f"the workers of {self._engine.name} are gone")
        self._waiting.extendleft(reversed(units))

    def _tell(self) -> None:
        known = self._finished_parts
        for unit in self._running.values():
            with contextlib.suppress(OSError, ValueError), open(_progress_file(self._folder, unit.number)) as file:
                known += min(unit.parts, int(file.read() or 0))
        if known > self._told:
            self._advance(known - self._told)
            self._told = known


def _call(sent: bytes | Callable[[Desk], Any], folder: str, number: int) -> Any:
    """Do a unit's work; called by the worker."""
    work = pickle.loads(sent) if isinstance(sent, bytes) else sent
    return work(Desk(folder, number))


def _pickled(unit: Unit, engine: Engine) -> bytes:
    """Return a unit's work as bytes; by cloudpickle, where that is needed and there."""
    with contextlib.suppress(ImportError):
        if engine.travels:
            cloudpickle: Any = importlib.import_module("cloudpickle")  # comes with the extras
            sent: bytes = cloudpickle.dumps(unit.work)
            return sent
    try:
        return pickle.dumps(unit.work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{unit.name}: it cannot be sent to another process: {error}",
            hint='Define functions at the top level of a module, or use engine="threads"',
        ) from error


def _progress_file(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number}.done")


def _stop_file(folder: str) -> str:
    return os.path.join(folder, "stop")


@contextlib.contextmanager
def work_folder(output: str | os.PathLike[str]) -> Iterator[str]:
    """Lend a new hidden folder beside an output; it goes afterwards, and where this process is killed.

    Raises ``OutputError`` where it cannot be made.
    """
    path = Destination.examine(output, overwrite=True).beside() + ".d"
    watchdog = Watchdog([path])
    try:
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            raise output_error(error, path=path) from error
        yield path
    finally:
        # Twice: a worker that was let go may have made a file meanwhile.
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(path, ignore_errors=True)
        watchdog.close()
