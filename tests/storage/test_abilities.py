"""What folders can do, compared with filesystems that are known."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ffzero.errors import OutputError
from ffzero.storage import abilities
from ffzero.storage.abilities import probe_folder, probe_memory_file
from support.filesystems import FilesystemUnavailable, mounted_image


@pytest.mark.parametrize(("kind", "clones"), [("xfs", True), ("btrfs", True), ("ext4", False)])
def test_known_filesystems(tmp_path: Path, kind: str, clones: bool) -> None:
    try:
        with mounted_image(kind, tmp_path) as folder:
            before = sorted(os.listdir(folder))
            found = probe_folder(folder)
            assert (found.reflink is None) == clones, found
            assert found.copy_file_range is None
            assert 0 < found.free_bytes <= found.total_bytes < 500 << 20
            assert sorted(os.listdir(folder)) == before
    except FilesystemUnavailable as error:
        pytest.skip(str(error))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is no folder"):
        probe_folder(tmp_path / "none")


def test_systems_without_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", False, raising=False)
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    monkeypatch.setattr(abilities, "clone_range", _refused)
    found = probe_folder(tmp_path)
    assert (found.anonymous_file, found.copy_file_range) == ("this system cannot", "this system cannot")
    assert found.reflink == "Permission denied"
    assert probe_memory_file() == "this system cannot"


def _refused(*_: int) -> None:
    raise PermissionError(13, "Permission denied")
