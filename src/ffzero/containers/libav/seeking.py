"""Where a cut really falls: the key picture at or before a time, and the last packet that pictures before a time need.

A container's index is taken as a hint only: what a seek finds is checked by reading, and the search steps further back
until a key picture at or before the time stands there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from ffzero.containers.libav.opening import Input, main_stream
from ffzero.containers.libav.packets import refuse_encrypted
from ffzero.containers.nal import RandomAccess, classify_access_unit
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.timebase import TOLERANCE
from ffzero.values import dataclass

if TYPE_CHECKING:
    import os

    from av.stream import Stream

    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["KeyPicture", "Window", "find_key", "keyframes", "next_key", "ticks_after", "ticks_before"]

_STEPS_BACK_S = (Fraction(0), Fraction(2), Fraction(10), Fraction(60), None)
"""How far before the wanted time to read from, in turn; ``None``: from the start of the file."""

MAX_REORDERED = 33
"""Packets by which decoding order may run ahead: 16 pictures (H.264 §A.3.1, HEVC §A.4), as fields, and one."""

_LENGTH_SIZE_AT = {"h264": 4, "hevc": 21}
"""Of the byte with lengthSizeMinusOne (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1)."""

_NO_REORDERING = frozenset(("vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "mjpeg", "prores", "dvvideo"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPicture:
    """A key packet: its ``pts`` in the stream's ticks, and in seconds of movie time."""

    pts: int
    time_s: Fraction
    before_request: bool
    """False where the file has no key picture at or before the time that was asked for: this is its first one."""
    is_open: bool = False
    """Whether decoders do not start afresh there: pictures around it may refer to ones before it."""


def ticks_before(time_s: Fraction, source: Input, stream: Stream) -> int:
    """Return the last tick of the stream that counts as at or before the movie time."""
    return int((time_s + TOLERANCE + source.origin_s) // (stream.time_base or Fraction(1)))


def ticks_after(time_s: Fraction, source: Input, stream: Stream) -> int:
    """Return the first tick of the stream that counts as at or after the movie time."""
    return -int(-(time_s - TOLERANCE + source.origin_s) // (stream.time_base or Fraction(1)))


def find_key(source: Input, stream: Stream, at_s: Fraction | None) -> KeyPicture | None:
    """Return the last key packet of ``stream`` with pts at or before ``at_s``, else the file's first one.

    ``at_s`` is movie time, ``None`` the start. Reads from the nearest indexed place before it; further back where that
    place proves to lie behind. Returns ``None`` where the stream has no key packet at all.
    """
    for step in _STEPS_BACK_S if at_s is not None else (None,):
        from_s = None if step is None or at_s is None else max(at_s - step, Fraction(0))
        chosen = [source.container.streams[stream.index]]
        found = _last_key(source, chosen, from_s, at_s)
        if found is not None and (found.before_request or from_s is None):
            return found
        if not source.continuous:  # it was read from the start
            return found
    return None


def next_key(source: Input, stream: Stream, at_s: Fraction) -> KeyPicture | None:
    """Return the first key packet with pts at or after ``at_s`` (movie time), ``None`` where none follows."""
    near = find_key(source, stream, at_s)
    if near is None or near.time_s >= at_s - TOLERANCE:
        return near
    chosen = [source.container.streams[stream.index]]
    first = ticks_after(at_s, source, stream)
    for packet in source.packets(chosen, near.time_s):
        if packet.is_keyframe and not packet.is_corrupt and packet.pts is not None and packet.pts >= first:
            return KeyPicture(pts=packet.pts, time_s=source.clock_s(packet.pts, chosen[0]), before_request=True)
    return None


def _last_key(source: Input, chosen: list[Stream], from_s: Fraction | None, at_s: Fraction | None) -> KeyPicture | None:
    found: AnyPacket | None = None
    before = at_s is not None
    limit: int | None = None
    for packet in source.packets(chosen, from_s):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            continue
        limit = ticks_before(at_s, source, packet.stream) if limit is None and at_s is not None else limit
        if packet.is_keyframe and not packet.is_corrupt:
            refuse_encrypted(packet, source.path)
            if limit is not None and stamp <= limit:
                found = packet
            elif found is None:
                found, before = packet, False
                break
        order = packet.dts if packet.dts is not None else stamp
        if found is not None and (limit is None or order > limit):
            break
    if found is None:
        return None
    pts = found.pts if found.pts is not None else found.dts
    assert pts is not None
    return KeyPicture(
        pts=pts, time_s=source.clock_s(pts, chosen[0]), before_request=before, is_open=_is_open(found, chosen[0])
    )


def _is_open(packet: AnyPacket, stream: Stream) -> bool:
    """Whether an H.264 or HEVC key picture is none at which decoders start afresh."""
    context = stream.codec_context
    codec: Literal["h264", "hevc"]
    if context is None or context.name not in ("h264", "hevc"):
        return False
    codec = "h264" if context.name == "h264" else "hevc"
    extradata, at = bytes(context.extradata or b""), _LENGTH_SIZE_AT[codec]
    size = (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else 0
    try:
        return classify_access_unit(codec, bytes(packet), size).random_access is not RandomAccess.CLOSED
    except InvalidDataError:
        return False


@dataclass(slots=True)
class Window:
    """Passes on the packets, in decoding order, that pictures with pts before ``end`` need (``None``: all).

    A packet at or after ``end`` waits: it is passed on only when a later one in decoding order lies before ``end``.
    At most ``MAX_REORDERED`` packets wait. ``done`` turns true once no packet before ``end`` can follow.
    """

    end: int | None
    reorders: bool = True
    trust_dts: bool = True
    done: bool = False
    _waiting: deque[AnyPacket] = field(default_factory=deque)

    def feed(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Yield the packets that are now known to be needed."""
        if self.done:
            return
        stamp = packet.pts if packet.pts is not None else packet.dts
        if self.end is None or stamp is None or stamp < self.end:
            while self._waiting:
                yield self._waiting.popleft()
            yield packet
            return
        self._waiting.append(packet)
        passed = self.trust_dts and packet.dts is not None and packet.dts >= self.end
        if not self.reorders or passed or len(self._waiting) >= MAX_REORDERED:
            self.done = True
            self._waiting.clear()


def video_window(source: Input, stream: Stream, end: int | None, *, closed: bool = False) -> Window:
    """Return the window for a video stream. Matroska states no dts: FFmpeg's guess ends no window there.

    A ``closed`` one ends before the first picture at or after ``end``, even where earlier ones need it.
    """
    codec = stream.codec_context.name if stream.codec_context is not None else ""
    return Window(
        end=end,
        reorders=codec not in _NO_REORDERING and not closed,
        trust_dts=not source.format_name.startswith("matroska"),
    )


def last_picture_end(
    source: Input, stream: Stream, start: KeyPicture, end_s: Fraction, *, closed: bool = False
) -> Fraction | None:
    """Return the movie time at which the last kept picture of a cut up to ``end_s`` ends, reading about one GOP."""
    near = find_key(source, stream, end_s)
    from_s = (near.time_s if near else start.time_s) - _STEPS_BACK_S[1]  # a seek by dts lands behind the key picture
    chosen = [source.container.streams[stream.index]]
    window = video_window(source, stream, ticks_after(end_s, source, stream), closed=closed)
    last: Fraction | None = None
    for packet in source.packets(chosen, from_s):
        for kept in window.feed(packet):
            if kept.pts is not None and kept.pts >= start.pts:
                end = source.clock_s(kept.pts + (kept.duration or 0), kept.stream)
                last = end if last is None else max(last, end)
        if window.done:
            break
    return last


def keyframes(path: str | os.PathLike[str], limit: int | None = None) -> list[Fraction]:
    """Return the times, in seconds of movie time, of the key pictures of the file's main video stream, in file order.

    Without video, those of the main audio stream. Reads the file through, skipping the packets of the other streams;
    ``limit`` bounds how many are returned and so how far it reads. Raises ``InvalidDataError``, ``SourceError``, or
    ``UnsupportedError`` where there is no stream to look at.
    """
    with Input(path) as source:
        stream = main_stream(source.streams)
        if stream is None:
            raise UnsupportedError("no video, audio or subtitle stream", path=path)
        return list(_key_times(source, [stream], limit))


def _key_times(source: Input, chosen: list[Stream], limit: int | None) -> Iterable[Fraction]:
    from av.stream import Discard

    for other in source.streams:
        if other.index != chosen[0].index:
            other.discard = Discard.all
    count = 0
    for packet in source.packets(chosen):
        if packet.is_keyframe and packet.pts is not None:
            yield source.clock_s(packet.pts, packet.stream)
            count += 1
        if limit is not None and count >= limit:
            return
