"""``ffzero transcode``: a file, or a time range of it, coded anew."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import click

from ffzero.cli.console import Console
from ffzero.cli.engine import engine_options
from ffzero.cli.ffmpeg_job import FFmpegJob, begin
from ffzero.cli.output import output_options
from ffzero.cli.ranges import FiniteRange, range_options, time_range
from ffzero.cli.text import count
from ffzero.errors import FFZeroError, UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.defaults import AUDIO_CODECS, settings_for
from ffzero.ffmpeg.operations import stream_maps
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["transcode"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_ONE_SOUND = AUDIO_CODECS.keys() - {".m4a", ".mka", ".mp4"}
"""Files that hold one sound track only."""
_SIZE = re.compile(r"(\d{1,5})[xX:](\d{1,5})", re.ASCII)


def _settings_options(command: _Command) -> _Command:
    for option in (
        click.option("--audio-bitrate", metavar="BITRATE", help="Bits a second: 192k."),
        click.option("--video-bitrate", metavar="BITRATE", help="Bits a second instead of --crf: 2M."),
        click.option("--fps", metavar="RATE", help="Frames a second: 25, 29.97 or 30000/1001."),
        click.option("--size", metavar="WxH", help="Width and height in pixels."),
        click.option("--height", type=int, help="In pixels; alone it keeps the aspect."),
        click.option("--width", type=int, help="In pixels; alone it keeps the aspect."),
        click.option("--crf", type=FiniteRange(), help="Constant quality, lower is better: 0-51, AV1 and VP9 0-63."),
        click.option("--preset", metavar="NAME", help="Time against size, as x264 calls it: ultrafast ... veryslow."),
        click.option("--audio-codec", metavar="CODEC", help="aac, opus, mp3, flac, ac3, pcm, copy, none, ..."),
        click.option(
            "--codec", "--video-codec", "video_codec", metavar="CODEC", help="h264, h265, av1, vp9, prores, none, ..."
        ),
    ):
        command = option(command)
    return command


def _chunk_options(command: _Command) -> _Command:
    for option in (
        click.option("--restart", is_flag=True, help="Begin anew, whatever an interrupted run has finished."),
        click.option(
            "--two-pass", is_flag=True, help="Look at all pictures of a chunk before coding: --video-bitrate."
        ),
        click.option(
            "--vmaf", type=FiniteRange(), metavar="SCORE", help="Seek the crf of each chunk that looks this good: 95."
        ),
        click.option("--chunk", metavar="TIME", help="The least length of a chunk.  [default: 10]"),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("input", type=click.Path(readable=False))
@_settings_options
@range_options
@_chunk_options
@engine_options
@output_options
@click.pass_obj
def transcode(
    console: Console,
    /,
    input: str,
    start: str | None,
    end: str | None,
    duration: str | None,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
    jobs: int | None,
    engine: str | None,
    chunk: str | None,
    vmaf: float | None,
    two_pass: bool,
    restart: bool,
    **given: Any,
) -> None:
    """Code INPUT, or its frames from START up to END, anew.

    The output's name chooses the codecs (MP4: H.264 and AAC, WebM: VP9 and Opus, ...) unless they are given.

    With --jobs, --engine, --chunk, --vmaf or --two-pass the pictures are coded in chunks (closed GOPs at their borders)
    and joined; when it was interrupted, the same command goes on with the chunks that are missing.
    """
    start_s, end_s = time_range(start, end, duration)
    fields = _fields(**given)
    if output:
        settings_for(output, **fields)  # wrong values are told before anything is read
    job = begin(console, input, output, dry_run=dry_run, overwrite=overwrite)
    settings = settings_for(job.output, **fields)
    if settings.video is FFmpegCodec.COPY and (start_s or end_s is not None):
        raise UsageError("video that is copied is cut by `ffzero cut`", hint="Use it, or choose another --codec")
    chunks = {"jobs": jobs, "engine": engine, "chunk_s": chunk, "vmaf": vmaf, "two_pass": two_pass, "restart": restart}
    if jobs not in (None, 1) or two_pass or any(chunks[name] is not None for name in ("engine", "chunk_s", "vmaf")):
        if start_s or end_s is not None:
            raise UsageError("a time range is coded in one pass", hint="Cut first, or leave out --jobs and its like")
        from ffzero.cli.transcode_chunks import transcode_chunks

        transcode_chunks(job, settings, chunks)
        return
    length_s = job.source.length(start_s, end_s)
    one_sound = settings.video is None and os.path.splitext(job.output)[1].lower() in _ONE_SOUND
    settings = _keeping_times(input, job.output, settings)
    command = FFmpegCommandBuilder(settings, job.binary).build_command(
        "extract_audio" if one_sound else "transcode",
        input_path=input,
        output_path=job.output,
        start_time=start_s,
        duration=_duration(start_s, end_s),
    )
    job.run(command, length_s, warnings=_left_out(job, settings))


def _keeping_times(path: str, output: str, settings: FFmpegSettings) -> FFmpegSettings:
    """Return the settings with what keeps every picture of a source whose frame rate changes."""
    import ffzero
    from ffzero.pipelines.coding import timing_options

    with contextlib.suppress(FFZeroError), ffzero.open(path) as movie:  # FFmpeg reads more than is opened here
        options = timing_options(movie[:].pieces, output, settings)
        return settings.replace(extra_args={**settings.extra_args, **options})
    return settings


def _duration(start_s: Fraction | None, end_s: Fraction | None) -> Fraction | None:
    return None if end_s is None else end_s - (start_s or 0)


def _fields(**given: Any) -> dict[str, Any]:
    """Return the options as fields of settings: those that were given."""
    fields = {name: value for name, value in given.items() if value is not None and name != "size"}
    if given["size"] is not None:
        if "width" in fields or "height" in fields:
            raise UsageError("--size and --width or --height were both given", hint="Give one of them")
        match = _SIZE.fullmatch(given["size"])
        if match is None:
            raise UsageError(f"--size: not a size: {given['size']!r}", hint="Sizes are like 1280x720")
        fields |= {"width": int(match[1]), "height": int(match[2])}
    if "crf" in fields and fields["crf"].is_integer():
        fields["crf"] = int(fields["crf"])
    for name in ("video_codec", "audio_codec"):
        if fields.get(name, "").lower() == "none":
            fields[name] = None
    return fields


def _left_out(job: FFmpegJob, settings: FFmpegSettings) -> list[str]:
    """Return what of the input has no place in the output, in words."""
    maps, _ = stream_maps(job.source.path, job.output)
    subtitles = 0 if "0:s?" in maps else len(job.source.subtitles)
    videos = max(0, len(job.source.video) - 1)
    lost = [(videos, "more video track")] if settings.video is not None else []
    lost.append((subtitles, "subtitle track"))
    return [f"left out: {count(number, noun)}" for number, noun in lost if number]
