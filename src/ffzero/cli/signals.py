"""Ctrl-C and its kin: the first asks a running write to stop, so that it cleans up; anything else stops at once."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ffzero.reporting import CancelToken

__all__ = ["Interrupted", "StopState", "cancellable", "stop_signals"]

_AGAIN_S = 0.005
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Interrupted(BaseException):
    """Raised by the signal handler where no cancellable job runs. Not an ``Exception``: nothing may swallow it."""


class StopState:
    """Which signal came, and the token of the job that runs now."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.token: CancelToken | None = None

    @property
    def exit_status(self) -> int | None:
        """128 + the signal's number, or ``None`` where none came."""
        return None if self.signal_number is None else 128 + self.signal_number

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        first = self.signal_number is None
        self.signal_number = self.signal_number or number
        if self.token is None or not first:
            raise Interrupted
        self.token.cancel()

    def unraisable(self, failure: sys.UnraisableHookArgs) -> None:
        """The hook for exceptions that Python cannot raise: Interrupted comes again where a finaliser ate it."""
        if isinstance(failure.exc_value, Interrupted) and self.signal_number is not None:
            again = threading.Timer(_AGAIN_S, _thread.interrupt_main, [self.signal_number])  # not within this hook
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(failure)


_state = StopState()


@contextlib.contextmanager
def stop_signals() -> Iterator[StopState]:
    """Handle the stopping signals inside, in the main thread; elsewhere they stay as they are."""
    global _state  # noqa: PLW0603 - signals are the process's, and so is this
    previous_state, _state = _state, StopState()
    previous: dict[signal.Signals, Any] = {}
    previous_hook = sys.unraisablehook
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
                    previous[number] = signal.signal(number, _state.handle)
            sys.unraisablehook = _state.unraisable
        yield _state
    finally:
        sys.unraisablehook = previous_hook
        for number, handler in previous.items():
            signal.signal(number, handler)
        _state = previous_state


@contextlib.contextmanager
def cancellable() -> Iterator[CancelToken]:
    """Give a token for the job inside: the first signal cancels it, a second one interrupts it on the spot.

    A signal that came too late for the job before this one stops this one from starting.
    """
    if _state.signal_number is not None:
        raise Interrupted
    token = CancelToken()
    _state.token = token
    try:
        yield token
    finally:
        _state.token = None
