"""``Writer``: a file made of pictures and sound that Python code hands over, coded in this process, without a pipe."""

from __future__ import annotations

import contextlib
import os
import time as clock
from collections.abc import Iterable
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType, VideoFrame

from ffzero.containers.libav.opening import open_errors
from ffzero.containers.libav.targets import muxer_for
from ffzero.edits.frame_values import AudioBlock, Frame
from ffzero.errors import FFZeroError, UnsupportedError, UsageError
from ffzero.frames.reading.planes import layout_of, video_format
from ffzero.frames.sound.decode import LAYOUTS
from ffzero.frames.writing.arguments import quiet_options, rate_of, refusal_hint, size_of, sound_of
from ffzero.frames.writing.carried import CarriedSound
from ffzero.frames.writing.choices import CodingChoice, coding_choice
from ffzero.frames.writing.models import Like, Model, model_of
from ffzero.frames.writing.pictures import PictureMaker
from ffzero.frames.writing.sound import SoundTrack
from ffzero.reporting import WriteResult
from ffzero.storage.outputs import Destination, atomic_output
from ffzero.timebase import TimeLike, format_time, parse_time

__all__ = ["Writer"]

_ISOBMFF = frozenset(("mp4", "mov", "3gp", "3g2"))
_SOUND_RATE = 48000


class Writer:
    """Writes a video file picture by picture. The file appears whole when it is closed, or not at all.

        with ffzero.Writer("out.mp4", like=movie, audio="copy") as writer:
            for frame in movie.frames():
                writer.write(255 - frame.array)

    ``like`` is a movie, clip or path whose size, rate, clock, colour and depth are taken where ``size``, ``fps`` and
    ``settings`` say nothing else. ``settings`` are an ``FFmpegSettings``; by default H.264 (in WebM VP9). ``format`` is
    the pixel format of the arrays that come. ``audio="copy"`` copies the sound of ``like`` that belongs to the
    pictures; a rate in Hz, or (rate, channels), announces ``write_audio``, which has to be where a picture comes first.

    ``Frame``s and ``av.VideoFrame``s are scaled to the file's size; arrays must have it. Leaving the ``with`` block by
    an exception leaves nothing. Raises ``OutputExistsError`` unless ``overwrite``, ``UsageError``, ``OutputError``,
    ``DiskFullError``, and ``UnsupportedError`` for encoders that are not here.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        like: Like = None,
        size: tuple[int, int] | str | None = None,
        fps: int | float | str | Fraction | None = None,
        settings: Any = None,
        format: str = "rgb24",
        audio: str | int | tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._model: Model | None = None
        self._sound: SoundTrack | None = None
        self._carried: CarriedSound | None = None
        self._result: WriteResult | None = None
        self._closed = False
        self._like, self._size, self._fps = like, size, rate_of(fps)
        layout_of(video_format(format))
        self._format = format
        self._muxer = muxer_for(self.path)
        self._choice: CodingChoice = coding_choice(settings, self.path)
        self._audio = sound_of(audio, like)
        self._overwrite = overwrite
        Destination.examine(self.path, overwrite=overwrite)
        self._count = 0
        self._zero: Fraction | None = None
        self._last: int | None = None
        self._next = Fraction(0)
        self._begun = clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.abort()

    def write(self, picture: np.ndarray | Frame | VideoFrame | Any, time: TimeLike | None = None) -> None:
        """Write a picture: an array of the writer's ``format``, a ``Frame``, or an ``av.VideoFrame``.

        ``time`` is when it is shown, in seconds of the file; times must rise and need not be even. By default a
        ``Frame`` comes as long after the first as it does where it was read, anything else one picture's time after the
        last. An array is used before this returns and may be written to again; a frame that needs no conversion is kept
        until it is coded, so leave it alone. Raises ``UsageError`` naming frame and
        time for a wrong shape or type or a time that does not rise.
        """
        self._check_open()
        seconds = self._time(picture, time)
        if self._model is None:
            self._open_pictures(picture)
        assert self._model is not None
        pts = round(seconds / self._model.time_base)
        if self._last is not None and pts <= self._last:
            raise UsageError(
                f"frame {self._count}, at {format_time(seconds, digits=6)}, is not after the one before it, at "
                f"{format_time(self._last * self._model.time_base, digits=6)}"
            )
        made = self._maker.made(picture, self._count, seconds)
        self._encode(self._stamped(made, pts))
        self._count += 1
        self._last = pts
        self._next = pts * self._model.time_base + 1 / self._model.fps
        if self._carried is not None:
            self._mux(self._carried.until(self._next))

    def write_audio(self, sound: np.ndarray | AudioBlock, *, rate: int | None = None) -> None:
        """Write sound after what was written before: float32 of shape (samples, channels), or an ``AudioBlock``.

        Before a block that comes later than that there is silence. The first call must come before the first picture,
        unless ``audio`` announced it. ``rate`` is samples a second for arrays, 48000 by default.
        """
        self._check_open()
        if self._sound is None:
            if self._container is not None:
                raise UsageError("sound begins after pictures", hint="Announce it: Writer(..., audio=48000)")
            array = np.asarray(sound.array if isinstance(sound, AudioBlock) else sound)
            own = sound.rate if isinstance(sound, AudioBlock) else rate or self._choice.audio_rate or _SOUND_RATE
            self._audio = (own, 1 if array.ndim == 1 else int(array.shape[-1]))
            self._open_pictures(None)
        assert self._sound is not None
        if rate is not None and not isinstance(sound, AudioBlock) and rate != self._sound.rate:
            raise UsageError(f"the sound has {rate} samples a second", expected=str(self._sound.rate))
        if self._zero is None and isinstance(sound, AudioBlock):
            self._zero = sound.time
        self._mux(self._sound.packets(sound, self._zero or Fraction(0)))

    def close(self) -> WriteResult:
        """Finish the file, give it its name and return its path with what it cost. May be called again."""
        if self._result is not None:
            return self._result
        self._check_open()
        if self._container is None or not self._count:
            self.abort()
            raise UsageError("no picture was written", path=self.path)
        try:
            self._encode(None)
            if self._sound is not None:
                self._mux(self._sound.rest())
            if self._carried is not None:
                self._mux(self._carried.until(self._next))
            with open_errors(self.path, output=True):
                self._container.close()
            self._container = None
            size = os.path.getsize(self._temporary)
            self._stack.close()
        except BaseException:
            self.abort()
            raise
        self._closed = True
        self._result = WriteResult(
            output=self.path,
            bytes_total=size,
            bytes_rendered=size,
            frames_rendered=self._count,
            elapsed_s=clock.monotonic() - self._begun,
            methods={"encode": size},
        )
        return self._result

    @property
    def result(self) -> WriteResult | None:
        """What ``close`` returned."""
        return self._result

    def abort(self) -> None:
        """Stop and leave nothing; what was at the path before is untouched."""
        if self._closed:
            return
        self._closed = True
        if self._carried is not None:
            self._carried.close()
        if self._container is not None:
            with contextlib.suppress(Exception):  # there may be no header yet, or no space left
                self._container.close()
            self._container = None
        error = UsageError("aborted")
        self._stack.__exit__(type(error), error, None)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the writer is closed", path=self.path)

    def _time(self, picture: Any, time: TimeLike | None) -> Fraction:
        if time is not None:
            return parse_time(time)
        if not isinstance(picture, Frame):
            return self._next
        if self._zero is None:
            self._zero = picture.time - self._next
        return picture.time - self._zero

    def _open_pictures(self, first: Any) -> None:
        try:
            self._open(first)
        except BaseException:
            self.abort()
            raise

    def _open(self, first: Any) -> None:
        choice = self._choice
        if choice.video is None:
            raise UsageError("the settings leave out the video", hint="Give a video_codec")
        model = self._model = model_of(self._like, self._size, self._fps, choice, self._format, size_of(first))
        self._maker = PictureMaker(model, self._format)
        self._temporary = self._stack.enter_context(atomic_output(self.path, overwrite=self._overwrite))
        options = dict(choice.muxer_options)
        if self._muxer in _ISOBMFF:
            options.setdefault("movflags", "+faststart")
        with open_errors(self.path, output=True):
            self._container = av.open(f"file:{self._temporary}", mode="w", format=self._muxer, options=options)
        self._stream = self._video_stream(model)
        if self._audio == "copy":
            assert model.source is not None
            self._carried = CarriedSound.of(model.source, self._container, self._zero or Fraction(0))
        elif self._audio is not None:
            assert isinstance(self._audio, tuple)
            self._sound = self._sound_track(*self._audio)

    def _video_stream(self, model: Model) -> Any:
        choice = self._choice
        assert choice.video is not None
        try:
            options = quiet_options(choice, model.pixel_format)
            stream = self._container.add_stream(choice.video, rate=model.fps, options=options)
        except (ValueError, FFmpegError) as error:
            raise UnsupportedError(f"{choice.video} cannot be written to {self._muxer} here: {error}") from error
        os.environ.setdefault("SVT_LOG", "0")  # the only way to keep SVT-AV1 from writing to the terminal
        context = stream.codec_context
        context.width, context.height = model.width, model.height
        context.pix_fmt = model.pixel_format
        context.time_base = stream.time_base = model.time_base
        context.thread_type = "AUTO"
        context.colorspace, context.color_range = model.matrix, 2 if model.full_range else 1
        context.color_primaries, context.color_trc = model.primaries, model.transfer
        if self._muxer in _ISOBMFF and context.codec.canonical_name == "hevc":
            context.codec_tag = "hvc1"
        return stream

    def _sound_track(self, rate: int, channels: int) -> SoundTrack:
        if self._choice.audio is None:
            raise UsageError("the settings leave out the sound")
        name = self._choice.audio
        own = self._choice.audio_rate or rate
        try:
            stream = self._container.add_stream(name, rate=own, options=dict(self._choice.audio_options))
        except (ValueError, FFmpegError) as error:
            raise UnsupportedError(f"{name} cannot be written to {self._muxer} here: {error}") from error
        wanted = self._choice.audio_channels or channels
        try:
            stream.codec_context.layout = LAYOUTS.get(wanted, f"{wanted}c")
        except ValueError as error:
            raise UnsupportedError(f"{name} codes no sound of {wanted} channels: {error}") from error
        return SoundTrack(stream, rate, channels)

    def _stamped(self, picture: VideoFrame, pts: int) -> VideoFrame:
        assert self._model is not None
        picture.pts, picture.time_base = pts, self._model.time_base
        picture.pict_type = PictureType.NONE  # else the encoder would make each what it was
        return picture

    def _encode(self, picture: VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(picture)
        except (FFmpegError, ValueError) as error:
            if isinstance(error, FFZeroError):
                raise
            assert self._model is not None
            raise UnsupportedError(
                f"the encoder {self._choice.video} refuses the pictures or its options: {error}",
                path=self.path,
                hint=refusal_hint(self._choice, self._model),
            ) from error
        assert self._model is not None
        for packet in packets:
            if not packet.duration:
                packet.duration = max(1, round(1 / self._model.fps / self._model.time_base))
        self._mux(packets)

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            with open_errors(self.path, output=True):
                self._container.mux_one(packet)
