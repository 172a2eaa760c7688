"""Asks a program that may not be FFmpeg at all: what it says is bounded, and so is how long it may take."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

from ffzero.errors import FFmpegNotFoundError

__all__ = ["ask"]

_TIMEOUT_S = 20.0
_LIMIT_BYTES = 4 << 20


def ask(path: str, *arguments: str, timeout_s: float = _TIMEOUT_S) -> str:
    """Return what ``path arguments…`` prints.

    Raises ``FFmpegNotFoundError`` where it cannot be run, fails, takes longer than ``timeout_s``, or prints more than
    4 MiB; its whole process group is ended then.
    """
    argv = (path, *arguments)
    # A report file that the user's own commands should write is not wanted from a question.
    environment = {name: value for name, value in os.environ.items() if name != "FFREPORT"}
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
    except OSError as error:
        cause = error.strerror or str(error)
        raise FFmpegNotFoundError(f"cannot be run: {cause}", path=path, argv=argv, cause=cause) from error
    late = threading.Event()

    def give_up() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(timeout_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        text = process.stdout.read(_LIMIT_BYTES + 1)
    finally:
        _end(process)
        timer.cancel()
        with process:  # closes the pipe and collects the process
            pass
    if late.is_set():
        raise FFmpegNotFoundError(f"did not answer within {timeout_s:g} s", path=path, argv=argv, cause="time-out")
    if len(text) > _LIMIT_BYTES:
        raise FFmpegNotFoundError("is not FFmpeg: it prints without end", path=path, argv=argv, cause="not FFmpeg")
    return text.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group; by then everything that the program had to say was read."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
