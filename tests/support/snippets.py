"""Python blocks of documents, the files that they name, and the names that they leave to their reader."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.media import ffmpeg_exe
from support.samples import plain_sample

__all__ = ["ROOT", "blocks", "importing_from_the_checkout", "lay_out_media", "run_block"]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[tuple[int, str]]:
    """Return (line, text) of each block of that language."""
    text = document.read_text(encoding="utf-8")
    found = [match for match in _BLOCK.finditer(text) if match[1] == language]
    return [(text.count("\n", 0, match.start(2)) + 1, match[2]) for match in found]


def lay_out_media(folder: Path) -> None:
    """Put the files there that the snippets name: the 80 s sample, parts of it, and 150 s of it in a row."""
    for name in ("in.mp4", "a.mp4", "b.mp4", "input.mp4"):
        shutil.copyfile(plain_sample(), folder / name)
    ffmpeg = [ffmpeg_exe(), "-nostdin", "-v", "error"]
    for number in (1, 2, 3):
        part = [*ffmpeg, "-ss", str(20 * number), "-t", str(4 + number), "-i", plain_sample(), "-c", "copy"]
        subprocess.run([*part, folder / f"part{number}.mp4"], check=True, timeout=60)
    long = [*ffmpeg, "-stream_loop", "1", "-t", "150", "-i", plain_sample(), "-c", "copy", folder / "large_video.mp4"]
    subprocess.run(long, check=True, timeout=60)


@contextmanager
def importing_from_the_checkout() -> Iterator[None]:
    """Let ``import src…`` work as it does in a program that runs in the checkout's root."""
    sys.path.insert(0, str(ROOT))
    try:
        yield
    finally:
        sys.path.remove(str(ROOT))


def run_block(document: Path, line: int, code: str, **names: Any) -> dict[str, Any]:
    """Run a block as it is written, and return its names. Errors show the document's own lines."""
    scope: dict[str, Any] = {"__name__": "snippet", **names}
    with importing_from_the_checkout():
        exec(compile("\n" * (line - 1) + code, str(document), "exec"), scope)
    return scope
