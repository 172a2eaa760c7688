"""Coded samples in memory and in a temporary file are the same sequence."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ffzero.edits.coded_samples import CodedSamples, SampleStore
from ffzero.errors import DiskFullError, UnsupportedError
from ffzero.storage.temporary import TemporarySource

SAMPLES = [bytes([number]) * (number * 37 % 101) for number in range(100)]


@pytest.mark.parametrize("most", [0, 500, 1 << 20])
def test_all_come_back(most: int) -> None:
    store = SampleStore(most)
    for sample in SAMPLES:
        store.add(sample)
    found = store.finished()
    assert list(found) == SAMPLES
    assert found[-1] == SAMPLES[-1] and found[3:5] == SAMPLES[3:5]
    assert found.sizes == tuple(map(len, SAMPLES))
    assert found.rope.length == sum(map(len, SAMPLES))
    assert (found.rope.literal_bytes == 0) is (most < 1000)
    assert CodedSamples.of(found) is found
    assert list(CodedSamples.of(SAMPLES)) == SAMPLES
    with pytest.raises(IndexError):
        found[100]


def test_nothing_is_left_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = SampleStore(0)
    store.add(b"abc")
    assert list(store.finished()) == [b"abc"]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    source = TemporarySource()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ffzero.storage.temporary.write_fully_at", full)
    with pytest.raises(DiskFullError, match="No space left"):
        source.append(b"abc")


def test_it_cannot_go_to_another_process() -> None:
    with pytest.raises(UnsupportedError):
        pickle.dumps(TemporarySource())
