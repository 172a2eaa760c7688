"""ffzero: cut and join video without moving the data.

    import ffzero

    with ffzero.open("in.mp4") as movie:
        result = movie[10.5:40.5].write("out.mp4")

Importing this package is quick: the engine, numpy and PyAV load when a name of the engine is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ffzero.errors import (
    CancelledError,
    DiskFullError,
    EncryptedError,
    FFZeroError,
    IncompatibleError,
    InvalidDataError,
    OutputError,
    OutputExistsError,
    RenderRequiredError,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
    TimeRangeError,
    TruncatedError,
    UnsupportedError,
    UsageError,
)
from ffzero.reporting import CancelToken, ProgressEvent, WriteResult

if TYPE_CHECKING:
    from ffzero.api import Clip, Movie, Plan, concat, concat_videos, cut_video, open

__version__ = "0.1.0"

__all__ = [
    "CancelToken",
    "CancelledError",
    "Clip",
    "DiskFullError",
    "EncryptedError",
    "FFZeroError",
    "IncompatibleError",
    "InvalidDataError",
    "Movie",
    "OutputError",
    "OutputExistsError",
    "Plan",
    "ProgressEvent",
    "RenderRequiredError",
    "SourceChangedError",
    "SourceError",
    "SourceNotFoundError",
    "TimeRangeError",
    "TruncatedError",
    "UnsupportedError",
    "UsageError",
    "WriteResult",
    "__version__",
    "concat",
    "concat_videos",
    "cut_video",
    "open",
]

_ENGINE = frozenset({"Clip", "Movie", "Plan", "concat", "concat_videos", "cut_video", "open"})


def __getattr__(name: str) -> object:
    if name not in _ENGINE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("ffzero.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
