"""The journal: what survives a kill, what does not, and that two jobs never meet in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ffzero.engines.journal import ChunkRecord, Journal
from ffzero.errors import CancelledError, JournalMismatchError, OutputBusyError, OutputError
from ffzero.reporting import CancelToken, ProgressEvent

JOB = {"source": {"path": "in.mp4", "size": 80}, "chunk_s": "60", "stages": ["blur"]}


def put(journal: Journal, index: int, data: bytes, **facts: Any) -> ChunkRecord:
    path = journal.path_for(index, ".mp4")
    Path(path).write_bytes(data)
    return journal.commit(index, path, facts)


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


def test_a_job_goes_on_with_what_was_finished(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        assert (journal.finished(), len(journal)) == ({}, 0)
        put(journal, 1, b"one", frames=25)
        journal.commit(0, facts={"dropped": True})
    assert left(output.parent) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal"]
    with Journal.open(output, JOB) as journal:
        found = journal.finished()
        assert list(found) == [0, 1]
        assert (found[0].path, found[0].facts) == (None, {"dropped": True})
        assert found[1].path is not None
        assert Path(found[1].path).read_bytes() == b"one"
        assert (found[1].size_bytes, found[1].facts) == (3, {"frames": 25})
        journal.discard()
    assert left(output.parent) == []


def test_each_attempt_has_a_name_of_its_own(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        first, second = journal.path_for(3, ".mkv"), journal.path_for(3, ".mkv")
        assert first != second
        assert os.path.basename(first).startswith("000003-")
        assert first.endswith(".mkv")
        assert os.path.dirname(first) == journal.folder == f"{output}.ffzero-chunks"


def test_the_later_of_two_commits_counts_and_the_other_file_goes(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"early")
        put(journal, 0, b"late")
        Path(journal.path_for(7, ".mp4")).write_bytes(b"half writ")
    with Journal.open(output, JOB) as journal:
        (record,) = journal.finished().values()
        assert record.size_bytes == 4
        assert [os.path.join(journal.folder, name) for name in os.listdir(journal.folder)] == [record.path]


@pytest.mark.parametrize("harm", ["missing", "shorter", "changed"])
def test_a_chunk_that_is_not_as_it_was_is_made_again(output: Path, harm: str) -> None:
    with Journal.open(output, JOB) as journal:
        path = Path(put(journal, 0, b"zero").path or "")
        put(journal, 1, b"one")
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(b"zer" if harm == "shorter" else b"zerO")
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [1]
        put(journal, 0, b"zero")
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [0, 1]


@pytest.mark.parametrize(
    "torn", [b'{"chunk": 2, "fi', b'{"chunk": 2}\n', b"\0\0\0\0", b'{"chunk": "2", "size": 1}\n[1]\n']
)
def test_a_torn_end_is_as_if_it_had_not_been_written(output: Path, torn: bytes) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
        path = Path(journal.path)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [0]
        assert path.read_bytes() == whole
        put(journal, 1, b"one")
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [0, 1]


def test_every_cut_of_the_journal_is_read(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
        put(journal, 1, b"one")
        path, folder = Path(journal.path), Path(journal.folder)
    whole = path.read_bytes()
    files = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
    ends = [at + 1 for at in range(len(whole)) if whole[at : at + 1] == b"\n"]
    for size in range(len(whole) + 1):
        folder.mkdir(exist_ok=True)
        path.write_bytes(whole[:size])
        for name, data in files.items():
            (folder / name).write_bytes(data)
        with Journal.open(output, JOB) as journal:
            assert len(journal.finished()) == sum(end <= size for end in ends[1:]), size


def test_another_job_is_refused_with_what_differs(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
    other = {**JOB, "source": {"path": "in.mp4", "size": 81}, "chunk_s": "30"}
    with pytest.raises(JournalMismatchError, match="another job") as caught:
        Journal.open(output, other)
    assert (caught.value.expected, caught.value.found) == ("source.size 80; chunk_s 60", "source.size 81; chunk_s 30")
    assert "--restart" in str(caught.value)
    with Journal.open(output, JOB) as journal:  # nothing was lost by asking
        assert list(journal.finished()) == [0]
    with Journal.open(output, other, restart=True) as journal:
        assert journal.finished() == {}
        assert os.listdir(journal.folder) == []


def test_another_version_is_another_job(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
    monkeypatch.setattr("ffzero.__version__", "99.0")
    with pytest.raises(JournalMismatchError, match=r"ffzero 99\.0"):
        Journal.open(output, JOB)


def test_a_file_that_is_no_journal_is_left_alone(output: Path) -> None:
    for content in (b"my notes\n", b"{}\n", b'{"a": 1}'):
        Path(f"{output}.ffzero-journal").write_bytes(content)
        for restart in (False, True):
            with pytest.raises(OutputError, match="not a journal"):
                Journal.open(output, JOB, restart=restart)
        assert Path(f"{output}.ffzero-journal").read_bytes() == content


def test_one_job_at_a_time(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
        for restart in (False, True):
            with pytest.raises(OutputBusyError, match="another process"):
                Journal.open(output, JOB, restart=restart)
        code = f"from ffzero.engines.journal import Journal\nJournal.open({str(output)!r}, {JOB!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "OutputBusyError" in done.stderr
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [0]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_process_frees_the_output_and_keeps_its_chunks(output: Path) -> None:
    code = f"""
import os, pathlib, signal
from ffzero.engines.journal import Journal
journal = Journal.open({str(output)!r}, {JOB!r})
for index in range(3):
    path = journal.path_for(index)
    pathlib.Path(path).write_bytes(b"chunk")
    if index < 2:
        journal.commit(index, path)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == [0, 1]
        assert len(os.listdir(journal.folder)) == 2


def test_threads_may_commit_side_by_side(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        threads = [
            threading.Thread(target=lambda low: [put(journal, low + at, b"%d" % at) for at in range(10)], args=(low,))
            for low in (0, 10, 20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = Path(journal.path).read_bytes().splitlines()
    assert sorted(json.loads(line)["chunk"] for line in lines[1:]) == list(range(30))
    with Journal.open(output, JOB) as journal:
        assert list(journal.finished()) == list(range(30))


def test_verifying_tells_its_progress_and_can_be_cancelled(output: Path) -> None:
    events: list[ProgressEvent] = []
    with Journal.open(output, JOB) as journal:
        put(journal, 0, b"zero")
        put(journal, 1, b"one")
        journal.finished(reporter=events.append)
        token = CancelToken()
        token.cancel()
        with pytest.raises(CancelledError):
            journal.finished(cancel=token)
    assert [(event.stage, event.done, event.total) for event in events] == [("verify", 4, 7), ("verify", 7, 7)]


def test_nothing_stays_of_a_job_that_finished_nothing(output: Path) -> None:
    with Journal.open(output, JOB) as journal:
        Path(journal.path_for(0)).write_bytes(b"half")
    assert left(output.parent) == []
    with pytest.raises(OutputError, match="folder does not exist"):
        Journal.open(output.parent / "missing" / "out.mp4", JOB)


def test_chunks_lie_in_the_journals_folder(output: Path) -> None:
    with Journal.open(output, JOB) as journal, pytest.raises(OutputError, match="folder"):
        journal.commit(0, output)
