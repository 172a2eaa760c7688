"""ffzero: cut and join video without moving the data.

    import ffzero

    with ffzero.open("in.mp4") as movie:
        result = movie[10.5:40.5].write("out.mp4")

Importing this package loads nothing else: each name brings its module with it when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true; importing typing for it would take longer than all the rest
if TYPE_CHECKING:
    from ffzero.api import AudioBlock, Clip, Frame, FrameBatch, Movie, Plan, Verification, crossfade, open, verify
    from ffzero.engines.base import Engine
    from ffzero.engines.opening import open_engine
    from ffzero.errors import (
        CancelledError,
        ChunkError,
        DecodeError,
        DiskFullError,
        EncryptedError,
        EngineError,
        FFmpegError,
        FFmpegNotFoundError,
        FFmpegTimeoutError,
        FFZeroError,
        IncompatibleError,
        InvalidDataError,
        JournalMismatchError,
        MemoryLimitError,
        OutputBusyError,
        OutputError,
        OutputExistsError,
        RenderRequiredError,
        SourceChangedError,
        SourceError,
        SourceNotFoundError,
        TimeRangeError,
        TruncatedError,
        UnsupportedError,
        UsageError,
        VerificationError,
    )
    from ffzero.ffmpeg.command import FFmpegCommandBuilder
    from ffzero.ffmpeg.executor import FFmpegExecutor
    from ffzero.ffmpeg.mapping import MappingStats, MemoryMapEngine
    from ffzero.ffmpeg.memory import FFmpegMemHandler, MemoryFile, MemoryStats
    from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegPreset, FFmpegSettings
    from ffzero.frames.writing.writer import Writer
    from ffzero.pipelines.array_processors import AudioProcessor, VideoProcessor
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
    from ffzero.pipelines.pipeline import ProcessingMode, StreamingPipeline, ZeroCopyPipeline
    from ffzero.pipelines.processors import (
        CompositeProcessor,
        FilterProcessor,
        FunctionProcessor,
        Outcome,
        Processor,
        TransformProcessor,
    )
    from ffzero.pipelines.segments import Segment, concat, generate_video_segments
    from ffzero.pipelines.stages import ErrorPolicy, Retry
    from ffzero.pipelines.stream import StreamResult, process_stream
    from ffzero.reporting import CancelToken, ProgressEvent, WriteResult

__version__ = "0.1.0"

__all__ = [
    "AudioBlock",
    "AudioProcessor",
    "CancelToken",
    "CancelledError",
    "ChunkError",
    "Clip",
    "CompositeProcessor",
    "DecodeError",
    "DiskFullError",
    "EncryptedError",
    "Engine",
    "EngineError",
    "ErrorPolicy",
    "FFZeroError",
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
    "FilterProcessor",
    "Frame",
    "FrameBatch",
    "FunctionProcessor",
    "IncompatibleError",
    "InvalidDataError",
    "JournalMismatchError",
    "MappingStats",
    "MemoryFile",
    "MemoryLimitError",
    "MemoryMapEngine",
    "MemoryStats",
    "Movie",
    "Outcome",
    "OutputBusyError",
    "OutputError",
    "OutputExistsError",
    "Plan",
    "ProcessingMode",
    "Processor",
    "ProgressEvent",
    "RenderRequiredError",
    "Retry",
    "ScaleProcessor",
    "Segment",
    "SourceChangedError",
    "SourceError",
    "SourceNotFoundError",
    "StreamResult",
    "StreamingFFmpegPipeline",
    "StreamingPipeline",
    "TimeRangeError",
    "TranscodeProcessor",
    "TransformProcessor",
    "TruncatedError",
    "UnsupportedError",
    "UsageError",
    "Verification",
    "VerificationError",
    "VideoConcatProcessor",
    "VideoCutProcessor",
    "VideoProcessor",
    "WriteResult",
    "Writer",
    "ZeroCopyFFmpegPipeline",
    "ZeroCopyPipeline",
    "__version__",
    "concat",
    "concat_videos",
    "create_ffmpeg_pipeline",
    "create_streaming_ffmpeg_pipeline",
    "crossfade",
    "cut_video",
    "generate_video_segments",
    "open",
    "open_engine",
    "process_stream",
    "transcode_video",
    "verify",
]

# Errors are in ``errors``, and what has no line here in ``api``.
_HOMES = {
    "Engine": "engines.base",
    "open_engine": "engines.opening",
    "FFmpegCommandBuilder": "ffmpeg.command",
    "FFmpegExecutor": "ffmpeg.executor",
    "MappingStats": "ffmpeg.mapping",
    "MemoryMapEngine": "ffmpeg.mapping",
    "FFmpegMemHandler": "ffmpeg.memory",
    "MemoryFile": "ffmpeg.memory",
    "MemoryStats": "ffmpeg.memory",
    "FFmpegCodec": "ffmpeg.settings",
    "FFmpegPreset": "ffmpeg.settings",
    "FFmpegSettings": "ffmpeg.settings",
    "Writer": "frames.writing.writer",
    "AudioProcessor": "pipelines.array_processors",
    "VideoProcessor": "pipelines.array_processors",
    "StreamingFFmpegPipeline": "pipelines.ffmpeg_pipeline",
    "ZeroCopyFFmpegPipeline": "pipelines.ffmpeg_pipeline",
    "create_ffmpeg_pipeline": "pipelines.ffmpeg_pipeline",
    "create_streaming_ffmpeg_pipeline": "pipelines.ffmpeg_pipeline",
    "FFmpegProcessor": "pipelines.ffmpeg_processors",
    "ScaleProcessor": "pipelines.ffmpeg_processors",
    "TranscodeProcessor": "pipelines.ffmpeg_processors",
    "VideoConcatProcessor": "pipelines.ffmpeg_processors",
    "VideoCutProcessor": "pipelines.ffmpeg_processors",
    "concat_videos": "pipelines.jobs",
    "cut_video": "pipelines.jobs",
    "transcode_video": "pipelines.jobs",
    "ProcessingMode": "pipelines.pipeline",
    "StreamingPipeline": "pipelines.pipeline",
    "ZeroCopyPipeline": "pipelines.pipeline",
    "CompositeProcessor": "pipelines.processors",
    "FilterProcessor": "pipelines.processors",
    "FunctionProcessor": "pipelines.processors",
    "Outcome": "pipelines.processors",
    "Processor": "pipelines.processors",
    "TransformProcessor": "pipelines.processors",
    "Segment": "pipelines.segments",
    "concat": "pipelines.segments",
    "generate_video_segments": "pipelines.segments",
    "ErrorPolicy": "pipelines.stages",
    "Retry": "pipelines.stages",
    "StreamResult": "pipelines.stream",
    "process_stream": "pipelines.stream",
    "CancelToken": "reporting",
    "ProgressEvent": "reporting",
    "WriteResult": "reporting",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "errors" if name.endswith("Error") else _HOMES.get(name, "api")
    if home.startswith("frames."):
        import_module("ffzero.api")  # which hands it what lies beside and above it
    value: object = getattr(import_module(f"ffzero.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
