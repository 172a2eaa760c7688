"""``ffzero transcode`` in chunks: its plan, the work, and what came of each chunk."""

from __future__ import annotations

from typing import Any

import ffzero
from ffzero.cli.ffmpeg_job import FFmpegJob
from ffzero.cli.journal_rest import rest_told
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.ranges import time_of
from ffzero.cli.report import plan_fields
from ffzero.cli.signals import cancellable
from ffzero.cli.text import byte_count, clock, count, printable, seconds
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.transcode_plan import ChunkOptions, plan_transcode
from ffzero.reporting import WriteResult

__all__ = ["transcode_chunks"]


def transcode_chunks(job: FFmpegJob, settings: FFmpegSettings, chunks: dict[str, Any]) -> None:
    """Show the plan where only that is wanted, else code the file and report."""
    if chunks["chunk_s"] is not None:
        chunks = {**chunks, "chunk_s": time_of("chunk", chunks["chunk_s"])}
    options = ChunkOptions(**chunks)
    if job.dry_run:
        options.check(settings)
        with ffzero.open(job.source.path) as movie:
            plan = plan_transcode(movie, job.output, settings, options.chunk_s)
        if job.console.json_wanted:
            job.console.object({**plan_fields(plan.to_dict(), job.output)})
        else:
            job.console.line(printable(str(plan)) if "\n" not in str(plan) else str(plan))
        return
    with TerminalProgress(job.console.stderr) as progress, cancellable() as cancel, rest_told(job.console, job.output):
        result = ffzero.transcode_video(
            job.source.path,
            job.output,
            settings,
            **chunks,
            overwrite=job.overwrite,
            reporter=progress,
            cancel=cancel,
        )
    if job.console.json_wanted:
        job.console.object(result.to_dict())
    else:
        job.console.lines(_summary(result))


def _summary(result: WriteResult) -> list[str]:
    head = f"{byte_count(result.bytes_total)}, {count(result.frames_rendered, 'frame')}, in {seconds(result.elapsed_s)}"
    lines = [f"{printable(result.output)}: {head}"]
    for segment in result.segments:
        if "chunk" in segment:
            times = f"{clock(segment['source_start_s'])} to {clock(segment['source_end_s'])}"
            quality = f": crf {segment['crf']:g}, VMAF {segment['vmaf']:.1f}" if "crf" in segment else ""
            lines.append(f"  chunk {segment['chunk'] + 1}, {times}{quality}")
    return [*lines, *(f"  warning: {printable(warning)}" for warning in result.warnings)]
