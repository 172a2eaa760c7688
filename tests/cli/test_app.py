"""What every command keeps to: exit status, one line or one object for an error, and never a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffzero import __version__, errors
from ffzero.cli import run
from support.command_line import FakeEngine, call

SRC = Path(__file__).parents[2] / "src"


class TestUsage:
    def test_version(self) -> None:
        outcome = call("--version")
        assert (outcome.status, outcome.out, outcome.err) == (0, f"ffzero {__version__}\n", "")

    @pytest.mark.parametrize(
        "command", ["inspect", "cut", "concat", "transcode", "thumbnail", "gif", "audio", "run", "demo"]
    )
    def test_help_of_each_command(self, command: str) -> None:
        outcome = call(command, "--help")
        assert outcome.status == 0
        assert outcome.out.startswith(f"Usage: ffzero {command} ")
        assert outcome.err == ""

    def test_the_list_of_commands_loads_none_of_them(self) -> None:
        code = (
            "import io, sys; from ffzero.cli import run; out = io.StringIO(); run(['--help'], out, out);"
            "print('numpy' in sys.modules, 'ffzero.cli.cut' in sys.modules, 'transcode' in out.getvalue())"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert shown.stdout == "False False True\n"

    def test_without_a_command_the_help_is_shown_as_a_mistake(self) -> None:
        outcome = call()
        assert outcome.status == 2
        assert outcome.out == ""
        assert "Commands:" in outcome.err

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["frobnicate"], "No such command 'frobnicate'. Did you mean 'concat'? See: ffzero --help"),
            (["cut"], "Missing argument 'INPUT'. See: ffzero cut --help"),
            (["cut", "a", "--qqqq"], "No such option '--qqqq'. See: ffzero cut --help"),
            (["concat", "-o", "x"], "Missing argument 'INPUT...'. See: ffzero concat --help"),
            (["cut", "a", "-o"], "Option '-o' requires an argument. See: ffzero cut --help"),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(self, argv: list[str], message: str) -> None:
        outcome = call(*argv)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.message == f"ffzero: error: {message}"

    def test_a_mistake_as_json(self) -> None:
        outcome = call("cut", "--json")
        assert (outcome.status, outcome.err) == (2, "")
        assert outcome.object["error"]["type"] == "UsageError"
        assert outcome.object["error"]["message"] == "Missing argument 'INPUT'"

    def test_json_after_the_dashes_is_a_name(self, engine: FakeEngine) -> None:
        engine.failure = errors.SourceNotFoundError("there is no such file", path="--json")
        outcome = call("inspect", "--", "--json")
        assert outcome.message == "ffzero: error: --json: there is no such file"


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.SourceNotFoundError("there is no such file", path="a.mp4"), 1),
            (errors.TruncatedError("ends early", path="a.mp4", offset_bytes=8), 1),
            (errors.TimeRangeError("outside the movie"), 2),
            (errors.OutputExistsError("exists", path="b.mp4", hint="Use -y"), 2),
            (errors.RenderRequiredError("3 frames must be coded"), 1),
        ],
    )
    def test_foreseen(self, engine: FakeEngine, error: errors.FFZeroError, status: int) -> None:
        engine.failure = error
        outcome = call("inspect", "a.mp4")
        assert (outcome.status, outcome.out) == (status, "")
        assert outcome.message == f"ffzero: error: {error}"

    def test_foreseen_as_json(self, engine: FakeEngine) -> None:
        engine.failure = errors.InvalidDataError(
            "bad box", path="a.mp4", offset_bytes=8, box_path="moov", expected=8, found=b"x", hint="Try again"
        )
        outcome = call("inspect", "a.mp4", "--json")
        assert (outcome.status, outcome.err) == (1, "")
        assert outcome.object == {
            "error": {
                "type": "InvalidDataError",
                "message": "bad box",
                "hint": "Try again",
                "path": "a.mp4",
                "offset_bytes": 8,
                "box_path": "moov",
                "expected": "8",
                "found": "b'x'",
            }
        }

    @pytest.mark.parametrize("error", [KeyError("x\ny"), RecursionError(), MemoryError(), OSError(5, "I/O error")])
    def test_unforeseen(self, engine: FakeEngine, error: Exception) -> None:
        engine.failure = error
        outcome = call("inspect", "a.mp4")
        assert outcome.status == 1
        assert outcome.message.startswith(f"ffzero: error: internal error: {type(error).__name__}")
        assert "report" in outcome.message

    def test_unforeseen_as_json(self, engine: FakeEngine) -> None:
        engine.failure = ZeroDivisionError("division by zero")
        outcome = call("inspect", "a.mp4", "--json")
        assert outcome.status == 1
        assert outcome.object["error"]["message"] == "internal error: ZeroDivisionError: division by zero"

    def test_the_traceback_is_there_for_those_who_ask(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FFZERO_DEBUG", "1")
        engine.failure = ZeroDivisionError("division by zero")
        assert "Traceback (most recent call last)" in call("inspect", "a.mp4").err

    def test_ctrl_c(self, engine: FakeEngine) -> None:
        engine.failure = KeyboardInterrupt()
        outcome = call("inspect", "a.mp4")
        assert (outcome.status, outcome.message) == (130, "ffzero: interrupted")


class TestStreams:
    def test_a_broken_pipe_is_quiet(self, engine: FakeEngine) -> None:
        class Gone(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError(32, "Broken pipe")

        stderr = io.StringIO()
        assert run(["inspect", "a.mp4"], Gone(), stderr) == 1
        assert run(["--help"], Gone(), stderr) == 1
        assert stderr.getvalue() == ""

    def test_a_full_disk_behind_stdout_is_told(self, engine: FakeEngine) -> None:
        class Full(io.StringIO):
            def flush(self) -> None:
                raise OSError(28, "No space left on device")

        stderr = io.StringIO()
        assert run(["inspect", "a.mp4"], Full(), stderr) == 1
        assert stderr.getvalue() == "ffzero: error: cannot write to standard output: No space left on device\n"

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_any_name_in_any_encoding(self, engine: FakeEngine, encoding: str) -> None:
        name = "é🎬\udcff\n\x1b[2J.mp4"
        engine.failure = errors.SourceNotFoundError("there is no such file", path=name)
        for stream in ("stdout", "stderr"):
            stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
            stderr = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
            json_option = ["--json"] if stream == "stdout" else []
            assert run(["inspect", name, *json_option], stdout, stderr) == 1
            written = {"stdout": stdout, "stderr": stderr}[stream].buffer.getvalue()  # type: ignore[attr-defined]
            assert b"there is no such file" in written
            assert b"\x1b" not in written

    @pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
    @pytest.mark.parametrize("command", ["--help", "inspect no-such-file 2>&1"])
    def test_a_reader_that_leaves(self, command: str) -> None:
        shell = f"'{sys.executable}' -m ffzero {command} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=environment())
        assert done.stderr == ""
        assert done.stdout.strip() in ("0", "1")

    @pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
    def test_closed_streams(self) -> None:
        shell = f"'{sys.executable}' -m ffzero --version >&- 2>&-; echo $?"
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=environment())
        assert done.stdout == "0\n"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC)}
