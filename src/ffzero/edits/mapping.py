"""Functions that are called with a clip's pictures: what each is asked with, and what it may return."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal, get_args

from ffzero.errors import UsageError
from ffzero.values import dataclass

__all__ = ["MapFormat", "MapFunction", "PictureMap", "Window", "picture_map"]

MapFormat = Literal["rgb24", "gray", "yuv"]
MapFunction = Callable[..., Any]
"""See ``Clip.map``."""
Window = int | tuple[int, int]

_TIMES = frozenset({"time", "times", "time_s", "times_s", "t", "seconds"})
_MOST_PICTURES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMap:
    """A function of pictures, and how it is called.

    ``before`` and ``after`` are how many neighbours it sees, which lie in ``[reach_start, reach_end)``; ``batch`` is
    how many pictures it gets at a time, 0 for one by one. ``zero`` is the time of the clip's start. All in seconds of
    the input's timeline.
    """

    function: MapFunction
    format: MapFormat = "rgb24"
    before: int = 0
    after: int = 0
    batch: int = 0
    writable: bool = True
    with_time: bool = False
    zero: Fraction = Fraction(0)
    reach_start: Fraction = Fraction(0)
    reach_end: Fraction = Fraction(0)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", None) or type(self.function).__name__

    @property
    def has_window(self) -> bool:
        return self.before > 0 or self.after > 0


def picture_map(
    function: MapFunction, *, format: MapFormat, window: Window, batch: int | None, writable: bool
) -> PictureMap:
    """Check what a clip is to be mapped with; places in time are left to be filled in. Raises ``UsageError``."""
    if not callable(function):
        raise UsageError(f"not a function: {function!r}", hint="Give a function that takes a picture: clip.map(f)")
    if format not in get_args(MapFormat):
        raise UsageError(f"no such form of pictures: {format!r}", expected=" or ".join(map(repr, get_args(MapFormat))))
    before, after = _window(window)
    if batch is not None and (not isinstance(batch, int) or not 1 <= batch <= _MOST_PICTURES):
        raise UsageError(f"not a number of pictures for a batch: {batch!r}", expected=f"1 to {_MOST_PICTURES}")
    if batch is not None and (before or after):
        raise UsageError("a function gets either batches or neighbours", hint="Give window or batch, not both")
    if batch is not None and format == "yuv":
        raise UsageError("planes of different sizes make no batch", hint='Use format "rgb24" or "gray" with batch')
    return PictureMap(
        function=function,
        format=format,
        before=before,
        after=after,
        batch=batch or 0,
        writable=writable,
        with_time=_takes_time(function),
    )


def _window(window: Window) -> tuple[int, int]:
    pair: Sequence[object] = window if isinstance(window, Sequence) else (window, window)
    if len(pair) != 2 or not all(isinstance(count, int) and 0 <= count <= _MOST_PICTURES for count in pair):
        raise UsageError(f"not a window of pictures: {window!r}", expected="how many before and after: n or (n, m)")
    before, after = pair
    assert isinstance(before, int) and isinstance(after, int)
    return before, after


def _takes_time(function: MapFunction) -> bool:
    """Whether the time is its second argument: one that it must be given, or that is named so."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False  # built-in functions that do not tell
    places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(places) > 1 and (places[1].default is inspect.Parameter.empty or places[1].name in _TIMES)
