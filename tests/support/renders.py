"""Render jobs to try, and an independent decode of what comes of them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

import ffzero
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import parse_esds
from ffzero.containers.isobmff.entry_boxes import with_parameter_sets
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.errors import FFZeroError
from ffzero.frames.render import PyAVRenderer

__all__ = [
    "Picture",
    "clean_sync_after",
    "decode",
    "entry_of_coded",
    "job_at",
    "opened",
    "render",
    "shown_times",
    "source_samples",
    "video_tracks",
]

_HDR = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
Sample = tuple[int, bytes]
"""Time stamp and data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture: its time, what FFmpeg says it is, and the digest and pixels of its planes."""

    pts: int
    kind: tuple[object, ...]
    digest: str
    facts: dict[str, bytes]
    luma: np.ndarray
    peak: int

    def psnr_db(self, other: Picture) -> float:
        error = float(((self.luma.astype(np.float64) - other.luma) ** 2).mean())
        return 100.0 if error == 0 else float(10 * np.log10(self.peak**2 / error))


@functools.cache
def opened(path: Path) -> Media:
    media = ffzero.open(path).media
    assert media is not None
    return media


def job_at(media: Media, track: Track, place: float, frames: int) -> PictureJob:
    """Return a job of some pictures from a place (0 to 1) of the track on; decoding starts one key picture early."""
    table = track.table
    column = table.pts_column(0, table.count)
    shown = np.unique(column)
    first = min(int(len(shown) * place), max(0, len(shown) - frames))
    chosen = shown[first : first + frames]
    inside = np.flatnonzero((column >= chosen[0]) & (column <= chosen[-1]))
    points = table.sync_candidates()
    start = int(inside.min())
    if points is not None:
        before = [int(point) for point in points if point <= start and column[point] <= chosen[0]]
        start = before[-2] if len(before) > 1 else before[-1] if before else 0
    return PictureJob(
        media=media,
        track=track,
        decode_first=start,
        decode_stop=int(inside.max()) + 1,
        pts_first=int(chosen[0]),
        pts_stop=int(chosen[-1]) + 1,
        frames=len(inside),
    )


def shown_times(job: PictureJob) -> list[int]:
    """Return the times of a job's pictures in the order they are shown."""
    column = job.track.table.pts_column(job.decode_first, job.decode_stop)
    return sorted(int(pts) for pts in column if job.pts_first <= pts < job.pts_stop)


def render(job: PictureJob) -> CodedPictures:
    told: list[int] = []
    coded = PyAVRenderer().pictures(job, advance=told.append)
    assert sum(told) == job.frames
    return coded


def source_samples(job: PictureJob, first: int, stop: int) -> list[Sample]:
    table = job.track.table
    data = []
    for sample in range(first, stop):
        found = job.media.sample_bytes(job.track, sample)
        assert found is not None
        data.append((int(table.pts(sample)), found))
    return data


def entry_of_coded(job: PictureJob, coded: CodedPictures) -> SampleEntry:
    """Return the sample entry by which coded pictures decode."""
    entry = job.media.entry_of(job.track, job.decode_stop - 1)
    if coded.entry is not None:
        assert not coded.added_sets
        return parse_sample_entry(coded.entry, "vide")
    if not coded.added_sets:
        return entry
    return parse_sample_entry(with_parameter_sets(entry.raw, coded.added_sets), "vide")


def decode(entry: SampleEntry, samples: Sequence[Sample]) -> list[Picture]:
    """Decode samples by an entry, one thread, in one go; the pictures in the order in which they come out."""
    context = av.CodecContext.create({"av1": "libdav1d"}.get(entry.codec, entry.codec), "r")
    assert isinstance(context, av.VideoCodecContext)
    for name in ("avcC", "hvcC", "av1C", "glbl"):
        if name in entry.boxes:
            context.extradata = entry.boxes[name]
    if "esds" in entry.boxes:
        view = View(data=memoryview(entry.boxes["esds"]), offset=0, path="esds", source_name="")
        if parse_esds(view).decoder_specific:
            context.extradata = parse_esds(view).decoder_specific
    context.width, context.height = entry.width, entry.height
    context.thread_count = 1
    out = []
    for pts, data in samples:
        packet = av.Packet(len(data))
        packet.update(data)
        packet.pts, packet.time_base = pts, Fraction(1, 1000)
        packet.is_keyframe = entry.codec == "png"
        out += [_picture(context, frame) for frame in context.decode(packet)]
    return out + [_picture(context, frame) for frame in context.decode(None)]


def _picture(context: av.VideoCodecContext, frame: av.VideoFrame) -> Picture:
    planes = []
    wide = max(component.bits for component in frame.format.components) > 8
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        rows = np.ascontiguousarray(rows).view(np.uint16 if wide else np.uint8)
        planes.append(np.ascontiguousarray(rows[:, : plane.width * (3 if frame.format.name == "rgb24" else 1)]))
    assert frame.pts is not None
    assert not frame.is_corrupt
    kind = (frame.format.name, frame.width, frame.height, frame.color_range, frame.color_primaries, frame.color_trc)
    aspect = context.sample_aspect_ratio or None
    return Picture(
        pts=frame.pts,
        kind=(*kind, frame.colorspace, frame.interlaced_frame, aspect, context.profile),
        digest=hashlib.sha256(b"".join(plane.tobytes() for plane in planes)).hexdigest(),
        facts={item.type.name: bytes(item) for item in frame.side_data if item.type.name in _HDR},
        luma=planes[0],
        peak=(1 << frame.format.components[0].bits) - 1,
    )


def clean_sync_after(job: PictureJob, sample: int) -> int | None:
    """Return the first sample at which a decoder starts afresh, at or after ``sample``."""
    points = job.track.table.sync_candidates()
    for point in range(sample, job.track.table.count) if points is None else points[points >= sample].tolist():
        unit = job.media.peek(job.track, point)
        if unit is None or unit.random_access is RandomAccess.CLOSED:
            return int(point)
    return None


def video_tracks(media: Media) -> list[Track]:
    try:
        return [track for track in media.box.tracks if media.role(track) == "video" and track.table.count]
    except FFZeroError:
        return []
