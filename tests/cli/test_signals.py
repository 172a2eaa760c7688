"""Ctrl-C, SIGTERM and SIGHUP, at each moment of a job, against a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ffzero.cli.signals import Interrupted, cancellable, stop_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

TESTS = Path(__file__).parents[1]
JOB = """
import sys, time
import ffzero
from support.command_line import FakeEngine

def ready():
    print("ready", file=sys.stderr, flush=True)

def careful(cancel, **_):
    ready()
    for _ in range(2000):
        time.sleep(0.01)
        cancel.check()

def stubborn(**_):
    ready()
    time.sleep(20)

def slow_open(path):
    ready()
    time.sleep(20)

engine = FakeEngine(on_write=stubborn if MODE == "stubborn" else careful)
class Swallowed:
    def __del__(self):
        ready()
        time.sleep(20)

def swallowing_open(path):
    Swallowed()
    time.sleep(0.5)
    print("this is not reached", file=sys.stderr)
    return engine.open(path)

vars(ffzero)["open"] = swallowing_open if MODE == "swallowing" else slow_open if MODE == "opening" else engine.open
from ffzero.cli import main
main()
"""


def start(mode: str, *options: str, ignored: signal.Signals | None = None) -> subprocess.Popen[str]:
    code = f"MODE = {mode!r}\n"
    code += "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # under nohup it would stay ignored
    if ignored is not None:
        code += f"import signal; signal.signal(signal.{ignored.name}, signal.SIG_IGN)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code + JOB, "cut", "in.mp4", "-o", "out.mp4", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}{os.pathsep}{TESTS}"},
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("mode", ["careful", "opening", "swallowing"])
def test_one_signal_stops_with_its_status_and_one_line(mode: str, number: signal.Signals) -> None:
    process = start(mode)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (128 + number, "", "ffzero: interrupted\n")


def test_a_second_signal_stops_a_job_that_does_not_look() -> None:
    process = start("stubborn")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "ffzero: interrupted\n")


def test_as_json() -> None:
    process = start("careful", "--json")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (143, "")
    assert '"type": "CancelledError"' in out


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    process = start("careful", ignored=signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_signals():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_signal_that_came_too_late_stops_the_next_job() -> None:
    with stop_signals() as stop, cancellable() as token:
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 5
        while not token.cancelled and time.monotonic() < deadline:
            time.sleep(0.01)
        assert token.cancelled
        assert stop.exit_status == 130
        with pytest.raises(Interrupted), cancellable():
            pytest.fail("this job must not start")


def test_other_threads_leave_signals_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def job() -> None:
        with stop_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=job)
    thread.start()
    thread.join(5)
    assert seen == [before]
