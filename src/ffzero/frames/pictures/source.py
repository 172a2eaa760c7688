"""What coded pictures are like, so that others can be coded like them."""

from __future__ import annotations

from dataclasses import field
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.edits.rendering import PictureJob
from ffzero.edits.takes import usual_duration
from ffzero.frames.pictures.decode import sample_aspect
from ffzero.values import dataclass

__all__ = ["Source", "source_of"]

_MAX_INTERVAL = 250
_UNSPECIFIED = 2
_WITH_OWN_ASPECT = frozenset({"av1", "h264", "hevc", "vp8", "vp9"})
"""Codecs whose parameter sets tell the shape of pixels, or that know only the container's word."""
_WINDOW = 512
"""Samples looked at for how far pictures are reordered and how far apart key pictures are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The pictures of a job as a decoder shows them, and what its sample table tells of them.

    ``pix_fmt``, ``color_range`` and the code points are FFmpeg's. ``rate`` is the usual number of pictures in a second,
    ``interval`` the number of pictures from one key picture to the next at most, ``reorder`` how many pictures are
    decoded before one that is shown before them. ``first_sample`` is the one at which decoding starts.
    """

    entry: SampleEntry = field(repr=False)
    pix_fmt: str
    width: int
    height: int
    bits: int
    color_range: int
    primaries: int
    transfer: int
    matrix: int
    interlaced: bool
    rate: Fraction
    all_intra: bool
    interval: int
    reorder: int
    sample_aspect: Fraction | None = None
    continued: bool = False
    first_sample: bytes = field(default=b"", repr=False)
    side_data: dict[str, bytes] = field(default_factory=dict, repr=False, hash=False)


def source_of(job: PictureJob, entry: SampleEntry, frame: VideoFrame) -> Source:
    """Tell what a job's pictures are like from the first of them as decoded. Reads one sample."""
    table = job.track.table
    decode_first = (job.part_of or job).decode_first
    side_data: Any = frame.side_data  # PyAV's stubs take it for a dictionary
    duration = usual_duration(table) or 1
    first_sample = job.media.sample_bytes(job.track, decode_first) or b""
    return Source(
        entry=entry,
        pix_fmt=frame.format.name,
        width=frame.width,
        height=frame.height,
        bits=frame.format.components[0].bits,
        color_range=int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=int(frame.colorspace),
        interlaced=bool(frame.interlaced_frame),
        rate=Fraction(table.timescale, duration).limit_denominator(1001),
        all_intra=table.sync is None and table.composition is None,
        interval=_interval(table, decode_first),
        reorder=_reorder(table, decode_first),
        continued=job.continued,
        sample_aspect=None if entry.codec in _WITH_OWN_ASPECT else sample_aspect(entry, first_sample),
        first_sample=first_sample,
        side_data={item.type.name: bytes(item) for item in side_data},
    )


def _interval(table: SampleTable, near: int) -> int:
    numbers = table.sync_candidates()
    if numbers is None:
        return 1
    at = int(np.searchsorted(numbers, near))
    gaps = np.diff(numbers[max(0, at - 8) : at + 8])
    return min(_MAX_INTERVAL, int(gaps.max())) if len(gaps) else _MAX_INTERVAL


def _reorder(table: SampleTable, near: int) -> int:
    """Return the most pictures that are decoded before one and shown after it."""
    if table.composition is None:
        return 0
    pts = table.pts_column(max(0, near - _WINDOW // 2), min(table.count, near + _WINDOW // 2))
    deepest = 0
    for at in range(1, len(pts)):
        deepest = max(deepest, int((pts[max(0, at - 32) : at] > pts[at]).sum()))
    return deepest
