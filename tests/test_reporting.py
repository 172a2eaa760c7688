"""Results as paths and as data, and cancellation."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from ffzero.errors import CancelledError
from ffzero.reporting import CancelToken, ProgressEvent, WriteResult, no_report

CONTRACT = {
    "output", "bytes_total", "bytes_shared", "bytes_copied", "bytes_rendered", "bytes_header", "frames_copied",
    "frames_rendered", "segments", "elapsed_s", "warnings",
}  # fmt: skip


def result(output: str = "out.mp4") -> WriteResult:
    return WriteResult(
        output=output,
        bytes_total=10,
        bytes_shared=4,
        bytes_copied=5,
        bytes_header=1,
        frames_copied=2,
        segments=({"kind": "copy"},),
        elapsed_s=0.5,
        warnings=("chapters were left out",),
        methods={"literal": 1, "copy_file_range": 5, "FICLONERANGE": 4},
    )


def test_a_result_is_its_path(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"0123456789")
    done = result(str(path))
    assert os.fspath(done) == str(done) == f"{done}" == str(path)
    assert Path(done) == path
    with open(done, "rb") as file:
        assert file.read() == b"0123456789"


def test_json_has_the_keys_of_the_contract() -> None:
    data = json.loads(json.dumps(result().to_dict()))
    assert set(data) == CONTRACT | {"methods"}
    assert data["segments"] == [{"kind": "copy"}]
    assert data["warnings"] == ["chapters were left out"]


def test_a_result_is_a_value() -> None:
    assert result() == result()
    with pytest.raises(AttributeError):
        result().bytes_total = 0  # type: ignore[misc]


def test_cancel_reaches_a_job_in_another_thread() -> None:
    token, seen = CancelToken(), threading.Event()
    failures: list[BaseException] = []

    def job() -> None:
        try:
            while True:
                token.check()
                seen.set()
        except CancelledError as error:
            failures.append(error)

    thread = threading.Thread(target=job)
    thread.start()
    assert seen.wait(5)
    assert not token.cancelled
    token.cancel()
    thread.join(5)
    assert token.cancelled
    assert [str(error) for error in failures] == ["cancelled"]


def test_no_report_takes_an_event() -> None:
    no_report(ProgressEvent(stage="copy", done=1, total=None))
