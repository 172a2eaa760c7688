"""The FFmpeg program as frames see it: handed in from beside this layer, because the codecs here lack most filters."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import IO, Protocol

from ffzero.errors import FFZeroError, UnsupportedError

__all__ = ["FilterProgram", "start_filter", "use_filter_program"]


class FilterProgram(Protocol):
    """A program that runs: pictures are written to ``stdin`` in one thread and read in another."""

    @property
    def stdin(self) -> IO[bytes]: ...

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...

    def failure(self) -> FFZeroError | None:
        """Wait for its end; return what went wrong, if anything did."""
        ...

    def end(self) -> None:
        """End it, however far it is. Can be called again."""
        ...


_provider: list[Callable[[Sequence[str], str], FilterProgram]] = []


def use_filter_program(start: Callable[[Sequence[str], str], FilterProgram]) -> None:
    """Let filter chains run in what ``start(arguments, chain)`` returns: FFmpeg with these arguments."""
    _provider[:] = [start]


def start_filter(arguments: Sequence[str], chain: str) -> FilterProgram:
    """Start FFmpeg. Raises ``FFmpegNotFoundError``, ``UnsupportedError`` where none was handed in."""
    if not _provider:
        # A process that was started for a job has loaded what the job names, and nobody has handed anything in.
        importlib.import_module("ffzero.api")
    if not _provider:
        raise UnsupportedError("filters need the FFmpeg program, and none is loaded", hint="Import ffzero")
    return _provider[0](arguments, chain)
