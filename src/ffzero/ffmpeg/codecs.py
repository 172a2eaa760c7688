"""The codecs and presets that settings name, and what each encoder calls them.

One row an encoder: which option takes a quality, on which scale, and which takes a preset. What has no row entry never
reaches that encoder. Sources: ``ffmpeg -h encoder=…`` of FFmpeg 9, its wiki's encoding guides, NVIDIA's FFmpeg guide.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field

from ffzero.values import dataclass

__all__ = ["AudioEncoder", "Encoder", "FFmpegCodec", "FFmpegPreset", "audio_encoder", "same_codec", "video_encoder"]

Arguments = tuple[tuple[str, str], ...]


class FFmpegCodec(enum.StrEnum):
    """A codec; its value is the encoder that FFmpeg is asked for (``AV1``: the best one that it has)."""

    H264 = "libx264"
    H265 = "libx265"
    HEVC = "libx265"
    AV1 = "av1"
    SVT_AV1 = "libsvtav1"
    AOM_AV1 = "libaom-av1"
    VP8 = "libvpx"
    VP9 = "libvpx-vp9"
    PRORES = "prores_ks"
    MJPEG = "mjpeg"
    H264_NVENC = "h264_nvenc"
    HEVC_NVENC = "hevc_nvenc"
    AV1_NVENC = "av1_nvenc"
    H264_VAAPI = "h264_vaapi"
    HEVC_VAAPI = "hevc_vaapi"
    AV1_VAAPI = "av1_vaapi"
    H264_QSV = "h264_qsv"
    HEVC_QSV = "hevc_qsv"
    AV1_QSV = "av1_qsv"
    H264_VIDEOTOOLBOX = "h264_videotoolbox"
    HEVC_VIDEOTOOLBOX = "hevc_videotoolbox"
    AAC = "aac"
    OPUS = "libopus"
    MP3 = "libmp3lame"
    FLAC = "flac"
    AC3 = "ac3"
    PCM = "pcm_s16le"
    ALAC = "alac"
    VORBIS = "libvorbis"
    COPY = "copy"


class FFmpegPreset(enum.StrEnum):
    """How much time the encoder takes for quality, in x264's words; other encoders get what is nearest."""

    ULTRAFAST = "ultrafast"
    SUPERFAST = "superfast"
    VERYFAST = "veryfast"
    FASTER = "faster"
    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"
    SLOWER = "slower"
    VERYSLOW = "veryslow"
    PLACEBO = "placebo"


def _presets(option: str, *values: str) -> Mapping[str, Arguments]:
    return {preset.value: ((option, value),) for preset, value in zip(FFmpegPreset, values, strict=True)}


def _vpx_presets(*realtime: str) -> Mapping[str, Arguments]:
    """libvpx ties the range of ``cpu-used`` to the deadline: ``good`` knows 0 to 5, ``realtime`` more."""
    fast = [(("deadline", "realtime"), ("cpu-used", value)) for value in realtime]
    good = [(("deadline", "good"), ("cpu-used", value)) for value in ("5", "4", "2", "1", "0", "0")]
    best = (("deadline", "best"), ("cpu-used", "0"))
    return {preset.value: options for preset, options in zip(FFmpegPreset, [*fast, *good, best], strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """How one video encoder takes quality, preset and bitrate.

    ``crf`` holds the options for a quality, ``"{}"`` standing for the value; ``crf_range`` is what a caller may give
    (inclusive); ``scale`` maps a caller's 0–51 to the encoder's own scale (value at 0, value at 51, lowest that is
    allowed), where that is not the same scale. ``default_crf`` is used where neither quality nor bitrate is given and
    the encoder's own default is a fixed low bitrate.
    """

    name: str
    codec: str
    crf: Arguments = ()
    crf_range: tuple[int, int] = (0, 51)
    fractional: bool = False
    scale: tuple[float, float] | None = None
    least: int = 0
    default_crf: int | None = None
    bitrate: Arguments = ()
    capped: bool = False
    """Whether it takes a quality and a bitrate together: constrained quality."""
    presets: Mapping[str, Arguments] = field(default_factory=dict)
    fixed: Arguments = ()
    pixel_format: str | None = None
    pixel_formats: tuple[str, ...] = ()
    """Where no format is asked for: the nearest of these (a 10-bit source stays one)."""
    upload: str | None = None
    device: Arguments = ()
    tunes: frozenset[str] = frozenset()

    def quality(self, crf: float) -> str:
        """Return the value of the encoder's own scale for a caller's ``crf``."""
        value: float = crf
        if self.scale is not None:
            first, last = self.scale
            value = round(first + (last - first) * crf / self.crf_range[1])
        return f"{max(value, self.least):g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioEncoder:
    """How one audio encoder takes its bitrate; ``default`` stands where none is given."""

    name: str
    lossless: bool = False
    default: Arguments = ()
    rates: tuple[int, ...] = ()
    """Sample rates in Hz that it takes; empty: any."""
    layouts: tuple[str, ...] = ()
    channels_max: int = 8


_EIGHT_OR_TEN = ("yuv420p", "yuv420p10le")
_X264_TUNES = frozenset(("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"))
_X265_TUNES = frozenset(("psnr", "ssim", "grain", "zerolatency", "fastdecode", "animation"))
_NVENC_TUNES = frozenset(("hq", "uhq", "ll", "ull", "lossless"))
_CRF: Arguments = (("crf", "{}"),)
_CRF_FREE: Arguments = (("crf", "{}"), ("b:v", "0"))  # without b:v 0 the quality would be held under a default bitrate
_VA_DEVICE: Arguments = (("init_hw_device", "vaapi=ffzero"), ("filter_hw_device", "ffzero"))
_NAMES = _presets("preset", *(preset.value for preset in FFmpegPreset))


def _range(codec: str) -> tuple[int, int]:
    """Return what a caller gives as crf: what the software encoders of the codec take."""
    return (0, 63) if codec == "av1" else (0, 51)


def _nvenc(name: str, codec: str) -> Encoder:
    return Encoder(
        name=name,
        codec=codec,
        crf=(("rc", "vbr"), ("cq", "{}"), ("b:v", "0")),
        crf_range=_range(codec),
        least=1,  # 0 means "choose one"
        default_crf=30 if codec == "av1" else 23,
        bitrate=(("rc", "vbr"),),
        presets=_presets("preset", "p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7", "p7"),
        pixel_format="yuv420p",
        tunes=_NVENC_TUNES,
    )


def _vaapi(name: str, codec: str) -> Encoder:
    return Encoder(
        name=name,
        codec=codec,
        crf=(("rc_mode", "CQP"), ("global_quality" if codec == "av1" else "qp", "{}")),
        crf_range=_range(codec),
        scale=(0, 255) if codec == "av1" else None,  # AV1's base_q_idx
        least=1,  # 0 means "choose one"
        default_crf=30 if codec == "av1" else 23,
        bitrate=(("rc_mode", "VBR"),),
        pixel_format="nv12",
        upload="hwupload",
        device=_VA_DEVICE,
    )


def _qsv(name: str, codec: str) -> Encoder:
    speeds = ("veryfast", "veryfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "veryslow")
    return Encoder(
        name=name,
        codec=codec,
        crf=(("global_quality", "{}"),),
        crf_range=_range(codec),
        scale=(0, 51) if codec == "av1" else None,  # ICQ goes from 1 to 51
        least=1,
        default_crf=30 if codec == "av1" else 23,
        presets=_presets("preset", *speeds),
        pixel_format="nv12",
        device=(("init_hw_device", "qsv"),),
    )


def _videotoolbox(name: str, codec: str) -> Encoder:
    # Its quality counts upwards, 1 to 100.
    return Encoder(
        name=name,
        codec=codec,
        crf=(("q:v", "{}"),),
        scale=(100, 1),
        least=1,
        default_crf=20,
        pixel_format="yuv420p",
    )


_VIDEO = (
    Encoder(
        name="libx264",
        codec="h264",
        crf=_CRF,
        fractional=True,
        presets=_NAMES,
        pixel_format="yuv420p",
        tunes=_X264_TUNES,
    ),
    Encoder(
        name="libx265",
        codec="hevc",
        crf=_CRF,
        fractional=True,
        presets=_NAMES,
        pixel_formats=_EIGHT_OR_TEN,
        tunes=_X265_TUNES,
    ),
    Encoder(
        name="libsvtav1",
        codec="av1",
        crf=_CRF,
        crf_range=(0, 63),
        least=1,  # 0 means "use the default"
        presets=_presets("preset", "12", "11", "10", "9", "8", "6", "5", "4", "2", "0"),
        pixel_formats=_EIGHT_OR_TEN,
    ),
    Encoder(
        name="libaom-av1",
        codec="av1",
        crf=_CRF_FREE,
        crf_range=(0, 63),
        default_crf=30,
        capped=True,
        presets=_presets("cpu-used", "8", "8", "7", "6", "5", "4", "3", "2", "1", "0"),
        fixed=(("row-mt", "1"),),
        pixel_formats=_EIGHT_OR_TEN,
        tunes=frozenset({"psnr", "ssim"}),
    ),
    Encoder(
        name="libvpx",
        codec="vp8",
        # VP8 has no pure constant quality: crf holds under the bitrate, so that must be out of the way.
        crf=(("crf", "{}"), ("b:v", "100M")),
        crf_range=(4, 63),  # libvpx refuses a crf below its qmin, which is 4 in FFmpeg's wrapper of VP8
        default_crf=10,
        capped=True,
        presets=_vpx_presets("12", "8", "6"),
        pixel_format="yuv420p",
    ),
    Encoder(
        name="libvpx-vp9",
        codec="vp9",
        crf=_CRF_FREE,
        crf_range=(0, 63),
        default_crf=31,
        capped=True,
        presets=_vpx_presets("8", "7", "6"),
        fixed=(("row-mt", "1"),),
        pixel_formats=_EIGHT_OR_TEN,
    ),
    Encoder(
        name="prores_ks",
        codec="prores",
        crf=(("q:v", "{}"),),
        scale=(1, 52),
        fixed=(("profile:v", "hq"), ("vendor", "apl0")),
        pixel_format="yuv422p10le",
    ),
    Encoder(name="mjpeg", codec="mjpeg", crf=(("q:v", "{}"),), scale=(2, 31), default_crf=4, pixel_format="yuvj420p"),
    *(_nvenc(f"{codec}_nvenc", codec) for codec in ("h264", "hevc", "av1")),
    *(_vaapi(f"{codec}_vaapi", codec) for codec in ("h264", "hevc", "av1")),
    *(_qsv(f"{codec}_qsv", codec) for codec in ("h264", "hevc", "av1")),
    *(_videotoolbox(f"{codec}_videotoolbox", codec) for codec in ("h264", "hevc")),
)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716 §2
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # MPEG-1, 2 and 2.5 layer III
_OPUS_LAYOUTS = ("7.1", "6.1", "5.1", "5.0", "quad", "3.0", "stereo", "mono")  # RFC 7845 §5.1.1.2: mapping family 1
_AUDIO = (
    AudioEncoder(
        name="aac", rates=(7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
    ),
    AudioEncoder(name="libopus", rates=_OPUS_RATES, layouts=_OPUS_LAYOUTS),
    AudioEncoder(name="libmp3lame", default=(("q:a", "2"),), rates=_MP3_RATES, channels_max=2),
    AudioEncoder(name="flac", lossless=True, default=(("compression_level", "8"),)),
    AudioEncoder(name="ac3", rates=(32000, 44100, 48000), channels_max=6),
    AudioEncoder(name="pcm_s16le", lossless=True, channels_max=255),
    AudioEncoder(name="alac", lossless=True),
    AudioEncoder(name="libvorbis", default=(("q:a", "5"),), channels_max=8),
)
_VIDEO_BY_NAME = {encoder.name: encoder for encoder in _VIDEO}
_AUDIO_BY_NAME = {encoder.name: encoder for encoder in _AUDIO}
_AV1_BY_PREFERENCE = ("libsvtav1", "libaom-av1")


def video_encoder(codec: FFmpegCodec, available: frozenset[str] | None = None) -> Encoder | None:
    """Return the encoder of a video codec, or ``None`` where it is none; ``available`` decides which one codes AV1."""
    if codec is FFmpegCodec.AV1:
        names = [name for name in _AV1_BY_PREFERENCE if available is None or name in available]
        return _VIDEO_BY_NAME[names[0] if names else _AV1_BY_PREFERENCE[0]]
    return _VIDEO_BY_NAME.get(codec.value)


def audio_encoder(codec: FFmpegCodec) -> AudioEncoder | None:
    """Return the encoder of an audio codec, or ``None`` where it is none."""
    return _AUDIO_BY_NAME.get(codec.value)


def same_codec(encoder_name: str) -> tuple[FFmpegCodec, ...]:
    """Return the codecs whose encoders write what ``encoder_name`` writes; lossy sound stands for lossy sound."""
    video = _VIDEO_BY_NAME.get(encoder_name)
    if video is not None:
        return tuple(FFmpegCodec(one.name) for one in _VIDEO if one.codec == video.codec and one is not video)
    audio = _AUDIO_BY_NAME[encoder_name]
    return tuple(FFmpegCodec(one.name) for one in _AUDIO if one.lossless == audio.lossless and one is not audio)
