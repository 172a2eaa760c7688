"""Sound of a track as numpy: packets read by our own sample table, decoded by libavcodec, placed to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from ffzero.containers.isobmff.audio_preroll import audio_preroll_samples
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.media import Media
from ffzero.edits.sound.coding import sound_coding
from ffzero.errors import DecodeError, UnsupportedError
from ffzero.frames.pictures.extradata import extradata
from ffzero.reporting import CancelToken
from ffzero.timebase import Rounding, rescale

__all__ = ["LAYOUTS", "TrackSound", "as_float", "sound_extradata"]

_FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0}
_BATCH_PACKETS = 32
_MAX_PACKET_BYTES = 1 << 26
_BATCH_PCM_SAMPLES = 8192
_MOST_ASKED = 8


class TrackSound:
    """The samples of a track, float32 of shape (samples, channels), read at rising places; going back decodes again.

    Places count from the track's first packet. What lies before or after all packets is zero.
    """

    def __init__(self, media: Media, track: Track, description: int, cancel: CancelToken | None = None) -> None:
        self.media, self.track = media, track
        self.entry = track.entries[description]
        coding = sound_coding(track, description)
        self.packet = coding.packet
        self.rate = self.entry.sample_rate
        self.channels = self.entry.channels
        self.layout = LAYOUTS.get(self.channels, f"{self.channels}c")
        """FFmpeg's name of the channels' layout, the decoder's own once something was decoded."""
        self._cancel = cancel
        self._blocks: Iterator[tuple[int, np.ndarray]] = iter(())
        self._held = np.zeros((0, self.channels), np.float32)
        self._at = -1
        """Where ``_held`` begins; -1 while nothing was decoded."""
        if coding.reason:
            self._ask()

    def _ask(self) -> None:
        """Take rate and channels from the decoder: of HE-AAC, and of what is only read, the entry may say others."""
        decoder = self._open()
        for _, data in islice(self._packets(0), _MOST_ASKED):
            try:
                frame = next(iter(decoder.decode(av.Packet(data))), None)
            except (FFmpegError, EOFError):
                continue
            if frame is not None:
                self.rate, self.layout, self.channels = frame.sample_rate, frame.layout.name, frame.layout.nb_channels
                self._held = np.zeros((0, self.channels), np.float32)
                return

    def read(self, first: int, stop: int) -> np.ndarray:
        """Return samples ``[first, stop)`` as a new array. Raises ``DecodeError``, ``CancelledError``."""
        out = np.zeros((max(0, stop - first), self.channels), np.float32)
        end = self._place(self.track.table.count)
        if first >= end or stop <= 0:
            return out
        if self._at < 0 or first < self._at:
            self._seek(max(0, first))
        while self._at + len(self._held) < min(stop, end):
            self._copy(out, first)
            block = next(self._blocks, None)
            if block is None:
                break
            at, held = block
            # Where packets did not decode there is silence, so places never slip.
            self._at, self._held = at, held
        self._copy(out, first)
        return out

    def _copy(self, out: np.ndarray, first: int) -> None:
        low, high = max(first, self._at), min(first + len(out), self._at + len(self._held))
        if low < high:
            out[low - first : high - first] = self._held[low - self._at : high - self._at]

    def _place(self, number: int) -> int:
        if self.packet:
            return number * self.packet
        table = self.track.table
        return rescale(table.dts(number) - table.start_dts, table.timescale, self.rate, Rounding.NEAREST)

    def _number(self, place: int) -> int:
        if self.packet:
            return place // self.packet
        table = self.track.table
        ticks = rescale(place, self.rate, table.timescale, Rounding.NEAREST) + table.start_dts
        number = table.first_at_or_after_dts(ticks)
        return number if number < table.count and table.dts(number) == ticks else max(0, number - 1)

    def _seek(self, first: int) -> None:
        wanted = self._number(first)
        start = max(0, wanted - audio_preroll_samples(self.entry))
        self._at = self._place(wanted)
        self._held = self._held[:0]
        self._blocks = self._decoded(start, wanted)

    def _decoded(self, start: int, wanted: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield what packets from ``wanted`` on decode to, with its place; decoding begins with ``start``."""
        decoder = self._open()
        for number, data in self._packets(start):
            if self._cancel is not None:
                self._cancel.check()
            packet = av.Packet(data)
            packet.pts = packet.dts = self._place(number)
            packet.time_base = Fraction(1, self.rate)
            try:
                frames = decoder.decode(packet)
            except (FFmpegError, EOFError) as error:
                if number < wanted:
                    continue
                raise self._error(f"a packet does not decode: {error}", number) from error
            for frame in frames:
                yield from self._placed(frame, number, wanted)
        for frame in decoder.decode(None):
            yield from self._placed(frame, self.track.table.count - 1, wanted)

    def _placed(self, frame: AudioFrame, number: int, wanted: int) -> Iterator[tuple[int, np.ndarray]]:
        if frame.sample_rate != self.rate or len(frame.layout.channels) != self.channels:
            raise UnsupportedError(
                f"the sound of track {self.track.id} decodes to {frame.sample_rate} Hz {frame.layout.name}, which its "
                "sample entry does not say (HE-AAC?)",
                path=self.media.name,
            )
        self.layout = frame.layout.name
        at = self._place(number) if frame.pts is None else frame.pts
        if at >= self._place(wanted):
            yield at, as_float(frame)

    def _packets(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield packets with their numbers; of PCM, whose packets are single samples, many at once with the first's."""
        table, step = self.track.table, _BATCH_PCM_SAMPLES if self.packet == 1 else _BATCH_PACKETS
        for first in range(start, table.count, step):
            places = table.offsets_and_sizes(first, min(first + step, table.count))
            offsets, sizes = (column.tolist() for column in places)
            if self.packet == 1:
                yield first, b"".join(self._read(*run, first) for run in _runs(offsets, sizes))
                continue
            for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True), first):
                yield number, self._read(offset, size, number)

    def _read(self, offset: int, size: int, number: int) -> bytes:
        source = self.media.box.source
        if size > _MAX_PACKET_BYTES or offset + size > source.size_bytes:
            raise self._error("a packet lies beyond the end of the file", number)
        data = bytearray(size)
        source.readinto_at(offset, memoryview(data))
        return bytes(data)

    def _open(self) -> AudioCodecContext:
        entry = self.entry
        try:
            decoder = av.CodecContext.create(entry.codec, "r")
        except (ValueError, FFmpegError) as error:
            raise UnsupportedError(f"there is no decoder for {entry.codec} ({entry.fourcc}) here") from error
        assert isinstance(decoder, AudioCodecContext)
        found = sound_extradata(entry)
        if found:
            decoder.extradata = found
        if entry.sample_rate and self.channels:
            decoder.sample_rate, decoder.layout = entry.sample_rate, self.layout
        if entry.codec in ("ac3", "eac3"):
            decoder.options = {"drc_scale": "0"}
        return decoder

    def _error(self, what: str, number: int) -> DecodeError:
        time = float(Fraction(self.track.table.dts(number), self.track.timescale))
        return DecodeError(f"track {self.track.id}, packet {number}, at {time:.3f} s: {what}", path=self.media.name)


LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}


def _runs(offsets: list[int], sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield offset and size of what lies together."""
    at = end = -1
    for offset, size in zip(offsets, sizes, strict=True):
        if offset != end:
            if end > at:
                yield at, end - at
            at = offset
        end = offset + size
    if end > at:
        yield at, end - at


def as_float(frame: AudioFrame) -> np.ndarray:
    """Return a frame's samples as float32 of shape (samples, channels), full scale being 1; copies."""
    array = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, len(frame.layout.channels))
    kind = frame.format.packed.name
    if kind == "u8":
        array = array.astype(np.float32) - 128
    scale = _FULL_SCALE.get(kind)
    return np.array(array if scale is None else array / scale, np.float32)


def sound_extradata(entry: SampleEntry) -> bytes:
    """Return a sound decoder's configuration as FFmpeg's MP4 demuxer would hand it over.

    For Opus without gain, which a player applies, and without pre-skip, which libavcodec would leave out.
    """
    boxes = entry.boxes
    if entry.codec == "opus" and "dOps" in boxes:
        box = boxes["dOps"]
        rate = int.from_bytes(box[4:8])
        return b"OpusHead\x01" + box[1:2] + b"\0\0" + rate.to_bytes(4, "little") + b"\0\0" + box[10:]
    if entry.codec == "flac" and "dfLa" in boxes:
        return boxes["dfLa"][8:42]
    if entry.codec == "alac" and "alac" in boxes:
        return (len(boxes["alac"]) + 8).to_bytes(4) + b"alac" + boxes["alac"]
    return extradata(entry) if entry.codec in ("aac", "mp3") else b""
