"""Renders on engines: the same file whoever codes, whatever dies, and nothing left behind."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ffzero
from ffzero.edits import chunk_jobs
from ffzero.edits.chunk_jobs import is_framewise, split_job
from ffzero.engines.chunks import Desk, Unit, run_units, work_folder
from ffzero.engines.opening import open_engine
from ffzero.errors import CancelledError, DiskFullError, EngineError, SourceChangedError, UsageError
from ffzero.reporting import CancelToken, ProgressEvent
from support import stages
from support.encoding import ffmpeg

FRAMES = 150


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with a key picture each second, and sound."""
    path = tmp_path_factory.mktemp("engines") / "in.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=6", "-f", "lavfi", "-i", "sine=duration=6"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2", "-c:a", "aac", "-shortest"]
    ffmpeg(*source, *coding, str(path))
    return path


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_jobs, "PART_FRAMES", 40)
    # What workers import is found by this process's path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


@pytest.fixture(scope="module")
def expected(video: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of what one process makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk_jobs, "PART_FRAMES", 40)
        out = tmp_path_factory.mktemp("one") / "out.mp4"
        return digest(ffzero.open(video)[:].apply(stages.invert).write(out))


def digest(path: object) -> str:
    return hashlib.sha256(Path(str(path)).read_bytes()).hexdigest()


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def children() -> set[str]:
    """The processes that this one started, directly, and that are not waiting to be asked for their status."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(entry.name)
    return found


@pytest.mark.parametrize("given", [{"engine": "threads", "jobs": 2}, {"jobs": 2}, {"engine": "processes", "jobs": 3}])
def test_the_file_is_the_same_on_each_engine(
    video: Path, expected: str, tmp_path: Path, given: dict[str, object]
) -> None:
    told: list[ProgressEvent] = []
    clip = ffzero.open(video)[:].apply(stages.invert)
    result = clip.write(tmp_path / "out.mp4", reporter=told.append, **given)  # type: ignore[arg-type]
    assert digest(result) == expected
    assert result.frames_rendered == FRAMES
    rendered = [event.done for event in told if event.stage == "render"]
    assert rendered[-1] == FRAMES
    assert rendered == sorted(rendered)
    assert left(tmp_path) == ["out.mp4"]


def test_an_executor_of_the_callers_is_left_running(video: Path, expected: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert digest(ffzero.open(video)[:].apply(stages.invert).write(tmp_path / "out.mp4", engine=pool)) == expected
        assert pool.submit(int, "7").result() == 7


def test_only_what_is_coded_anew_starts_workers(video: Path, tmp_path: Path) -> None:
    before = children()
    ffzero.open(video)[1:2].write(tmp_path / "out.mp4", jobs=2)
    assert children() == before
    assert left(tmp_path) == ["out.mp4"]


def test_parts_tile_the_job_and_begin_at_key_pictures(video: Path) -> None:
    from ffzero.edits.execute import _lay_out
    from ffzero.edits.rendered import Rendered

    layout, _ = _lay_out(ffzero.open(video)[:].apply(stages.invert).pieces, "auto", None)
    (job,) = [item.take.job for track in layout.tracks for item in track.placed if isinstance(item.take, Rendered)]
    parts = split_job(job)
    assert len(parts) == 3
    assert sum(part.frames for part in parts) == job.frames == FRAMES
    assert [part.pts_first for part in parts[1:]] == [part.pts_stop for part in parts[:-1]]
    assert [part.decode_first for part in parts] == [0, 50, 100]
    assert all(split_job(part) == [part] for part in parts)


@pytest.mark.parametrize(
    ("chain", "framewise"),
    [
        ("boxblur=10", True),
        ("eq=brightness=0.1,hflip", True),
        ("drawtext=text='a,b':x=t*10", True),
        ("drawtext=text=%{n}", False),
        ("drawbox=x=n:y=0", False),
        ("tmix=frames=3", False),
        ("hqdn3d", False),
        ("split[a][b];[a][b]blend", False),
    ],
)
def test_filters_that_see_one_picture_are_known(chain: str, framewise: bool) -> None:
    assert is_framewise(chain) is framewise


def test_filters_that_remember_are_not_split(video: Path, tmp_path: Path) -> None:
    clip = ffzero.open(video)[:].apply("tmix=frames=3")
    assert digest(clip.write(tmp_path / "a.mp4", jobs=2)) == digest(clip.write(tmp_path / "b.mp4"))


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_worker_is_replaced_and_the_file_is_the_same(video: Path, expected: str, tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    clip = ffzero.open(video)[:].apply(stages.KillsOnce(mark, os.getpid()))
    assert digest(clip.write(tmp_path / "out.mp4", jobs=2)) == expected
    assert mark.exists()
    assert left(tmp_path) == ["killed", "out.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_work_that_kills_each_worker_is_given_up(tmp_path: Path) -> None:
    with (
        work_folder(tmp_path / "out") as folder,
        ffzero.open_engine("processes", 1) as engine,
        pytest.raises(EngineError, match=r"chunk 1: the worker died 4 times"),
    ):
        run_units(
            engine, [Unit(number=0, name="chunk 1", work=stages.Killing())], folder, done=lambda unit, result: None
        )
    assert left(tmp_path) == []


def test_the_largest_units_are_begun_first(tmp_path: Path) -> None:
    begun: list[int] = []

    def work(desk: Desk) -> None:
        begun.append(desk.number)

    units = [Unit(number=at, name=f"{at}", work=work, parts=parts) for at, parts in enumerate((2, 1, 9))]
    with open_engine("threads", 1) as engine, work_folder(tmp_path / "out") as folder:
        run_units(engine, units, folder, done=lambda unit, result: None)
    assert begun == [2, 0, 1]


def test_a_full_temporary_folder_is_told_as_such(tmp_path: Path) -> None:
    def work(desk: Desk) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x"))

    with (
        open_engine("threads", 1) as engine,
        work_folder(tmp_path / "out") as folder,
        pytest.raises(DiskFullError, match="the first"),
    ):
        run_units(engine, [Unit(number=0, name="the first", work=work)], folder, done=lambda unit, result: None)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no fork server")
def test_a_killed_parent_leaves_no_folder_of_sockets(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\nfrom ffzero.engines.local import processes\n"
        "if __name__ == '__main__':\n    processes(1).executor.submit(os.getpid).result()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    temporary = tmp_path / "t"
    temporary.mkdir()
    subprocess.run(
        [sys.executable, script], env={**os.environ, "TMPDIR": str(temporary)}, check=False, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 10
    while os.listdir(temporary) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert os.listdir(temporary) == []


def test_a_function_that_raises_is_named_with_its_time(video: Path, tmp_path: Path) -> None:
    clip = ffzero.open(video)[:].apply(stages.raises)
    with pytest.raises(UsageError, match=r"rendering \d\.000 to \d\.000 s of .*in\.mp4: raises failed at [12]\.0"):
        clip.write(tmp_path / "out.mp4", jobs=2)
    assert left(tmp_path) == []


def test_what_cannot_be_sent_is_refused(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = ffzero.open(video)[:].apply(lambda picture, time_s: picture)
    with pytest.raises(UsageError, match="cannot be sent to another process"):
        clip.write(tmp_path / "out.mp4", jobs=2)
    assert left(tmp_path) == []


def test_a_cancelled_render_leaves_nothing(video: Path, tmp_path: Path) -> None:
    before = children()
    token = CancelToken()

    def stop(event: ProgressEvent) -> None:
        if event.stage == "render":
            token.cancel()

    clip = ffzero.open(video)[:].apply(stages.sleeps)
    begun = time.monotonic()
    with pytest.raises(CancelledError):
        clip.write(tmp_path / "out.mp4", jobs=2, reporter=stop, cancel=token)
    assert time.monotonic() - begun < 30
    assert left(tmp_path) == []
    assert len(children() - before) <= 2  # the fork server and the resource tracker are Python's own


def test_a_source_that_changes_under_way_is_told(video: Path, tmp_path: Path) -> None:
    own = tmp_path / "in.mp4"
    own.write_bytes(video.read_bytes())
    clip = ffzero.open(own)[:].apply(stages.Touches(own))
    with pytest.raises(SourceChangedError, match="rendering"):
        clip.write(tmp_path / "out.mp4", engine="threads", jobs=2)
    assert left(tmp_path) == ["in.mp4"]


def test_a_full_disk_in_a_worker_is_told(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ffzero.engines import rendering

    def full(*words: object, **named: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rendering, "open", full, raising=False)
    with pytest.raises(DiskFullError, match=r"rendering .*no space is left"):
        ffzero.open(video)[:].apply(stages.invert).write(tmp_path / "out.mp4", engine="threads", jobs=2)
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["dusk://x", "dask://", "proc", 7])
def test_unknown_engines_are_refused(name: object) -> None:
    with pytest.raises(UsageError, match="engine"):
        ffzero.open_engine(name)  # type: ignore[arg-type]


def test_no_worker_is_no_number_of_workers() -> None:
    with pytest.raises(UsageError, match="at least one worker"):
        ffzero.open_engine("threads", 0)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Dask scheduler and two workers, each a process with an address of its own."""
    pytest.importorskip("distributed")
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    scheduler = [*dask_command("scheduler"), "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = [*dask_command("worker"), f"tcp://127.0.0.1:{port}", "--no-dashboard", "--nthreads", "1", "--no-nanny"]
    hosts = ("127.0.0.2", "127.0.0.3") if sys.platform == "linux" else ("127.0.0.1", "127.0.0.1")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    running = [subprocess.Popen(scheduler, **quiet)]  # type: ignore[call-overload]
    try:
        for number, host in enumerate(hosts):
            folder = tmp_path / f"dask{number}"
            command = [*worker, "--host", host, "--local-directory", str(folder)]
            running.append(subprocess.Popen(command, **quiet))  # type: ignore[call-overload]
        wait_for_workers(port, len(hosts))
        yield f"dask://127.0.0.1:{port}"
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def dask_command(name: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{name}"]


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_workers(port: int, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with ffzero.open_engine(f"dask://127.0.0.1:{port}") as engine:
                if engine.workers >= count:
                    return
        except EngineError:
            pass
        time.sleep(0.2)
    pytest.fail("the Dask cluster did not start")


@pytest.mark.filterwarnings("ignore")
def test_dask_makes_the_same_file_though_a_worker_is_killed(
    cluster: str, video: Path, expected: str, tmp_path: Path
) -> None:
    mark = tmp_path / "killed"
    clip = ffzero.open(video)[:].apply(stages.KillsOnce(mark, os.getpid()))
    assert digest(clip.write(tmp_path / "out.mp4", engine=cluster)) == expected
    assert mark.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_dask_engine_leaves_no_thread_and_can_be_used_again(cluster: str) -> None:
    before = set(threading.enumerate())
    with ffzero.open_engine(cluster) as unused:
        assert unused.workers >= 1
    assert set(threading.enumerate()) <= before
    for _ in range(2):
        with unused as engine:
            assert engine.executor.submit(pow, 2, 5).result() == 32
        assert set(threading.enumerate()) <= before


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("ffzero.engines.dask._CONNECT_S", 1)
    before = set(threading.enumerate())
    with pytest.raises(EngineError, match="no Dask scheduler answers"):
        ffzero.open_engine(f"dask://127.0.0.1:{free_port()}")
    assert set(threading.enumerate()) <= before


@pytest.mark.filterwarnings("ignore")
def test_ray_makes_the_same_file(
    exhaustive: bool, video: Path, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ.get("FFZERO_TEST_RAY")
    if not exhaustive or address is None:
        pytest.skip("FFZERO_TEST_RAY names no Ray cluster to try (docs/engines.md), or --exhaustive is not given")
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    clip = ffzero.open(video)[:].apply(stages.KillsOnce(tmp_path / "killed", os.getpid()))
    assert digest(clip.write(tmp_path / "out.mp4", engine=f"ray://{address}")) == expected


def test_two_processes_are_faster_than_one(exhaustive: bool, video: Path, tmp_path: Path) -> None:
    if not exhaustive or (os.cpu_count() or 1) < 2:
        pytest.skip("a measurement, for quiet machines: --exhaustive")
    clip = sum([ffzero.open(video)[:]] * 5, start=ffzero.open(video)[:]).apply(stages.busy)
    took = []
    for jobs in (1, 2):
        begun = time.monotonic()
        clip.write(tmp_path / f"{jobs}.mp4", jobs=jobs, engine="processes")
        took.append(time.monotonic() - begun)
    assert took[0] / took[1] >= 1.5  # 1.8 where nothing else runs; the workers' start is in it
