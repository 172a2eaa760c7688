"""A transcode split into chunks: where, and why not."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np

from ffzero.containers.detect import container_for_output
from ffzero.edits.chunk_jobs import is_framewise
from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie
from ffzero.engines.opening import EngineLike, check_engine
from ffzero.errors import UnsupportedError, UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec, video_encoder
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.chunk_coding import takes_two_passes
from ffzero.pipelines.target_quality import check_vmaf
from ffzero.reporting import printable
from ffzero.timebase import Rounding, TimeLike, parse_time, to_ticks
from ffzero.values import dataclass

__all__ = ["CHUNK_FILES", "ChunkOptions", "TranscodePlan", "plan_transcode"]

_CHUNK_S = 10
CHUNK_FILES = {"h264": ".mp4", "hevc": ".mp4", "av1": ".mp4", "vp9": ".mp4", "mjpeg": ".mov", "prores": ".mov"}
_RULES_TIME = frozenset(
    {"r", "fps_mode", "vsync", "enc_time_base", "ss", "t", "to", "sseof", "frames", "vframes", "shortest", "itsoffset"}
    | {"itsscale", "copyts", "start_at_zero", "force_key_frames", "stream_loop", "pass", "passlogfile"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOptions:
    """How a transcode is split and where it runs. ``chunk_s`` is the least length of a chunk, in seconds."""

    jobs: int | None = None
    engine: EngineLike | None = None
    chunk_s: TimeLike | None = None
    vmaf: float | None = None
    two_pass: bool = False
    restart: bool = False

    @property
    def wanted(self) -> bool:
        """Whether any of it asks for chunks."""
        given = (self.engine, self.chunk_s, self.vmaf)
        return self.jobs not in (None, 1) or self.two_pass or any(one is not None for one in given)

    def check(self, settings: FFmpegSettings) -> None:
        """Raise ``UsageError`` for what makes no sense together, ``UnsupportedError`` for what the encoder lacks."""
        if self.vmaf is not None and self.two_pass:
            raise UsageError("two passes hold a bitrate, a VMAF a quality", hint="Ask for one of them")
        if self.two_pass and settings.video_bitrate is None:
            raise UsageError("two passes need a bitrate", hint="Give video_bitrate (--video-bitrate 2M)")
        if self.two_pass and not takes_two_passes(settings.video):
            raise UnsupportedError(f"{settings.video} has no two passes here")
        if self.vmaf is not None:
            check_vmaf(self.vmaf, settings)
        if self.engine is not None or self.jobs is not None:
            check_engine("local" if self.engine is None else self.engine, self.jobs)
        if self.chunk_s is not None and not parse_time(self.chunk_s):
            raise UsageError("a chunk is longer than nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodePlan:
    """The chunks of a transcode: clips, with the number of pictures in each. ``why_not`` says why there are none."""

    movie: Movie
    clips: tuple[Clip, ...] = ()
    bounds: tuple[Fraction, ...] = ()
    frames: tuple[int, ...] = ()
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready data; no segments where all is coded in one pass."""
        ends = (*self.bounds[1:], self.movie.duration)
        chunks = enumerate(zip(self.bounds, ends, self.frames, strict=True)) if self.bounds else ()
        segments = [
            {
                "action": "render",
                "chunk": at,
                "source_start_s": float(start),
                "source_end_s": float(end),
                "frames": frames,
            }
            for at, (start, end, frames) in chunks
        ]
        return {"segments": segments, "warnings": [str(self)] if self.why_not else []}

    def __str__(self) -> str:
        if self.why_not:
            return f"coded in one pass: {self.why_not}"
        lines = [f"{len(self.clips)} chunks of {self.movie.path}, closed GOPs at chunk borders; sound coded as a whole"]
        ends = (*self.bounds[1:], self.movie.duration)
        for number, (start, end, frames) in enumerate(zip(self.bounds, ends, self.frames, strict=True), 1):
            lines.append(f"  chunk {number}: {float(start):.3f} to {float(end):.3f} s, {frames} frames")
        return "\n".join(map(printable, lines))


def plan_transcode(
    movie: Movie, output: str | os.PathLike[str], settings: FFmpegSettings, chunk_s: TimeLike | None = None
) -> TranscodePlan:
    """Split a movie at key pictures into chunks of at least ``chunk_s`` seconds (10); see ``TranscodePlan``."""
    reason = _why_whole(movie, output, settings)
    if reason:
        return TranscodePlan(movie=movie, why_not=reason)
    assert movie.media is not None and movie.media.main_video is not None
    least = parse_time(_CHUNK_S if chunk_s is None else chunk_s)
    track, (start, end) = movie.media.main_video, movie.media.range
    bounds = [max(start, Fraction(0))]  # of a first picture that is shown in part FFmpeg sees that part
    for key in movie.keyframes():
        if key - bounds[-1] >= least and end - key >= least / 2:
            bounds.append(key)
    shift = movie.media.spans(track)[0].shift
    column = np.sort(track.table.pts_column(0, track.table.count)) + shift
    span = movie.media.spans(track)[0]
    column = column[(column >= span.start) & (column < span.stop)]
    edges = [
        *(int(np.searchsorted(column, to_ticks(bound, track.timescale, Rounding.CEIL))) for bound in bounds[1:]),
        len(column),
    ]
    return TranscodePlan(
        movie=movie,
        clips=tuple(
            movie.clip(low if number else None, high)
            for number, (low, high) in enumerate(zip(bounds, [*bounds[1:], None], strict=True))
        ),
        bounds=tuple(bounds),
        frames=tuple(high - low for low, high in zip([0, *edges], edges, strict=False)),
    )


def _why_whole(movie: Movie, output: str | os.PathLike[str], settings: FFmpegSettings) -> str:
    """Say why a transcode cannot be split; empty where it can."""
    if settings.video in (None, FFmpegCodec.COPY):
        return "no pictures are coded"
    encoder = video_encoder(settings.video) if settings.video is not None else None
    if encoder is None or encoder.codec not in CHUNK_FILES:
        return f"chunks of {settings.video} cannot be joined"
    media = movie.media
    if media is None or media.main_video is None:
        return "only MP4 and MOV with pictures are split"
    if sum(media.role(track) in ("video", "still") for track in media.box.tracks) > 1:
        return "there are several video tracks"
    if container_for_output(output) is None:
        return "the output is not a file whose container is known"
    if len(media.spans(media.main_video)) != 1:
        return "the edit list shows several parts of the pictures"
    found = media.track_range(media.main_video)
    if found is None or found[0] != media.range[0]:
        return "pictures begin after the sound"
    keys = media.main_video.table.sync_candidates()
    if keys is not None and (not len(keys) or keys[0]):
        return "the pictures do not begin with a key picture"
    if settings.fps is not None:
        return "the frame rate is changed"
    named = {key.partition(":")[0] for key in settings.extra_args}
    if named & _RULES_TIME:
        return f"{', '.join(sorted(named & _RULES_TIME))} would mean something else in a chunk"
    own = [str(settings.extra_args[key]) for key in ("vf", "filter:v") if key in settings.extra_args]
    if not all(is_framewise(chain) for chain in own):
        return f"the filter {own[0]!r} may look at more than one picture"
    return ""
