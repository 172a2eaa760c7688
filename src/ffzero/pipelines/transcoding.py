"""A file coded anew in chunks, on several workers: split at key pictures, coded beside each other, joined by rope.

Each chunk is one that a decoder can begin with (closed groups of pictures at the borders). Sound is coded once, as a
whole, when the chunks are joined: a joint in it would click. Finished chunks are kept in a journal beside the output
until that stands.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.edits.ffmpeg_input import FFmpegInput
from ffzero.edits.inputs import Input as MediaInput
from ffzero.edits.inputs import open_input
from ffzero.edits.media import Media
from ffzero.edits.movie import concat
from ffzero.edits.pieces import Piece
from ffzero.edits.proof.proving import drop_old_record
from ffzero.engines.base import Engine
from ffzero.engines.chunks import Unit, run_units, work_folder
from ffzero.engines.journal import ChunkRecord, Journal
from ffzero.engines.opening import open_engine
from ffzero.errors import EngineError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.codecs import FFmpegCodec, video_encoder
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.model import Input, Url
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.chunk_coding import ChunkWork, CodedChunk
from ffzero.pipelines.coding import join_command, refuse_encrypted
from ffzero.pipelines.identity import file_identity
from ffzero.pipelines.transcode_plan import CHUNK_FILES, ChunkOptions, TranscodePlan
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, WriteResult
from ffzero.storage.local import LocalSource
from ffzero.storage.outputs import Destination
from ffzero.timebase import Rounding, to_ticks

__all__ = ["transcode_in_chunks"]

_THREADS = 1
"""Of an encoder, where none are asked for. What x264 makes depends on them; with several and a lookahead it is not even
the same each time (9 of 30 runs differed), and chunks are what runs beside each other here."""
_MUXERS = frozenset(
    {"movflags", "f", "brand", "use_editlist", "write_tmcd", "metadata", "disposition", "tag", "movie_timescale"}
)


def transcode_in_chunks(
    plan: TranscodePlan,
    output: str | os.PathLike[str],
    settings: FFmpegSettings,
    options: ChunkOptions,
    *,
    overwrite: bool,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> WriteResult:
    """Code a plan's chunks on an engine and join them; see ``transcode_video``."""
    started = time.perf_counter()
    replaces = Destination.examine(output, overwrite=overwrite).existing is not None
    refuse_encrypted(plan.movie[:], settings)
    settings = settings.resolved(find_ffmpeg())
    with contextlib.ExitStack() as stack:
        job = _identity(plan, settings, options)
        journal = stack.enter_context(Journal.open(output, job, restart=options.restart))
        records = _coded(plan, settings, options, journal, reporter, cancel)
        _join(plan, records, output, settings, overwrite=overwrite, reporter=reporter, cancel=cancel)
        journal.discard()
    size = os.path.getsize(output)
    result = WriteResult(
        output=os.fsdecode(output),
        bytes_total=size,
        bytes_rendered=size,
        frames_rendered=sum(record.facts.get("frames") or 0 for record in records),
        segments=tuple(_segments(plan, records)),
        elapsed_s=time.perf_counter() - started,
        warnings=tuple(dict.fromkeys(_warnings(plan, records))),
        methods={"ffmpeg": size},
    )
    return drop_old_record(result, replaces=replaces)


def _identity(plan: TranscodePlan, settings: FFmpegSettings, options: ChunkOptions) -> Mapping[str, Any]:
    return {
        "work": "transcode",
        "source": file_identity(plan.movie.path),
        "bounds": [str(bound) for bound in plan.bounds],
        "settings": repr(settings),
        "vmaf": options.vmaf,
        "two_pass": options.two_pass,
    }


def _coded(
    plan: TranscodePlan,
    settings: FFmpegSettings,
    options: ChunkOptions,
    journal: Journal,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> list[ChunkRecord]:
    """Code the chunks that are not finished; return the records of all."""
    known = journal.finished(reporter=reporter, cancel=cancel)
    total = sum(plan.frames)
    made = sum(plan.frames[number] for number in known)

    def advance(count: int) -> None:
        nonlocal made
        made += count
        reporter(ProgressEvent(stage="transcode", done=made, total=total, unit="frames"))

    def done(unit: Unit, chunk: CodedChunk) -> None:
        known[unit.number] = journal.commit(unit.number, chunk.path, chunk.facts)

    units = [unit for unit in _units(plan, settings, options, journal) if unit.number not in known]
    if units:
        reporter(ProgressEvent(stage="transcode", done=made, total=total, unit="frames"))
        with work_folder(journal.output) as folder, contextlib.ExitStack() as stack:
            run_units(_engine(options, stack), units, folder, done=done, advance=advance, cancel=cancel)
    return [known[number] for number in range(len(plan.clips))]


def _engine(options: ChunkOptions, stack: contextlib.ExitStack) -> Engine:
    """Return the engine; without a name threads, for the work is done by FFmpeg processes."""
    if isinstance(options.engine, Engine):
        return options.engine
    jobs = 1 if options.engine is None and options.jobs is None else options.jobs
    return stack.enter_context(open_engine("threads" if options.engine is None else options.engine, jobs))


def _units(plan: TranscodePlan, settings: FFmpegSettings, options: ChunkOptions, journal: Journal) -> list[Unit]:
    encoder = video_encoder(settings.video) if settings.video is not None else None
    assert encoder is not None
    suffix = CHUNK_FILES[encoder.codec]
    chosen = _chunk_settings(settings, sought=options.vmaf is not None)
    source = LocalSource.open(plan.movie.path)
    ends = (*plan.bounds[1:], plan.movie.duration)
    return [
        Unit(
            number=number,
            name=f"chunk {number + 1} of {len(plan.clips)} ({float(plan.bounds[number]):.3f} to"
            f" {float(ends[number]):.3f} s of {plan.movie.path})",
            work=ChunkWork(
                clip=clip,
                settings=chosen,
                path=journal.path_for(number, suffix),
                frames=plan.frames[number],
                vmaf=options.vmaf,
                two_pass=options.two_pass,
                source=source,
            ),
            parts=plan.frames[number],
        )
        for number, clip in enumerate(plan.clips)
    ]


def _chunk_settings(settings: FFmpegSettings, *, sought: bool) -> FFmpegSettings:
    """Return the settings for the pictures of a chunk."""
    extra = {key: value for key, value in settings.extra_args.items() if not _is_of_the_file(key)}
    extra["movie_timescale"] = 360_000  # exact ends: FFmpeg's own unit is a millisecond
    if sought and settings.video is FFmpegCodec.H264:
        own = extra.get("x264-params")  # the same parameter sets for each quality
        extra["x264-params"] = f"{own}:stitchable=1" if own else "stitchable=1"
    threads = _THREADS if settings.threads is None else settings.threads
    return settings.replace(
        audio_codec=None, audio_bitrate=None, audio_rate=None, audio_channels=None, threads=threads, extra_args=extra
    )


def _is_of_the_file(key: str) -> bool:
    """Whether an option is for sound, subtitles or the container."""
    base, _, stream = key.partition(":")
    return base in _MUXERS or base in ("af", "ar", "ac") or stream[:1] in ("a", "s")


def _join(
    plan: TranscodePlan,
    records: Sequence[ChunkRecord],
    output: str | os.PathLike[str],
    settings: FFmpegSettings,
    *,
    overwrite: bool,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> None:
    """Write the output: the chunks, joined without being written, and all else of the movie."""
    kept = FFmpegSettings(
        video_codec=FFmpegCodec.COPY,
        audio_codec=settings.audio,
        preset=None,
        audio_bitrate=settings.audio_bitrate,
        audio_rate=settings.audio_rate,
        audio_channels=settings.audio_channels,
        extra_args={key: value for key, value in settings.extra_args.items() if _is_of_the_file(key)},
    )
    lengths = [*(stop - start for start, stop in pairwise(plan.bounds)), None]
    clip = concat([_pictures(record, length_s) for record, length_s in zip(records, lengths, strict=True)])
    joint = clip.plan()
    if joint.needs_render:
        raise EngineError("the coded chunks do not fit together", hint="Use one job; and please report this")
    with contextlib.ExitStack() as stack:
        pictures = stack.enter_context(clip.ffmpeg_input())
        assert isinstance(pictures, FFmpegInput)
        command = join_command(plan.movie[:], Input(path=Url(pictures.url), options={"f": "mov"}), output, kept, stack)
        FFmpegExecutor(find_ffmpeg().path).execute(
            command, cancel=cancel, reporter=reporter, duration_s=float(plan.movie.duration), overwrite=overwrite
        )


def _pictures(record: ChunkRecord, length_s: Fraction | None) -> Clip:
    """Return a chunk from its first picture on, for ``length_s`` (``None``: as long as it says itself).

    How long the last picture of a chunk is shown only the source knows: FFmpeg takes it for as long as another.
    """
    assert record.path is not None
    media = open_input(record.path).media
    assert media is not None and media.main_video is not None
    track, times = media.main_video, media.track_range(media.main_video)
    if times is None:
        raise EngineError("a coded chunk shows nothing", path=record.path)
    if length_s is not None:
        span = media.spans(track)[0]
        column = track.table.pts_column(0, track.table.count)
        stop = to_ticks(times[0] + length_s, track.timescale, Rounding.NEAREST) - span.shift
        table = track.table.with_last_duration(max(1, stop - int(column.max())))
        edits = tuple(edit if edit.media_time == -1 else replace(edit, duration=0) for edit in track.edits)
        patched = replace(track, table=table, edits=edits)
        tracks = tuple(patched if one is track else one for one in media.box.tracks)
        media = Media(box=replace(media.box, tracks=tracks))
    whole = MediaInput(path=record.path, container="isobmff", media=media)
    return Clip([Piece(input=whole, start=times[0] or None, end=None)])


def _segments(plan: TranscodePlan, records: Sequence[ChunkRecord]) -> list[dict[str, Any]]:
    ends = (*plan.bounds[1:], plan.movie.duration)
    return [
        {
            "action": "render",
            "piece": 0,
            "chunk": number,
            "input": plan.movie.path,
            "source_start_s": float(plan.bounds[number]),
            "source_end_s": float(ends[number]),
            "reason": "settings were given; closed GOPs at chunk borders",
            **{key: value for key, value in record.facts.items() if key != "warnings"},
        }
        for number, record in enumerate(records)
    ]


def _warnings(plan: TranscodePlan, records: Sequence[ChunkRecord]) -> list[str]:
    found = [str(one) for record in records for one in record.facts.get("warnings", ())]
    for number, (record, frames) in enumerate(zip(records, plan.frames, strict=True)):
        coded = record.facts.get("frames")
        if coded is not None and coded != frames:
            found.append(f"chunk {number + 1} has {coded} pictures, the source {frames} there")
    return found
