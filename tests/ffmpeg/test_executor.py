"""Running FFmpeg: whole outputs or none, errors in words, and no process left whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from ffzero.errors import (
    CancelledError,
    FFmpegError,
    FFmpegNotFoundError,
    FFmpegTimeoutError,
    OutputError,
    OutputExistsError,
)
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.executor import ExecuteOptions, FFmpegExecutor
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.reporting import CancelToken, ProgressEvent
from support.media import ffmpeg_exe

posix = pytest.mark.skipif(os.name != "posix", reason="shell scripts and process groups")

SOURCE = ["-f", "lavfi", "-i", "testsrc2=d=1:s=64x64:r=25"]
ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25", "-c:v", "libx264", "-tune", "zerolatency"]


@pytest.fixture
def executor() -> FFmpegExecutor:
    return FFmpegExecutor(ffmpeg_exe())


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], FFmpegExecutor]:
    """Make an executor whose program answers -version as FFmpeg and else runs these lines of shell."""

    def make(script: str) -> FFmpegExecutor:
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo "ffmpeg version 9.0 fake" && exit\n{script}\n')
        program.chmod(0o755)
        return FFmpegExecutor(program, grace_s=0.3)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing hidden may be left."""
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder
    assert [path.name for path in folder.rglob(".ffzero*")] == []


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def running(words: str) -> list[int]:
    """Return the live processes whose command line contains these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if words.encode() in line and state != "Z":
                found.append(int(entry.name))
    return found


def gone(words: str) -> bool:
    deadline = time.monotonic() + 10
    while running(words):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestWell:
    def test_the_output_stands_under_its_name(self, executor: FFmpegExecutor, folder: Path) -> None:
        out = folder / "a b'\n.mp4"
        events: list[ProgressEvent] = []
        result = executor.execute([*SOURCE, "-c:v", "libx264", str(out)], duration_s=1, reporter=events.append)
        assert frames_in(out) == 25
        assert result.outputs == (str(out),)
        assert (result.returncode, result.frames) == (0, 25)
        assert result.size_bytes is not None and abs(result.size_bytes - out.stat().st_size) < 2000
        assert events[-1].details["percent"] == 100.0
        assert all(event.unit == "seconds" for event in events)

    def test_progress_is_told_while_it_runs(self, executor: FFmpegExecutor, folder: Path) -> None:
        events: list[tuple[float, ProgressEvent]] = []
        executor.execute(
            [*ENDLESS, "-t", "2", str(folder / "o.mkv")],
            duration_s=2,
            reporter=lambda event: events.append((time.monotonic(), event)),
        )
        told = (event.details["percent"] for _, event in events)
        percents = [percent for percent in told if percent is not None]  # FFmpeg may have no time to tell in between
        assert len(percents) >= 3
        assert percents == sorted(percents)
        assert events[-1][0] - events[0][0] > 0.4
        assert any(event.details["eta_s"] for _, event in events)

    def test_the_program_s_name_may_stand_first(self, executor: FFmpegExecutor, folder: Path) -> None:
        executor.execute(["ffmpeg", "-y", *SOURCE, str(folder / "o.mkv")])
        assert frames_in(folder / "o.mkv") == 25

    @posix
    def test_a_program_of_another_name(self, folder: Path, tmp_path: Path) -> None:
        link = tmp_path / "encoder"
        link.symlink_to(ffmpeg_exe())
        executor = FFmpegExecutor(link)
        executor.execute([executor.ffmpeg_path, *SOURCE, str(folder / "o.mkv")])
        assert frames_in(folder / "o.mkv") == 25

    @posix
    def test_devices_and_pipes_are_written_straight(self, executor: FFmpegExecutor, folder: Path) -> None:
        (folder / "null").symlink_to(os.devnull)
        executor.execute([*SOURCE, "-f", "mpegts", str(folder / "null")])
        assert os.readlink(folder / "null") == os.devnull
        assert executor.execute([*SOURCE, "-f", "mpegts", "/dev/stdout"]).stdout_tail

    def test_standard_output_is_not_disturbed(self, executor: FFmpegExecutor) -> None:
        result = executor.execute([*SOURCE, "-f", "framecrc", "-"])
        assert result.stdout_tail.count(b"\n0,") == 25
        assert b"progress=" not in result.stdout_tail
        assert result.outputs == ()

    def test_several_outputs(self, executor: FFmpegExecutor, folder: Path) -> None:
        result = executor.execute([*SOURCE, str(folder / "a.mkv"), "-t", "0.4", str(folder / "b.mkv")])
        assert (frames_in(folder / "a.mkv"), frames_in(folder / "b.mkv")) == (25, 10)
        assert len(result.outputs) == 2

    def test_an_input_may_be_replaced_by_its_own_output(self, executor: FFmpegExecutor, folder: Path) -> None:
        path = folder / "o.mkv"
        executor.execute([*SOURCE, str(path)])
        executor.execute(["-i", str(path), "-t", "0.4", str(path)], overwrite=True)
        assert frames_in(path) == 10

    @pytest.mark.parametrize(
        ("options", "name", "count"),
        [
            (["-c:v", "libx264", "-g", "5", "-hls_time", "0.2"], "o.m3u8", 6),
            (["-c:v", "libx264", "-g", "5", "-f", "segment", "-segment_time", "0.2"], "part%d.mkv", 5),
            ([], "picture%03d.png", 25),
            (["-c:v", "libx264", "-f", "dash"], "o.mpd", 3),
        ],
    )
    def test_outputs_of_several_files(
        self, executor: FFmpegExecutor, folder: Path, options: list[str], name: str, count: int
    ) -> None:
        executor.execute([*SOURCE, *options, str(folder / name)])
        assert len(list(folder.iterdir())) == count
        with pytest.raises(OutputExistsError):
            executor.execute([*SOURCE, *options, str(folder / name)])
        assert len(list(folder.iterdir())) == count

    def test_segments_named_by_an_option_come_along(self, executor: FFmpegExecutor, folder: Path) -> None:
        options = ["-c:v", "libx264", "-hls_segment_filename", str(folder / "s%d.ts")]
        executor.execute([*SOURCE, *options, str(folder / "o.m3u8")])
        assert sorted(path.name for path in folder.iterdir()) == ["o.m3u8", "s0.ts"]
        assert frames_in(folder / "o.m3u8") == 25


class TestCommands:
    @pytest.mark.parametrize("name", ["part 'one'.mkv", "a\nfile b\r.mkv"])
    def test_list_files_are_written_and_removed(
        self, executor: FFmpegExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        own = tmp_path / "tmp"
        own.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(own))
        part = folder / name
        executor.execute([*SOURCE, str(part)])
        command = FFmpegCommandBuilder().build_concat_command([part, part], folder / "o.mkv")
        assert command.files
        executor.execute(command)
        assert frames_in(folder / "o.mkv") == 50
        assert list(own.iterdir()) == []

    def test_the_command_s_warnings_come_with_the_result(self, executor: FFmpegExecutor, folder: Path) -> None:
        executor.execute([*SOURCE, str(folder / "i.mkv")])
        settings = FFmpegSettings(preset="ultrafast", extra_args={"tune": "nothing"})
        command = FFmpegCommandBuilder(settings).build_cut_command(folder / "i.mkv", folder / "o.mkv")
        assert executor.execute(command).warnings == ("libx264 has no tune 'nothing': left out",)
        assert executor.execute(command.argv(), overwrite=True).warnings == ()

    def test_both_forms_take_the_same(self) -> None:
        parameters = inspect.signature(FFmpegExecutor.execute).parameters.values()
        named = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
        assert named == set(ExecuteOptions.__annotations__)

    def test_what_ffmpeg_says_of_its_output_comes_with_the_result(self, executor: FFmpegExecutor, folder: Path) -> None:
        result = executor.execute([*SOURCE, "-c:v", "libvpx", "-t", "0.2", str(folder / "o.ts")])
        assert result.warnings == ("MPEG transport streams know no vp8: players will not find it",)

    def test_the_command_s_own_overwrite_counts(self, executor: FFmpegExecutor, folder: Path) -> None:
        executor.execute([*SOURCE, str(folder / "i.mkv")])
        (folder / "o.mkv").write_bytes(b"old")
        command = FFmpegCommandBuilder().build_cut_command(folder / "i.mkv", folder / "o.mkv")
        with pytest.raises(OutputExistsError):
            executor.execute(command)
        executor.execute(dataclasses.replace(command, overwrite=True))
        assert frames_in(folder / "o.mkv") == 25

    @pytest.mark.parametrize(("operation", "name"), [("hls", "o.m3u8"), ("dash", "o.mpd"), ("thumbnail", "100%d.png")])
    def test_operations_whose_outputs_are_special(
        self, executor: FFmpegExecutor, folder: Path, operation: str, name: str
    ) -> None:
        executor.execute([*SOURCE, "-c:v", "libx264", str(folder / "i.mp4")])
        command = FFmpegCommandBuilder().build_command(
            operation, input_path=folder / "i.mp4", output_path=folder / name
        )
        assert executor.execute(command).outputs == (str(folder / name),)
        assert (folder / name).stat().st_size > 0


class TestRefused:
    def test_an_existing_output_before_anything_runs(self, folder: Path, executor: FFmpegExecutor) -> None:
        (folder / "o.mp4").write_bytes(b"mine")
        with pytest.raises(OutputExistsError):
            executor.execute([*SOURCE, "-y", str(folder / "o.mp4")])
        assert (folder / "o.mp4").read_bytes() == b"mine"

    def test_a_folder_that_is_not_there(self, executor: FFmpegExecutor, folder: Path) -> None:
        with pytest.raises(OutputError, match="the folder does not exist"):
            executor.execute([*SOURCE, str(folder / "no" / "o.mp4")])

    def test_no_such_program(self) -> None:
        with pytest.raises(FFmpegNotFoundError):
            FFmpegExecutor("/no/such/ffmpeg").execute(["-version"])

    def test_a_cancelled_job_does_not_start(self, executor: FFmpegExecutor, folder: Path) -> None:
        token = CancelToken()
        token.cancel()
        with pytest.raises(CancelledError):
            executor.execute([*SOURCE, str(folder / "o.mp4")], cancel=token)
        assert list(folder.iterdir()) == []


class TestFailures:
    @pytest.mark.parametrize(
        ("arguments", "cause"),
        [
            (["-i", "no such.mp4", "-c", "copy"], "the input 'no such.mp4' does not exist"),
            ([*SOURCE, "-c:v", "libnothing"], "this FFmpeg has no encoder 'libnothing'"),
            ([*SOURCE, "-vf", "nothing"], "this FFmpeg has no filter 'nothing'"),
            ([*SOURCE, "-vf", "scale=nothing=3"], "the filter 'scale' has no option 'nothing'"),
            ([*SOURCE, "-nothing", "3"], "FFmpeg knows no option 'nothing'"),
            ([*SOURCE, "-map", "0:a"], "no such stream in the input: 0:a"),
            ([*SOURCE, "-t", "soon"], "'soon' is no time (option 't')"),
            ([*SOURCE, "-s", "63x63", "-c:v", "libx264", "-pix_fmt", "yuv420p"], "not divisible by 2 (63x63)"),
            ([*SOURCE, "-c:v", "libx264", "-preset", "hasty"], "the encoder has no such preset"),
            ([*SOURCE, "-f", "nothing"], "this FFmpeg has no format 'nothing'"),
            (["-protocol_whitelist", "file", "-i", "http://x.invalid/y"], "the protocol 'http' is not allowed"),
        ],
    )
    def test_the_cause_in_words(self, executor: FFmpegExecutor, folder: Path, arguments: list[str], cause: str) -> None:
        with pytest.raises(FFmpegError) as caught:
            executor.execute([*arguments, str(folder / "o.mp4")])
        error = caught.value
        assert cause in error.cause
        assert error.hint
        assert error.returncode
        assert error.stderr_tail
        assert error.argv[0] == ffmpeg_exe()
        assert list(folder.iterdir()) == []
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.cause, again.argv) == (str(error), error.cause, error.argv)

    def test_an_input_that_is_no_media(self, executor: FFmpegExecutor, folder: Path) -> None:
        (folder / "in").write_bytes(random.Random(7).randbytes(5000))
        with pytest.raises(FFmpegError) as caught:
            executor.execute(["-i", str(folder / "in"), str(folder / "o.mp4")])
        assert caught.value.cause == "the input is damaged, or no media file"

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
    def test_a_full_disk(self, executor: FFmpegExecutor) -> None:
        with pytest.raises(FFmpegError) as caught:
            executor.execute([*SOURCE, "-c:v", "libx264", "-f", "mp4", "/dev/full"])
        assert caught.value.cause == "the disk is full"

    def test_nothing_written_is_no_success(self, executor: FFmpegExecutor, folder: Path) -> None:
        with pytest.raises(FFmpegError, match="nothing was written"):
            executor.execute([*SOURCE, "-ss", "9", "-f", "rawvideo", str(folder / "o.yuv")])
        assert list(folder.iterdir()) == []

    def test_no_picture_of_many_is_no_success(self, executor: FFmpegExecutor, folder: Path) -> None:
        with pytest.raises(FFmpegError, match="nothing was written"):
            executor.execute([*SOURCE, "-ss", "9", str(folder / "p%d.png")])
        assert list(folder.iterdir()) == []

    def test_what_stood_there_stays(self, executor: FFmpegExecutor, folder: Path) -> None:
        (folder / "o.mp4").write_bytes(b"mine")
        with pytest.raises(FFmpegError):
            executor.execute([*SOURCE, "-c:v", "libnothing", str(folder / "o.mp4")], overwrite=True)
        assert (folder / "o.mp4").read_bytes() == b"mine"


@posix
class TestStrangePrograms:
    def test_a_gigabyte_on_stderr(self, fake: Callable[[str], FFmpegExecutor]) -> None:
        noisy = fake("yes 'frame dropped' | head -c 1000000000 >&2; echo 'No space left on device' >&2; exit 1")
        with pytest.raises(FFmpegError) as caught:
            noisy.execute(["-f", "null", "-"])
        assert caught.value.cause == "the disk is full"
        assert len(caught.value.stderr_tail) <= 1 << 16

    def test_a_flood_on_stdout_and_progress(self, fake: Callable[[str], FFmpegExecutor]) -> None:
        events: list[ProgressEvent] = []
        fake('head -c 30000000 /dev/zero; head -c 30000000 /dev/urandom >"/dev/fd/${2#pipe:}"').execute(
            ["-f", "null", "-"], reporter=events.append
        )
        assert len(events) < 10_000

    def test_one_that_hangs_and_ignores_sigterm(self, fake: Callable[[str], FFmpegExecutor], tmp_path: Path) -> None:
        hanging = fake("trap '' TERM; while :; do sleep 0.1; done")
        began = time.monotonic()
        with pytest.raises(FFmpegTimeoutError, match=r"did not end within 0\.2 s"):
            hanging.execute(["-f", "null", "-"], timeout_s=0.2)
        assert time.monotonic() - began < 5
        assert gone(str(tmp_path / "bin"))

    def test_its_children_end_with_it(self, fake: Callable[[str], FFmpegExecutor]) -> None:
        with pytest.raises(TimeoutError):
            fake("sleep 86413 & sleep 86413; wait").execute(["-f", "null", "-"], timeout_s=0.2)
        assert gone("86413")

    def test_a_grandchild_that_holds_the_pipes_is_not_waited_for(self, fake: Callable[[str], FFmpegExecutor]) -> None:
        began = time.monotonic()
        fake("sleep 8 & exit 0").execute(["-f", "null", "-"])
        assert time.monotonic() - began < 6

    def test_ended_by_a_signal(self, fake: Callable[[str], FFmpegExecutor]) -> None:
        with pytest.raises(FFmpegError, match="ended by SIGKILL") as caught:
            fake("kill -9 $$").execute(["-f", "null", "-"])
        assert caught.value.returncode == -9

    def test_one_that_says_nothing(self, fake: Callable[[str], FFmpegExecutor], folder: Path) -> None:
        with pytest.raises(FFmpegError, match="it said nothing about why"):
            fake("exit 3").execute(["-i", "x", str(folder / "o.mp4")])


@posix
class TestStopped:
    def test_cancelled_from_another_thread(self, executor: FFmpegExecutor, folder: Path) -> None:
        token = CancelToken()
        threading.Timer(0.5, token.cancel).start()
        with pytest.raises(CancelledError):
            executor.execute([*ENDLESS, str(folder / "o.mkv")], cancel=token)
        assert list(folder.iterdir()) == []
        assert gone(str(folder))

    def test_a_reporter_that_raises_stops_it(self, executor: FFmpegExecutor, folder: Path) -> None:
        def reporter(event: ProgressEvent) -> None:
            raise LookupError("enough")

        with pytest.raises(LookupError, match="enough"):
            executor.execute([*ENDLESS, str(folder / "o.mkv")], reporter=reporter)
        assert list(folder.iterdir()) == []
        assert gone(str(folder))

    def test_timeout_of_the_executor(self, folder: Path) -> None:
        with pytest.raises(FFmpegTimeoutError):
            FFmpegExecutor(ffmpeg_exe(), timeout_s=0.5).execute([*ENDLESS, str(folder / "o.mkv")])
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_killing_python_leaves_nothing(self, folder: Path, number: signal.Signals) -> None:
        code = (
            "import sys; from ffzero.ffmpeg.executor import FFmpegExecutor\n"
            "def told(event): print('running', flush=True)\n"
            "FFmpegExecutor(sys.argv[1]).execute(sys.argv[2:], reporter=told)"
        )
        source = str(Path(__file__).parents[2] / "src")
        process = subprocess.Popen(
            [sys.executable, "-c", code, ffmpeg_exe(), *ENDLESS, str(folder / "o.mkv")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": source},
        )
        assert process.stdout is not None
        with process.stdout as output:
            assert output.readline() == b"running\n"
            assert running(str(folder))
            process.send_signal(number)
            process.wait(20)
        assert gone(str(folder))
        assert list(folder.iterdir()) == []


@posix
class TestAsync:
    def test_it_runs_beside_others(self, executor: FFmpegExecutor, folder: Path) -> None:
        async def both() -> list[int]:
            jobs = [executor.execute_async([*SOURCE, str(folder / f"{n}.mkv")]) for n in range(2)]
            return [result.returncode for result in await asyncio.gather(*jobs)]

        assert asyncio.run(both()) == [0, 0]
        assert len(list(folder.iterdir())) == 2

    def test_errors_come_through(self, executor: FFmpegExecutor, folder: Path) -> None:
        with pytest.raises(FFmpegError, match="no encoder"):
            asyncio.run(executor.execute_async([*SOURCE, "-c:v", "libnothing", str(folder / "o.mkv")]))

    def test_a_cancelled_task_ends_the_process_first(self, executor: FFmpegExecutor, folder: Path) -> None:
        async def cancelled() -> None:
            task = asyncio.create_task(executor.execute_async([*ENDLESS, str(folder / "o.mkv")]))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert list(folder.iterdir()) == []
            assert not running(str(folder))

        asyncio.run(cancelled())

    def test_a_cancelled_task_leaves_the_caller_s_token_alone(self, executor: FFmpegExecutor, folder: Path) -> None:
        token = CancelToken()

        async def cancelled() -> None:
            task = asyncio.create_task(executor.execute_async([*ENDLESS, str(folder / "o.mkv")], cancel=token))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        assert not token.cancelled
        token.cancel()
        with pytest.raises(CancelledError):
            asyncio.run(executor.execute_async([*ENDLESS, str(folder / "o.mkv")], cancel=token))

    def test_a_time_out_of_asyncio(self, executor: FFmpegExecutor, folder: Path) -> None:
        async def limited() -> None:
            async with asyncio.timeout(0.5):
                await executor.execute_async([*ENDLESS, str(folder / "o.mkv")])

        with pytest.raises(TimeoutError):
            asyncio.run(limited())
        assert list(folder.iterdir()) == []
