"""A child program whose pipes are always drained and whose whole process group ends with it, or with us.

On POSIX it leads a session of its own, so that a terminal's Ctrl-C does not reach it: this process decides. A small
shell waits beside it for the end of this process: when that comes without a word (``kill -9``), it ends the group and
removes the temporary files. It is not done with ``preexec_fn``, which is unsafe in a program with threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

__all__ = ["ChildProcess", "Tail", "Watchdog"]

_READ_BYTES = 1 << 16
_DRAIN_WAIT_S = 1.0
_POSIX = os.name == "posix"

# The shell reads the process's number, then waits for a word; the end of the pipe instead of it means that we died.
_WATCH = r"""
trap '' HUP INT TERM QUIT
read -r pid || pid=
if [ -n "$pid" ]; then
    read -r word && exit 0
    kill -s TERM -- "-$pid" 2>/dev/null
    tries=0
    while [ $tries -lt 20 ] && kill -s 0 -- "-$pid" 2>/dev/null; do sleep 0.1; tries=$((tries + 1)); done
    kill -s KILL -- "-$pid" 2>/dev/null
fi
[ $# -eq 0 ] || rm -rf -- "$@"
"""


class Tail:
    """The last ``limit_bytes`` of what was written; safe to read while another thread appends."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = bytearray()
        self._lock = threading.Lock()
        self.total_bytes = 0

    def append(self, data: bytes) -> None:
        with self._lock:
            self.total_bytes += len(data)
            self._data += data[-self._limit_bytes :]
            del self._data[: -self._limit_bytes]

    @property
    def data(self) -> bytes:
        with self._lock:
            return bytes(self._data)

    def text(self) -> str:
        """Return it decoded, from the first whole line on where the beginning was dropped."""
        data = self.data
        if self.total_bytes > len(data) and b"\n" in data:
            data = data[data.index(b"\n") + 1 :]
        return data.decode("utf-8", "replace")


class Watchdog:
    """Ends a process group and removes ``remove`` (paths) if this process dies before ``close``. POSIX only."""

    def __init__(self, remove: Sequence[str] = ()) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        shell = shutil.which("sh", path="/bin:/usr/bin") if _POSIX else None
        if shell is None:
            return
        with contextlib.suppress(OSError):  # a system that starts no shell has no watchdog; all else works
            self._shell = subprocess.Popen(
                [shell, "-c", _WATCH, "ffzero-watchdog", *remove],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                bufsize=0,
            )

    def watch(self, pid: int) -> None:
        """Say which group to end."""
        self._tell(f"{pid}\n")

    def close(self) -> None:
        """Send it home: all is in order."""
        if self._shell is None:
            return
        # An empty line where no process was ever named, so that the word is the second one in either case.
        self._tell("done\ndone\n")
        with contextlib.suppress(OSError):
            self._stdin.close()
        shell, self._shell = self._shell, None
        shell.wait()

    def _tell(self, words: str) -> None:
        if self._shell is not None:
            with contextlib.suppress(OSError):
                self._stdin.write(words.encode("ascii"))

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._shell is not None
        assert self._shell.stdin is not None
        return self._shell.stdin


class ChildProcess:
    """A started program. ``wake`` is set at each sign of life (a read, an end), so that one loop can wait for all."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        watchdog: Watchdog,
        pass_fds: Sequence[int] = (),
        stdin: int | None = None,
        tail_bytes: int = 1 << 16,
    ) -> None:
        """Start it, without a shell; ``stdin`` is a descriptor, ``None`` the empty input.

        Raises ``OSError`` or ``ValueError`` where that cannot be.
        """
        self.stdout, self.stderr = Tail(tail_bytes), Tail(tail_bytes)
        self.wake = threading.Event()
        self._threads: list[threading.Thread] = []
        options: dict[str, Any] = {"start_new_session": True, "pass_fds": tuple(pass_fds)} if _POSIX else {}
        if not _POSIX:
            options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **options,
        )
        watchdog.watch(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def drain_output(self, on_stdout: Callable[[bytes], None], on_stderr: Callable[[bytes], None]) -> None:
        """Begin to read both streams; each function is called in a thread of its own."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.drain(self._process.stdout, on_stdout)
        self.drain(self._process.stderr, on_stderr)

    def drain(self, stream: IO[bytes], take: Callable[[bytes], None]) -> None:
        """Read ``stream`` to its end in a thread and close it."""
        thread = threading.Thread(target=self._read, args=(stream, take), name="ffzero-drain", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, stream: IO[bytes], take: Callable[[bytes], None]) -> None:
        try:
            with stream:
                while data := stream.read(_READ_BYTES):
                    take(data)
                    self.wake.set()
        except (OSError, ValueError):
            pass  # the stream broke: what came is what there is
        finally:
            self.wake.set()

    def poll(self, wait_s: float) -> int | None:
        """Wait for an end or a sign of life, at most ``wait_s``, and return the exit status once there is one."""
        if not self.is_read:
            self.wake.wait(wait_s)
            self.wake.clear()
            wait_s = 0
        try:
            return self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None

    @property
    def is_read(self) -> bool:
        """Whether all that it wrote was taken."""
        return not any(thread.is_alive() for thread in self._threads)

    def finish(self) -> None:
        """Wait for the rest of the output. A grandchild that holds the pipes open is not waited for."""
        for thread in self._threads:
            thread.join(_DRAIN_WAIT_S)

    def end(self, grace_s: float) -> None:
        """End the whole group: politely, and after ``grace_s`` for good. Returns when the program is gone."""
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(grace_s)
        finally:  # also where a second Ctrl-C interrupts the wait
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if _POSIX:
                os.killpg(self._process.pid, number)
            elif self._process.poll() is None:
                subprocess.run(
                    ["taskkill", "/F", "/T", "/PID", str(self._process.pid)], capture_output=True, check=False
                )
