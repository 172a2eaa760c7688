"""Pictures of every other container, through PyAV: from the key picture before the first that is asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from av.error import FFmpegError
from av.stream import Stream
from av.video.frame import VideoFrame

from ffzero.containers.libav.opening import Input, context_of
from ffzero.containers.libav.packets import refuse_encrypted
from ffzero.containers.libav.seeking import find_key, ticks_after, ticks_before, video_window
from ffzero.errors import DecodeError, UnsupportedError
from ffzero.frames.changes.orientation import Turn
from ffzero.frames.reading.container_packets import is_hidden, pictures_of, stamp_of
from ffzero.frames.reading.indexed import Picture, Point
from ffzero.frames.reading.skipping import can_skip
from ffzero.frames.reading.steps import Step
from ffzero.reporting import CancelToken
from ffzero.timebase import TOLERANCE

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["ContainerTrack"]

_EARLY_S = Fraction(2)
"""A seek by decoding time lands behind the key picture; reading begins this much before it."""

_WITH_FIELDS = frozenset({"mpegts", "mpeg"})
_PROGRESSIVE = 1
"""``AV_FIELD_PROGRESSIVE``; 0 is unknown, more than 1 interlaced."""

_IN_ORDER_OF_DECODING = frozenset({"avi", "asf", "mxf"})
_REORDERED = frozenset({"h264", "hevc"})
"""Containers that state when pictures are decoded, and codecs of which libav cannot tell when they are shown then: the
times are given to the pictures in the order in which they come out."""
_REORDERED_S = Fraction(1)
"""More than that order differs by."""

_FIELD_S = Fraction(1, 20)
"""More than the time from a picture's first field to its second."""


class ContainerTrack:
    """A video stream of a file that libav demuxes, to be decoded. ``close`` frees the decoder and the file."""

    def __init__(
        self, path: str, number: int | None, cancel: CancelToken | None = None, *, threads: int | None = None
    ) -> None:
        self._cancel = cancel
        self._threads = threads
        self._source = Input(path)
        self._source.__enter__()
        self._context: Any = None
        try:
            stream = pictures_of(self._source, number)
            if context_of(stream) is None:
                raise UnsupportedError(f"there is no decoder here for stream {stream.index}", path=path)
        except BaseException:
            self.close()
            raise
        self._chosen: list[Stream] = [stream]
        self.id = stream.id or stream.index
        self.base = Fraction(stream.time_base or 1)
        self._codec = context_of(stream).name

    @property
    def turn(self) -> Turn | None:
        """Not known from outside: each picture says how it is turned."""
        return None

    def close(self) -> None:
        if self._context is not None:
            self._context.flush_buffers()
            self._context = None
        self._source.__exit__(None, None, None)

    def count(self, start: Fraction | None, end: Fraction | None) -> int:
        """Return how many pictures begin in ``[start, end)``; reads the file from its start, mostly without decoding.

        In transport and program streams a field may be a packet of its own: interlaced ones are decoded.
        """
        if self._has_fields:
            with closing(ContainerTrack(self._source.path, self.id, self._cancel)) as other:
                return sum(1 for picture in other._between(None, end) if start is None or self._begins(picture, start))
        with Input(self._source.path) as source:
            chosen = [source.container.streams[self._chosen[0].index]]
            low = None if start is None else ticks_after(start, source, chosen[0])
            high = None if end is None else ticks_after(end, source, chosen[0])
            found = 0
            begun = False
            window = video_window(source, chosen[0], high)
            for packet in source.packets(chosen):
                if packet.is_keyframe and not begun:
                    begun, found = True, 0  # a recording may begin in the middle of a group of pictures
                for kept in window.feed(packet):
                    pts = kept.pts if kept.pts is not None else kept.dts
                    inside = pts is not None and (low is None or pts >= low) and (high is None or pts < high)
                    found += inside and not is_hidden(self._codec, kept)
                if window.done:
                    break
            return found

    @property
    def _has_fields(self) -> bool:
        order = getattr(context_of(self._source.container.streams[self._chosen[0].index]), "field_order", 0)
        return self._source.format_name in _WITH_FIELDS and int(order) > _PROGRESSIVE

    @property
    def _margin(self) -> int:
        """Ticks by which what belongs to a picture, or is shown before it, may come after it."""
        if self._sorts:
            return int(_REORDERED_S / self.base)
        return int(_FIELD_S / self.base) if self._has_fields else 0

    @property
    def _sorts(self) -> bool:
        return self._source.format_name in _IN_ORDER_OF_DECODING and self._codec in _REORDERED

    def _begins(self, picture: Picture, start: Fraction) -> bool:
        return picture[1] >= ticks_after(start, self._source, self._chosen[0])

    def pictures(self, start: Fraction | None, end: Fraction | None, step: Step | None) -> Iterator[Picture]:
        """Yield the pictures in ``[start, end)``, or those of them that a step takes."""
        pictures = self._between(start, end)
        if step is None:
            yield from pictures
        elif step.seconds is None:
            yield from (picture for picture in pictures if not picture[3] % step.count)
        else:
            yield from self._stepped(pictures, start, end, step.seconds)

    def _stepped(
        self, pictures: Iterator[Picture], start: Fraction | None, end: Fraction | None, seconds: Fraction
    ) -> Iterator[Picture]:
        """Yield each picture that is shown when a multiple comes: which one that was the next tells."""
        held: Picture | None = None
        due = start
        for picture in pictures:
            time = self._time(picture[1])
            due = time if due is None else due
            if held is not None and due < time - TOLERANCE:
                yield held
                due += -((due - time + TOLERANCE) // seconds) * seconds
            held = picture
        if held is not None and due is not None:
            ends = self._time(held[1]) + (held[0].duration or 0) * self.base
            if due < (ends if end is None else min(ends, end)) - TOLERANCE:
                yield held

    def point_at(self, time: Fraction, low: Fraction | None = None) -> Point:
        """Return where a picture is to be looked for: its time in ticks; which one it is turns out in decoding."""
        stream = self._chosen[0]
        least = None if low is None else ticks_after(low, self._source, stream)
        return Point(pts=ticks_before(time, self._source, stream), least=least)

    def points(self, wanted: Iterable[Point]) -> Iterator[tuple[VideoFrame, int, Point]]:
        """Decode the pictures shown at points, each group of pictures once; they come out in groups, with their pts."""
        limits = sorted(wanted, key=lambda point: point.pts)
        while limits:
            packets, first_pts, beyond = self._group(limits)
            times = sorted(
                stamp_of(packet)
                for packet in packets
                if stamp_of(packet) >= first_pts and not is_hidden(self._codec, packet)
            )
            found: dict[int, list[Point]] = {}
            while limits and limits[0].pts <= beyond:
                point = limits.pop(0)
                place = max(bisect_right(times, point.pts) - 1, 0)
                if point.least is not None and times[place] < point.least:
                    place = min(bisect_left(times, point.least), len(times) - 1)
                found.setdefault(times[place], []).append(point)
            for picture, pts in self._decoded(packets, frozenset(found)):
                if picture.is_corrupt and pts >= first_pts:
                    raise self._error("a picture lacks data or what it is predicted from", pts)
                yield from ((picture, pts, point) for point in found.pop(pts, ()))
            if found:
                yield from self._otherwise(packets, [point for points in found.values() for point in points])

    def _otherwise(self, packets: list[AnyPacket], missed: list[Point]) -> Iterator[tuple[VideoFrame, int, Point]]:
        """Decode all pictures of a group, for points whose packet is a second field, or does not decode by itself."""
        last: dict[Point, tuple[VideoFrame, int]] = {}
        for picture, pts in self._decoded(packets, None):
            for point in missed:
                known = last.get(point)
                outside = known is None or known[1] > point.pts or (point.least is not None and known[1] < point.least)
                if outside or pts <= point.pts:
                    last[point] = (picture, pts)
        for point in missed:
            if point not in last:
                raise self._error("a picture does not decode", point.pts)
            yield (*last[point], point)

    def _group(self, limits: Sequence[Point]) -> tuple[list[AnyPacket], int, int]:
        """Read packets from the key picture before the first of ``limits`` on, for as many of them as it serves.

        Return them, the key picture's pts, and the last tick that they serve.
        """
        stream = self._chosen[0]
        at = self._time(limits[0].pts)
        key = find_key(self._source, stream, at)
        stream = self._source.container.streams[stream.index]
        self._chosen = [stream]
        if key is None:
            raise UnsupportedError("there is no key picture in it", path=self._source.path)
        beyond = max(limits[-1].pts, key.pts)
        packets: list[AnyPacket] = []
        window = video_window(self._source, stream, beyond + 1 + self._margin)
        following: int | None = None
        for packet in self._from(key.pts, key.time_s):
            stamp = stamp_of(packet)
            if packet.is_keyframe and following is None and stamp > max(limits[0].pts, key.pts):
                following = stamp  # what is shown from there on begins with it
                beyond = max(point.pts for point in limits if point.pts < stamp)
                window.end = max(beyond, key.pts) + 1 + self._margin
            packets += window.feed(packet)
            if window.done:
                break
        if not packets:
            raise UnsupportedError(
                f"the key picture near {float(at):.3f} s is not found again",
                path=self._source.path,
                hint="Its index may be wrong: copy it to MP4 or Matroska first",
            )
        return packets, key.pts, beyond

    def _from(self, pts: int | None, time_s: Fraction) -> Iterator[AnyPacket]:
        """Yield packets in decoding order from the key picture with that pts on."""
        early = time_s - _EARLY_S
        begun = pts is None
        for packet in self._source.packets(self._chosen, early if pts is not None and early > 0 else None):
            if self._cancel is not None:
                self._cancel.check()
            begun = begun or (packet.is_keyframe and stamp_of(packet) == pts)
            if begun:
                yield packet

    def _between(self, start: Fraction | None, end: Fraction | None) -> Iterator[Picture]:
        stream = self._chosen[0]
        low = None if start is None else ticks_after(start, self._source, stream)
        high = None if end is None else ticks_after(end, self._source, stream)
        key = None if start is None else find_key(self._source, stream, start)
        self._chosen = [self._source.container.streams[stream.index]]
        begins = key is not None and key.before_request
        packets = self._from(key.pts, key.time_s) if key is not None and begins else self._from(None, Fraction(0))
        number = 0
        clean = begins  # without a key picture to begin with, the first pictures may lack those before them
        with closing(
            self._decoded(self._needed(packets, None if high is None else high + self._margin), None)
        ) as pictures:  # type: ignore[type-var]
            for picture, pts in pictures:
                if high is not None and pts >= high:
                    return
                leads = begins and key is not None and pts < key.pts  # shown before the key picture of an open group
                if clean and picture.is_corrupt and not leads:  # before the range too: others are predicted from it
                    raise self._error("a picture lacks data or what it is predicted from", pts)
                if low is None or pts >= low:
                    clean = clean or not picture.is_corrupt
                    yield picture, pts, 0, number
                    number += 1

    def _needed(self, packets: Iterator[AnyPacket], high: int | None) -> Iterator[AnyPacket]:
        window = video_window(self._source, self._chosen[0], high)
        for packet in packets:
            yield from window.feed(packet)
            if window.done:
                return

    def _decoded(self, packets: Iterable[AnyPacket], wanted: frozenset[int] | None) -> Iterator[tuple[VideoFrame, int]]:
        """Yield pictures with their pts. Those that nothing needs are passed over where only some are wanted."""
        context = self._begin()
        last = None
        sorts = self._sorts
        skips = wanted is not None and not sorts and can_skip(self._codec, context.extradata)
        fed: list[int] = []
        for packet in packets:
            refuse_encrypted(packet, self._source.path)
            if skips:
                context.skip_frame = "DEFAULT" if stamp_of(packet) in (wanted or ()) else "NONREF"
            last = stamp_of(packet)
            if sorts:
                heappush(fed, last)
            for picture, pts in self._checked(context, packet, last):
                yield picture, heappop(fed) if fed else pts
        for picture, pts in self._checked(context, None, last):
            yield picture, heappop(fed) if fed else pts

    def _begin(self) -> Any:
        if self._context is not None:
            self._context.flush_buffers()
        context = context_of(self._source.container.streams[self._chosen[0].index])
        if context is not self._context:
            if not context.is_open:
                context.thread_type = "AUTO"
                if self._threads is not None:
                    context.thread_count = self._threads
            self._context = context
        context.skip_frame = "DEFAULT"
        return context

    _seen = False

    def _checked(self, context: Any, packet: AnyPacket | None, at: int | None) -> Iterator[tuple[VideoFrame, int]]:
        try:
            frames = context.decode(packet)
        except (FFmpegError, EOFError) as error:
            if not self._seen:  # a recording may begin in the middle of a group of pictures
                return
            raise self._error(f"a picture does not decode: {getattr(error, 'strerror', None) or error}", at) from error
        for frame in frames:
            pts = frame.pts if frame.pts is not None else frame.dts
            if pts is None:
                continue
            self._seen = True
            if packet is None:  # PyAV takes the time base from the packet
                frame.time_base = self.base
            yield frame, pts

    def _time(self, pts: int) -> Fraction:
        return self._source.clock_s(pts, self._chosen[0])

    @property
    def origin(self) -> Fraction:
        """What the container's clock shows at the movie's time 0, in seconds."""
        return self._source.origin_s

    def _error(self, what: str, pts: int | None) -> DecodeError:
        where = "" if pts is None else f", near {float(self._time(pts)):.3f} s"
        return DecodeError(f"stream {self._chosen[0].index}{where}: {what}", path=self._source.path)
