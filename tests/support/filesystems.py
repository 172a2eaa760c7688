"""Real filesystems for tests and benchmarks: images that are loop-mounted, which needs root and the mkfs programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FilesystemUnavailable", "mounted_image", "mounted_tmpfs"]

_MKFS = {
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "ext4": ["mkfs.ext4", "-q"],
}


class FilesystemUnavailable(Exception):
    """The filesystem cannot be mounted here; the message says why."""


@contextlib.contextmanager
def mounted_image(kind: str, folder: Path, *, size_bytes: int = 400 << 20) -> Iterator[Path]:
    """Make a sparse image of ``kind`` (``xfs``, ``btrfs``, ``ext4``) in ``folder`` and yield its mount point.

    XFS wants at least 300 MiB. Raises ``FilesystemUnavailable`` without root, mkfs, or a kernel that mounts it.
    """
    command = _MKFS[kind]
    _require_root()
    if shutil.which(command[0]) is None:
        raise FilesystemUnavailable(f"{command[0]} is not installed")
    image = folder / f"{kind}.img"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    _call(*command, str(image))
    with _mounted(folder / kind, "-o", "loop", str(image)) as point:
        yield point
    image.unlink()


@contextlib.contextmanager
def mounted_tmpfs(folder: Path, *, size_bytes: int, options: str = "") -> Iterator[Path]:
    """Mount a tmpfs of ``size_bytes`` below ``folder`` and yield its mount point."""
    _require_root()
    joined = f"size={size_bytes}" + (f",{options}" if options else "")
    with _mounted(folder / "tmpfs", "-t", "tmpfs", "-o", joined, "tmpfs") as point:
        yield point


@contextlib.contextmanager
def _mounted(point: Path, *arguments: str) -> Iterator[Path]:
    point.mkdir(parents=True, exist_ok=True)
    _call("mount", *arguments, str(point))
    try:
        yield point
    finally:
        if subprocess.run(["umount", str(point)], capture_output=True).returncode != 0:
            subprocess.run(["umount", "--lazy", str(point)], check=True, capture_output=True)


def _require_root() -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise FilesystemUnavailable("mounting needs root on Linux")


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except subprocess.CalledProcessError as error:
        raise FilesystemUnavailable(f"{' '.join(command[:3])} failed: {error.stderr.strip()}") from error
