"""Where benchmarks run: the disk as it is, and an XFS image that is loop-mounted and can share blocks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place", "PlaceUnavailable", "filesystem_of", "mounted_xfs", "require_space"]

_XFS_LEAST_BYTES = 400 << 20
_SETTLING_S = 0.05
_STEADY_READINGS = 4


class PlaceUnavailable(Exception):
    """The place cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder and its filesystem. Where nobody else writes (``private``), the free blocks tell what was written."""

    folder: Path
    filesystem: str
    private: bool = False

    def settled_bytes(self) -> int:
        """Write out what is dirty, so that a run does not pay for the one before it, and return the bytes in use.

        Where they count, wait until they stay the same: XFS frees a removed file's blocks some time later.
        """
        os.sync()
        used, steady = self._used_bytes(), 0
        while self.private and steady < _STEADY_READINGS:
            time.sleep(_SETTLING_S)
            before, used = used, self._used_bytes()
            steady = steady + 1 if used == before else 0
        return used

    def _used_bytes(self) -> int:
        state = os.statvfs(self.folder)
        return (state.f_blocks - state.f_bfree) * state.f_frsize

    def written_bytes(self, output: Path, used_before: int) -> int:
        """Return the bytes that were newly allocated: of the filesystem if private, else of the file."""
        return self.settled_bytes() - used_before if self.private else output.stat().st_blocks * 512


def filesystem_of(folder: Path) -> str:
    """Return the kind of filesystem that holds ``folder`` (``ext4``, ``xfs``, ...), or ``unknown``."""
    found, best = "unknown", -1
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    resolved = folder.resolve()
    for line in mounts:
        _, point, kind = line.split()[:3]
        if resolved.is_relative_to(point) and len(point) >= best:
            found, best = kind, len(point)
    return found


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise ``PlaceUnavailable`` unless that much is free (and 5 % of it more)."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes * 1.05:
        raise PlaceUnavailable(f"{folder} has {free / 1e9:.1f} GB free, {needed_bytes / 1e9:.1f} GB are needed")


@contextlib.contextmanager
def mounted_xfs(folder: Path, size_bytes: int) -> Iterator[Place]:
    """Make a sparse XFS image with reflinks in ``folder``, mount it, and remove it in the end.

    Raises ``PlaceUnavailable`` without root, ``mkfs.xfs``, or a kernel that mounts it.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise PlaceUnavailable("mounting an XFS image needs root on Linux")
    if shutil.which("mkfs.xfs") is None:
        raise PlaceUnavailable("mkfs.xfs is not installed (package xfsprogs)")
    image, point = folder / "xfs.img", folder / "xfs"
    with image.open("wb") as file:
        file.truncate(max(size_bytes, _XFS_LEAST_BYTES))
    point.mkdir()
    try:
        _call("mkfs.xfs", "-q", "-m", "reflink=1", str(image))
        device = _call("losetup", "--find", "--show", "--direct-io=on", str(image)).strip()
        try:
            _call("mount", device, str(point))
            try:
                yield Place(folder=point, filesystem="xfs, loop-mounted", private=True)
            finally:
                _unmount(point)
        finally:
            _call("losetup", "--detach", device)
    finally:
        image.unlink()
        if not os.path.ismount(point):
            point.rmdir()


def _unmount(point: Path) -> None:
    try:
        _call("umount", str(point))
    except PlaceUnavailable:  # something in it is still open: it goes when that is closed
        _call("umount", "--lazy", str(point))


def _call(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    except subprocess.CalledProcessError as error:
        raise PlaceUnavailable(f"{' '.join(command[:3])} failed: {error.stderr.strip()}") from error
