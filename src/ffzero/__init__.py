"""ffzero: cut and join video without moving the data.

    import ffzero

    with ffzero.open("in.mp4") as movie:
        result = movie[10.5:40.5].write("out.mp4")

Importing this package loads nothing else: each name brings its module with it when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true; importing typing for it would take longer than all the rest
if TYPE_CHECKING:
    from ffzero.api import Clip, Movie, Plan, concat, concat_videos, cut_video, open
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

_REPORTING = frozenset({"CancelToken", "ProgressEvent", "WriteResult"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "errors" if name.endswith("Error") else "reporting" if name in _REPORTING else "api"
    value: object = getattr(import_module(f"ffzero.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
