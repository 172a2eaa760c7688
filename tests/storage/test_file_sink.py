"""Output files: whole or absent, with the right permissions, and errors that say what to do."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ffzero.errors import DiskFullError, OutputError, OutputExistsError
from ffzero.extents.rope import Extent, Literal, Rope
from ffzero.reporting import ProgressEvent
from ffzero.storage import local
from ffzero.storage.local import LocalSource
from ffzero.storage.outputs import Destination
from ffzero.storage.sinks import FileSink, StreamSink, atomic_output
from support.filesystems import FilesystemUnavailable, mounted_tmpfs

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX files")

ROPE = Rope([Literal(b"new content")])


@pytest.fixture(params=["nameless", "hidden"], autouse=True)
def temporary_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs with O_TMPFILE and without it, as on other systems."""
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("no O_TMPFILE here")
    return str(request.param)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_existing_output_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    events: list[ProgressEvent] = []
    with pytest.raises(OutputExistsError, match="exists already") as caught:
        FileSink(tmp_path / "out").put(ROPE, reporter=events.append)
    assert caught.value.path == str(tmp_path / "out")
    assert events == []
    with pytest.raises(FileExistsError):
        FileSink(tmp_path / "out").check()
    assert (tmp_path / "out").read_bytes() == b"old"


def test_what_is_not_approved_never_gets_its_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    seen: list[tuple[bytes, bytes, bytes]] = []

    def approve(path: str) -> bool:
        child = subprocess.run(["cat", path], capture_output=True, check=True)  # other processes can read it too
        seen.append((Path(path).read_bytes(), child.stdout, out.read_bytes()))
        return len(seen) > 1

    def fail(path: str) -> bool:
        raise KeyboardInterrupt

    sink = FileSink(out, overwrite=True)
    assert sink.put(ROPE, approve=approve).bytes_total == 11
    with pytest.raises(KeyboardInterrupt):
        sink.put(ROPE, approve=fail)
    assert (out.read_bytes(), names(tmp_path)) == (b"old", {"out"})
    sink.put(ROPE, approve=approve)
    assert (out.read_bytes(), names(tmp_path)) == (b"new content", {"out"})
    assert seen == [(b"new content", b"new content", b"old")] * 2


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputExistsError):
        FileSink(out).put(ROPE, reporter=lambda event: out.write_bytes(b"theirs") and None)
    assert out.read_bytes() == b"theirs"
    assert names(tmp_path) == {"out"}


def test_overwriting_a_name_that_appears_or_vanishes_meanwhile(tmp_path: Path) -> None:
    out = tmp_path / "out"
    FileSink(out, overwrite=True).put(ROPE, reporter=lambda event: out.write_bytes(b"theirs") and None)
    assert out.read_bytes() == b"new content"
    FileSink(out, overwrite=True).put(ROPE, reporter=lambda event: out.unlink(missing_ok=True))
    assert out.read_bytes() == b"new content"
    assert names(tmp_path) == {"out"}


def test_nothing_has_the_final_name_while_it_is_written(tmp_path: Path, temporary_kind: str) -> None:
    seen: list[set[str]] = []
    FileSink(tmp_path / "out.mp4").put(ROPE, reporter=lambda event: seen.append(names(tmp_path)))
    assert all("out.mp4" not in there for there in seen)
    if temporary_kind == "nameless":
        assert seen[0] == set()
    else:
        assert {name.startswith(".ffzero-") and name.endswith(".mp4") for there in seen for name in there} == {True}


def test_permissions_follow_the_umask_or_the_file_replaced(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileSink(tmp_path / "new").put(ROPE)
        with atomic_output(tmp_path / "written") as path:
            Path(path).write_bytes(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    if os.geteuid() == 0:
        os.chown(tmp_path / "new", 1234, 4321)
    FileSink(tmp_path / "new", overwrite=True).put(ROPE)
    status = (tmp_path / "new").stat()
    assert stat.S_IMODE(status.st_mode) == 0o604
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (1234, 4321)


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("deep/target")
    (tmp_path / "dangling").symlink_to("deep/later")
    FileSink(tmp_path / "link", overwrite=True).put(ROPE)
    FileSink(tmp_path / "dangling").put(ROPE)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "deep" / "target").read_bytes() == b"new content"
    assert (tmp_path / "deep" / "later").read_bytes() == b"new content"
    with pytest.raises(OutputExistsError):
        FileSink(tmp_path / "link").put(ROPE)


@pytest.mark.parametrize("name", ["é 🎬.mp4", "a'b\"c", "-i", "new\nline", os.fsdecode(b"\xff\xfe"), "n" * 255])
def test_any_name_works(tmp_path: Path, name: str) -> None:
    FileSink(tmp_path / name).put(ROPE)
    FileSink(os.fsencode(tmp_path / name), overwrite=True).put(ROPE)
    with atomic_output(tmp_path / name, overwrite=True) as path:
        Path(path).write_bytes(b"x")
    assert names(tmp_path) == {name}


def test_a_relative_name_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FileSink("out").put(ROPE)
    assert (tmp_path / "out").read_bytes() == b"new content"


def test_impossible_names_are_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    cases = {
        "missing/out": "folder does not exist",
        "file/out": "not a folder",
        "n" * 256: "too long",
        ".": "is a folder",
        "circle": "circle",
        "nul\0": "no usable path",
    }
    for name, message in cases.items():
        for attempt in (lambda p: FileSink(p, overwrite=True).put(ROPE), lambda p: atomic_output(p).__enter__()):
            with pytest.raises(OutputError, match=message):
                attempt(f"{tmp_path}/{name}")
    assert names(tmp_path) == {"file", "circle"}


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    try:
        with mounted_tmpfs(tmp_path, size_bytes=1 << 20, options="ro") as point:
            yield point
    except FilesystemUnavailable:
        if os.geteuid() == 0:
            pytest.skip("root writes into read-only folders, and nothing can be mounted here")
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)


def test_a_read_only_folder_is_explained(read_only_folder: Path) -> None:
    with pytest.raises(OutputError, match=r"read-only|permission") as caught:
        FileSink(read_only_folder / "out").put(ROPE)
    assert caught.value.path == str(read_only_folder / "out")
    with pytest.raises(OutputError, match=r"read-only|permission"), atomic_output(read_only_folder / "out"):
        pytest.fail("nothing can be written")


def test_a_full_disk_is_explained_and_keeps_what_was_there(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(10_000_000))
    source = LocalSource.open(tmp_path / "in")
    rope = Rope([Extent(source, 0, source.size_bytes)])
    (small_disk / "out").write_bytes(b"old")
    with pytest.raises(DiskFullError, match="10000000 bytes are needed") as caught:
        FileSink(small_disk / "out", overwrite=True).put(rope)
    assert caught.value.path == str(small_disk / "out")
    with pytest.raises(DiskFullError), atomic_output(small_disk / "other") as path, open(path, "wb") as file:
        file.write(bytes(10_000_000))
    assert names(small_disk) == {"out"}
    assert (small_disk / "out").read_bytes() == b"old"
    assert os.statvfs(small_disk).f_bavail * 4096 > 7_900_000


def test_a_size_limit_is_explained(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match="5000 bytes"):
            FileSink(tmp_path / "out").put(Rope([Literal(bytes(5000))]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == set()


def test_filesystems_without_links_or_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT has no links; this machine's kernel may have no FAT."""

    def no_links(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(os, "link", no_links)
    FileSink(tmp_path / "out", fsync=True).put(ROPE)
    with pytest.raises(OutputExistsError):
        FileSink(tmp_path / "out").put(ROPE)
    FileSink(tmp_path / "out", overwrite=True).put(Rope([Literal(b"newer")]))
    assert (tmp_path / "out").read_bytes() == b"newer"
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("through_link", [False, True])
def test_input_and_output_may_be_the_same_file(tmp_path: Path, through_link: bool) -> None:
    data = os.urandom(5_000_000)
    (tmp_path / "in").write_bytes(data)
    (tmp_path / "link").symlink_to("in")
    source = LocalSource.open(tmp_path / "in")
    rope = Rope([Literal(b"head"), Extent(source, 1_000_000, 3_000_000), Extent(source, 0, 10)])
    with pytest.raises(OutputExistsError):
        FileSink(tmp_path / "in").put(rope)
    FileSink(tmp_path / ("link" if through_link else "in"), overwrite=True).put(rope)
    assert (tmp_path / "in").read_bytes() == b"head" + data[1_000_000:4_000_000] + data[:10]
    assert names(tmp_path) == {"in", "link"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_replaced_input_gives_its_space_back(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(100_000))
    source = LocalSource.open(tmp_path / "in")
    FileSink(tmp_path / "in", overwrite=True).put(Rope([Extent(source, 0, 50_000)]))
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd_exists(fd)]
    assert not [link for link in links if link.startswith(str(tmp_path))]


def fd_exists(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    local.close_all()
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        FileSink(tmp_path / "out", overwrite=True).put(ROPE)
        with pytest.raises(OutputExistsError):
            FileSink(tmp_path / "out").put(ROPE)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("fsync", [False, True])
def test_fsync_reaches_the_file_and_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool) -> None:
    synced: list[bool] = []
    real = os.fsync

    def note(fd: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(fd).st_mode))
        real(fd)

    monkeypatch.setattr(os, "fsync", note)
    FileSink(tmp_path / "out", fsync=fsync).put(ROPE)
    assert synced == ([False, True] if fsync else [])


def test_devices_and_pipes_are_written_straight(tmp_path: Path) -> None:
    assert FileSink("/dev/null").put(ROPE).bytes_total == 11
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with atomic_output("/dev/null") as path:
        assert path == "/dev/null"
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    FileSink(tmp_path / "pipe").put(Rope([Literal(b"ab" * 500_000)]))
    reader.join(10)
    assert received == [b"ab" * 500_000]


def test_a_pipe_whose_reader_left_is_explained() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as stream, pytest.raises(OutputError, match="reader closed"):
        StreamSink(stream).put(ROPE)


def test_a_closed_stream_is_explained() -> None:
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(OutputError, match="closed"):
        StreamSink(stream).put(ROPE)


def test_partial_writes_of_raw_streams_are_finished() -> None:
    class Slow(io.RawIOBase):
        got = b""

        def write(self, data: memoryview) -> int:  # type: ignore[override]
            self.got += bytes(data[:3])
            return min(3, len(data))

    stream = Slow()
    StreamSink(stream).put(ROPE)
    assert stream.got == b"new content"


def test_a_path_for_other_writers(tmp_path: Path) -> None:
    with FileSink.atomic(tmp_path / "out.mkv") as path:
        assert path.endswith(".mkv")
        assert os.path.dirname(path) == str(tmp_path)
        Path(path).write_bytes(b"muxed")
        assert not (tmp_path / "out.mkv").exists()
    assert (tmp_path / "out.mkv").read_bytes() == b"muxed"
    with pytest.raises(OutputExistsError), atomic_output(tmp_path / "out.mkv"):
        pytest.fail("must refuse first")
    with atomic_output(tmp_path / "out.mkv", overwrite=True, fsync=True) as path:
        Path(path).write_bytes(b"again")
    assert (tmp_path / "out.mkv").read_bytes() == b"again"
    assert names(tmp_path) == {"out.mkv"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, FileNotFoundError, OutputError, GeneratorExit])
def test_other_writers_that_fail_leave_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(error, match="stop"), atomic_output(tmp_path / "out", overwrite=True) as path:
        Path(path).write_bytes(b"half")
        raise error("stop")
    assert names(tmp_path) == {"out"}
    assert (tmp_path / "out").read_bytes() == b"old"


def test_a_long_suffix_does_not_make_the_hidden_name_too_long(tmp_path: Path) -> None:
    destination = Destination.examine(tmp_path / ("a." + "s" * 250), overwrite=False)
    assert len(os.path.basename(destination.beside())) < 60
