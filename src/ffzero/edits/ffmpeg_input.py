"""An unwritten clip as input of the FFmpeg program and of PyAV: ``concatf:`` over ``subfile,,start,A,end,B,,:`` parts."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ffzero.edits.execute import rope_of
from ffzero.errors import UnsupportedError
from ffzero.extents.rope import Rope
from ffzero.storage.local import LocalSource

if TYPE_CHECKING:
    from ffzero.edits.clip import Clip

__all__ = ["FFmpegInput", "ffmpeg_input"]

_PROTOCOLS = "file,subfile,concatf"


class FFmpegInput(list[str]):
    """FFmpeg arguments for one input. Close it (or use it as a context manager) to remove its temporary folder.

    Names never reach FFmpeg: sources are links with plain names inside the folder, so quotes, newlines and leading
    dashes in a path mean nothing.
    """

    def __init__(self, folder: str, url: str) -> None:
        self.url = url
        self.options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": "mov"}
        super().__init__(["-protocol_whitelist", _PROTOCOLS, "-f", "mov", "-i", url])
        self._finalizer = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary folder; the arguments are of no use afterwards."""
        self._finalizer()


def ffmpeg_input(clip: Clip, boundary: str) -> FFmpegInput:
    """Make the input for a clip of MP4 or MOV sources; see ``Clip.ffmpeg_input``."""
    rope = rope_of(clip, boundary)
    folder = tempfile.mkdtemp(prefix="ffzero-")
    try:
        lines = list(_parts(rope, folder))
        listing = os.path.join(folder, "parts")
        with open(listing, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FFmpegInput(folder, f"concatf:{listing}")


def _parts(rope: Rope, folder: str) -> Iterator[str]:
    """Yield the URL of each run; all literals stand in one file."""
    links: dict[str, str] = {}
    with open(os.path.join(folder, "literals"), "wb") as literals:
        for run in rope.runs():
            if run.data is not None:
                start, name = literals.tell(), literals.name
                literals.write(run.data)
            else:
                if not isinstance(run.source, LocalSource):
                    raise UnsupportedError("only clips of files can be handed to FFmpeg by name")
                start, name = run.offset, run.source.path
                if name not in links:
                    links[name] = os.path.join(folder, f"source{len(links)}")
                    os.symlink(name, links[name])
                name = links[name]
            yield f"subfile,,start,{start},end,{start + run.length},,:{name}"
