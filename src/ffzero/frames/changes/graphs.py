"""Filter graphs of our own, run in this process: conversions of size, form and colour."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.error import BlockingIOError as AgainError
from av.error import EOFError as EndError
from av.filter import Graph
from av.video.frame import VideoFrame

__all__ = ["UNSPECIFIED", "FrameGraph", "matrix_of", "range_of"]

UNSPECIFIED = 2
_RGB = 0
_HIGH_DEFINITION_LINES = 720
_BASE = Fraction(1, 90_000)
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc"}

Filter = tuple[str, str]
"""A filter's name and its options, as FFmpeg writes them."""


class FrameGraph:
    """Filters one after another, for pictures like ``like``; the result is in ``pix_fmt``.

    ``threads`` is how many work on one picture, 0 for as many as the machine runs at a time.
    """

    def __init__(self, like: VideoFrame, filters: Sequence[Filter], pix_fmt: str, *, threads: int = 0) -> None:
        graph = Graph()
        with contextlib.suppress(AttributeError):  # older PyAV: always as many as there are cores
            graph.threads = threads
        base = self._base = like.time_base or _BASE
        nodes = [
            graph.add(
                "buffer",
                f"video_size={like.width}x{like.height}:pix_fmt={like.format.name}:pixel_aspect=1/1"
                f":time_base={base}:colorspace={int(like.colorspace)}:range={int(like.color_range)}",
            )
        ]
        nodes += [graph.add(name, options or None) for name, options in filters]
        nodes += [graph.add("format", f"pix_fmts={pix_fmt}"), graph.add("buffersink")]
        graph.link_nodes(*nodes).configure()
        self._graph = graph

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Take a picture (``None``: there are no more) and yield those that are done."""
        self._graph.vpush(frame)
        while True:
            try:
                yield self._pulled()
            except (AgainError, EndError):
                return

    def one(self, frame: VideoFrame) -> VideoFrame:
        """Return what a picture becomes, where each comes out at once."""
        self._graph.vpush(frame)
        return self._pulled()

    def _pulled(self) -> VideoFrame:
        """Return a picture with its time in ticks of those that were put in: deinterlacers halve the ticks."""
        frame = self._graph.vpull()
        if frame.pts is not None and frame.time_base and frame.time_base != self._base:
            frame.pts, frame.time_base = round(frame.pts * frame.time_base / self._base), self._base
        return frame


def matrix_of(frame: VideoFrame) -> str:
    """Return the name of the picture's matrix for ``scale``; where it does not say, what is usual for its size."""
    usual = "bt709" if frame.height >= _HIGH_DEFINITION_LINES else "smpte170m"
    return _MATRICES.get(int(frame.colorspace), usual)


def range_of(frame: VideoFrame) -> str:
    """Return ``pc`` for full range, else ``tv``."""
    return "pc" if int(frame.color_range) == 2 or frame.format.name.startswith("yuvj") else "tv"
