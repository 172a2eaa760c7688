"""What a file that PyAV reads holds: the data behind ``ffzero inspect`` for every container but MP4 and MOV."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from ffzero.containers.detect import HEAD_BYTES, detect
from ffzero.containers.info import MovieInfo, TrackInfo
from ffzero.containers.libav.opening import Input, main_stream, open_errors, seconds
from ffzero.containers.libav.packets import is_encrypted
from ffzero.containers.libav.tags import chapters_of
from ffzero.containers.libav.targets import codec_name, stream_kind
from ffzero.containers.libav.truncation import truncation
from ffzero.errors import FFZeroError

__all__ = ["probe"]


def probe(path: str | os.PathLike[str]) -> MovieInfo:
    """Describe the file: every stream, cover and attachment included, chapters, tags, and what is special.

    Reads headers and, for rotation, one picture; a file that declares no length (a live recording, a stream whose
    clock jumps) is read through. Raises ``SourceNotFoundError``, ``SourceError``, ``InvalidDataError`` or
    ``UnsupportedError``.
    """
    with Input(path) as source:
        with open_errors(path), open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
        duration_s = source.declared_duration_s
        notes = _notes(source, head)
        if duration_s is None:
            duration_s = _measured_length(source)
            notes.append("declares no length" if source.continuous else "time stamps jump")
        main = main_stream(source.streams)
        starts = main is not None and main.start_time is not None
        return MovieInfo(
            path=source.path,
            container=_container(source, head),
            size_bytes=os.path.getsize(path),
            start_s=source.clock_s(main.start_time or 0, main) if main is not None and starts else Fraction(0),
            duration_s=duration_s,
            tracks=tuple(_track(source, stream, duration_s) for stream in source.streams),
            chapters=chapters_of(source),
            metadata=dict(source.container.metadata),
            special=tuple(notes),
        )


def _container(source: Input, head: bytes) -> str:
    family = detect(head)
    return family if family != "unknown" else source.format_name


def _track(source: Input, stream: Any, duration_s: Fraction) -> TrackInfo:
    from av.stream import Disposition

    kind, context = stream_kind(stream), stream.codec_context
    video = context if stream.type == "video" else None
    audio = context if stream.type == "audio" else None
    base = stream.time_base or Fraction(1)
    timed = kind not in ("attachment", "cover")
    own_length = seconds(stream.duration, stream) if stream.duration and timed else None
    return TrackInfo(
        id=stream.id or stream.index,
        kind=kind,
        codec=codec_name(stream) or (stream.metadata.get("mimetype", "") if kind == "attachment" else "unknown"),
        codec_tag=_tag(context),
        language=stream.metadata.get("language", "und"),
        timescale=base.denominator if base.numerator == 1 else 1,
        start_s=source.clock_s(stream.start_time, stream) if timed and stream.start_time is not None else Fraction(0),
        duration_s=own_length if own_length is not None else (duration_s if timed else Fraction(0)),
        sample_count=stream.frames or None,
        width=video.width if video else None,
        height=video.height if video else None,
        rotation_degrees=_rotation(source, stream) if video and kind == "video" else 0,
        frame_rate=stream.average_rate if video and kind == "video" else None,
        sample_rate=audio.sample_rate if audio else None,
        channels=audio.channels if audio else None,
        is_default=bool(stream.disposition & Disposition.default),
        special=_track_notes(stream),
    )


def _tag(context: Any) -> str:
    try:
        tag = context.codec_tag if context is not None else ""
    except UnicodeDecodeError:  # a number, not four characters
        return ""
    return tag if tag.isprintable() and tag.strip() and "\x00" not in tag else ""


def _track_notes(stream: Any) -> tuple[str, ...]:
    from av.stream import Disposition

    named = ("forced", "comment", "hearing_impaired", "visual_impaired", "dub", "original", "captions")
    notes = [name.replace("_", " ") for name in named if stream.disposition & Disposition[name]]
    name = stream.metadata.get("filename") or stream.metadata.get("title")
    if name:
        notes.append(f"“{name}”")
    if stream_kind(stream) == "video" and _is_variable(stream.average_rate, stream.guessed_rate):
        notes.append("variable frame rate")
    if stream.codec_context is None and stream.type in ("video", "audio", "subtitle"):
        notes.append("no decoder for it here")
    return tuple(notes)


def _is_variable(average: Fraction | None, guessed: Fraction | None) -> bool:
    """Whether the rate that fits the first times is another than the mean; one within 1 % is rounding."""
    return bool(average and guessed) and abs(guessed / average - 1) > Fraction(1, 100)  # type: ignore[operator]


def _rotation(source: Input, stream: Any) -> int:
    """Return the clockwise rotation in degrees that a player applies. PyAV shows it on a decoded picture only."""
    if not source.format_name.startswith(("matroska", "mov")):
        return 0
    try:
        for packet in source.packets([source.container.streams[stream.index]]):
            for frame in packet.decode():
                return -round(getattr(frame, "rotation", 0)) % 360
    except (FFZeroError, OSError, ValueError):
        pass  # a picture that cannot be decoded shows no rotation
    return 0


def _measured_length(source: Input) -> Fraction:
    """Read the file through; return when its last packet ends."""
    end_s = Fraction(0)
    for packet in source.packets(source.streams):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.stream.type in ("video", "audio"):
            end_s = max(end_s, source.clock_s(stamp + (packet.duration or 0), packet.stream))
    return end_s


def _notes(source: Input, head: bytes) -> list[str]:
    notes = []
    truncated = truncation(head, os.path.getsize(source.path))
    if truncated:
        notes.append(truncated)
    main = main_stream(source.streams)
    first = next(source.packets([main]), None) if main is not None else None
    if first is not None and is_encrypted(first):
        notes.append("encrypted")
    return notes
