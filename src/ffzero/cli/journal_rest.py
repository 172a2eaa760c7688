"""What an interrupted job has finished: where it is kept, and how to go on or be rid of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ffzero.cli.console import Console
from ffzero.errors import JournalMismatchError, OutputBusyError

__all__ = ["rest_told"]


@contextlib.contextmanager
def rest_told(console: Console, output: str | None) -> Iterator[None]:
    """Name the files beside ``output`` that are left where the job ends with an error, if there are any."""
    try:
        yield
    except BaseException as error:
        journal = f"{output}.ffzero-journal"
        ours = not isinstance(error, JournalMismatchError | OutputBusyError)
        if ours and output is not None and os.path.exists(journal):
            console.message(
                f"ffzero: finished chunks are kept in {output}.ffzero-chunks: the same command goes on from there,"
                f" --restart begins anew; to give it up, delete that folder and {journal}"
            )
        raise
