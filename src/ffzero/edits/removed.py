"""Pieces beside what was taken out, where cuts fall on key pictures: they may not bring any of it back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.edits.cutpoints import closed_stop_before, next_closed
from ffzero.edits.layout import PieceRequest
from ffzero.errors import TimeRangeError
from ffzero.timebase import TOLERANCE, Rounding, format_time, to_ticks

__all__ = ["beside_removed"]


def beside_removed(request: PieceRequest, warnings: list[str]) -> PieceRequest:
    """Return a piece that begins at a key picture behind what was taken out, and ends where no later picture is needed.

    What is lost so is told. Raises ``TimeRangeError`` where that would be all of it.
    """
    media, main = request.media, request.media.main_video
    if main is None or not (request.after_removal or request.before_removal):
        return request
    start, end = request.start, media.range[1] if request.end is None else request.end
    if request.after_removal:
        found = _first_key(request, main, start, end)
        if found is None:
            raise _nothing(request, f"no key picture from {format_time(start)} to {format_time(end)}")
        start = found
    stop = request.end
    if request.before_removal and stop is not None:
        stop = _last_stop(request, main, start, stop)
        if stop is None:
            raise _nothing(request, f"all pictures from {format_time(start)} on need some that are taken out")
    lost = start - request.start + (request.end - stop if request.end is not None and stop is not None else 0)
    if lost > TOLERANCE:
        warnings.append(f"{format_time(lost)} beside removed ranges are left out: keyframes are needed there")
    return replace(request, start=start, end=stop)


def _nothing(request: PieceRequest, why: str) -> TimeRangeError:
    return TimeRangeError(
        f"{why}: nothing would be left beside the ranges that are taken out",
        path=request.media.name,
        hint="Use boundary 'auto' or 'render', which cut at any picture",
    )


def _spans(request: PieceRequest, main: Track, start: Fraction, end: Fraction) -> list[tuple[Span, int, int]]:
    """Return what of the edits lies in a range, with the media ticks from which and to which it does."""
    low = to_ticks(start - TOLERANCE, main.timescale, Rounding.CEIL)
    high = to_ticks(end - TOLERANCE, main.timescale, Rounding.CEIL)
    return [
        (span, max(low - span.shift, span.media_start), min(high - span.shift, span.media_stop))
        for span in request.media.spans(main)
        if span.start < high and span.stop > low
    ]


def _first_key(request: PieceRequest, main: Track, start: Fraction, end: Fraction) -> Fraction | None:
    for span, low, high in _spans(request, main, start, end):
        found = next_closed(main, low, high, request.media.peek)
        if found is not None:
            return request.media.seconds(main, found + span.shift)
    return None


def _last_stop(request: PieceRequest, main: Track, start: Fraction, end: Fraction) -> Fraction | None:
    for span, low, high in reversed(_spans(request, main, start, end)):
        found = closed_stop_before(main, low, high)
        if found is not None:
            return request.media.seconds(main, min(found, high) + span.shift)
    return None
