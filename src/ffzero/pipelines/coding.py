"""A clip coded anew by FFmpeg, which reads it from where it lies: no intermediate file, one generation of loss.

A clip that can be copied is read as the file that it would be, unwritten (``Clip.ffmpeg_input``), so that pictures and
sound are exactly those of the copy. Any other (joints between keyframes, files that differ, other containers) is read
piece by piece, and joined after decoding.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ffzero.containers.detect import container_for_output
from ffzero.edits.clip import Clip
from ffzero.edits.inputs import Input as MediaInput
from ffzero.edits.movie import Movie
from ffzero.edits.pieces import Piece
from ffzero.edits.proof.proving import drop_old_record
from ffzero.errors import EncryptedError, IncompatibleError, RenderRequiredError, UnsupportedError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.model import FFmpegCommand, Input, Output, Url
from ffzero.ffmpeg.seeking import Seek
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.joining import Joint, join_graph
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, WriteResult
from ffzero.storage.outputs import Destination
from ffzero.values import dataclass

__all__ = ["code_clip", "command_for", "copies_all", "join_command", "refuse_encrypted", "timing_options"]

_MICROSECONDS = 1_000_000
_TEXT_CODECS = frozenset({"ass", "mov_text", "ssa", "subrip", "text", "webvtt"})
_SEEK_MARGIN_S = 1
"""FFmpeg may land behind the keyframe that it was sent to (MPEG-TS has no index): send it to before that."""

_TIMED = frozenset({"isobmff", "matroska", "mpegts"})
"""Containers in which each picture has a time of its own."""
_TIME_BASE = "1/360000"
"""A picture of 23.976, 24, 25, 29.97, 30, 50, 59.94, 60 and 120 a second lasts a whole number of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A piece as an input. ``trim`` is what of it is meant, in seconds of what FFmpeg reads; ``None``: all of it."""

    input: Input
    trim: tuple[Fraction, Fraction | None] | None = None


def copies_all(settings: FFmpegSettings) -> bool:
    """Whether the settings ask for nothing but a copy."""
    return settings.video is FFmpegCodec.COPY and settings.audio is FFmpegCodec.COPY and not settings.extra_args


def code_clip(
    clip: Clip,
    output: str | os.PathLike[str],
    settings: FFmpegSettings,
    *,
    overwrite: bool,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> WriteResult:
    """Code a clip with ``settings`` into a file, whole or not at all; see ``write_clip``."""
    started = time.perf_counter()
    replaces = Destination.examine(output, overwrite=overwrite).existing is not None
    reporter(ProgressEvent(stage="plan", done=0, total=None))
    refuse_encrypted(clip, settings)
    binary = find_ffmpeg()
    with contextlib.ExitStack() as stack:
        command = command_for(clip, output, settings.resolved(binary), stack)
        done = FFmpegExecutor(binary.path).execute(
            command, cancel=cancel, reporter=reporter, duration_s=float(clip.duration), overwrite=overwrite
        )
    size = os.path.getsize(output) if os.path.isfile(output) else done.size_bytes or 0
    result = WriteResult(
        output=os.fsdecode(output),
        bytes_total=size,
        bytes_rendered=size,
        frames_rendered=0 if settings.video in (None, FFmpegCodec.COPY) else done.frames or 0,
        segments=tuple(_segment(number, piece) for number, piece in enumerate(clip.pieces)),
        elapsed_s=time.perf_counter() - started,
        warnings=done.warnings,
        methods={"ffmpeg": size},
    )
    return drop_old_record(result, replaces=replaces)


def refuse_encrypted(clip: Clip, settings: FFmpegSettings) -> None:
    """Raise ``EncryptedError`` where what is to be coded could not be decoded: FFmpeg would show noise and be content.

    With several sample entries the pieces may be in the clear.
    """
    coded = {"video": settings.video, "audio": settings.audio}
    for source in {piece.input.path: piece.input for piece in clip.pieces}.values():
        for track in Movie(source).info().tracks:
            notes = " ".join(track.special)
            is_coded = coded.get(track.kind) not in (None, FFmpegCodec.COPY)
            if is_coded and "encrypted (" in notes and "sample entries" not in notes:
                raise EncryptedError(
                    f"its {track.kind} is encrypted, and cannot be coded",
                    path=source.path,
                    hint="Decrypt the file first (ffmpeg -decryption_key KEY -i FILE -c copy OUT)",
                )


def _segment(number: int, piece: Piece) -> dict[str, Any]:
    return {
        "action": "render",
        "piece": number,
        "input": piece.input.path,
        "source_start_s": float(piece.start or 0),
        "source_end_s": None if piece.end is None else float(piece.end),
        "reason": "settings were given",
    }


def command_for(
    clip: Clip, output: str | os.PathLike[str], settings: FFmpegSettings, stack: contextlib.ExitStack
) -> FFmpegCommand:
    """Return the command that codes a clip; what its inputs refer to is there until ``stack`` is closed."""
    try:
        return _plain(clip, _Read(input=_unwritten(clip, stack)), output, settings)
    except (RenderRequiredError, IncompatibleError, UnsupportedError):
        if len(clip.pieces) > 1 and FFmpegCodec.COPY in (settings.video, settings.audio):
            raise
    reads = [_read(piece, stack) for piece in clip.pieces]
    if len(reads) == 1:
        return _plain(clip, reads[0], output, settings)
    return _joined(clip.pieces, reads, output, settings)


def join_command(
    clip: Clip, pictures: Input, output: str | os.PathLike[str], settings: FFmpegSettings, stack: contextlib.ExitStack
) -> FFmpegCommand:
    """Return the command that writes coded ``pictures`` with all else that ``command_for`` gives a clip of one piece.

    ``settings`` copy video. Raises ``RenderRequiredError`` and others where the clip cannot be read unwritten.
    """
    read = _unwritten(clip, stack)
    cues = _text_maps(clip.pieces[0]) if container_for_output(output) == "isobmff" else []
    written = Output(
        path=os.fsdecode(output),
        maps=("1:v:0", "0:a?", *cues),
        settings=settings,
        options={"c:s": "mov_text"} if cues else {},
    )
    return FFmpegCommand(inputs=(read, pictures), outputs=(written,))


def _unwritten(clip: Clip, stack: contextlib.ExitStack) -> Input:
    """Return the clip as an input. Raises ``RenderRequiredError`` where pictures would be coded twice for it."""
    if not any(piece.effects for piece in clip.pieces) and clip.plan().needs_render:
        raise RenderRequiredError("frames at the joints would be coded twice")
    return Input(path=Url(stack.enter_context(clip.ffmpeg_input()).url), options={"f": "mov"})


def _read(piece: Piece, stack: contextlib.ExitStack) -> _Read:
    start, end = _whole_microseconds(piece)
    length = None if end is None else end - start
    if piece.input.media is not None:
        try:
            return _Read(input=_unwritten(Clip((piece,)), stack))
        except (RenderRequiredError, UnsupportedError):
            return _Read(input=Input(path=piece.input.path, start=start, duration=length))
    if not start:
        return _Read(input=Input(path=piece.input.path, duration=length))
    keyframe = Fraction(Clip((piece,)).plan().pieces[0]["start_s"])
    before = Fraction(max(0, math.floor(keyframe) - _SEEK_MARGIN_S))
    return _Read(input=Input(path=piece.input.path, start=before), trim=(start - before, length))


def _whole_microseconds(piece: Piece) -> tuple[Fraction, Fraction | None]:
    """Return the range that FFmpeg is told: in its microseconds, rounded so that a picture at the start stays in."""
    start, end = (
        None if time is None else Fraction(max(0, math.floor(time * _MICROSECONDS) - 1), _MICROSECONDS)
        for time in (piece.start, piece.end)
    )
    return start or Fraction(0), end


def _plain(clip: Clip, read: _Read, output: str | os.PathLike[str], settings: FFmpegSettings) -> FFmpegCommand:
    cues = _text_maps(clip.pieces[0]) if container_for_output(output) == "isobmff" else []
    options: dict[str, Any] = {"c:s": "mov_text"} if cues else {}
    maps = ["0:V?", "0:a?", *cues]
    start, length = read.trim or (Fraction(0), None)
    has_chapters = bool(Movie(clip.pieces[0].input).info().chapters)
    fields = Seek(input=read.input, skip_s=start, length_s=length).output(settings, has_chapters=has_chapters)
    fields["options"] |= options | timing_options(clip.pieces, output, settings)
    written = Output(path=os.fsdecode(output), maps=tuple(maps), settings=settings, **fields)
    return FFmpegCommand(inputs=(read.input,), outputs=(written,))


def _text_maps(piece: Piece) -> list[str]:
    """Return the maps of the subtitles that MP4 can hold as its own kind of text: those that are text."""
    subtitles = [track for track in Movie(piece.input).info().tracks if track.kind == "subtitle"]
    return [f"0:s:{number}?" for number, track in enumerate(subtitles) if track.codec in _TEXT_CODECS]


def timing_options(pieces: Sequence[Piece], output: str | os.PathLike[str], settings: FFmpegSettings) -> dict[str, Any]:
    """Return the option that keeps every picture of a source whose frame rate changes.

    FFmpeg counts an encoder's time in pictures of the average rate, and drops those that come sooner. Where the rate is
    steady that is exact, and stays.
    """
    own = {key.partition(":")[0] for key in settings.extra_args} & {"r", "enc_time_base", "fps_mode", "vsync"}
    codes = settings.video not in (None, FFmpegCodec.COPY)
    if not codes or own or settings.fps is not None or container_for_output(output) not in _TIMED:
        return {}
    rates = {_steady_rate(source) for source in {piece.input.path: piece.input for piece in pieces}.values()}
    return {} if len(rates) == 1 and None not in rates else {"enc_time_base:v": _TIME_BASE}


def _steady_rate(source: MediaInput) -> Fraction | None:
    """Return pictures a second, 0 where there are none; ``None`` where the rate changes or is not known."""
    track = next((track for track in Movie(source).info().tracks if track.kind == "video"), None)
    if track is None:
        return Fraction(0)
    return None if "variable frame rate" in track.special else track.frame_rate


def _joined(
    pieces: Sequence[Piece], reads: Sequence[_Read], output: str | os.PathLike[str], settings: FFmpegSettings
) -> FFmpegCommand:
    joints = [
        Joint.of(piece.input, Clip((piece,)).duration, read.trim) for piece, read in zip(pieces, reads, strict=True)
    ]
    video = settings.video is not None and all(joint.size is not None for joint in joints)
    audio = settings.audio is not None and any(joint.has_audio for joint in joints)
    filters = settings.filters() if video else []
    graph = join_graph(joints, filters, settings.audio_filters() if audio else [], video=video, audio=audio)
    maps = ("[picture]",) * video + ("[sound]",) * audio
    timing = timing_options(pieces, output, settings) if video else {}
    written = Output(
        path=os.fsdecode(output), maps=maps, options=timing, settings=settings, graph_video=True, graph_audio=True
    )
    return FFmpegCommand(inputs=tuple(read.input for read in reads), outputs=(written,), filter_complex=graph)
