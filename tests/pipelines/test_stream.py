"""A stream as one job: what comes out, what a kill costs, and that nothing is left behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.engines.opening import open_engine
from ffzero.errors import (
    CancelledError,
    ChunkError,
    DiskFullError,
    FFZeroError,
    JournalMismatchError,
    OutputBusyError,
    OutputExistsError,
    SourceChangedError,
    SourceNotFoundError,
    UnsupportedError,
    UsageError,
)
from ffzero.pipelines.entry_points import load_stage
from ffzero.pipelines.identity import Sources
from ffzero.pipelines.stages import ErrorPolicy, Retry
from ffzero.reporting import CancelToken, ProgressEvent
from support import oracle
from support.filesystems import FilesystemUnavailable, mounted_tmpfs
from support.media import ffmpeg_exe

TESTS = Path(__file__).parents[1]
STAGES = """
import ffzero

def negated(clip):
    return clip.apply("negate")

if __name__ == "__main__":
    ffzero.process_stream(ffzero.open("in.mp4")[:16], "out.mp4", negated, chunk_size=2, jobs=2)
"""


def left(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if "ffzero" in name)


def negated(clip: ffzero.Segment) -> ffzero.Clip:
    return clip.apply("negate")


def same(clip: ffzero.Segment) -> ffzero.Segment:
    return clip


def digests(path: Path) -> list[str]:
    return [digest for _, digest in oracle.decode_video(path)]


@pytest.mark.parametrize(
    "chunk", [{"chunk_size": 17}, {"chunk_size": 3, "by": "keyframes"}, {"chunk_size": 300_000, "by": "bytes"}]
)
@pytest.mark.parametrize("jobs", [1, 3])
def test_chunks_that_stay_as_they_are_join_to_the_whole(folder: Path, chunk: dict[str, Any], jobs: int) -> None:
    ffzero.open("in.mp4")[:].write("whole.mp4")
    result = ffzero.process_stream("in.mp4", "out.mp4", [same, same], jobs=jobs, **chunk)
    assert (folder / "out.mp4").read_bytes() == (folder / "whole.mp4").read_bytes()
    assert result.chunks > 4
    assert (result.frames_copied, result.frames_rendered, result.chunks_resumed) == (2000, 0, 0)
    assert [row["action"] for row in result.segments] == ["copy"] * result.chunks
    assert left(folder) == []


def test_what_a_function_changes_is_coded_and_the_rest_is_not(folder: Path) -> None:
    def middle(clip: ffzero.Segment) -> ffzero.Clip:
        return clip.apply("negate") if clip.index == 1 else clip

    result = ffzero.process_stream("in.mp4", "out.mp4", middle, chunk_size=8)
    assert [row["action"] for row in result.segments] == ["copy", "render", *["copy"] * 8]
    assert (result.frames_rendered, result.frames_copied) == (200, 1800)
    shown, source = digests(folder / "out.mp4"), digests(folder / "in.mp4")
    assert (shown[:200], shown[400:]) == (source[:200], source[400:])
    assert not set(shown[200:400]) & set(source[200:400])


def test_chunks_may_be_left_out_and_files_taken(folder: Path) -> None:
    def edited(clip: ffzero.Segment) -> object:
        if clip.index == 0:
            return None
        if clip.index == 1:
            assert clip.output is not None
            return clip[:6].write(clip.output)
        return clip[4:10] if clip.index == 2 else "in.mp4"

    result = ffzero.process_stream("in.mp4", "out.mp4", edited, chunk_size=20)
    assert (result.chunks, result.chunks_dropped) == (4, 1)
    source = digests(folder / "in.mp4")
    assert digests(folder / "out.mp4") == [*source[500:650], *source[1100:1250], *source]
    with pytest.raises(UsageError, match="no chunk is left"):
        ffzero.process_stream("in.mp4", "none.mp4", lambda clip: None, chunk_size=20)
    with pytest.raises(UsageError, match=r"chunk 0 .*returns a clip"):
        ffzero.process_stream("in.mp4", "none.mp4", lambda clip: 3, chunk_size=20)


def test_an_error_names_chunk_and_time_and_what_was_finished_stays(folder: Path) -> None:
    calls: list[int | None] = []

    def broken(clip: ffzero.Segment) -> ffzero.Clip:
        calls.append(clip.index)
        if clip.index == 2 and "fixed" not in os.listdir():
            raise ZeroDivisionError("no zero")
        return clip

    with pytest.raises(ChunkError, match=r"chunk 2 \(0:00:40.000 to 0:01:00.000 of .*ZeroDivisionError: no zero"):
        ffzero.process_stream("in.mp4", "out.mp4", broken, chunk_size=20)
    assert left(folder) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
    Path("fixed").touch()
    result = ffzero.process_stream("in.mp4", "out.mp4", broken, chunk_size=20)
    assert calls == [0, 1, 2, 2, 3]
    assert (result.chunks, result.chunks_resumed) == (4, 2)
    assert left(folder) == []


def test_what_fails_is_skipped_or_tried_again(folder: Path) -> None:
    calls: list[int | None] = []

    def broken(clip: ffzero.Segment) -> ffzero.Clip:
        calls.append(clip.index)
        if clip.index == 1 and calls.count(1) < 3:
            raise ValueError("not yet")
        return clip

    result = ffzero.process_stream("in.mp4", "out.mp4", broken, chunk_size=20, on_error=ErrorPolicy.SKIP)
    (skipped,) = result.skipped
    assert (skipped["item"], skipped["error"]) == (1, "ValueError: not yet")
    assert "0:00:20.000 to 0:00:40.000" in skipped["where"]
    assert result.frames_copied == 1500
    calls.clear()
    result = ffzero.process_stream("in.mp4", "again.mp4", broken, chunk_size=20, on_error=Retry(2))
    assert (result.frames_copied, result.skipped) == (2000, ())
    assert calls == [0, 1, 1, 1, 2, 3]


def test_another_job_does_not_take_its_chunks(folder: Path) -> None:
    cancel = CancelToken()

    def stopping(clip: ffzero.Segment) -> ffzero.Clip:
        if clip.index == 2:
            cancel.cancel()
        return clip

    with pytest.raises(CancelledError):
        ffzero.process_stream("in.mp4", "out.mp4", stopping, chunk_size=10, cancel=cancel)
    assert left(folder) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
    with pytest.raises(JournalMismatchError, match=r"chunks\.size 10.*found chunks\.size 11"):
        ffzero.process_stream("in.mp4", "out.mp4", stopping, chunk_size=11)
    with pytest.raises(JournalMismatchError, match="negated"):
        ffzero.process_stream("in.mp4", "out.mp4", negated, chunk_size=10)
    os.utime("in.mp4", (1, 1))
    with pytest.raises(JournalMismatchError, match="mtime"):
        ffzero.process_stream("in.mp4", "out.mp4", stopping, chunk_size=10)
    result = ffzero.process_stream("in.mp4", "out.mp4", same, chunk_size=40, restart=True)
    assert (result.chunks, result.chunks_resumed) == (2, 0)
    assert left(folder) == []


def test_two_at_once_and_outputs_in_the_way_are_refused(folder: Path) -> None:
    def nested(clip: ffzero.Segment) -> ffzero.Clip:
        with pytest.raises(OutputBusyError):
            ffzero.process_stream("in.mp4", "out.mp4", same)
        return clip

    ffzero.process_stream("in.mp4", "out.mp4", nested, chunk_size=40)
    with pytest.raises(OutputExistsError):
        ffzero.process_stream("in.mp4", "out.mp4", same)
    with pytest.raises(UsageError, match="output is the source"):
        ffzero.process_stream("in.mp4", "in.mp4", same, overwrite=True)
    with pytest.raises(UsageError, match="list"):
        ffzero.process_stream(iter(["in.mp4"]), "other.mp4", same)
    with pytest.raises(UsageError, match="at least one worker"):
        ffzero.process_stream("in.mp4", "other.mp4", same, jobs=0)
    assert left(folder) == []


def test_a_source_that_changes_under_way_is_told(folder: Path) -> None:
    def vandal(clip: ffzero.Segment) -> ffzero.Clip:
        if clip.index == 1:
            with open("in.mp4", "ab") as file:
                file.write(b"more")
        return clip.apply("negate")

    with pytest.raises(SourceChangedError, match="chunk 1"):
        ffzero.process_stream("in.mp4", "out.mp4", vandal, chunk_size=20, on_error=ErrorPolicy.SKIP)
    assert not os.path.exists("out.mp4")


def test_a_matroska_source_that_changes_is_told_too(folder: Path) -> None:
    source = remuxed("in.mkv")

    def vandal(clip: ffzero.Segment) -> ffzero.Clip:
        if clip.index == 1:
            with open(source, "ab") as file:
                file.write(b"more")
        return clip

    with pytest.raises(SourceChangedError, match="size"):
        ffzero.process_stream(source, "out.mkv", vandal, chunk_size=5)
    assert not os.path.exists("out.mkv")


def test_progress_tells_chunks_and_what_is_left(folder: Path) -> None:
    events: list[ProgressEvent] = []
    ffzero.process_stream("in.mp4", "out.mp4", same, chunk_size=20, reporter=events.append)
    chunks = [event for event in events if event.stage == "chunks"]
    assert [(event.done, event.total, event.unit) for event in chunks] == [(at, 4, "chunks") for at in (1, 2, 3, 4)]
    assert [event.details["media_s"] for event in chunks] == [20, 40, 60, 80]
    assert chunks[-1].details["eta_s"] == 0
    assert chunks[0].details["eta_s"] > 0


def killed_until_done(folder: Path, kills: int, run: Callable[[], subprocess.Popen[bytes]]) -> int:
    """Kill the job ``kills`` times at random moments, then let it end; returns how often it had finished chunks."""
    chance = random.Random(7)
    went_on = 0
    for _ in range(kills):
        process = run()
        deadline = time.monotonic() + 20
        began = os.path.exists("out.mp4.ffzero-journal")
        size = os.path.getsize("out.mp4.ffzero-journal") if began else 0
        while process.poll() is None and time.monotonic() < deadline:
            journal = Path("out.mp4.ffzero-journal")
            if journal.exists() and journal.stat().st_size > size and chance.random() < 0.5:
                break
            time.sleep(0.01)
        time.sleep(chance.random() * 0.15)
        process.kill()
        process.wait()
        if process.returncode == 0:  # it was quicker: begin anew
            os.unlink("out.mp4")
        went_on += os.path.exists("out.mp4.ffzero-chunks")
    assert run().wait(60) == 0
    return went_on


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.timeout(300)
def test_killed_at_random_the_result_is_the_same(folder: Path, exhaustive: bool) -> None:
    (folder / "job.py").write_text(STAGES)

    def run() -> subprocess.Popen[bytes]:
        paths = {"PYTHONPATH": f"{TESTS.parent / 'src'}"}
        return subprocess.Popen([sys.executable, "job.py"], env={**os.environ, **paths})

    assert run().wait(60) == 0
    expected = (folder / "out.mp4").read_bytes()
    os.unlink("out.mp4")
    assert killed_until_done(folder, 20 if exhaustive else 2, run) >= (10 if exhaustive else 1)
    assert (folder / "out.mp4").read_bytes() == expected
    assert left(folder) == []


def grow(source: Path, target: Path, *, steps: int, pause_s: float) -> threading.Thread:
    """Record ``source`` as ``target``, its first part at once."""
    data = source.read_bytes()
    size = -(-len(data) // steps)
    target.write_bytes(data[:size])

    def record() -> None:
        with open(target, "ab", buffering=0) as file:
            for at in range(size, len(data), size):
                time.sleep(pause_s)
                file.write(data[at : at + size])

    thread = threading.Thread(target=record)
    thread.start()
    return thread


def remuxed(name: str, *options: str) -> Path:
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-t", "24", "-i", "in.mp4", "-c", "copy", *options, name]
    subprocess.run(argv, check=True, timeout=60)
    return Path(name)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mp4", ["-movflags", "frag_keyframe+empty_moov"]), (".ts", []), (".mkv", [])],
)
def test_a_recording_is_followed(folder: Path, suffix: str, options: list[str]) -> None:
    whole = remuxed(f"whole{suffix}", *options)
    growing = folder / f"growing{suffix}"
    recorder = grow(whole, growing, steps=40, pause_s=0.02)
    early: list[int] = []
    shown: list[str] = []
    try:
        for segment in ffzero.generate_video_segments(growing, 5, follow=True, idle_timeout=0.6):
            early.append(growing.stat().st_size)
            shown += digests(Path(str(segment.write(f"part{segment.index}{suffix}"))))
    finally:
        recorder.join()
    assert len(early) in (4, 5)
    assert early[0] < whole.stat().st_size / 2  # it did not wait for the end
    assert shown == digests(whole)


def test_a_recording_is_processed_and_joined(folder: Path) -> None:
    whole = remuxed("whole.mp4", "-movflags", "frag_keyframe+empty_moov")
    recorder = grow(whole, folder / "growing.mp4", steps=10, pause_s=0.02)
    try:
        result = ffzero.process_stream(
            "growing.mp4", "out.mp4", same, chunk_size=5, follow=True, idle_timeout=0.6, jobs=2
        )
    finally:
        recorder.join()
    assert result.frames_copied == len(digests(whole))
    assert digests(folder / "out.mp4") == digests(whole)
    assert left(folder) == []


@pytest.mark.parametrize("harm", ["replaced", "cut short", "written over"])
def test_a_recording_that_is_not_only_longer_is_refused(folder: Path, harm: str) -> None:
    whole = remuxed("whole.mp4", "-movflags", "frag_keyframe+empty_moov").read_bytes()
    growing = folder / "growing.mp4"
    growing.write_bytes(whole[: len(whole) // 2])
    segments = ffzero.generate_video_segments(growing, 4, follow=True, idle_timeout=20)
    next(segments)
    if harm == "replaced":
        Path("other.mp4").write_bytes(whole)
        os.replace("other.mp4", growing)
    else:
        with open(growing, "r+b") as file:
            file.truncate(len(whole) // 3) if harm == "cut short" else file.write(b"\1" * len(whole))
    with pytest.raises(SourceChangedError):
        list(segments)


def test_following_ends_when_told(folder: Path) -> None:
    whole = remuxed("whole.mp4", "-movflags", "frag_keyframe+empty_moov")
    stop, cancel = CancelToken(), CancelToken()
    threading.Timer(0.3, stop.cancel).start()
    segments = list(ffzero.generate_video_segments(whole, 30, follow=True, idle_timeout=60, stop=stop))
    assert segments[-1].end is None
    threading.Timer(0.3, cancel.cancel).start()
    with pytest.raises(CancelledError):
        list(ffzero.generate_video_segments(whole, 30, follow=True, idle_timeout=60, cancel=cancel))
    with pytest.raises(UnsupportedError, match="index comes at its end"):
        list(ffzero.generate_video_segments("in.mp4", 30, follow=True, idle_timeout=0))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small filesystem")
def test_a_full_disk_is_told_with_its_chunk_and_what_is_finished_stays(folder: Path) -> None:
    try:
        with mounted_tmpfs(folder, size_bytes=1200 << 10) as small:
            output = small / "out.mp4"
            with pytest.raises(DiskFullError, match=r"chunk \d \(0:00:.* to .* of .*in\.mp4\)"):
                ffzero.process_stream("in.mp4", output, negated, chunk_size=4)
            assert sorted(os.listdir(small)) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
            assert len(os.listdir(small / "out.mp4.ffzero-chunks")) >= 1
    except FilesystemUnavailable as reason:
        pytest.skip(str(reason))


MODULE = """
import os, signal

def negated(clip):
    return clip.apply("negate")

def deadly(clip):
    if clip.index == 1 and not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return clip.apply("negate")
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_workers_of_an_engine_make_the_same_file_even_where_one_dies(folder: Path) -> None:
    (folder / "stages_here.py").write_text(MODULE)
    source = ffzero.open("in.mp4")[:6]
    ffzero.process_stream(source, "here.mp4", load_stage("stages_here.py:negated"), chunk_size=2)
    with open_engine("local", 2) as engine:
        deadly = load_stage("stages_here.py:deadly")
        result = ffzero.process_stream(source, "there.mp4", deadly, chunk_size=2, engine=engine)
        assert os.path.exists("killed")
        assert (folder / "there.mp4").read_bytes() == (folder / "here.mp4").read_bytes()
        assert result.chunks == 3
        with pytest.raises(UsageError, match="cannot be sent"):
            ffzero.process_stream(source, "other.mp4", lambda clip: clip, chunk_size=4, engine=engine)
    assert left(folder) == []


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


pictures_seen = 0


def looked_at(clip: ffzero.Segment) -> ffzero.Segment:
    global pictures_seen  # noqa: PLW0603 - the stage's own count
    pictures_seen += sum(1 for _ in clip.frames(format="gray"))
    return clip


def through_three_stages(stream: Iterable[Any], every: int, first: Any) -> tuple[int, list[float], list[Any]]:
    """Run clips through three stages on threads; returns how many came out, the memory at times, and the queues."""
    pipeline = ffzero.StreamingFFmpegPipeline(mode="parallel", queue_size=4, queue_bytes=1 << 20)
    for stage in (first, lambda clip: clip[: clip.duration / 2], same):
        pipeline.add_stage(stage)
    count, memory = 0, []
    for count, _ in enumerate(pipeline.process_stream(stream), 1):
        if count % every == 0:
            memory.append(resident_mb())
    return count, memory, pipeline.get_stats()["queues"]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
@pytest.mark.timeout(3600)
def test_an_endless_stream_takes_no_more_memory(folder: Path, exhaustive: bool) -> None:
    """The sample has 2000 pictures: 500 times it are a million."""
    repeats = 500 if exhaustive else 2
    segments = ffzero.generate_video_segments(["in.mp4"] * repeats, 2)
    before = pictures_seen
    count, memory, queues = through_three_stages(segments, 20, looked_at)
    assert (count, pictures_seen - before) == (repeats * 40, repeats * 2000)
    assert max(memory) - memory[0] < 50
    assert all(queue["peak_items"] <= 4 for queue in queues)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
@pytest.mark.timeout(600)
def test_a_file_of_ten_hours_takes_no_more_memory(folder: Path, exhaustive: bool) -> None:
    hours = 10 if exhaustive else 2
    ffzero.concat(["in.mp4"] * (hours * 45)).write("long.mp4")
    count, memory, _ = through_three_stages(ffzero.generate_video_segments("long.mp4", 10), 60, same)
    assert count == hours * 360
    assert max(memory) - memory[0] < 50


def test_a_clip_with_another_effect_is_another_job(folder: Path) -> None:
    movie = ffzero.open(folder / "in.mp4")
    darker, lighter = (Sources([movie[:].apply(f"eq=brightness={value}")]).identity for value in (-0.1, 0.1))
    assert darker != lighter
    assert Sources([movie[:].apply("eq=brightness=0.1")]).identity == lighter
    inverted, left = (Sources([movie[:].map(one)]).identity for one in (lambda p: 255 - p, lambda p: p))
    assert inverted != left


def test_a_file_that_a_stage_promised_and_did_not_write_is_told(folder: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="chunk 0"):
        ffzero.process_stream(folder / "in.mp4", folder / "out.mp4", lambda clip: clip.output)

    def rubbish(clip: ffzero.Segment) -> str:
        Path(str(clip.output)).write_bytes(b"rubbish")
        return str(clip.output)

    with pytest.raises(FFZeroError, match="chunk 0"):
        ffzero.process_stream(folder / "in.mp4", folder / "out.mp4", rubbish)
    assert left(folder) == []


def test_threads_as_an_engine_take_any_function(folder: Path) -> None:
    seen: list[int | None] = []

    def look(clip: ffzero.Segment) -> ffzero.Segment:
        seen.append(clip.index)
        return clip

    result = ffzero.process_stream(folder / "in.mp4", folder / "out.mp4", look, chunk_size=2, engine="threads", jobs=2)
    assert sorted(seen, key=int) == list(range(result.chunks))
