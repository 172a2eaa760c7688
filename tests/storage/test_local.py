"""Files: identity, odd names, the descriptor pool, mapping, forking."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ffzero.errors import SourceChangedError, SourceError, SourceNotFoundError, TruncatedError
from ffzero.storage import local
from ffzero.storage.descriptors import DescriptorPool
from ffzero.storage.local import LocalSource

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in.bin"
    path.write_bytes(b"0123456789" * 1000)
    return path


@needs_posix
@pytest.mark.parametrize("name", ["é 🎬", "a'b\"c", "-i", "new\nline", "%d", "sub,file:x", os.fsdecode(b"\xff\xfe")])
def test_any_name_works(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    for spelled in (tmp_path / name, str(tmp_path / name), os.fsencode(tmp_path / name)):
        source = LocalSource.open(spelled)
        assert source.read_at(0, 7) == b"content"
        assert source.path == str(tmp_path / name)


def test_relative_paths_become_absolute(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    assert LocalSource.open("in.bin") == LocalSource.open(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no such file"):
        LocalSource.open(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        LocalSource.open(tmp_path / "none" / "deeper")


@needs_posix
def test_things_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="a pipe"):
        LocalSource.open(tmp_path / "pipe")
    with pytest.raises(SourceError, match="a folder"):
        LocalSource.open(tmp_path)
    with pytest.raises(SourceError, match="a device"):
        LocalSource.open("/dev/null")
    with pytest.raises(SourceError):
        LocalSource.open("nul\0inside")
    with pytest.raises(SourceError):
        LocalSource.open(tmp_path / ("n" * 300))


@needs_posix
def test_unreadable_file(path: Path) -> None:
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root reads everything
    try:
        with pytest.raises(SourceError, match="ermission"):
            LocalSource.open(path)
    finally:
        os.seteuid(user)


def test_changed_content_is_an_error_that_says_what_differs(path: Path) -> None:
    source = LocalSource.open(path)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(SourceChangedError, match="mtime_ns") as caught:
        source.read_at(0, 10)
    assert caught.value.path == str(path)
    assert "size" not in str(caught.value)


def test_grown_and_shrunk_files_are_errors(path: Path) -> None:
    source = LocalSource.open(path)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceChangedError, match=r"size 10000.*size 10004"):
        source.read_at(0, 10)
    os.truncate(path, 100)
    with pytest.raises(SourceChangedError, match="size 100"):
        source.read_at(5000, 10)


def test_a_replaced_file_is_an_error_once_it_is_opened_again(path: Path) -> None:
    source = LocalSource.open(path)
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"X" * 10_000)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    if os.name == "posix":
        os.replace(other, path)
        # Through the descriptor that is still open the named file itself is read, never the new one.
        assert source.read_at(0, 10) == b"0123456789"
        local.close_all()
        with pytest.raises(SourceChangedError, match="inode"):
            source.read_at(0, 10)


def test_a_removed_file_is_an_error_once_it_is_opened_again(path: Path) -> None:
    source = LocalSource.open(path)
    local.close_all()
    path.unlink()
    with pytest.raises(SourceNotFoundError):
        source.read_at(0, 10)


def test_map_is_read_only_and_right_at_any_offset(path: Path) -> None:
    source = LocalSource.open(path)
    part = source.map(4097, 5000)
    assert part.tobytes() == path.read_bytes()[4097:9097]
    assert part.dtype == np.uint8
    assert not part.flags.writeable
    assert source.map(10_000, 0).size == 0
    with pytest.raises(TruncatedError):
        source.map(9_999, 2)


def test_reads_where_there_is_no_pread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv", raising=False)
    assert LocalSource.open(path).read_at(9995, 5) == b"56789"
    monkeypatch.delattr(os, "pread", raising=False)
    assert LocalSource.open(path).read_at(9995, 5) == b"56789"


def test_the_pool_is_bounded(tmp_path: Path) -> None:
    local.close_all()
    sources = []
    for number in range(200):
        (tmp_path / str(number)).write_bytes(b"%03d" % number)
        sources.append(LocalSource.open(tmp_path / str(number)))
    assert [source.read_at(0, 3) for source in sources] == [b"%03d" % number for number in range(200)]
    assert len(local._pool) <= local._pool.capacity
    if sys.platform.startswith("linux"):
        ours = [name for name in map(_link, os.listdir("/proc/self/fd")) if name.startswith(str(tmp_path))]
        assert len(ours) <= local._pool.capacity


def _link(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except FileNotFoundError:
        return ""


def test_a_lent_descriptor_stays_open_until_given_back(path: Path) -> None:
    pool = DescriptorPool(1)
    with pool.lend("a", lambda: os.open(path, os.O_RDONLY)) as fd:
        with pool.lend("b", lambda: os.open(path, os.O_RDONLY)):
            pass
        pool.close_all()
        assert os.read(fd, 3) == b"012"
    with pytest.raises(OSError, match=r"[Bb]ad file"):
        os.fstat(fd)
    assert len(pool) == 0


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_works_in_a_forked_child_while_the_parent_reads(path: Path) -> None:
    source = LocalSource.open(path)
    source.read_at(0, 1)
    with source.descriptor():
        child = os.fork()
        if child == 0:
            os._exit(0 if source.read_at(5, 5) == b"56789" else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert source.read_at(0, 2) == b"01"
