"""Carrying a remux plan out: packets are copied from the inputs to one output that appears whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.containers.libav.lanes import Lane
from ffzero.containers.libav.opening import Input, open_errors
from ffzero.containers.libav.plans import PiecePlan, RemuxPlan
from ffzero.containers.libav.tags import output_chapters, output_tags
from ffzero.containers.libav.targets import CARRIED, Carry, add_stream, picture_file
from ffzero.containers.libav.timed_text import add_text_stream
from ffzero.errors import InvalidDataError
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, WriteResult, no_report
from ffzero.storage.outputs import atomic_output

if TYPE_CHECKING:
    from av.bitstream import BitStreamFilterContext
    from av.container import OutputContainer
    from av.stream import Stream

    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["execute_remux"]

_NEGATIVE_TIMES = frozenset(("mp4", "mov", "3gp", "3g2", "mpegts", "mpeg", "vob"))
"""Muxers that place packets before zero: by an edit list, or because their clock has no zero."""

_MARGIN_S = Fraction(2)
"""Reading starts this much early: other tracks' packets of the same time may stand before the key picture."""

_CUE_REACH_S = Fraction(15)
"""How far before a cut a subtitle may begin and still be found."""

_INTERLEAVE_S = Fraction(10)
"""A stream that is this far behind the main one has ended."""

_REPORT_EVERY_BYTES = 1 << 20


def execute_remux(
    plan: RemuxPlan,
    *,
    overwrite: bool = False,
    fsync: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> WriteResult:
    """Copy the packets that ``plan`` names into ``plan.output``.

    The first picture lands at time 0 of the output, all tracks by the same shift; a piece without a start keeps its
    times. Of containers that hold no time before zero, a sound packet that begins before the first picture is left out.
    Memory is bounded whatever the size. On any error, cancellation or Ctrl-C nothing appears under the output's name.

    Raises ``OutputExistsError``, ``OutputError``, ``DiskFullError``, ``CancelledError``, and the errors of reading.
    """
    began = time.monotonic()
    token = cancel or CancelToken()
    with atomic_output(plan.output, overwrite=overwrite, fsync=fsync) as temporary:
        job = _Job(plan, reporter, token)
        job.run(os.fspath(temporary))
        total = os.path.getsize(temporary)
    payload = min(job.payload_bytes, total)
    reporter(ProgressEvent(stage="copy", done=job.payload_bytes, total=job.payload_bytes))
    return WriteResult(
        output=plan.output,
        bytes_total=total,
        bytes_copied=payload,
        bytes_header=total - payload,
        frames_copied=sum(lane.packets for lane in job.lanes if lane.choice.kind == "video"),
        segments=tuple(job.segments),
        elapsed_s=time.monotonic() - began,
        warnings=tuple(dict.fromkeys((*plan.warnings, *job.warnings))),
        methods={"remux": payload, "header": total - payload},
    )


class _Job:
    """The state of one run."""

    def __init__(self, plan: RemuxPlan, reporter: Reporter, cancel: CancelToken) -> None:
        self.plan = plan
        self.lanes: list[Lane] = []
        self.segments: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self._reporter = reporter
        self._cancel = cancel
        self._reported = 0

    @property
    def payload_bytes(self) -> int:
        return sum(lane.payload_bytes for lane in self.lanes)

    def run(self, temporary: str) -> None:
        with Input(self.plan.pieces[0].path) as first, _opened(self.plan, temporary) as output:
            with open_errors(self.plan.output, output=True):
                covers = self._add_streams(output, first)
                output.start_encoding()
                for stream, picture in covers:
                    picture.pts = picture.dts = 0
                    picture.stream = stream
                    output.mux_one(picture)
            for piece in self.plan.pieces:
                self._copy_piece(output, piece)
            if not any(lane.packets for lane in self.lanes):
                raise InvalidDataError("no packet could be read in the range", path=self.plan.pieces[0].path)
            with open_errors(self.plan.output, output=True):
                output.close()

    def _add_streams(self, output: OutputContainer, source: Input) -> list[tuple[Stream, AnyPacket]]:
        """Add every kept stream of the first piece, and the file's tags; return cover pictures still to be written."""
        plan = self.plan
        covers: list[tuple[Stream, AnyPacket]] = []
        for choice in plan.pieces[0].streams:
            stream = source.container.streams[choice.index]
            if choice.carry is Carry.COPY:
                self._lane(add_stream(output, stream, plan.muxer), choice, source)
            elif choice.carry in CARRIED:
                text = add_text_stream(output, stream, tx3g=choice.carry is Carry.WRAP_TEXT)
                self._lane(text, choice, source)
            elif choice.carry is Carry.COVER:
                picture = next(source.packets([stream]), None)
                if picture is not None:
                    covers.append((add_stream(output, stream, plan.muxer), picture))
            elif choice.carry is Carry.ATTACH:
                _attach(output, source, stream, choice.codec)
        output.metadata.update(output_tags(source))
        output.set_chapters(output_chapters(plan))
        return covers

    def _lane(self, out: Stream, choice: Any, source: Input) -> None:
        negative = self.plan.muxer in _NEGATIVE_TIMES
        padding = Fraction(0)
        if choice.kind == "audio" and self.plan.muxer in ("matroska", "webm"):
            padding = _declared_delay(source, choice.index)
        lane = Lane(out=out, choice=choice, muxer=self.plan.muxer, holds_negative=negative, padding_s=padding)
        stream = source.container.streams[choice.index]
        if self.plan.muxer == "avi":
            lane.to_annex_b = _annex_b_filter(stream, out, choice.codec)
            lane.lead_s = _display_delay(source, self.plan.pieces[0].main_index)
        self.lanes.append(lane)

    def _copy_piece(self, output: OutputContainer, piece: PiecePlan) -> None:
        offset_s = max((lane.end_s for lane in self.lanes), default=Fraction(0))
        kept = [choice for choice in piece.streams if choice.carry in CARRIED]
        with Input(piece.path) as source:
            by_index: dict[int, Lane] = {}
            for lane, choice in zip(self.lanes, kept, strict=True):
                lane.choice = replace(choice, carry=lane.choice.carry)
                lane.begin(source, piece, offset_s)
                by_index[choice.index] = lane
            for packet in _read(source, piece, by_index):
                self._cancel.check()
                self._mux(output, by_index[packet.stream_index].feed(packet))
            for lane in self.lanes:
                self._mux(output, lane.finish())
            if source.jumps:
                self.warnings.append(f"{piece.path}: {source.jumps} jumps of its time stamps were closed")
        self._account(piece, offset_s)

    def _mux(self, output: OutputContainer, packets: Iterator[AnyPacket]) -> None:
        for packet in packets:
            with open_errors(self.plan.output, output=True):
                output.mux_one(packet)
            done = self.payload_bytes
            if done - self._reported >= _REPORT_EVERY_BYTES:
                self._reported = done
                estimate = self.plan.bytes_estimate
                self._reporter(ProgressEvent(stage="copy", done=done, total=max(done, estimate) if estimate else None))

    def _account(self, piece: PiecePlan, offset_s: Fraction) -> None:
        end_s = max(lane.end_s for lane in self.lanes)
        self.segments.append({**piece.to_dict(), "output_start_s": float(offset_s), "output_end_s": float(end_s)})
        moved = sum(lane.moved for lane in self.lanes)
        if moved:
            self.warnings.append(f"{piece.path}: {moved} packets with times out of order were moved to stay in order")
        for lane in self.lanes:
            if lane.skipped and lane.choice.index != piece.main_index:
                self.warnings.append(
                    f"{piece.path}: stream {lane.choice.index} begins at its first key picture: the {lane.skipped} "
                    "pictures before it are left out"
                )
        reached_s = end_s - offset_s + piece.zero_s
        if piece.end_s is None and piece.actual_end_s is not None and reached_s < piece.actual_end_s - 1:
            self.warnings.append(
                f"{piece.path}: ends at {float(reached_s):.3f} s, before the {float(piece.actual_end_s):.3f} s that it "
                "declares: it is truncated"
            )


@contextmanager
def _opened(plan: RemuxPlan, temporary: str) -> Iterator[OutputContainer]:
    """Open the output; on an error close it without hiding that error."""
    import av

    options = {}
    if plan.muxer in ("mp4", "mov", "3gp", "3g2"):
        options["movflags"] = "+faststart"
    if plan.muxer == "mpegts" and plan.output.lower().endswith((".mts", ".m2ts")):
        options["mpegts_m2ts_mode"] = "1"
    with open_errors(plan.output, output=True):
        output = av.open(f"file:{temporary}", mode="w", format=plan.muxer, options=options)
    try:
        yield output
    except BaseException:
        with suppress(Exception):
            output.close()
        raise


def _read(source: Input, piece: PiecePlan, lanes: dict[int, Lane]) -> Iterator[AnyPacket]:
    """Yield the packets around the piece, from safely before its start until every lane is done."""
    streams = [source.container.streams[index] for index in lanes]
    from_s = _safe_start(source, piece, any(lane.choice.kind == "subtitle" for lane in lanes.values()))
    steady = [lane for lane in lanes.values() if lane.choice.kind in ("video", "audio")] or list(lanes.values())
    main = lanes[piece.main_index]
    for packet in source.packets(streams, from_s):
        yield packet
        if not main.done:
            continue
        if all(lane.done for lane in steady):
            return
        stamp = packet.dts if packet.dts is not None else packet.pts
        late_s = (piece.end_s or Fraction(0)) + _INTERLEAVE_S
        is_main = packet.stream_index == piece.main_index
        if is_main and stamp is not None and source.clock_s(stamp, packet.stream) > late_s:
            return


def _safe_start(source: Input, piece: PiecePlan, has_cues: bool) -> Fraction | None:
    """Return a movie time from which reading is sure to meet the piece's first packet; ``None`` is the file's start."""
    if piece.start_s is None or not source.continuous:
        return None
    margin_s = _CUE_REACH_S if has_cues else _MARGIN_S
    for back_s in (margin_s, 4 * margin_s, 16 * margin_s):
        from_s = piece.actual_start_s - back_s
        if from_s <= 0:
            break
        for packet in source.packets([source.container.streams[piece.main_index]], from_s):
            if packet.pts == piece.main_pts:
                return from_s
            order = packet.dts if packet.dts is not None else packet.pts
            if order is not None and order > piece.main_pts:
                break
    return None


def _attach(output: OutputContainer, source: Input, stream: Any, codec: str) -> None:
    """Embed an attachment, or a cover picture as one (RFC 9559 §21.1 names it ``cover``)."""
    if stream.type == "attachment":
        output.add_attachment(stream.name or "attachment", stream.mimetype or "application/octet-stream", stream.data)
        return
    picture = next(source.packets([stream]), None)
    if picture is not None:
        extension, media_type = picture_file(codec)
        name = stream.metadata.get("filename", f"cover.{extension}")
        output.add_attachment(name, stream.metadata.get("mimetype", media_type), bytes(picture))


def _annex_b_filter(stream: Stream, out: Stream, codec: str) -> BitStreamFilterContext | None:
    """FFmpeg's AVI muxer refuses H.264 and HEVC with length prefixes instead of converting them."""
    from av.bitstream import BitStreamFilterContext

    context = stream.codec_context
    if codec not in ("h264", "hevc") or context is None or (context.extradata or b"\0")[0] == 0:
        return None
    return BitStreamFilterContext(f"{codec}_mp4toannexb", in_stream=stream, out_stream=out)


def _display_delay(source: Input, main_index: int) -> Fraction:
    """AVI shows pictures as late as their reordering takes, and can delay no sound: so much sound comes first."""
    stream: Any = source.container.streams[main_index]
    rate = getattr(stream, "average_rate", None)
    return stream.codec_context.reorder_depth / Fraction(rate) if rate else Fraction(0)


def _declared_delay(source: Input, index: int) -> Fraction:
    """Return the ``CodecDelay`` of a Matroska audio track (RFC 9559 §5.1.4.1.27), which the copy declares too.

    Rounded to the container's millisecond, as the muxer does. FFmpeg shows it as samples to skip in the first packet.
    """
    if not source.format_name.startswith("matroska"):
        return Fraction(0)
    stream: Any = source.container.streams[index]
    first = next(source.packets([stream]), None)
    if first is None or not first.has_sidedata("skip_samples"):
        return Fraction(0)
    samples = int.from_bytes(bytes(first.get_sidedata("skip_samples"))[:4], "little")
    rate = stream.sample_rate or 48000
    return Fraction((samples * 1000 + rate // 2) // rate, 1000)
