"""An unwritten clip as input of the FFmpeg program and of PyAV: ``concatf:`` over ``subfile,,start,A,end,B,,:``."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ffzero.containers.isobmff.moved_table import MovedTable
from ffzero.errors import UnsupportedError
from ffzero.extents.rope import Rope
from ffzero.storage.local import LocalSource

__all__ = ["FFmpegInput"]

_PROTOCOLS = "file,subfile,concatf"
_COPY_BYTES = 1 << 20


class FFmpegInput(list[str]):
    """FFmpeg arguments for one input. Close it (or use it as a context manager) to remove its temporary folder.

    Names never reach FFmpeg: sources are links with plain names inside the folder, so quotes, newlines and leading
    dashes in a path mean nothing.
    """

    def __init__(self, folder: str, url: str) -> None:
        self.url = url
        self.options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": "mov"}
        super().__init__(["-protocol_whitelist", _PROTOCOLS, "-f", "mov", "-i", url])
        self._folder = folder

    @classmethod
    def of(cls, rope: Rope) -> Self:
        """Make the input for a rope of files. The folder is removed by ``close``, at the latest when Python ends."""
        folder = tempfile.mkdtemp(prefix="ffzero-")
        atexit.register(_remove, folder, os.getpid())
        try:
            lines = list(_parts(rope, folder))
            listing = os.path.join(folder, "parts")
            with open(listing, "w", encoding="ascii") as file:
                file.writelines(f"{line}\n" for line in lines)
        except BaseException:
            _remove(folder, os.getpid())
            raise
        return cls(folder, f"concatf:{listing}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary folder; the arguments are of no use afterwards."""
        _remove(self._folder, os.getpid())


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked child must not take the folder from its parent
        shutil.rmtree(folder, ignore_errors=True)


def _parts(rope: Rope, folder: str) -> Iterator[str]:
    """Yield the URL of each run; all literals, and tables that exist only when read, stand in one file."""
    links: dict[str, str] = {}
    with open(os.path.join(folder, "literals"), "wb") as literals:
        for run in rope.runs():
            if run.data is not None:
                start, name = literals.tell(), literals.name
                literals.write(run.data)
            elif isinstance(run.source, MovedTable):
                start, name = literals.tell(), literals.name
                for at in range(run.offset, run.offset + run.length, _COPY_BYTES):
                    literals.write(run.source.read_at(at, min(_COPY_BYTES, run.offset + run.length - at)))
            else:
                if not isinstance(run.source, LocalSource):
                    raise UnsupportedError("only clips of files can be handed to FFmpeg by name")
                start, name = run.offset, run.source.path
                if name not in links:
                    links[name] = os.path.join(folder, f"source{len(links)}")
                    os.symlink(name, links[name])
                name = links[name]
            yield f"subfile,,start,{start},end,{start + run.length},,:{name}"
