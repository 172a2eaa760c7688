"""Pipelines for media, and the functions that make them."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self, Unpack

from ffzero.edits.clip import Clip
from ffzero.errors import UsageError
from ffzero.ffmpeg.memory import FFmpegMemHandler
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines import jobs
from ffzero.pipelines.pipeline import ProcessingMode, StreamingPipeline, ZeroCopyPipeline
from ffzero.pipelines.processors import FunctionProcessor
from ffzero.pipelines.segments import Segment, as_segment, generate_video_segments, is_job, is_media
from ffzero.pipelines.stages import Stage
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, parse_time

__all__ = [
    "StreamingFFmpegPipeline",
    "ZeroCopyFFmpegPipeline",
    "create_ffmpeg_pipeline",
    "create_streaming_ffmpeg_pipeline",
]

_COUNTED = ("bytes_total", "bytes_shared", "bytes_copied", "bytes_rendered", "frames_copied", "frames_rendered")


class _MediaPipeline(ZeroCopyPipeline):
    """What both media pipelines share: settings, temporary memory, and jobs, which are written after the last stage."""

    def _start(self, settings: FFmpegSettings | None, overwrite: bool) -> None:
        self.set_settings(settings)
        self.overwrite = overwrite
        self._memory: FFmpegMemHandler | None = None
        self._written: Counter[str] = Counter({"files": 0, **dict.fromkeys(_COUNTED, 0)})
        self._open = Stage(FunctionProcessor(self._opened, "open"))
        self._write = Stage(FunctionProcessor(self._written_out, "write"))

    def set_settings(self, settings: FFmpegSettings | None) -> Self:
        """Choose how outputs are coded; ``None`` copies whatever need not be coded. Returns the pipeline."""
        if settings is not None and not isinstance(settings, FFmpegSettings):
            raise UsageError("not settings", expected="FFmpegSettings", found=type(settings).__name__)
        self.settings = settings
        return self

    @property
    def memory(self) -> FFmpegMemHandler:
        """Temporary files, memory files and maps for stages that need some; ``cleanup`` frees them."""
        if self._memory is None:
            self._memory = FFmpegMemHandler()
        return self._memory

    def cleanup(self) -> None:
        """Free what ``memory`` handed out. May be called again, and the pipeline may be used again."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def get_stats(self) -> dict[str, Any]:
        """Return what the stages did, with the sums of all that was written (``output``) and the use of ``memory``."""
        memory = dataclasses.asdict(self._memory.get_stats()) if self._memory is not None else None
        return {**super().get_stats(), "output": dict(self._written), "memory": memory}

    def _run_stages(self) -> list[Stage]:
        return [self._open, *self._stages, self._write]

    def _opened(self, item: Any) -> Any:
        """Open jobs, so that their output is written once, after all stages; all else is the first stage's to open."""
        return as_segment(item) if is_job(item) or (not self._stages and is_media(item)) else item

    def _record(self, result: WriteResult) -> WriteResult:
        with self._lock:
            self._written.update({"files": 1, **{name: getattr(result, name) for name in _COUNTED}})
        return result

    def _written_out(self, item: Any) -> Any:
        """Write a segment that has an output; give one that has none the settings for when it is written."""
        if not isinstance(item, Segment):
            return self._record(item) if isinstance(item, WriteResult) else item
        if item.settings is None and self.settings is not None:
            item = item.with_settings(self.settings)
        return item if item.output is None else self._record(item.write(item.output, overwrite=self.overwrite))


class ZeroCopyFFmpegPipeline(_MediaPipeline):
    """Cuts, joins and codes files, by itself or after stages. A context manager: leaving it cleans up.

    Without settings nothing is coded that need not be. An output that exists is refused unless ``overwrite``.
    """

    def __init__(
        self,
        settings: FFmpegSettings | None = None,
        *,
        mode: ProcessingMode | str = ProcessingMode.BATCH,
        overwrite: bool = False,
    ) -> None:
        super().__init__(mode)
        self._start(settings, overwrite)

    def cut_video(
        self,
        input_path: str | os.PathLike[str],
        output_path: str | os.PathLike[str],
        start_time: TimeLike = 0,
        duration: TimeLike | None = None,
        settings: FFmpegSettings | None = None,
        **options: Unpack[jobs.CutOptions],
    ) -> WriteResult:
        """Cut a file, as ``ffzero.cut_video`` does, with the pipeline's settings unless others are given.

        What else may be given by name, here and in the methods below, is what the function takes; ``overwrite`` is the
        pipeline's by default.
        """
        options.setdefault("overwrite", self.overwrite)
        chosen = settings or self.settings
        return self._record(jobs.cut_video(input_path, output_path, start_time, duration, chosen, **options))

    def concat_videos(
        self,
        input_files: Iterable[str | os.PathLike[str]],
        output_path: str | os.PathLike[str],
        settings: FFmpegSettings | None = None,
        **options: Unpack[jobs.JoinOptions],
    ) -> WriteResult:
        """Join files, as ``ffzero.concat_videos`` does, with the pipeline's settings unless others are given."""
        options.setdefault("overwrite", self.overwrite)
        return self._record(jobs.concat_videos(input_files, output_path, settings or self.settings, **options))

    def transcode(
        self,
        input_path: str | os.PathLike[str],
        output_path: str | os.PathLike[str],
        settings: FFmpegSettings | None = None,
        **options: Unpack[jobs.CodeOptions],
    ) -> WriteResult:
        """Code a whole file anew: with ``settings``, else the pipeline's, else ``FFmpegSettings()``."""
        options.setdefault("overwrite", self.overwrite)
        return self._record(jobs.transcode_video(input_path, output_path, settings or self.settings, **options))

    def process(self, data: Any) -> Any:
        """Run ``data`` through the stages; see ``execute``.

        A clip or a path gives a ``Segment``; (input, output) and (input, output, start, duration) give the
        ``WriteResult`` of the output, which is written once, after the last stage.
        """
        return self.execute(data)


class StreamingFFmpegPipeline(_MediaPipeline, StreamingPipeline):
    """Runs any number of clips through its stages, one after another; in parallel mode each stage has its own thread.

    ``chunk_size`` is the length in seconds of the segments that a path given to ``process_stream`` is taken in.
    """

    def __init__(
        self,
        chunk_size: TimeLike = 60,
        settings: FFmpegSettings | None = None,
        *,
        mode: ProcessingMode | str = ProcessingMode.STREAMING,
        overwrite: bool = False,
        queue_size: int = 8,
        queue_bytes: int | None = None,
    ) -> None:
        super().__init__(mode=mode, queue_size=queue_size, queue_bytes=queue_bytes)
        if not parse_time(chunk_size):
            raise UsageError("a segment lasts longer than nothing", found=chunk_size)
        self.chunk_size = chunk_size
        self._start(settings, overwrite)

    def process_stream(
        self, stream: Any, *, reporter: Reporter = no_report, cancel: CancelToken | None = None
    ) -> Iterator[Any]:
        """Yield the result of each item, in order and lazily.

        ``stream`` is a path, which is taken in segments of ``chunk_size`` seconds, or an iterable of clips, paths and
        jobs. Clips and paths give ``Segment``, jobs the ``WriteResult`` of their output.
        """
        return super().process_stream(stream, reporter=reporter, cancel=cancel)

    def _items(self, stream: Any) -> Iterable[Any]:
        if isinstance(stream, str | os.PathLike):
            return generate_video_segments(stream, self.chunk_size)
        if not isinstance(stream, Iterable) or isinstance(stream, bytes | bytearray | memoryview | Clip):
            raise UsageError("a stream is a path or an iterable of clips", found=type(stream).__name__)
        return stream


def create_ffmpeg_pipeline(settings: FFmpegSettings | None = None) -> ZeroCopyFFmpegPipeline:
    """Return a pipeline that cuts, joins and codes files; without ``settings`` it copies."""
    return ZeroCopyFFmpegPipeline(settings)


def create_streaming_ffmpeg_pipeline(chunk_size: TimeLike = 60) -> StreamingFFmpegPipeline:
    """Return a pipeline for streams of clips; a path is taken in segments of ``chunk_size`` seconds."""
    return StreamingFFmpegPipeline(chunk_size)
