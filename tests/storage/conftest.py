"""Filesystems that the storage tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ffzero.storage import local
from support.filesystems import FilesystemUnavailable, mounted_image, mounted_tmpfs


@pytest.fixture(scope="session", params=["xfs", "btrfs"])
def reflink_mount(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mounted filesystem that shares blocks between files."""
    try:
        with mounted_image(request.param, tmp_path_factory.mktemp(request.param)) as point:
            yield point
            local.close_all()
    except FilesystemUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def reflink_folder(reflink_mount: Path, tmp_path: Path) -> Path:
    """A new folder on a filesystem that shares blocks between files."""
    folder = reflink_mount / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 8 MiB."""
    try:
        with mounted_tmpfs(tmp_path, size_bytes=8 << 20) as point:
            yield point
            local.close_all()
    except FilesystemUnavailable as reason:
        pytest.skip(str(reason))
