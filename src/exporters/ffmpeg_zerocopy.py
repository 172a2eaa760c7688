"""The promised import path of the FFmpeg integration; everything is ``ffzero``'s."""

from ffzero.errors import FFmpegError, FFmpegNotFoundError, FFmpegTimeoutError
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.memory import FFmpegMemHandler
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegPreset, FFmpegSettings
from ffzero.pipelines.ffmpeg_pipeline import (
    StreamingFFmpegPipeline,
    ZeroCopyFFmpegPipeline,
    create_ffmpeg_pipeline,
    create_streaming_ffmpeg_pipeline,
)
from ffzero.pipelines.ffmpeg_processors import (
    FFmpegProcessor,
    ScaleProcessor,
    TranscodeProcessor,
    VideoConcatProcessor,
    VideoCutProcessor,
)
from ffzero.pipelines.jobs import concat_videos, cut_video, transcode_video
from ffzero.pipelines.segments import Segment, generate_video_segments

__all__ = [
    "FFmpegCodec",
    "FFmpegCommandBuilder",
    "FFmpegError",
    "FFmpegExecutor",
    "FFmpegMemHandler",
    "FFmpegNotFoundError",
    "FFmpegPreset",
    "FFmpegProcessor",
    "FFmpegSettings",
    "FFmpegTimeoutError",
    "ScaleProcessor",
    "Segment",
    "StreamingFFmpegPipeline",
    "TranscodeProcessor",
    "VideoConcatProcessor",
    "VideoCutProcessor",
    "ZeroCopyFFmpegPipeline",
    "concat_videos",
    "create_ffmpeg_pipeline",
    "create_streaming_ffmpeg_pipeline",
    "cut_video",
    "generate_video_segments",
    "transcode_video",
]
