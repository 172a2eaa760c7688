"""How an output is to be encoded: a value, checked when it is made, and the arguments that each encoder gets for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any, Self

from ffzero.errors import UnsupportedError
from ffzero.ffmpeg import checks
from ffzero.ffmpeg.binary import FFmpegBinary
from ffzero.ffmpeg.codecs import (
    AudioEncoder,
    Encoder,
    FFmpegCodec,
    FFmpegPreset,
    audio_encoder,
    same_codec,
    video_encoder,
)
from ffzero.ffmpeg.options import Arguments, ExtraArguments, canonical, flatten
from ffzero.values import dataclass

__all__ = ["FFmpegCodec", "FFmpegPreset", "FFmpegSettings"]

_HALVED_BOTH = ("yuv420p", "yuvj420p", "nv12", "nv21", "p010", "yuva420p")
_FILTER_OPTIONS = ("vf", "filter:v", "af", "filter:a")
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpegSettings:
    """What to encode with. Immutable, hashable and picklable; ``replace`` makes another.

    Codecs and presets are the enums or their names (``"h264"``, ``"libx264"``, ``"fast"``); a codec of ``None`` drops
    that kind of stream. ``crf`` is the codec's constant quality (0–51, AV1 and VP9 0–63, VP8 4–63; lower is better),
    mapped to what hardware encoders, ProRes and MJPEG have instead; ``None`` takes the encoder's default. ``width`` or
    ``height`` alone keeps the aspect. ``fps`` is a number, a ``Fraction`` or ``"30000/1001"``. Bitrates are bits a
    second: a number, ``"192k"``, ``"2M"``. ``audio_rate`` is in Hz. ``threads`` 0 lets FFmpeg choose. ``extra_args``
    are FFmpeg options, see ``ExtraArguments``; where one says what a field says, it counts.

    Raises ``UsageError`` where a value makes no sense for its codec.
    """

    video_codec: FFmpegCodec | str | None = FFmpegCodec.H264
    audio_codec: FFmpegCodec | str | None = FFmpegCodec.AAC
    preset: FFmpegPreset | str | None = FFmpegPreset.MEDIUM
    crf: int | float | None = None
    width: int | None = None
    height: int | None = None
    fps: int | float | str | Fraction | None = None
    video_bitrate: int | str | None = None
    audio_bitrate: int | str | None = None
    audio_rate: int | None = None
    audio_channels: int | None = None
    pixel_format: str | None = None
    threads: int | None = None
    extra_args: Mapping[str, Any] = field(default_factory=ExtraArguments)

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # frozen: this is the one place where values are brought into form
        set_field(self, "video_codec", checks.codec("video_codec", self.video_codec))
        set_field(self, "audio_codec", checks.codec("audio_codec", self.audio_codec))
        set_field(self, "preset", checks.preset(self.preset))
        set_field(self, "fps", checks.frame_rate(self.fps))
        set_field(self, "video_bitrate", checks.bitrate("video_bitrate", self.video_bitrate))
        set_field(self, "audio_bitrate", checks.bitrate("audio_bitrate", self.audio_bitrate))
        set_field(self, "extra_args", checks.extra_arguments(self.extra_args))
        for name, least, most in (
            ("width", 2, 65535),
            ("height", 2, 65535),
            ("threads", 0, 1024),
            ("audio_rate", 1000, 768_000),
            ("audio_channels", 1, 64),
        ):
            checks.whole_number(name, getattr(self, name), least, most)
        checks.pixel_format(self.pixel_format)
        self._check_video()
        self._check_audio()

    def _check_video(self) -> None:
        changes = ("width", "height", "fps", "video_bitrate", "pixel_format")
        if self.video_codec is FFmpegCodec.COPY:
            checks.nothing_else("video_codec", {name: getattr(self, name) for name in changes})
        encoder = self._video()
        if encoder is None:
            return
        checks.quality(encoder, self.video, self.crf)
        checks.one_of_quality_and_bitrate(encoder, self.crf, self.video_bitrate)
        formats = self.pixel_format or encoder.pixel_format or encoder.pixel_formats[0]
        checks.even_size(formats, self.width, self.height)

    def _check_audio(self) -> None:
        if self.audio_codec is FFmpegCodec.COPY:
            changes = ("audio_bitrate", "audio_rate", "audio_channels")
            checks.nothing_else("audio_codec", {name: getattr(self, name) for name in changes})
        encoder = self._audio()
        if encoder is not None:
            checks.audio(encoder, self.audio_rate, self.audio_channels)

    @property
    def video(self) -> FFmpegCodec | None:
        """``video_codec`` as the enum that it became."""
        return self.video_codec  # type: ignore[return-value] # made one by __post_init__

    @property
    def audio(self) -> FFmpegCodec | None:
        """``audio_codec`` as the enum that it became."""
        return self.audio_codec  # type: ignore[return-value] # made one by __post_init__

    @property
    def _extra(self) -> ExtraArguments:
        return self.extra_args  # type: ignore[return-value] # made one by __post_init__

    def replace(self, **changes: Any) -> Self:
        """Return the settings with some fields changed, checked anew. Raises ``UsageError`` for an unknown field."""
        checks.known_fields(changes, [one.name for one in dataclasses.fields(self)])
        return dataclasses.replace(self, **changes)

    def resolved(self, binary: FFmpegBinary) -> Self:
        """Return the settings with the encoders that ``binary`` has.

        Raises ``UnsupportedError`` for an encoder that it lacks, naming those that code the same.
        """
        video = self._video(binary)
        for name in (None if video is None else video.name, None if self._audio() is None else str(self.audio)):
            if name is not None and not binary.has_encoder(name):
                others = [one for one in same_codec(name) if binary.has_encoder(one.value)]
                hint = f"It has {', '.join(one.name for one in others)}" if others else "Use another FFmpeg"
                raise UnsupportedError(f"{binary.path} has no encoder {name}", hint=hint)
        return self.replace(video_codec=video.name) if video is not None and self.video is FFmpegCodec.AV1 else self

    def video_encoder_name(self, binary: FFmpegBinary | None = None) -> str | None:
        """Return the name of the encoder that FFmpeg is asked for; ``None`` where no video is encoded."""
        encoder = self._video(binary)
        return None if encoder is None else encoder.name

    def codes(self, codec: str) -> bool:
        """Whether the video is encoded as ``codec``, in FFmpeg's words: ``"h264"``, ``"hevc"``, ``"av1"``, …"""
        encoder = self._video()
        return encoder is not None and encoder.codec == codec

    def video_arguments(self, binary: FFmpegBinary | None = None) -> list[str]:
        """Return the output options for the video. ``binary`` decides which encoder codes ``AV1``."""
        if self.video is None:
            return ["-vn"]
        encoder = self._video(binary)
        if encoder is None:
            return ["-c:v", "copy"]
        pairs: list[tuple[str, str | None]] = [("c:v", encoder.name), *encoder.fixed]
        if self.preset is not None:
            pairs += encoder.presets.get(str(self.preset), ())
        pairs += self._rate(encoder)
        pixel_format = self.pixel_format or encoder.pixel_format
        if pixel_format is not None and encoder.upload is None:
            pairs.append(("pix_fmt", pixel_format))
        if self.threads is not None:
            pairs.append(("threads", str(self.threads)))
        return flatten(self._without_overridden(pairs))

    def _rate(self, encoder: Encoder) -> list[tuple[str, str]]:
        crf = self.crf
        if crf is None and self.video_bitrate is None:
            crf = encoder.default_crf
        pairs: list[tuple[str, str]] = []
        if crf is not None:
            pairs += [(key, value.replace("{}", encoder.quality(crf))) for key, value in encoder.crf]
        elif self.video_bitrate is not None:
            pairs += encoder.bitrate
        if self.video_bitrate is not None:
            pairs = [pair for pair in pairs if pair[0] != "b:v"]
            pairs.append(("b:v", str(self.video_bitrate)))
        return pairs

    def audio_arguments(self) -> list[str]:
        """Return the output options for the audio."""
        if self.audio is None:
            return ["-an"]
        encoder = self._audio()
        if encoder is None:
            return ["-c:a", "copy"]
        pairs: list[tuple[str, str | None]] = [("c:a", encoder.name)]
        if self.audio_bitrate is not None and not encoder.lossless:
            pairs.append(("b:a", str(self.audio_bitrate)))
        else:
            pairs += encoder.default
        if self.audio_rate is not None:
            pairs.append(("ar", str(self.audio_rate)))
        if self.audio_channels is not None:
            pairs.append(("ac", str(self.audio_channels)))
        return flatten(self._without_overridden(pairs))

    def filters(self) -> list[str]:
        """Return the video filters, in order.

        They are ``extra_args``' own (``vf``), then those for rate, size, pixel format, and the upload to a device.
        """
        own = self._own_filters("vf", "filter:v")
        encoder = self._video()
        if encoder is None:
            return own if self.video is FFmpegCodec.COPY else []
        filters = own + self._rate_filters() + self._size_filters(encoder)
        if encoder.upload is not None:
            filters += [f"format={self.pixel_format or encoder.pixel_format}", encoder.upload]
        elif self.pixel_format is None and encoder.pixel_formats:
            filters.append(f"format={'|'.join(encoder.pixel_formats)}")
        return filters

    def _rate_filters(self) -> list[str]:
        """The filter keeps time better than the option ``r``, which shows the first picture a little longer."""
        own = any(canonical(key) == "r" for key, _ in self._extra.output())
        return [] if self.fps is None or own else [f"fps={self.fps}"]

    def _size_filters(self, encoder: Encoder) -> list[str]:
        if self.width is not None or self.height is not None:
            return [f"scale={self.width or -2}:{self.height or -2}"]
        halved = (self.pixel_format or "yuv420p").startswith(_HALVED_BOTH)
        # A source of odd size (screen recordings, GIFs) would fail; of an even one the filter changes nothing.
        return [_EVEN] if halved and encoder.codec in ("h264", "hevc", "av1") else []

    def audio_filters(self) -> list[str]:
        """Return the audio filters: ``extra_args``' own (``af``), then the channel layouts of a choosy encoder."""
        own = self._own_filters("af", "filter:a")
        encoder = self._audio()
        if encoder is None or not encoder.layouts or self.audio_channels is not None:
            return own if self.audio is not None else []
        return [*own, f"aformat=channel_layouts={'|'.join(encoder.layouts)}"]

    def _own_filters(self, *names: str) -> list[str]:
        return [value for key, value in self._extra.output() if key in names and value]

    def extra_arguments(self, without: Collection[str] = ()) -> list[str]:
        """Return the options of ``extra_args`` that belong before an output, less those named by ``warnings``."""
        unknown = self._unknown_tunes()
        without = {*without, *_FILTER_OPTIONS}
        return flatten(pair for pair in self._extra.output() if pair not in unknown and pair[0] not in without)

    def input_arguments(self) -> list[str]:
        """Return the options that belong before an input: ``hwaccel`` and the like from ``extra_args``."""
        return flatten(self._extra.input())

    def global_arguments(self) -> list[str]:
        """Return the options of the whole program: the device of a hardware encoder, and those in ``extra_args``."""
        encoder = self._video()
        device = () if encoder is None else encoder.device
        own = {key for key, _ in self._extra.program()}
        if own & {"init_hw_device", "filter_hw_device", "vaapi_device", "qsv_device"}:
            device = ()
        return flatten([*device, *self._extra.program()])

    def warnings(self) -> tuple[str, ...]:
        """Return what was asked for and is left out because the encoder has no such thing."""
        found = [f"{self.video} has no tune {value!r}: left out" for _, value in self._unknown_tunes()]
        encoder = self._video()
        if self.crf is not None and self.video is FFmpegCodec.COPY:
            found.append("crf is left out: the video is copied")
        if encoder is not None and self.preset not in (None, FFmpegPreset.MEDIUM) and not encoder.presets:
            found.append(f"{encoder.name} has no presets: {self.preset} is left out")
        audio = self._audio()
        if audio is not None and audio.lossless and self.audio_bitrate is not None:
            found.append(f"{audio.name} is lossless: audio_bitrate is left out")
        return tuple(found)

    def _unknown_tunes(self) -> Arguments:
        encoder = self._video()
        if encoder is None or not encoder.tunes:
            return tuple(pair for pair in self._extra.output() if pair[0] in ("tune", "tune:v"))
        pairs = (pair for pair in self._extra.output() if pair[0] in ("tune", "tune:v"))
        return tuple((key, value) for key, value in pairs if not encoder.tunes.issuperset((value or "").split(",")))

    def _without_overridden(self, pairs: Iterable[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        own = {canonical(key) for key, _ in self._extra.output()}
        return [pair for pair in pairs if canonical(pair[0]) not in own]

    def _video(self, binary: FFmpegBinary | None = None) -> Encoder | None:
        if self.video is None:
            return None
        available = binary.encoders if binary is not None and self.video is FFmpegCodec.AV1 else None
        return video_encoder(self.video, available)

    def _audio(self) -> AudioEncoder | None:
        return None if self.audio is None else audio_encoder(self.audio)
