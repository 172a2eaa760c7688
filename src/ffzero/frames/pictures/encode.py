"""One encoder at work: frames in, samples out in the same order, each beside the picture it was made from."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.decode import open_decoder, packet_of
from ffzero.frames.pictures.program_encoder import ProgramEncoder
from ffzero.frames.pictures.quality import BEST_DB, plane, psnr_db, told_psnr_db
from ffzero.frames.pictures.recipes import Package, Recipe
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.containers.libav.packets import AnyPacket

__all__ = ["Coded", "Encoding"]

_THREADS = 4
"""What x264 makes depends on their number, so that is the same on every machine. Each holds a picture back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A picture coded: its sample, its time in ticks of the track, and how near it is to ``original``.

    Where pictures are compared later that is not known, and the original is not kept.
    """

    sample: bytes
    pts: int
    sync: bool
    psnr_db: float
    original: VideoFrame | None


class Encoding:
    """Codes pictures by a recipe, and sees how good they are. Holds a few pictures at a time.

    Encoders that tell of their error are believed, once their first picture has decoded; what others made is decoded.
    """

    def __init__(self, recipe: Recipe, attempt: int, size: tuple[int, int]) -> None:
        """Open the encoder, for pictures of a size (width, height). Raises ``UnsupportedError`` where it refuses."""
        self._recipe = recipe
        start = ProgramEncoder if recipe.by_program else _open
        self._encoder: VideoCodecContext | ProgramEncoder = start(recipe, recipe.attempts[attempt], size)
        self.package: Package = recipe.package(bytes(self._encoder.extradata or b""))
        self._decoder = open_decoder(self.package.decodes_by)
        self._count = 0
        self._pixels = size[0] * size[1]
        self._is_proved = False
        self._times: deque[int] = deque()
        self._originals: deque[VideoFrame | None] = deque()
        self._waiting: deque[tuple[bytes, bool]] = deque()

    def add(self, frame: VideoFrame) -> Iterator[Coded]:
        """Code a picture, which is not to be used any more; yield those that are done."""
        assert frame.pts is not None
        self._times.append(frame.pts)
        self._originals.append(None if self._recipe.compared_later else frame)
        frame = as_format(frame, self._recipe.pix_fmt)
        frame.pts, frame.time_base = self._count, 1 / self._recipe.rate
        usual = PictureType.P if self._recipe.delayed else PictureType.NONE
        frame.pict_type = usual if self._count else PictureType.I
        self._count += 1
        yield from self._through(frame)

    def end(self) -> Iterator[Coded]:
        """Yield the pictures that were held back."""
        yield from self._through(None)
        if self._waiting:
            yield from self._compared(None)
        if self._waiting:
            raise self._useless(f"{len(self._waiting)} of them do not come out")

    def taken_back(self) -> list[VideoFrame]:
        """Return the pictures that were added and have not come out, to be coded by another."""
        kept = [frame for frame in self._originals if frame is not None]
        for frame, pts in zip(kept, self._times, strict=True):
            frame.pts = pts
        return kept

    def close(self) -> None:
        """Let go of an encoder that has not come to its end."""
        if isinstance(self._encoder, ProgramEncoder):
            self._encoder.close()

    def _through(self, frame: VideoFrame | None) -> Iterator[Coded]:
        try:
            packets = self._encoder.encode(frame)
        except FFmpegError as error:
            raise UnsupportedError(f"{self._recipe.encoder} failed: {error}") from error
        for packet in packets:
            sample = self.package.sample(bytes(packet))
            told = told_psnr_db(packet, self._pixels, self._recipe.pix_fmt)
            if told is not None:
                yield self._believed(sample, packet.is_keyframe, told)
                continue
            if self._recipe.compared_later:
                yield self._coded(sample, packet.is_keyframe, BEST_DB)
                continue
            self._waiting.append((sample, packet.is_keyframe))
            again = packet_of(sample)
            again.pts = again.dts = packet.pts
            again.is_keyframe = packet.is_keyframe
            yield from self._compared(again)

    def _believed(self, sample: bytes, sync: bool, quality: float) -> Coded:
        if not self._is_proved:
            try:
                shown = [*self._decoder.decode(packet_of(sample)), *self._decoder.decode(None)]
            except FFmpegError as error:
                raise self._useless(str(error)) from error
            if len(shown) != 1:
                raise self._useless(f"the first gives {len(shown)}")
            self._is_proved = True
        return self._coded(sample, sync, quality)

    def _compared(self, packet: AnyPacket | None) -> Iterator[Coded]:
        try:
            frames = self._decoder.decode(packet)
        except FFmpegError as error:
            raise self._useless(str(error)) from error
        for shown in frames:
            sample, sync = self._waiting.popleft()
            original = self._originals[0]
            assert original is not None
            yield self._coded(sample, sync, psnr_db(original, shown))

    def _coded(self, sample: bytes, sync: bool, quality: float) -> Coded:
        original, pts = self._originals.popleft(), self._times.popleft()
        return Coded(sample=sample, pts=pts, sync=sync, psnr_db=quality, original=original)

    def _useless(self, why: str) -> UnsupportedError:
        return UnsupportedError(f"the pictures that {self._recipe.encoder} made do not decode: {why}")


def as_format(frame: VideoFrame, pix_fmt: str) -> VideoFrame:
    """Return a picture in a pixel format; itself where it is in that. RGB in planes becomes "YUV" plane by plane."""
    if frame.format.name == pix_fmt:
        return frame
    if not frame.format.name.startswith("gbrp"):
        return frame.reformat(format=pix_fmt)
    out = VideoFrame(frame.width, frame.height, pix_fmt)
    for number in range(len(frame.planes)):
        plane(out, number)[:] = plane(frame, number)
    return out


def _open(recipe: Recipe, options: Mapping[str, str], size: tuple[int, int]) -> VideoCodecContext:
    os.environ.setdefault("SVT_LOG", "0")  # the only way to keep SVT-AV1 from writing to the terminal
    try:
        context = av.CodecContext.create(recipe.encoder, "w")
    except (ValueError, FFmpegError) as error:
        raise UnsupportedError(f"this FFmpeg has no encoder {recipe.encoder}") from error
    assert isinstance(context, VideoCodecContext)
    (context.width, context.height), context.pix_fmt = size, recipe.pix_fmt
    context.framerate, context.time_base = recipe.rate, 1 / recipe.rate
    if recipe.sample_aspect:
        context.sample_aspect_ratio = recipe.sample_aspect
    context.color_range, context.colorspace = recipe.color_range, recipe.matrix
    context.color_primaries, context.color_trc = recipe.primaries, recipe.transfer
    context.gop_size, context.max_b_frames = recipe.interval, int(recipe.delayed)
    context.thread_count = _THREADS
    context.options = dict(options)
    try:
        context.open()
    except (ValueError, FFmpegError) as error:
        named = "×".join(map(str, size))
        raise UnsupportedError(f"{recipe.encoder} refuses {named} {recipe.pix_fmt}: {error}") from error
    return context
