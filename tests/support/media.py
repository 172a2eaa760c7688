"""Where media lies: real files under ``FFZERO_MEDIA`` (see its INDEX.tsv), and made ones, made once a machine."""

from __future__ import annotations

import contextlib
import csv
import functools
import getpass
import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import synth

__all__ = ["Media", "cache_folder", "ffmpeg_exe", "made", "media_folder", "playable", "real_media"]

_LOCK_TIMEOUT_S = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One file to try: ``name`` identifies it in test ids; a made file comes to be on ``path()``."""

    name: str
    real: Path | None = None
    container: str = "MP4"
    decodes: bool = True

    def path(self) -> Path:
        return self.real if self.real is not None else made(self.name)

    @property
    def key(self) -> str | None:
        """The key (hex) under which its samples are encrypted, for FFmpeg."""
        return synth.CENC_KEY if self.name.startswith("cenc_") and self.real is None else None


@functools.cache
def ffmpeg_exe() -> str:
    """Return the FFmpeg program that ffzero itself would use: the bundled one."""
    import imageio_ffmpeg  # type: ignore[import-untyped]  # it has no type marker

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def cache_folder() -> Path:
    """Return the folder for made media and known decodes; its name changes with the recipes and with FFmpeg."""
    recipes = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("boxes.py", "synth.py", "oracle.py"))
    version = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, check=True, timeout=30).stdout
    key = hashlib.sha256(recipes + version).hexdigest()[:12]
    root = os.environ.get("FFZERO_TEST_CACHE") or os.path.join(
        tempfile.gettempdir(), f"ffzero-tests-{getpass.getuser()}"
    )
    folder = Path(root) / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Keep the other test processes out while a file is made (a lock that works without fcntl)."""
    lock, end = path.with_name(path.name + ".lock"), time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > end:  # its maker died
                break
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def made(name: str) -> Path:
    """Return the made file ``name``, making it and what it is made from where they do not exist yet."""
    path = cache_folder() / name
    if not path.exists():
        with _only_one(path):
            if not path.exists():
                _make(path)
    return path


def _make(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        part = Path(scratch) / path.name
        kitchen = synth.Kitchen(ffmpeg=ffmpeg_exe(), get=made, scratch=Path(scratch))
        try:
            synth.RECIPES[path.name](kitchen, part)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(
                f"{path.name} could not be made: {error.stderr.decode(errors='replace')[-2000:]}"
            ) from error
        os.replace(part, path)


def media_folder() -> Path | None:
    """Return the folder that ``FFZERO_MEDIA`` names (the one with INDEX.tsv, or its ``real``), or ``None``."""
    named = os.environ.get("FFZERO_MEDIA")
    if not named:
        return None
    folder = Path(named)
    return folder.parent if folder.name == "real" and not (folder / "INDEX.tsv").exists() else folder


def real_media() -> list[Media]:
    """Return the real files of the index; none where ``FFZERO_MEDIA`` is not set."""
    folder = media_folder()
    index = folder / "INDEX.tsv" if folder else None
    if folder is None or index is None or not index.exists():
        return []
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    below = folder / "real" if (folder / "real").is_dir() else folder
    return [
        Media(
            name=row["file"], real=below / row["file"], container=row["container"], decodes=row["full_decode"] == "ok"
        )
        for row in rows
        if (below / row["file"]).exists()
    ]


def playable() -> list[Media]:
    """Return every MP4, MOV and fragmented file, real and made, that FFmpeg decodes whole."""
    real = [m for m in real_media() if m.decodes and ("MP4" in m.container or "MOV" in m.container)]
    return real + [Media(name=name) for name in synth.PLAYABLE]
