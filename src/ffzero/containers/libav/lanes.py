"""One output stream while it is written: which packets of a piece it takes, and their times in the output.

All times move by one common amount per piece. Each is computed from the exact rational time and rounded once, to the
output's tick, so nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from fractions import Fraction
from typing import TYPE_CHECKING

from ffzero.containers.libav.opening import Input, context_of
from ffzero.containers.libav.packets import joined, refuse_encrypted, with_data
from ffzero.containers.libav.parameter_sets import with_parameter_sets
from ffzero.containers.libav.seeking import MAX_REORDERED, Window, ticks_after, video_window
from ffzero.containers.libav.sound_clock import SoundClock
from ffzero.containers.libav.targets import Carry, StreamChoice
from ffzero.containers.libav.timed_text import unwrapped, wrapped
from ffzero.values import dataclass

if TYPE_CHECKING:
    from av.bitstream import BitStreamFilterContext
    from av.stream import Stream

    from ffzero.containers.libav.packets import AnyPacket
    from ffzero.containers.libav.plans import PiecePlan

__all__ = ["Lane"]

_NON_STRICT = frozenset(("matroska", "webm", "flv"))
"""Muxers that take equal dts in a row (FFmpeg's ``AVFMT_TS_NONSTRICT``)."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """An output stream. ``holds_negative``: whether the container can place packets before its time zero.

    ``padding_s`` is the decoder delay that the output itself declares and subtracts: so much may lie before zero.
    ``lead_s`` is by how much earlier the sound must begin where the output cannot delay it (AVI). ``to_annex_b`` is
    the bitstream filter for a muxer that wants start codes and does not add them itself.
    """

    out: Stream
    choice: StreamChoice
    muxer: str
    holds_negative: bool
    padding_s: Fraction = Fraction(0)
    lead_s: Fraction = Fraction(0)
    to_annex_b: BitStreamFilterContext | None = None
    packets: int = 0
    payload_bytes: int = 0
    moved: int = 0
    skipped: int = 0
    """Pictures of the present piece's range that were left out: they come before the stream's first key picture."""
    end_s: Fraction = Fraction(0)
    """Output time at which the last packet so far ends."""
    _last_dts: int | None = None
    _next_sample: int | None = None
    _clock: SoundClock | None = None
    _take: _Take | None = None

    @property
    def done(self) -> bool:
        """Whether the present piece has nothing more for this stream."""
        return self._take is None or self._take.window.done

    def begin(self, source: Input, piece: PiecePlan, offset_s: Fraction) -> None:
        """Start on a piece whose ``zero_s`` lands at ``offset_s`` of the output."""
        stream = source.container.streams[self.choice.index]
        end = None if piece.end_s is None else ticks_after(piece.end_s, source, stream)
        is_video = self.choice.kind == "video"
        self._next_sample = None
        self.skipped = 0
        if self.choice.kind == "audio":
            self._clock = self._clock or SoundClock(codec=self.choice.codec)
            self._clock.begin_piece()
        self._take = _Take(
            path=piece.path,
            window=(
                video_window(source, stream, end, closed=piece.before_removal)
                if is_video
                else Window(end=end, reorders=False)
            ),
            start=ticks_after(piece.actual_start_s - (Fraction(0) if is_video else self.lead_s), source, stream),
            cut=piece.start_s is not None,
            main_pts=piece.main_pts if stream.index == piece.main_index and is_video else None,
            shift_s=source.origin_s + piece.zero_s - offset_s,
            floor_s=self._floor(offset_s),
            base=stream.time_base or Fraction(1),
            half_picture=_half_picture(stream, self.choice.codec),
        )

    def _floor(self, offset_s: Fraction) -> Fraction | None:
        """Output time before which no packet may begin; inside a join that is the joint."""
        if offset_s > 0:
            return offset_s
        return None if self.holds_negative else -max(self.padding_s, self.lead_s)

    def feed(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Yield the packets that may be written now, with their output times and stream."""
        take = self._take
        if take is None or take.window.done:
            return
        refuse_encrypted(packet, take.path)
        for chosen in take.choose(packet, self.choice.kind):
            for timed in take.with_dts(chosen):
                yield from self._place(timed, take)

    def finish(self) -> Iterator[AnyPacket]:
        """End the piece: yield what waited for a decoding time."""
        if self._take is not None:
            for timed in self._take.rest():
                yield from self._place(timed, self._take)
            self.skipped = self._take.skipped
        self._take = None

    def _place(self, packet: AnyPacket, take: _Take) -> Iterator[AnyPacket]:
        base = self.out.time_base or Fraction(1)
        if self._clock is not None and packet.pts is not None and not self._sounds(packet, take, self._clock):
            return
        pts = self._ticks(packet.pts, take, base)
        dts = self._ticks(packet.dts, take, base)
        if packet.pts is None or pts is None or dts is None:
            return
        length = max(0, (self._ticks(packet.pts + (packet.duration or 0), take, base) or 0) - pts)
        if self.choice.kind == "audio":
            pts, length = self._on_samples(packet, pts, length, take, base)
            dts = pts
        if self.choice.kind == "subtitle":
            packet = self._as_text(packet)
            if not packet.size:
                return
            pts, length = self._clipped(pts, length, take, base)
            dts = pts
        elif take.floor_s is not None and self.choice.kind == "data" and pts * base < take.floor_s:
            return
        if self.muxer == "mpegts" and self.choice.kind == "video" and packet.is_keyframe:
            packet = self._self_contained(packet)
        pts, dts = self._in_order(pts, dts)
        self.end_s = max(self.end_s, (pts + length) * base)
        self.packets += 1
        self.payload_bytes += packet.size
        packet.pts, packet.dts, packet.duration = pts, dts, length
        packet.time_base = base
        for ready in [packet] if self.to_annex_b is None else self.to_annex_b.filter(packet):
            ready.time_base = base
            ready.stream = self.out
            yield ready

    def _sounds(self, packet: AnyPacket, take: _Take, clock: SoundClock) -> bool:
        """Whether a packet of sound is to be heard in its piece; tells by how much it is moved."""
        assert packet.pts is not None
        begin_s, base = packet.pts * take.base - take.shift_s, self.out.time_base or Fraction(1)
        if take.floor_s is not None and _nearest(begin_s / base) * base < take.floor_s - clock.early_s(packet):
            return False
        moved_s = clock.moved_s(packet, begin_s)
        take.moved_s = moved_s or Fraction(0)
        return moved_s is not None

    @staticmethod
    def _ticks(ticks: int | None, take: _Take, base: Fraction) -> int | None:
        return None if ticks is None else _nearest((ticks * take.base - take.shift_s + take.moved_s) / base)

    def _self_contained(self, packet: AnyPacket) -> AnyPacket:
        context = packet.stream.codec_context
        extradata = bytes(context.extradata or b"") if context is not None else b""
        return with_parameter_sets(self.choice.codec, extradata, packet)

    def _on_samples(self, packet: AnyPacket, pts: int, length: int, take: _Take, base: Fraction) -> tuple[int, int]:
        """Undo the rounding of coarse clocks (Matroska: 1 ms) where the output counts single samples."""
        context = context_of(packet.stream)
        frame = getattr(context, "frame_size", 0) or 0
        if not frame or context is None or base != Fraction(1, context.sample_rate or 1) or take.base <= base:
            return pts, length
        expected = self._next_sample
        if expected is not None and abs(pts - expected) * base <= take.base:
            pts = expected
        if abs(length - frame) * base <= take.base:
            length = frame
        self._next_sample = pts + length
        return pts, length

    def _as_text(self, packet: AnyPacket) -> AnyPacket:
        if self.choice.carry is Carry.UNWRAP_TEXT:
            return with_data(packet, unwrapped(bytes(packet)))
        return with_data(packet, wrapped(bytes(packet))) if self.choice.carry is Carry.WRAP_TEXT else packet

    def _clipped(self, pts: int, length: int, take: _Take, base: Fraction) -> tuple[int, int]:
        """Cut a cue to the piece's range."""
        floor = self._ticks(take.start, take, base) or 0
        late = max(0, floor - pts)
        end = None if take.window.end is None else self._ticks(take.window.end, take, base)
        pts, length = pts + late, max(0, length - late)
        return pts, length if end is None else max(0, min(length, end - pts))

    def _in_order(self, pts: int, dts: int) -> tuple[int, int]:
        """Keep dts rising and at most pts, moving by the fewest ticks."""
        hidden = self.choice.codec == "vp9" and self.muxer in ("mp4", "mov")  # pictures that the muxer merges
        strict = self.muxer not in _NON_STRICT and not hidden
        dts = min(dts, pts)
        if self._last_dts is not None and dts < self._last_dts + strict:
            dts = self._last_dts + strict
            if dts > pts:
                pts = dts
                self.moved += 1
        self._last_dts = dts
        return pts, dts


@dataclass(slots=True, kw_only=True)
class _Take:
    """What a lane takes of one piece. Times are ticks of the input stream where not said otherwise."""

    path: str
    window: Window
    start: int
    cut: bool
    main_pts: int | None
    shift_s: Fraction
    floor_s: Fraction | None
    base: Fraction
    moved_s: Fraction = Fraction(0)
    """By how much sound begins later than at its own time."""
    half_picture: int = 0
    """Length of a field, where the stream may carry fields in packets of their own; else 0."""
    started: bool = False
    first_pts: int = 0
    skipped: int = 0
    _field: AnyPacket | None = None
    _undated: list[AnyPacket] = field(default_factory=list)

    def choose(self, packet: AnyPacket, kind: str) -> Iterator[AnyPacket]:
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.pts is None:
            return
        if kind == "video":
            for picture in self._whole_pictures(packet):
                if self._video_starts(picture):
                    yield from self.window.feed(picture)
            return
        ends = packet.pts + (packet.duration or 0)
        if self.cut and ends <= self.start and packet.pts < self.start:
            return
        if packet.dts is None or kind != "data":
            packet.dts = packet.pts
        yield from self.window.feed(packet)

    def _whole_pictures(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Join the two fields of a picture: only transport streams may hold them apart (ISO/IEC 14496-15 §5.2.2)."""
        first, self._field = self._field, None
        is_field = bool(self.half_picture) and abs((packet.duration or 0) - self.half_picture) <= 2
        if first is None:
            if is_field:
                self._field = packet
            else:
                yield packet
            return
        assert first.pts is not None and packet.pts is not None
        if is_field and abs(packet.pts - first.pts - self.half_picture) <= 2:
            yield joined(first, packet)
            return
        yield first
        if is_field:
            self._field = packet
        else:
            yield packet

    def _video_starts(self, packet: AnyPacket) -> bool:
        """Skip to the key picture; after it skip its leading pictures, which need the ones before it."""
        assert packet.pts is not None
        if not self.started:
            wanted = packet.pts == self.main_pts if self.main_pts is not None else packet.pts >= self.start
            if not (packet.is_keyframe and wanted):
                self._note_skipped(packet.pts)
                return False
            self.started, self.first_pts = True, packet.pts
            if self.cut:
                packet.dts = None  # without its leading pictures it may be decoded later: dated from the next one
        if self.cut and packet.pts < self.first_pts:
            self._note_skipped(packet.pts)
            return False
        return True

    def _note_skipped(self, pts: int) -> None:
        self.skipped += pts >= self.start and (self.window.end is None or pts < self.window.end)

    def with_dts(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Matroska has no dts, and FFmpeg derives none for the first packets after a seek: count them backwards."""
        if packet.dts is None and len(self._undated) < MAX_REORDERED:
            self._undated.append(packet)
            return
        known = packet.dts
        if self._undated and known is not None:
            for waiting in reversed(self._undated):
                known -= max(waiting.duration or 0, 1)
                waiting.dts = known
            yield from self._undated
            self._undated.clear()
        else:
            yield from self.rest()
        if packet.dts is None:
            packet.dts = packet.pts
        yield packet

    def rest(self) -> Iterator[AnyPacket]:
        """Date what is left of a piece, too short for FFmpeg to derive any dts: the sorted pts, early enough."""
        if self._field is not None:
            last, self._field = self._field, None
            if self._video_starts(last):
                for kept in self.window.feed(last):
                    yield from self.with_dts(kept)
        stamps = [packet.pts for packet in self._undated if packet.pts is not None]
        ordered = sorted(stamps)
        early = max((due - pts for due, pts in zip(ordered, stamps, strict=True)), default=0)
        for packet, due in zip(self._undated, ordered, strict=True):
            packet.dts = due - early
            yield packet
        self._undated.clear()


def _half_picture(stream: Stream, codec: str) -> int:
    """Return the ticks of one field where a demuxer may give H.264 fields singly; 0 elsewhere."""
    rate: Fraction | None = getattr(stream, "average_rate", None)
    if codec != "h264" or not rate or not stream.time_base or stream.container.format.name not in ("mpegts", "mpeg"):
        return 0
    return round(1 / (2 * rate * stream.time_base))


def _nearest(value: Fraction) -> int:
    """Round half up, so that equal steps stay equal across zero."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
