"""A clip: an ordered list of time ranges of movies. Immutable; making one touches no media byte."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from typing import IO, Self

from ffzero.edits.execute import open_clip, plan_clip, rope_of, write_clip
from ffzero.edits.ffmpeg_input import FFmpegInput
from ffzero.edits.pieces import Piece
from ffzero.edits.plan import Plan
from ffzero.edits.slicing import duration_of, slice_pieces
from ffzero.errors import TimeRangeError, UsageError
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, format_time

__all__ = ["Clip"]


class Clip:
    """An edit: pieces of movies, one after another. ``a + b`` joins; pieces that continue each other merge."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Iterable[Piece]) -> None:
        merged: list[Piece] = []
        for piece in pieces:
            joined = merged[-1].joined(piece) if merged else None
            if joined is not None:
                merged[-1] = joined
            else:
                merged.append(piece)
        if not merged:
            raise UsageError("a clip needs at least one piece")
        self.pieces = tuple(merged)

    def __add__(self, other: Clip) -> Clip:
        if not isinstance(other, Clip):
            return NotImplemented
        return Clip((*self.pieces, *other.pieces))

    def __repr__(self) -> str:
        return f"<ffzero.{type(self).__name__} {' + '.join(map(_short, self.pieces))}>"

    def __getitem__(self, times: slice) -> Self:
        """Return the part ``[start, stop)`` of the clip, in times from the clip's own start; see ``slice``."""
        if not isinstance(times, slice) or times.step is not None:
            raise TimeRangeError("a clip is sliced by times", hint="Write clip[2.5:10], or clip[5:] for the rest")
        return self.slice(times.start, times.stop)

    def slice(self, start: TimeLike | None = None, end: TimeLike | None = None) -> Self:
        """Return the part ``[start, end)``, in times from the clip's own start; nothing is read or copied.

        A part that goes on beyond the clip's end stops there. Raises ``TimeRangeError`` where nothing is left.
        """
        return self._with(slice_pieces(self.pieces, start, end))

    @property
    def duration(self) -> Fraction:
        """How long the clip is as asked for, in seconds; its plan says where its pictures really begin and end."""
        return duration_of(self.pieces)

    def _with(self, pieces: Iterable[Piece]) -> Self:
        """Return a clip of this kind with other pieces; a subclass keeps here what else it carries."""
        return type(self)(pieces)

    def plan(self, boundary: str = "auto", output: str | os.PathLike[str] | None = None) -> Plan:
        """Return what must happen to make the clip one file: what is copied, what is rendered, why, at what cost.

        ``boundary`` says how a cut meets coded pictures: ``"auto"`` and ``"edit-list"`` start exactly at the first
        picture by one leading edit, ``"keyframe"`` starts at the key picture before it and hides nothing, ``"render"``
        wants no hidden pictures at all. ``output``, where given, tells the container. Reads at most the samples at the
        cut points; writes nothing.
        """
        return plan_clip(self.pieces, boundary, output)

    def write(
        self,
        output: str | os.PathLike[str],
        *,
        boundary: str = "auto",
        overwrite: bool = False,
        fsync: bool = False,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> WriteResult:
        """Write the clip to a file, whole or not at all, and return its path with the report of what it cost.

        Within MP4 and MOV, bytes are shared with the sources where the filesystem can, else copied by the kernel; other
        containers are copied packet by packet from the key picture before the start. Raises ``OutputExistsError``
        unless ``overwrite``, ``RenderRequiredError`` where frames would have to be coded anew, ``IncompatibleError``,
        ``DiskFullError`` and others of ``ffzero.errors``.
        """
        return write_clip(
            self.pieces, output, boundary=boundary, overwrite=overwrite, fsync=fsync, reporter=reporter, cancel=cancel
        )

    def open(self, boundary: str = "auto") -> IO[bytes]:
        """Return the file that ``write`` would make as a read-only, seekable binary file object; nothing is written.

        MP4 and MOV sources only. Reads go to the sources; one that changed raises ``SourceChangedError``.
        """
        return open_clip(self.pieces, boundary)

    def ffmpeg_input(self, boundary: str = "auto") -> FFmpegInput:
        """Return FFmpeg arguments that read the clip without it being written: ``[ffmpeg, *clip.ffmpeg_input(), ...]``.

        The list also carries ``url`` and ``options`` for ``av.open(url, options=options)``. The small files that it
        refer to live in a private temporary folder until it is closed, or garbage-collected.
        """
        return FFmpegInput.of(rope_of(self.pieces, boundary))


def _short(piece: Piece) -> str:
    start, end = ("" if time is None else format_time(time) for time in (piece.start, piece.end))
    return f"{os.path.basename(piece.input.path)}[{start}:{end}]"
