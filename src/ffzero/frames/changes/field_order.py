"""Which field of an interlaced picture is shown first. PyAV does not tell, but FFmpeg's filters know."""

from __future__ import annotations

from av.video.frame import VideoFrame

from ffzero.frames.changes.graphs import FrameGraph
from ffzero.frames.pictures.planes import raw_planes

__all__ = ["is_bottom_field_first"]

_BOTTOM = 1


def is_bottom_field_first(frame: VideoFrame) -> bool:
    """Whether an interlaced picture's bottom field, the odd lines, comes before its top field. Copies the picture."""
    name = frame.format.name
    probe = FrameGraph(frame, [], name).one(frame)
    probe.make_writable()
    lines = raw_planes(probe)[0]
    lines[0::2], lines[1::2] = 0, _BOTTOM
    graph = FrameGraph(probe, [("separatefields", "")], name)
    fields = [*graph.push(probe), *graph.push(None)]
    return bool(fields) and int(raw_planes(fields[0])[0][0, 0]) == _BOTTOM
