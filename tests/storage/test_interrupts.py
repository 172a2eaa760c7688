"""Ctrl-C and kill -9 in the middle of a large copy: nothing is lost, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")

WRITER = """
import os, sys, time
import ffzero.storage.copy as copy
from ffzero.extents.rope import Extent, Rope
from ffzero.storage.local import LocalSource
from ffzero.storage.sinks import FileSink, atomic_output

copy._COPY_STEP_BYTES = 1 << 20
copy._EVENT_INTERVAL_S = 0
way, source_path, out = sys.argv[1:]
if way == "hidden":
    del os.O_TMPFILE

def slowly(event):
    if event.done > 2 << 20:
        print("half", flush=True)
        time.sleep(0.2)

if way == "other writer":
    with atomic_output(out, overwrite=True) as path, open(path, "wb") as file:
        file.write(b"half")
        print("half", flush=True)
        time.sleep(30)
source = LocalSource.open(source_path)
rope = Rope([Extent(source, 0, source.size_bytes)])
FileSink(out, overwrite=True, methods=(copy.CopyMethod.KERNEL, copy.CopyMethod.BUFFERED)).put(rope, reporter=slowly)
print("finished", flush=True)
"""


def interrupted(way: str, folder: Path, number: int) -> int:
    (folder / "in").write_bytes(bytes(64 << 20))
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, way, str(folder / "in"), str(folder / "out.mp4")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"half\n"
        process.send_signal(number)
        assert b"finished" not in output.read()
    return process.wait(20)


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("way", ["nameless", "hidden", "other writer"])
def test_ctrl_c_leaves_no_file(tmp_path: Path, way: str, existing: bool) -> None:
    if existing:
        (tmp_path / "out.mp4").write_bytes(b"old")
    assert interrupted(way, tmp_path, signal.SIGINT) != 0
    check(tmp_path, existing)


@pytest.mark.parametrize("existing", [False, True])
def test_kill_leaves_no_file_at_all(tmp_path: Path, existing: bool) -> None:
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("no O_TMPFILE here")
    if existing:
        (tmp_path / "out.mp4").write_bytes(b"old")
    assert interrupted("nameless", tmp_path, signal.SIGKILL) == -signal.SIGKILL
    check(tmp_path, existing)


def test_kill_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    assert interrupted("hidden", tmp_path, signal.SIGKILL) == -signal.SIGKILL
    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def check(folder: Path, existing: bool) -> None:
    assert {path.name for path in folder.iterdir()} == ({"in", "out.mp4"} if existing else {"in"})
    if existing:
        assert (folder / "out.mp4").read_bytes() == b"old"


def test_an_interrupt_at_any_line_leaves_whole_or_absent(tmp_path: Path) -> None:
    """A real signal at many moments of a short write; every outcome is the old file, no file, or the whole new one."""
    script = """
import os, signal, sys
from ffzero.extents.rope import Literal, Rope
from ffzero.storage.sinks import FileSink
out, hidden = sys.argv[1], sys.argv[2] == "hidden"
if hidden:
    del os.O_TMPFILE
rope = Rope([Literal(b"n" * 200_000)])
FileSink(out, overwrite=True).put(rope)
count = 0
for delay in range(1, 400):
    try:
        signal.setitimer(signal.ITIMER_REAL, delay * 1e-6 * 2)
        FileSink(out, overwrite=True).put(rope)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        count += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    folder = os.path.dirname(out)
    assert os.listdir(folder) == [os.path.basename(out)], os.listdir(folder)
    assert os.path.getsize(out) == 200_000
print(count)
"""
    script = script.replace(
        "rope = Rope(", "signal.signal(signal.SIGALRM, signal.default_int_handler)\nrope = Rope(", 1
    )
    source = str(Path(__file__).parents[2] / "src")
    for kind in ("nameless", "hidden"):
        folder = tmp_path / kind
        folder.mkdir()
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder / "out"), kind],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": source},
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 20
        assert time.monotonic() - started < 30
