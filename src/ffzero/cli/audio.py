"""``ffzero audio``: a sound track alone, copied where it can be, and at a loudness if asked for."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import click

from ffzero.cli.console import Console
from ffzero.cli.ffmpeg_job import FFmpegJob, begin
from ffzero.cli.output import output_options
from ffzero.cli.ranges import FiniteRange, range_options, time_range
from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.defaults import audio_is_copied, settings_for
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["audio"]

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?", re.ASCII)
_LUFS = "-16"


class _Audio(click.Command):
    """Takes ``--loudness`` with or without a number, which begins with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--":
                words += [word, *rest]
                break
            if word == "--loudness":
                word += f"={rest.pop(0) if rest and _NUMBER.fullmatch(rest[0]) else _LUFS}"
            words.append(word)
        return super().parse_args(ctx, words)


@click.command(cls=_Audio)
@click.argument("input", type=click.Path(readable=False))
@click.option("--track", type=int, default=1, show_default=True, help="Which sound track; 1 is the first.")
@click.option("--codec", metavar="CODEC", help="aac, opus, mp3, flac, vorbis, ac3, pcm, alac or copy.")
@click.option("--bitrate", metavar="BITRATE", help="Bits a second: 192k. The sound is coded anew.")
@click.option(
    "--loudness",
    type=FiniteRange(),
    metavar="[LUFS]",
    help=f"Bring it to a loudness (EBU R 128) in two passes; {_LUFS} LUFS.",
)
@range_options
@output_options
@click.pass_obj
def audio(
    console: Console,
    /,
    input: str,
    track: int,
    codec: str | None,
    bitrate: str | None,
    loudness: float | None,
    start: str | None,
    end: str | None,
    duration: str | None,
    output: str | None,
    dry_run: bool,
    json_wanted: bool,
    overwrite: bool,
) -> None:
    """Write the sound of INPUT, or what of it lies from START up to END, to a file of its own.

    It is copied where the output takes it as it is, else coded as the output's name says (.m4a, .mp3, .opus, .ogg,
    .flac, .wav, .mka, ...).
    """
    start_s, end_s = time_range(start, end, duration)
    fields = _fields(output, codec, bitrate)
    if output:
        settings_for(output, **fields)  # wrong values are told before anything is read
    job = begin(console, input, output, dry_run=dry_run, overwrite=overwrite)
    found = job.source.require_audio(track)
    if codec is None and bitrate is None and loudness is None and audio_is_copied(job.output, found):
        fields["audio_codec"] = FFmpegCodec.COPY
    settings = settings_for(job.output, **fields)
    length_s = job.source.length(start_s, end_s)
    where = {
        "start_time": start_s,
        "duration": None if end_s is None else end_s - (start_s or Fraction(0)),
        "track": track - 1,
    }
    if loudness is not None:
        _normalise(job, settings, loudness, length_s, where)
        return
    command = FFmpegCommandBuilder(settings, job.binary).build_command(
        "extract_audio", input_path=input, output_path=job.output, **where
    )
    job.run(command, length_s, copied=settings.audio is FFmpegCodec.COPY)


def _fields(output: str | None, codec: str | None, bitrate: str | None) -> dict[str, Any]:
    """Return the options as fields of settings: those that were given."""
    fields: dict[str, Any] = {"video_codec": None}
    if codec is not None:
        fields["audio_codec"] = codec
    elif output and output.lower().endswith(".mka"):  # Matroska takes all; this is for what has to be coded
        fields["audio_codec"] = FFmpegCodec.FLAC if bitrate is None else FFmpegCodec.AAC
    if bitrate is not None:
        fields["audio_bitrate"] = bitrate
    return fields


def _normalise(
    job: FFmpegJob, settings: FFmpegSettings, lufs: float, length_s: Fraction | None, where: dict[str, Any]
) -> None:
    """Measure the sound, then write it at that loudness."""
    if settings.audio is FFmpegCodec.COPY:
        raise UsageError("sound that is copied keeps its loudness", hint="Choose another --codec")
    measure, write = FFmpegCommandBuilder(settings, job.binary).build_loudness_commands(
        job.source.path, job.output, target_lufs=lufs, **where
    )
    if job.dry_run:
        job.show([measure], note="then the output is written by loudnorm with the values that this prints")
        return
    command = write(job.execute(measure, length_s).stderr_tail)
    job.tell(command, job.execute(command, length_s))
