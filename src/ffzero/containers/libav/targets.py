"""What an output container can hold: for each stream of an input, whether and how it is carried over, or why not.

The muxers are asked, not a table: each stream is offered to FFmpeg's muxer, writing a header to memory. Only where a
muxer accepts what no reader will find again (private data in a transport stream) a list decides.
"""

from __future__ import annotations

import enum
import io
import os
from typing import TYPE_CHECKING, Any

from ffzero.containers.detect import container_for_output
from ffzero.containers.libav.opening import Input, context_of, is_cover, main_stream
from ffzero.errors import UnsupportedError
from ffzero.values import dataclass

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream

__all__ = ["CARRIED", "Carry", "StreamChoice", "add_stream", "choose_streams", "codec_name", "muxer_for", "stream_kind"]

_MUXERS = {
    "mp4": "mp4", "m4v": "mp4", "m4a": "mp4", "m4b": "mp4", "mov": "mov", "qt": "mov", "3gp": "3gp", "3g2": "3g2",
    "mkv": "matroska", "mka": "matroska", "mks": "matroska", "webm": "webm",
    "ts": "mpegts", "m2t": "mpegts", "mts": "mpegts", "m2ts": "mpegts", "mpg": "mpeg", "mpeg": "mpeg", "vob": "vob",
    "avi": "avi", "flv": "flv", "ogg": "ogg", "ogv": "ogv", "oga": "oga", "opus": "opus", "wav": "wav", "mp3": "mp3",
    "flac": "flac", "aac": "adts", "mxf": "mxf", "wmv": "asf", "wma": "asf", "asf": "asf",
}  # fmt: skip
_SOUND_ONLY = frozenset(("m4a", "m4b", "mka", "mks", "oga", "opus", "wav", "mp3", "flac", "aac", "wma"))
_IN_TRANSPORT_STREAM = frozenset(
    # ISO/IEC 13818-1 Table 2-34 and its registered formats, as far as FFmpeg's reader knows them again.
    ("h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "cavs", "vc1", "dirac", "jpeg2000",
     "aac", "aac_latm", "mp1", "mp2", "mp3", "ac3", "eac3", "truehd", "dts", "opus", "s302m", "pcm_bluray",
     "dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle", "hdmv_text_subtitle", "klv", "timed_id3", "smpte_2038")
)  # fmt: skip
_WITHOUT_TIMES_LOST = frozenset(("vp9", "av1", "opus"))
"""Codecs that FFmpeg's AVI muxer takes but that need times of their own, which AVI does not have."""

_PICTURES = {"png": ("png", "image/png"), "mjpeg": ("jpg", "image/jpeg"), "bmp": ("bmp", "image/bmp"),
             "gif": ("gif", "image/gif"), "webp": ("webp", "image/webp")}  # fmt: skip
_COVER_MUXERS = frozenset(("mp4", "mp3", "flac"))
_CONTAINER_TITLES = {"matroska": "Matroska", "webm": "WebM", "mpegts": "MPEG-TS", "mp4": "MP4", "mov": "QuickTime",
                     "avi": "AVI", "flv": "FLV", "wav": "WAV", "mp3": "MP3", "ogg": "Ogg"}  # fmt: skip


class Carry(enum.Enum):
    """How a stream goes into the output."""

    COPY = "copy"
    """Its packets, as they are."""
    COVER = "cover"
    """A still picture beside the movie."""
    ATTACH = "attach"
    """A file attached to the movie."""
    UNWRAP_TEXT = "unwrap text"
    """Timed text without its length prefix: MP4's ``tx3g`` becomes SubRip text."""
    WRAP_TEXT = "wrap text"
    """SubRip text becomes MP4's ``tx3g``."""
    DROP = "drop"


CARRIED = frozenset((Carry.COPY, Carry.UNWRAP_TEXT, Carry.WRAP_TEXT))
"""The ways that give the output a stream of packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChoice:
    """What becomes of one input stream. ``reason`` is set where it is dropped or changed."""

    index: int
    kind: str
    codec: str
    language: str
    carry: Carry
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON-ready data."""
        return {
            "index": self.index,
            "kind": self.kind,
            "codec": self.codec,
            "language": self.language,
            "carry": self.carry.value,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        codec = f" {self.codec}" if self.codec else ""
        what = f"#{self.index} {self.kind}{codec} ({self.language})"
        verb = "dropped" if self.carry is Carry.DROP else self.carry.value
        return f"{what}: {verb}, {self.reason}" if self.reason else f"{what}: {verb}"


def muxer_for(output_path: str | os.PathLike[str]) -> str:
    """Return FFmpeg's muxer for the output's extension. Raises ``UsageError`` for an unknown one."""
    container_for_output(output_path)
    return _MUXERS[_extension(output_path)]


def _extension(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path))[1].lstrip(".").lower()


def title_of(muxer: str) -> str:
    """Return the container's name for people."""
    return _CONTAINER_TITLES.get(muxer, muxer)


def codec_name(stream: Stream) -> str:
    """Return FFmpeg's name of the stream's codec, whichever decoder was picked for it; empty where unknown."""
    context = context_of(stream)
    if context is not None:
        return str(context.codec.canonical_name)
    return (stream.name or "") if stream.type == "data" else ""


def stream_kind(stream: Stream) -> str:
    """Return the stream's kind in the words of ``TrackInfo``."""
    if is_cover(stream):
        return "cover"
    if stream.type == "data" and "timecode" in stream.metadata:
        return "timecode"
    return stream.type if stream.type in ("video", "audio", "subtitle", "attachment") else "data"


def choose_streams(source: Input, output_path: str | os.PathLike[str]) -> tuple[StreamChoice, ...]:
    """Decide for every stream of ``source`` how the output named carries it.

    Raises ``UnsupportedError`` where the output cannot hold the main video (of a name that is not for sound alone) or
    nothing at all; ``UsageError`` for an unknown extension.
    """
    muxer = muxer_for(output_path)
    sound_only = _extension(output_path) in _SOUND_ONLY
    choices = [_choice(stream, muxer, sound_only) for stream in source.streams]
    main = main_stream(source.streams)
    if main is None:
        raise UnsupportedError("no video, audio or subtitle stream to copy", path=source.path)
    _drop_what_is_too_much(source, choices, muxer)
    if main.type == "video" and not sound_only and choices[main.index].carry is Carry.DROP:
        raise UnsupportedError(
            f"{choices[main.index].reason}; the video would be lost",
            path=source.path,
            hint="Name the output .mkv, which holds nearly every codec",
        )
    if not any(choice.carry in CARRIED for choice in choices):
        reasons = "; ".join(str(choice) for choice in choices)
        raise UnsupportedError(f"{title_of(muxer)} can hold none of its streams: {reasons}", path=source.path)
    return tuple(choices)


def _choice(stream: Stream, muxer: str, sound_only: bool) -> StreamChoice:
    codec, kind = codec_name(stream), stream_kind(stream)
    carry, reason = _carry(stream, kind, codec, muxer, sound_only)
    language = stream.metadata.get("language", "und")
    return StreamChoice(index=stream.index, kind=kind, codec=codec, language=language, carry=carry, reason=reason)


def _carry(stream: Stream, kind: str, codec: str, muxer: str, sound_only: bool) -> tuple[Carry, str]:
    refused = f"{title_of(muxer)} cannot hold {codec or f'this {kind}'}"
    if kind == "attachment":
        return (Carry.ATTACH, "") if muxer == "matroska" else (Carry.DROP, f"{title_of(muxer)} has no attachments")
    if kind == "cover":
        if muxer == "matroska" and codec in _PICTURES:
            return Carry.ATTACH, ""
        return (Carry.COVER, "") if muxer in _COVER_MUXERS and codec in _PICTURES else (Carry.DROP, refused)
    if kind == "video" and sound_only:
        return Carry.DROP, "the output's name asks for sound alone"
    if codec == "mov_text" and muxer == "matroska":
        return Carry.UNWRAP_TEXT, "its text as SubRip, styles left out"
    if codec in ("subrip", "text") and muxer in ("mp4", "mov"):
        return Carry.WRAP_TEXT, "its text as tx3g, styles left out"
    if kind in ("data", "timecode") and not (muxer == "mpegts" and codec in _IN_TRANSPORT_STREAM):
        return Carry.DROP, refused
    if context_of(stream) is None and kind not in ("data", "timecode"):
        return Carry.DROP, "this FFmpeg has no decoder for it, so it cannot be described to the output"
    if muxer == "mpegts" and codec not in _IN_TRANSPORT_STREAM:
        return Carry.DROP, refused
    if muxer == "avi" and codec in _WITHOUT_TIMES_LOST:
        return Carry.DROP, refused
    return (Carry.COPY, "") if _accepted([stream], muxer) else (Carry.DROP, refused)


def _accepted(streams: list[Stream], muxer: str) -> bool:
    import av
    from av.error import FFmpegError

    output = av.open(io.BytesIO(), mode="w", format=muxer)
    try:
        for stream in streams:
            add_stream(output, stream, muxer)
        output.start_encoding()
        output.close()
    except (FFmpegError, ValueError, OSError):
        return False
    return True


def _drop_what_is_too_much(source: Input, choices: list[StreamChoice], muxer: str) -> None:
    """Some containers hold each stream but not all together (WAV: one; FLV: one of a kind): drop the last ones."""
    main = main_stream(source.streams)
    while True:
        copied = [choice for choice in choices if choice.carry is Carry.COPY]
        if len(copied) < 2 or _accepted([source.container.streams[choice.index] for choice in copied], muxer):
            return
        victim = next(choice for choice in reversed(copied) if main is None or choice.index != main.index)
        reason = f"{title_of(muxer)} cannot hold it beside the others"
        choices[victim.index] = StreamChoice(
            index=victim.index, kind=victim.kind, codec=victim.codec, language=victim.language,
            carry=Carry.DROP, reason=reason,
        )  # fmt: skip


def add_stream(output: OutputContainer, stream: Stream, muxer: str) -> Stream:
    """Add a stream to ``output`` that carries the packets of ``stream`` as they are.

    Codec parameters with their side data (rotation, HDR), language, tags and dispositions are kept; statistics that a
    cut makes wrong are not. Raises PyAV's errors and ``ValueError`` where the muxer refuses.
    """
    added = output.add_stream_from_template(stream, opaque=True)
    if muxer in ("mp4", "mov") and codec_name(stream) == "hevc":
        added.codec_context.codec_tag = "hvc1"  # QuickTime plays no hev1
    if muxer == "avi" and stream.type == "video":
        rate = stream.guessed_rate or stream.average_rate  # AVI counts pictures: its tick must be one picture
        if rate:
            added.time_base = 1 / rate
    added.metadata.update(kept_tags(stream.metadata))
    added.disposition = stream.disposition
    return added


_STATISTICS = frozenset(("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "SOURCE_ID", "TIMECODE"))
_OF_THE_FILE = frozenset(("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "ENCODER", "DURATION", "LASTTIMESTAMP"))


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return a stream's tags without those that describe its length or place: a cut makes them wrong."""
    return {
        name: value
        for name, value in tags.items()
        if name.upper().split("-")[0] not in _STATISTICS and not name.upper().startswith("_STATISTICS")
    }


def kept_file_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return a file's tags without those that belong to its container."""
    return {name: value for name, value in tags.items() if name.upper() not in _OF_THE_FILE}


def picture_file(codec: str) -> tuple[str, str]:
    """Return the file name extension and media type of a cover picture's codec."""
    return _PICTURES[codec]
