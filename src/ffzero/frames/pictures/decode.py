"""The pictures of samples: read by our own sample table, decoded by libavcodec, checked one by one."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ffzero.containers.h264_slices import holds_one_field, without_stale_markings
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media
from ffzero.edits.rendering import PictureJob
from ffzero.errors import DecodeError, FFZeroError, UnsupportedError
from ffzero.frames.pictures.extradata import decoder_name, extradata
from ffzero.reporting import CancelToken

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = [
    "Decoding",
    "open_decoder",
    "packet_of",
    "pictures",
    "sample_aspect",
    "undecodable_leading",
    "without_stale_markings_of",
]

_BATCH = 64
"""Samples whose places are looked up at once."""
_MOST_THREADS = 8
"""Each thread holds pictures of its own."""
_THREADS_BESIDE_CODING = 2
"""Coding takes longer than decoding, and each thread holds 5 MB at 1080p, or 8 MB of more than 8 bits."""
_HVCC_DEPTH_AT = 17
_MAX_SAMPLE_BYTES = 1 << 30


def open_decoder(
    entry: SampleEntry, *, held_back: bool = False, most_threads: int = _MOST_THREADS
) -> VideoCodecContext:
    """Return a decoder of the samples that ``entry`` describes; damage is an error of its, not hidden.

    With ``held_back`` several pictures are decoded at a time, which come out (and whose errors are told) some samples
    later. Raises ``UnsupportedError`` where libavcodec has no such decoder.
    """
    name = decoder_name(entry)
    try:
        context = av.CodecContext.create(name, "r")
    except (ValueError, FFmpegError) as error:
        raise UnsupportedError(f"there is no decoder for {entry.codec} ({entry.fourcc}) here") from error
    assert isinstance(context, VideoCodecContext)
    found = extradata(entry)
    if found:
        context.extradata = found
    if entry.codec not in ("h264", "hevc", "av1") and entry.width and entry.height:
        context.width, context.height = entry.width, entry.height
    context.codec_tag = entry.original_format
    context.thread_type = ThreadType.AUTO if held_back else ThreadType.SLICE
    context.thread_count = min(most_threads, os.cpu_count() or 1) if held_back else 1
    context.options = {"err_detect": "explode"}
    return context


def packet_of(data: bytes | bytearray) -> AnyPacket:
    """Return a packet of a sample: a copy, for decoders read on into the zero bytes that libavcodec puts after it."""
    packet: AnyPacket = av.Packet(len(data))
    packet.update(data)  # type: ignore[arg-type]  # it takes any buffer
    return packet


def pictures(job: PictureJob, *, cancel: CancelToken | None = None) -> Iterator[tuple[SampleEntry, VideoFrame]]:
    """Decode the pictures of a job; yield each with the sample entry it was coded by, in the order they are shown.

    A frame's ``pts`` is its time in ticks of the track. Frames may share memory with the decoder: do not write to
    them. Raises ``DecodeError`` where a picture is missing or damaged, with its track, time and sample;
    ``UnsupportedError``; ``CancelledError``.
    """
    yield from Decoding(job, cancel)


def sample_aspect(entry: SampleEntry, sample: bytes) -> Fraction | None:
    """Return the shape of a pixel, width to height, as the headers in a sample tell; ``None`` where they do not."""
    decoder = open_decoder(entry)
    with contextlib.suppress(FFmpegError):
        decoder.decode(packet_of(sample))
    return decoder.sample_aspect_ratio or None


class Decoding:
    """One pass over a job's samples, for ``pictures``. The decoder is changed where the sample entry changes."""

    def __init__(self, job: PictureJob, cancel: CancelToken | None) -> None:
        self._job = job
        self._cancel = cancel
        column = job.track.table.pts_column(job.decode_first, job.decode_stop)
        shown = column[(column >= job.pts_first) & (column < job.pts_stop)]
        self._wanted: list[int] = np.sort(shown).tolist()
        unit = job.media.peek(job.track, job.decode_first)
        gradual = unit is not None and unit.random_access is RandomAccess.GRADUAL
        self._clean = not gradual and column[0] == column.min()
        self._shaky_before = self._wanted[0] if gradual and self._wanted else int(column[0])
        is_open = unit is not None and unit.random_access is RandomAccess.OPEN
        self._rewritten = without_stale_markings_of(job) if is_open else {}
        self._left_out = undecodable_leading(job.media, job.track, job.decode_first, job.decode_stop)
        numbers = job.track.table.sync_candidates()
        low, high = (0, 0) if numbers is None else np.searchsorted(numbers, (job.decode_first, job.decode_stop))
        self._sync = None if numbers is None else frozenset(numbers[low:high].tolist())
        self._found = 0
        self._decoder: VideoCodecContext | None = None

    def __iter__(self) -> Iterator[tuple[SampleEntry, VideoFrame]]:
        try:
            yield from self._pictures()
        finally:
            self._rest()

    def _rest(self) -> None:
        """Bring the decoder's threads to rest.

        PyAV frees a decoder under the interpreter's lock, which a thread that logs an error would wait for, for ever.
        """
        if self._decoder is not None:
            self._decoder.flush_buffers()

    def _pictures(self) -> Iterator[tuple[SampleEntry, VideoFrame]]:
        job = self._job
        if len(self._wanted) != job.frames:
            raise self._error(f"expected {job.frames} pictures, the samples have {len(self._wanted)}", job.decode_first)
        description = -1
        for sample, data in self._samples():
            if sample in self._left_out:
                continue
            number = self._description(sample)
            if number != description:
                yield from self._kept(None, sample, description)
                entry = job.track.entries[number]
                held_back = self._clean or entry.codec == "hevc"
                self._decoder = open_decoder(entry, held_back=held_back, most_threads=_threads_beside_coding(entry))
                description = number
            packet = packet_of(data)
            packet.pts, packet.dts = job.track.table.pts(sample), job.track.table.dts(sample)
            packet.time_base = Fraction(1, job.track.timescale)
            packet.is_keyframe = self._is_sync(sample)  # PNG looks at it
            yield from self._kept(packet, sample, description)
        yield from self._kept(None, job.decode_stop, description)
        if self._found < len(self._wanted):
            raise self._missing(self._wanted[self._found])

    def _description(self, sample: int) -> int:
        chunks = self._job.track.table.chunks
        return int(chunks.run_descriptions[chunks.locate(sample)[0]])

    def _is_sync(self, sample: int) -> bool:
        numbers = self._sync
        return numbers is None or sample in numbers

    def _samples(self) -> Iterator[tuple[int, bytearray]]:
        job, source = self._job, self._job.media.box.source
        for first in range(job.decode_first, job.decode_stop, _BATCH):
            places = job.track.table.offsets_and_sizes(first, min(first + _BATCH, job.decode_stop))
            for i, (offset, size) in enumerate(zip(*(column.tolist() for column in places), strict=True)):
                if self._cancel is not None:
                    self._cancel.check()
                if first + i in self._rewritten:
                    yield first + i, bytearray(self._rewritten[first + i])
                    continue
                if size > _MAX_SAMPLE_BYTES or offset + size > source.size_bytes:
                    raise self._error("a sample lies beyond the end of the file", first + i)
                data = bytearray(size)
                source.readinto_at(offset, memoryview(data))
                yield first + i, data

    def _kept(
        self, packet: AnyPacket | None, sample: int, description: int
    ) -> Iterator[tuple[SampleEntry, VideoFrame]]:
        """Feed a packet (``None``: no more come) and yield what is shown of the pictures that come out."""
        decoder = self._decoder
        if decoder is None:
            return
        try:
            frames = decoder.decode(packet)
        except (FFmpegError, EOFError) as error:
            # Pictures shown before a random access point may lack what they are predicted from. Where decoding threads
            # tell of one only later there is none.
            if packet is not None and not self._clean and packet.pts is not None and packet.pts < self._shaky_before:
                return
            why = f"a picture does not decode: {getattr(error, 'strerror', None) or error}"
            raise self._failure(why, self._culprit(sample)) from error
        for frame in frames:
            if frame.pts is not None and self._job.pts_first <= frame.pts < self._job.pts_stop:
                yield self._job.track.entries[description], self._checked(frame)

    def _culprit(self, sample: int) -> int:
        """Return the sample of the first picture that has not come out: the one that failed, or near it."""
        if self._found < len(self._wanted):
            return self._sample_at(self._wanted[self._found])
        return sample

    def _checked(self, frame: VideoFrame) -> VideoFrame:
        wanted = self._wanted[self._found] if self._found < len(self._wanted) else None
        assert frame.pts is not None
        if frame.pts != wanted:
            if wanted is not None and frame.pts > wanted:
                raise self._missing(wanted)
            raise self._error("a picture came out of order", self._sample_at(frame.pts))
        if frame.is_corrupt:
            raise self._error("a picture lacks data or what it is predicted from", self._sample_at(frame.pts))
        self._found += 1
        return frame

    def _missing(self, pts: int) -> FFZeroError:
        return self._failure("a picture does not decode", self._sample_at(pts))

    def _failure(self, what: str, sample: int) -> FFZeroError:
        """Return the error of a sample that gave no picture: it may be one of the two that a picture lies in."""
        if is_single_field(self._job, sample):
            return UnsupportedError(
                f"{self._place(sample)}: pictures whose two fields lie in two samples are not coded anew",
                path=self._job.media.name,
                hint="Cut at keyframes, or by an edit list (boundary auto)",
            )
        return self._error(what, sample)

    def _sample_at(self, pts: int) -> int:
        column = self._job.track.table.pts_column(self._job.decode_first, self._job.decode_stop)
        places = np.flatnonzero(column == pts)
        return self._job.decode_first + (int(places[0]) if len(places) else 0)

    def _error(self, what: str, sample: int) -> DecodeError:
        return DecodeError(f"{self._place(sample)}: {what}", path=self._job.media.name)

    def _place(self, sample: int) -> str:
        track = self._job.track
        time = float(Fraction(track.table.pts(min(sample, track.table.count - 1)), track.timescale))
        return f"track {track.id}, sample {sample}, at {time:.3f} s"


def _threads_beside_coding(entry: SampleEntry) -> int:
    """Return how many threads are to decode. x265 holds 150 MB for 1080p of 10 bits, which leaves room for one."""
    record = entry.boxes.get("hvcC", b"")
    # ISO/IEC 14496-15 §8.3.3.1: bitDepthLumaMinus8, the last three bits of the byte.
    is_deep = len(record) > _HVCC_DEPTH_AT and record[_HVCC_DEPTH_AT] & 7 > 0
    return 1 if is_deep else _THREADS_BESIDE_CODING


def is_single_field(job: PictureJob, sample: int) -> bool:
    """Whether a sample of an H.264 track is one field of a picture, the other of which lies in another sample."""
    sample = min(sample, job.decode_stop - 1)
    avc = job.media.entry_of(job.track, sample).avc
    data = job.media.sample_bytes(job.track, sample) if avc is not None else None
    if avc is None or data is None:
        return False
    return holds_one_field(data, avc.nal_length_size, (*avc.sps, *avc.pps))


def without_stale_markings_of(job: PictureJob) -> dict[int, bytes]:
    """Return samples of an open start without commands about pictures before it, which would be errors there."""
    entry = job.media.entry_of(job.track, job.decode_first)
    if entry.avc is None:
        return {}
    read = (job.media.sample_bytes(job.track, number) for number in range(job.decode_first, job.decode_stop))
    samples = itertools.takewhile(lambda data: data is not None, read)
    sets = (*entry.avc.sps, *entry.avc.pps)
    found = without_stale_markings(filter(None, samples), entry.avc.nal_length_size, sets)
    return {job.decode_first + number: data for number, data in found.items()}


def undecodable_leading(media: Media, track: Track, first: int, stop: int) -> frozenset[int]:
    """Return the samples of ``[first, stop)`` that no decoder which starts at the first of them decodes: HEVC's RASL.

    They are skipped by rights (ITU-T H.265 §8.1.3), but libavcodec takes the second slice of such a picture for damage,
    and with several threads says so while it is given another one. Reads these samples and the one behind them.
    """
    if media.entry_of(track, first).codec != "hevc":
        return frozenset()
    table = track.table
    own = table.pts(first)
    later = itertools.takewhile(lambda sample: table.pts(sample) < own, range(first + 1, stop))
    units = ((sample, media.peek(track, sample)) for sample in later)
    return frozenset(sample for sample, unit in units if unit is not None and unit.is_leading_undecodable)
