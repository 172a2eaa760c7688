"""The plan of a remux, as pure data: it prints, it is JSON, it can be compared without a disk."""

from __future__ import annotations

from dataclasses import field
from fractions import Fraction
from typing import Any

from ffzero.containers.libav.targets import StreamChoice, title_of
from ffzero.reporting import printable
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["PiecePlan", "RemuxPiece", "RemuxPlan", "clock_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemuxPiece:
    """A half-open range ``[start_s, end_s)`` of a file, in seconds of movie time; ``None`` is the file's own end.

    With ``after_removal`` it begins at the next key picture instead of the one before, with ``before_removal`` it ends
    where no later picture is needed: what lies beyond was taken out on purpose.
    """

    path: str
    start_s: Fraction | None = None
    end_s: Fraction | None = None
    after_removal: bool = False
    before_removal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecePlan:
    """What is copied of one piece, in seconds of its file's movie time.

    The copy begins with the key picture at ``actual_start_s`` and ends with the picture that ends at ``actual_end_s``
    (``None``: at the end of the file, whose length is unknown). ``zero_s`` is the movie time that lands at the piece's
    start in the output. ``main_index`` is the stream whose key packets decide, ``main_pts`` its first pts in ticks.
    """

    path: str
    start_s: Fraction | None
    end_s: Fraction | None
    actual_start_s: Fraction
    actual_end_s: Fraction | None
    zero_s: Fraction
    main_index: int
    main_pts: int
    streams: tuple[StreamChoice, ...]
    before_removal: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the piece as JSON-ready data."""
        return {
            "kind": "copy",
            "source": self.path,
            "start_s": _float(self.start_s),
            "end_s": _float(self.end_s),
            "actual_start_s": _float(self.actual_start_s),
            "actual_end_s": _float(self.actual_end_s),
            "reason": "another container: packets are copied from the key picture on",
            "streams": [stream.to_dict() for stream in self.streams],
        }

    def __str__(self) -> str:
        wanted = f"[{clock_text(self.start_s, 'start')}, {clock_text(self.end_s, 'end')})"
        actual = f"{clock_text(self.actual_start_s, 'start')} to {clock_text(self.actual_end_s, 'end')}"
        lines = [printable(f"copy {self.path} {wanted}: packets from {actual}")]
        return "\n".join(lines + [f"  {stream}" for stream in self.streams])


@dataclass(frozen=True, slots=True, kw_only=True)
class RemuxPlan:
    """How ``execute_remux`` makes one output. ``bytes_estimate`` is a rough size, for progress only."""

    output: str
    muxer: str
    pieces: tuple[PiecePlan, ...]
    warnings: tuple[str, ...] = ()
    bytes_estimate: int | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready data."""
        return {
            "output": self.output,
            "container": title_of(self.muxer),
            "method": "remux",
            "copies_bytes": True,
            "segments": [piece.to_dict() for piece in self.pieces],
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        how = "by copying every packet (no bytes are shared, none coded)"
        lines = [f"{printable(self.output)}: {title_of(self.muxer)}, {how}"]
        lines += [str(piece) for piece in self.pieces]
        return "\n".join(lines + [printable(f"warning: {warning}") for warning in self.warnings])


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def clock_text(value: Fraction | None, otherwise: str) -> str:
    """Return a time for people; ``otherwise`` where there is none."""
    return otherwise if value is None else format_time(value)
