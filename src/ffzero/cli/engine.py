"""``--jobs`` and ``--engine``: where what has to be coded is coded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["engine_options", "workers"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def engine_options(command: _Command) -> _Command:
    """Give a command ``--jobs`` and ``--engine``; the function gets ``jobs`` and ``engine``."""
    for option in (
        click.option(
            "--engine",
            metavar="WHERE",
            help="Where to code: local, threads, dask://HOST:PORT or ray://HOST:PORT. The file is the same.",
        ),
        click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Code with N workers.  [default: 1]"),
    ):
        command = option(command)
    return command


def workers(jobs: int | None, engine: str | None) -> dict[str, Any]:
    """Return what ``Clip.write`` takes for the options: nothing where none was given."""
    return {name: value for name, value in (("jobs", jobs), ("engine", engine)) if value is not None}
