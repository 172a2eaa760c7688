"""Temporary and memory files, maps and frame arrays: what they hold, what they cost, and that nothing is left."""

from __future__ import annotations

import gc
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from ffzero.errors import InvalidDataError, MemoryLimitError, SourceNotFoundError, TimeRangeError, UsageError
from ffzero.ffmpeg import memory_file
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.mapping import MemoryMapEngine
from ffzero.ffmpeg.memory import FFmpegMemHandler
from ffzero.ffmpeg.settings import FFmpegSettings
from support.media import ffmpeg_exe

linux = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
FRAMES, WIDTH, HEIGHT = 150, 66, 48


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the test's own; nothing may be left there, nor anything of ours in shared memory."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = shared_memory()
    yield folder
    assert list(folder.iterdir()) == []
    assert shared_memory() <= before


def shared_memory() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if "ffzero" in name} if os.path.isdir("/dev/shm") else set()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """B-frames, keyframes every 50 frames, and a width whose rows are padded in memory."""
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    source = f"testsrc2=s={WIDTH}x{HEIGHT}:r=25:d={FRAMES / 25}"
    words = ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-g", "50", "-bf", "3", "-pix_fmt", "yuv420p"]
    FFmpegExecutor(ffmpeg_exe()).execute([*words, str(path)])
    return path


@pytest.fixture(scope="module")
def pictures(video: Path) -> np.ndarray:
    with av.open(str(video)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


class TestTemporaryFiles:
    @posix
    def test_only_the_owner_may_look(self, places: Path) -> None:
        previous = os.umask(0)
        try:
            with FFmpegMemHandler() as handler:
                path = handler.create_temp_file(".mp4", data=b"secret")
                assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
                assert stat.S_IMODE(os.stat(handler.temp_folder).st_mode) == 0o700
                assert Path(path).read_bytes() == b"secret"
                assert path.endswith(".mp4")
        finally:
            os.umask(previous)

    def test_names_do_not_repeat(self, places: Path) -> None:
        with FFmpegMemHandler() as handler:
            assert len({handler.create_temp_file() for _ in range(50)}) == 50
            assert handler.get_stats().temp_files == 50

    def test_nothing_is_made_before_it_is_needed(self, places: Path) -> None:
        with FFmpegMemHandler() as handler:
            assert list(places.iterdir()) == []
            assert handler.get_stats().temp_files == 0

    @pytest.mark.parametrize("suffix", ["/../x", "a/b", "x\0"])
    def test_a_suffix_names_no_other_place(self, places: Path, suffix: str) -> None:
        with FFmpegMemHandler() as handler, pytest.raises(UsageError):
            handler.create_temp_file(suffix)

    def test_only_its_own_files_are_removed(self, places: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.write_bytes(b"x")
        with FFmpegMemHandler() as handler:
            path = handler.create_temp_file()
            handler.remove_temp_file(path)
            handler.remove_temp_file(path)
            with pytest.raises(UsageError):
                handler.remove_temp_file(mine)
        assert mine.exists()

    def test_usable_again_after_cleanup(self, places: Path) -> None:
        handler = FFmpegMemHandler()
        handler.create_temp_file()
        handler.cleanup()
        handler.cleanup()
        assert os.path.exists(handler.create_temp_file())
        handler.cleanup()


class TestNothingIsLeft:
    def test_after_an_exception(self, places: Path) -> None:
        with pytest.raises(RuntimeError), FFmpegMemHandler() as handler:
            handler.create_temp_file(data=bytes(1000))
            handler.create_memory_file(data=bytes(1000))
            raise RuntimeError("in the middle")

    def test_when_it_is_forgotten(self, places: Path) -> None:
        handler = FFmpegMemHandler()
        handler.create_temp_file()
        handler.create_memory_file(data=b"x")
        before = open_descriptors()
        del handler
        gc.collect()
        assert open_descriptors() < before

    @posix
    @pytest.mark.parametrize("ending", ["exit", "raise", signal.SIGTERM, signal.SIGKILL])
    def test_when_python_ends(self, places: Path, ending: str | signal.Signals) -> None:
        code = (
            "import sys, time; from ffzero.ffmpeg.memory import FFmpegMemHandler\n"
            "handler = FFmpegMemHandler(temp_dir=sys.argv[1]); handler.create_temp_file(data=b'x')\n"
            "print('made', flush=True); sys.stdin.readline()\n"
            "if sys.argv[2] == 'raise': raise RuntimeError\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(places), str(ending)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        )
        assert process.stdin is not None and process.stdout is not None
        with process.stdin, process.stdout:
            assert process.stdout.readline() == b"made\n"
            assert len(list(places.iterdir())) == 1
            if isinstance(ending, signal.Signals):
                process.send_signal(ending)
            else:
                process.stdin.write(b"\n")
                process.stdin.flush()
            process.wait(20)
        deadline = time.monotonic() + 10
        while list(places.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_forked_child_takes_nothing_from_its_parent(self, places: Path) -> None:
        code = (
            "import os, sys; from ffzero.ffmpeg.memory import FFmpegMemHandler\n"
            "handler = FFmpegMemHandler(temp_dir=sys.argv[1]); path = handler.create_temp_file()\n"
            "pid = os.fork()\n"
            "if pid == 0: handler.cleanup(); sys.exit(0)\n"
            "os.waitpid(pid, 0); assert os.path.exists(path)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(places)],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        )
        assert done.returncode == 0, done.stderr


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


class TestMemoryFiles:
    def test_reads_what_was_written(self, places: Path) -> None:
        with FFmpegMemHandler() as handler:
            file = handler.create_memory_file(data=b"0123456789")
            file.write(b"ab", 4)
            assert (file.read(), file.read(3, 4), file.size_bytes) == (b"0123ab6789", b"3ab6", 10)
            with pytest.raises(UsageError):
                file.read(8, 4)
        assert file.closed
        with pytest.raises(ValueError, match="closed"):
            file.fd  # noqa: B018 - asking for it is the test

    @linux
    def test_an_intermediate_never_touches_a_disk(self, places: Path, video: Path, tmp_path: Path) -> None:
        executor = FFmpegExecutor(ffmpeg_exe())
        out = tmp_path / "o.mkv"
        with FFmpegMemHandler() as handler:
            middle = handler.create_memory_file(suffix=".mp4")
            to_memory = ["-i", str(video), "-c", "copy", "-f", "mp4", *middle.output_arguments()]
            executor.execute(to_memory, pass_fds=[middle.fd])
            assert os.readlink(middle.path).startswith("/memfd:")  # it is the kernel's memory, and was not replaced
            assert middle.read(4, 4) == b"ftyp"
            assert list(places.rglob("*")) == []
            executor.execute([*middle.input_arguments(), "-c", "copy", str(out)], pass_fds=[middle.fd])
            assert handler.get_stats().memory_bytes == middle.size_bytes > 1000
        with av.open(str(out)) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAMES

    @linux
    def test_commands_take_memory_files_as_they_are(self, places: Path, video: Path) -> None:
        executor, builder = FFmpegExecutor(ffmpeg_exe(), timeout_s=30), FFmpegCommandBuilder()
        settings = FFmpegSettings(preset="ultrafast", extra_args={"movflags": "faststart"})
        with FFmpegMemHandler() as handler:
            first, second = handler.create_memory_file(suffix=".mkv"), handler.create_memory_file(suffix=".mp4")
            executor.execute(builder.build_command("transcode", input_path=video, output_path=first))
            command = builder.build_command("transcode", input_path=first, output_path=second, settings=settings)
            assert executor.execute(command).warnings == ()
            assert (first.read(0, 4), second.read(4, 4)) == (b"\x1aE\xdf\xa3", b"ftyp")
            assert handler.map_video_frames(second).shape[0] == FRAMES
            assert list(places.rglob("*")) == []

    @posix
    def test_ffmpeg_s_own_descriptor_protocol(
        self, places: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory_file, "_PROC_FD", str(tmp_path / "no proc here"))
        executor = FFmpegExecutor(ffmpeg_exe())
        with FFmpegMemHandler() as handler:
            middle = handler.create_memory_file()
            words = ["-i", str(video), "-c", "copy", "-f", "mp4", *middle.output_arguments()]
            assert words[-3:] == ["-fd", str(middle.fd), "fd:"]
            executor.execute(words, pass_fds=[middle.fd])
            result = executor.execute(
                [*middle.input_arguments(), "-c", "copy", "-f", "framecrc", "-"], pass_fds=[middle.fd]
            )
            assert result.stdout_tail.count(b"\n0,") == FRAMES

    def test_the_limit_holds_for_all_together(self, places: Path) -> None:
        with FFmpegMemHandler(memory_limit_bytes=1000) as handler:
            first = handler.create_memory_file(data=bytes(600))
            with pytest.raises(MemoryLimitError, match="at most 1000 bytes") as caught:
                handler.create_memory_file(size_bytes=401)
            assert isinstance(caught.value, MemoryError)
            first.close()
            handler.create_memory_file(size_bytes=1000)
            stats = handler.get_stats()
            assert (stats.memory_files, stats.memory_bytes, stats.memory_peak_bytes) == (1, 1000, 1000)


class TestMaps:
    def test_a_map_is_read_only_and_not_a_copy(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(range(200)))
        with MemoryMapEngine() as engine:
            view = engine.map(path, offset_bytes=10, length_bytes=5)
            assert bytes(view) == bytes(range(10, 15))
            assert view.readonly
            array = engine.array(path, dtype=">u2", shape=(4, 5), offset_bytes=20)
            assert array[0, 0] == 20 * 256 + 21
            assert not array.flags.writeable
            with open(path, "r+b") as file:
                file.seek(10)
                file.write(b"\xff")
            assert view[0] == 0xFF
            assert engine.array(path, dtype="u4").shape == (50,)

    def test_the_least_recently_used_goes_first(self, tmp_path: Path) -> None:
        for name in "abc":
            (tmp_path / name).write_bytes(name.encode() * 100)
        with MemoryMapEngine(limit_bytes=250) as engine:
            kept = engine.map(tmp_path / "a")
            engine.map(tmp_path / "b")
            engine.map(tmp_path / "a")
            engine.map(tmp_path / "c")  # b goes
            engine.map(tmp_path / "a")
            stats = engine.get_stats()
            assert (stats.maps, stats.mapped_bytes, stats.hits, stats.misses, stats.evictions) == (2, 200, 2, 3, 1)
            engine.map(tmp_path / "b")
            engine.map(tmp_path / "c")
            assert bytes(kept) == b"a" * 100  # given up, but still held here

    def test_a_changed_file_is_mapped_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"old")
        with MemoryMapEngine() as engine:
            old = engine.map(path)
            (tmp_path / "g").write_bytes(b"newer")
            os.replace(tmp_path / "g", path)
            assert (bytes(old), bytes(engine.map(path))) == (b"old", b"newer")
            assert engine.get_stats().maps == 1

    def test_errors(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(100))
        (tmp_path / "empty").write_bytes(b"")
        with MemoryMapEngine(limit_bytes=50) as engine:
            with pytest.raises(MemoryLimitError):
                engine.map(path)
            with pytest.raises(SourceNotFoundError):
                engine.map(tmp_path / "none")
            with pytest.raises(OSError, match="cannot be mapped"):
                engine.map(tmp_path)
            with pytest.raises(UsageError):
                engine.map(tmp_path / "empty", length_bytes=1)
            assert len(engine.map(tmp_path / "empty")) == 0

    def test_memmap_arrays_of_a_handler(self, places: Path) -> None:
        with FFmpegMemHandler() as handler:
            array = handler.create_memmap((10, 4), "float32")
            assert isinstance(array, np.memmap)
            array[3] = 1.5
            array.flush()
            again = handler.map_array(str(array.filename), dtype="float32", shape=(10, 4))
            assert again[3].tolist() == [1.5] * 4
            del array, again

    def test_arrays_in_memory(self, places: Path) -> None:
        with FFmpegMemHandler(memory_limit_bytes=4000) as handler:
            array = handler.create_array((10, 10), "float64")
            array += 1
            assert array.sum() == 100
            with pytest.raises(MemoryLimitError):
                handler.create_array((1000, 1000), "float64")
            part = array[2]
            del array
            gc.collect()
            assert handler.get_stats().memory_bytes == 800  # a view keeps it
            del part
            gc.collect()
            assert (handler.get_stats().memory_bytes, handler.get_stats().memory_peak_bytes) == (0, 800)


class TestVideoFrames:
    @pytest.mark.parametrize(("start", "count"), [(0, None), (0, 1), (7, 5), (99, 3), (130, None), (149, 1), (64, 50)])
    def test_exactly_these_frames(
        self, places: Path, video: Path, pictures: np.ndarray, start: int, count: int | None
    ) -> None:
        with FFmpegMemHandler() as handler:
            frames = handler.map_video_frames(video, start, count)
            assert frames.dtype == np.uint8
            expected = pictures[start:] if count is None else pictures[start : start + count]
            assert frames.shape == (len(expected), HEIGHT, WIDTH, 3)
            assert np.array_equal(frames, expected)
            assert handler.get_stats().memory_bytes == frames.nbytes
        assert np.array_equal(frames, expected)  # after cleanup too

    def test_no_frames_asked_for(self, places: Path, video: Path) -> None:
        with FFmpegMemHandler() as handler:
            assert handler.map_video_frames(video, 0, 0).shape == (0, HEIGHT, WIDTH, 3)

    @pytest.mark.parametrize(("start", "count"), [(150, None), (149, 2), (0, 151), (9999, 1)])
    def test_frames_that_are_not_there(self, places: Path, video: Path, start: int, count: int | None) -> None:
        with FFmpegMemHandler() as handler, pytest.raises(TimeRangeError, match="150 frames"):
            handler.map_video_frames(video, start, count)

    @pytest.mark.parametrize(("start", "count"), [(-1, None), (0, -1), (1.5, None), (True, None)])
    def test_no_frame_numbers(self, places: Path, video: Path, start: object, count: object) -> None:
        with FFmpegMemHandler() as handler, pytest.raises(UsageError):
            handler.map_video_frames(video, start, count)  # type: ignore[arg-type]  # wrong on purpose

    @pytest.mark.parametrize("count", [100, None])
    def test_more_than_the_memory_allowed(self, places: Path, video: Path, count: int | None) -> None:
        with FFmpegMemHandler(memory_limit_bytes=50 * WIDTH * HEIGHT * 3) as handler:
            with pytest.raises(MemoryLimitError, match="fewer frames"):
                handler.map_video_frames(video, 0, count)
            assert handler.get_stats().memory_bytes == 0
            assert len(handler.map_video_frames(video, 0, 50)) == 50

    def test_inputs_that_are_no_video(self, places: Path, tmp_path: Path) -> None:
        (tmp_path / "noise.mp4").write_bytes(random.Random(7).randbytes(4000))
        sound = tmp_path / "s.wav"
        FFmpegExecutor(ffmpeg_exe()).execute(["-f", "lavfi", "-i", "sine=d=0.1", str(sound)])
        before = open_descriptors()
        with FFmpegMemHandler() as handler:
            with pytest.raises(SourceNotFoundError):
                handler.map_video_frames(tmp_path / "none.mp4")
            with pytest.raises(InvalidDataError):
                handler.map_video_frames(tmp_path / "noise.mp4")
            with pytest.raises(InvalidDataError, match="no video"):
                handler.map_video_frames(sound)
        assert open_descriptors() == before

    @linux
    def test_the_frames_lie_in_memory_without_a_name(self, places: Path, video: Path) -> None:
        with FFmpegMemHandler() as handler:
            frames = handler.map_video_frames(video, 0, 10)
            assert list(places.iterdir()) == []
            assert "/memfd:ffzero" in Path("/proc/self/maps").read_text()
            frames[0] = 0
            del frames
            gc.collect()
            assert "/memfd:ffzero" not in Path("/proc/self/maps").read_text()
