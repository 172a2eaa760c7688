"""The pictures of an MP4 or MOV track: fed by our own sample table, each accounted for as it comes out."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ffzero.containers.h264_params import parse_h264_sps
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.nal import RandomAccess
from ffzero.edits.media import Media
from ffzero.edits.rendering import PictureJob
from ffzero.errors import DecodeError
from ffzero.frames.pictures.decode import open_decoder, undecodable_leading, without_stale_markings_of
from ffzero.frames.pictures.extradata import extradata
from ffzero.frames.reading.failures import sample_error
from ffzero.frames.reading.samples import Sample, samples_of
from ffzero.frames.reading.skipping import can_skip
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["Run", "TrackDecoder"]

_MOST_THREADS = 8
_WINDOW = 512
_SHORT_RUN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Samples ``[first, stop)`` to decode one after another for the pictures with pts in ``[low, high)`` ticks.

    ``first_pts`` is the time of the first of those. With ``wanted`` (pts to number) only these are asked for.
    """

    first: int
    stop: int
    low: int
    high: int
    first_pts: int
    wanted: Mapping[int, int] | None = None


class TrackDecoder:
    """Decodes runs of one track with one decoder, which is changed where the sample entry does.

    ``close`` brings its threads to rest: freed while one of them logs, a decoder can hang for ever, because PyAV frees
    it under the interpreter's lock.
    """

    def __init__(
        self, media: Media, track: Track, cancel: CancelToken | None = None, *, threads: int | None = None
    ) -> None:
        self._media, self._track, self._cancel = media, track, cancel
        self._decoder: VideoCodecContext | None = None
        self._description = -1
        self._used = False
        self._base = Fraction(1, track.timescale)
        self._depth = -1
        self._threads = min(threads or _MOST_THREADS, _MOST_THREADS, os.cpu_count() or 1)

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.flush_buffers()

    def pictures(self, run: Run) -> Iterator[tuple[VideoFrame, int, int]]:
        """Yield each picture with its pts and number (from 0, or as ``wanted`` says), in the order they are shown.

        Raises ``DecodeError`` where one is missing, damaged, or lacks what it is predicted from.
        """
        yield from _Pass(self, run).pictures()

    def decoder(self, description: int, *, held_back: bool) -> VideoCodecContext:
        """Return a decoder that knows nothing of pictures before."""
        known = self._decoder
        if known is None or description != self._description or held_back != self._held_back:
            self.close()
            known = self._decoder = open_decoder(
                self._track.entries[description], held_back=held_back, most_threads=self._threads
            )
            self._description, self._held_back = description, held_back
        elif self._used:
            known.flush_buffers()
        self._used = True
        if self._track.entries[description].codec == "h264":
            if self._depth < 0:
                self._depth = _reorder(self._track.table)
            # Without a word of the stream libavcodec finds out while it shows, and loses pictures on the way.
            with contextlib.suppress(AttributeError):  # PyAV before 18
                known.reorder_depth = max(known.reorder_depth, self._depth)
        return known

    _held_back = True

    @property
    def media(self) -> Media:
        return self._media

    @property
    def track(self) -> Track:
        return self._track

    @property
    def cancel(self) -> CancelToken | None:
        return self._cancel

    @property
    def base(self) -> Fraction:
        return self._base

    @property
    def threads(self) -> int:
        return self._threads


class _Pass:
    """One run through a track's decoder."""

    def __init__(self, owner: TrackDecoder, run: Run) -> None:
        self._owner, self._run = owner, run
        self._media, self._track = owner.media, owner.track
        self._pending: list[int] = []
        """Times of pictures that were fed and have not come out."""
        self._number = 0
        self._left = len(run.wanted) if run.wanted is not None else -1
        self._last: int | None = None
        unit = self._media.peek(self._track, run.first)
        access = unit.random_access if unit is not None else None
        head = self._track.table.pts_column(run.first, min(run.stop, run.first + _WINDOW))
        own = int(head[0])
        gradual = access is RandomAccess.GRADUAL
        self._shaky_before = run.first_pts if gradual else own
        self._clean = not gradual and own == int(head.min())
        self._recent: deque[int] = deque(maxlen=owner.threads + 1)
        self._rewritten: dict[int, bytes] = {}
        if access is RandomAccess.OPEN:
            self._rewritten = without_stale_markings_of(self._job())
        self._left_out = undecodable_leading(self._media, self._track, run.first, run.stop)

    def _job(self) -> PictureJob:
        run = self._run
        return PictureJob(
            media=self._media,
            track=self._track,
            decode_first=run.first,
            decode_stop=run.stop,
            pts_first=run.low,
            pts_stop=run.high,
            frames=0,
        )

    def pictures(self) -> Iterator[tuple[VideoFrame, int, int]]:
        run, cancel, base = self._run, self._owner.cancel, self._owner.base
        low, high, wanted, pending = run.low, run.high, run.wanted, self._pending
        rewritten, recent = self._rewritten, self._recent
        description, skips, skipping = -1, False, False
        decoder: VideoCodecContext | None = None
        for sample in samples_of(self._media, self._track, run.first, run.stop):
            if cancel is not None:
                cancel.check()
            if sample.number in self._left_out:
                continue
            if sample.description != description:
                if decoder is not None:
                    yield from self._out(self._decoded(decoder, None, sample.number))
                description = sample.description
                codec = self._track.entries[description].codec
                short = run.stop - run.first < _SHORT_RUN
                decoder = self._owner.decoder(description, held_back=self._clean or codec == "hevc" or not short)
                configuration = extradata(self._track.entries[description])
                skips, skipping = wanted is not None and can_skip(codec, configuration), False
                decoder.skip_frame = "DEFAULT"
            assert decoder is not None
            pts = sample.pts
            needed = low <= pts < high if wanted is None else pts in wanted
            if needed:
                heappush(pending, pts)
            if skips and skipping is needed:
                skipping = not needed
                decoder.skip_frame = "NONREF" if skipping else "DEFAULT"
            data = rewritten.get(sample.number, sample.data) if rewritten else sample.data
            recent.append(pts)
            frames = self._decoded(decoder, _packet(data, sample, base), sample.number)
            if frames:
                yield from self._out(frames)
                if not self._left:
                    return
        if decoder is not None:
            yield from self._out(self._decoded(decoder, None, run.stop - 1))
            self._pass_over(None)

    def _decoded(self, decoder: VideoCodecContext, packet: AnyPacket | None, sample: int) -> list[VideoFrame]:
        try:
            frames = decoder.decode(packet)
        except (FFmpegError, EOFError) as error:
            # Pictures shown before a random access point may lack what they are predicted from. Threads tell of one
            # some samples later; a picture that is asked for is missed then.
            if not self._clean and self._recent and min(self._recent) < self._shaky_before:
                return []
            text = getattr(error, "strerror", None) or error
            raise self._error(f"a picture does not decode: {text}", self._culprit(sample)) from error
        if packet is None:  # PyAV takes the time base from the packet
            for frame in frames:
                frame.time_base = self._owner.base
        return frames

    def _out(self, frames: list[VideoFrame]) -> Iterator[tuple[VideoFrame, int, int]]:
        run = self._run
        for frame in frames:
            pts = frame.pts
            assert pts is not None
            if frame.is_corrupt and pts >= self._shaky_before:  # others are predicted from it
                raise self._error("a picture lacks data or what it is predicted from", self._sample_at(pts))
            if run.wanted is None:
                if not run.low <= pts < run.high:
                    continue
            elif pts not in run.wanted:
                continue
            if self._pending and self._pending[0] < pts:
                self._pass_over(pts)
            if self._pending and self._pending[0] == pts:
                heappop(self._pending)
            elif pts != self._last:
                raise self._error("a picture came out of order", self._sample_at(pts))
            if frame.is_corrupt:
                raise self._error("a picture lacks data or what it is predicted from", self._sample_at(pts))
            number = self._number if run.wanted is None else run.wanted[pts]
            self._number += 1
            self._left -= 1
            self._last = pts
            yield frame, pts, number
            if not self._left:
                return

    def _pass_over(self, until: int | None) -> None:
        """Account for what did not come out: second fields in samples of their own, else it is missing."""
        while self._pending and (until is None or self._pending[0] < until):
            pts = heappop(self._pending)
            if pts != self._last and not self._has_fields():
                raise self._error("a picture does not decode", self._sample_at(pts))

    def _has_fields(self) -> bool:
        entry = self._track.entries[max(0, self._owner._description)]
        return entry.avc is not None and any(not parse_h264_sps(nal).frame_mbs_only for nal in entry.avc.sps)

    def _culprit(self, sample: int) -> int:
        return self._sample_at(self._pending[0]) if self._pending else sample

    def _sample_at(self, pts: int) -> int:
        table, run = self._track.table, self._run
        least, most = table.composition_range
        low = max(run.first, table.first_at_or_after_dts(pts - most))
        high = max(low, min(run.stop, table.first_at_or_after_dts(pts - least) + 1))
        places = np.flatnonzero(table.pts_column(low, high) == pts)
        return low + int(places[0]) if len(places) else run.first

    def _error(self, what: str, sample: int) -> DecodeError:
        return sample_error(self._media, self._track, sample, what)


def _packet(data: memoryview | bytes, sample: Sample, base: Fraction) -> AnyPacket:
    """Return a packet with a copy: decoders read on into the zero bytes that libavcodec puts after it."""
    packet: AnyPacket = av.Packet(len(data))
    packet.update(data)  # type: ignore[arg-type]  # it takes any buffer
    packet.pts = sample.pts
    packet.time_base = base
    packet.is_keyframe = sample.sync  # PNG looks at it
    return packet


def _reorder(table: SampleTable) -> int:
    """Return how many pictures are decoded before one that is shown before them, as far as the first tell."""
    if table.composition is None:
        return 0
    column = table.pts_column(0, min(table.count, _WINDOW)).tolist()
    most = 0
    for number, pts in enumerate(column):
        most = max(most, sum(other > pts for other in column[max(0, number - 17) : number]))
    return min(most, 16)
