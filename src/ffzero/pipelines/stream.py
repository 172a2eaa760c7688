"""A whole stream as one job: in chunks, through stages, joined; and taken up again where it was interrupted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie
from ffzero.edits.pieces import Piece
from ffzero.engines.base import Engine, check_jobs
from ffzero.engines.journal import ChunkRecord, Journal
from ffzero.engines.opening import EngineLike, open_engine
from ffzero.errors import ChunkError, FFZeroError, OutputError, SourceChangedError, UsageError
from ffzero.pipelines.bounds import ChunkUnit
from ffzero.pipelines.identity import Sources, stage_identity
from ffzero.pipelines.pipeline import ProcessingMode, StreamingPipeline
from ffzero.pipelines.processors import Processor, as_processor
from ffzero.pipelines.segments import Segment, SegmentSource, generate_video_segments
from ffzero.pipelines.stages import ErrorHandler, ErrorPolicy, Retry
from ffzero.pipelines.stream_chunks import Chunk, ChunkStage, ChunkWriter, pieces_of, range_of
from ffzero.pipelines.stream_report import StreamProgress, StreamResult, stream_result
from ffzero.pipelines.stream_workers import EngineStage
from ffzero.reporting import CancelToken, Reporter, no_report
from ffzero.storage.outputs import Destination
from ffzero.timebase import TimeLike

if TYPE_CHECKING:
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["StageLike", "StreamResult", "process_stream"]

StageLike = Processor | Callable[[Any], Any]


def process_stream(
    source: SegmentSource,
    output: str | os.PathLike[str],
    stages: StageLike | Iterable[StageLike] = (),
    *,
    chunk_size: TimeLike = 60,
    by: ChunkUnit = "seconds",
    at_keyframes: bool = True,
    follow: bool = False,
    idle_timeout: float = 10.0,
    stop: CancelToken | None = None,
    jobs: int | None = None,
    engine: EngineLike | None = None,
    queue_bytes: int | None = None,
    on_error: ErrorHandler = ErrorPolicy.RAISE,
    settings: FFmpegSettings | None = None,
    audio: str | None = "joint",
    restart: bool = False,
    overwrite: bool = False,
    fsync: bool = False,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> StreamResult:
    """Take ``source`` in chunks through ``stages`` and join what comes out into ``output``, whole or not at all.

    ``source``, ``chunk_size``, ``by``, ``follow``, ``idle_timeout`` and ``stop`` are those of
    ``generate_video_segments``. Each stage takes a ``Segment`` (a clip) and returns a clip (``clip.map(...)``), the
    path of a file, or ``None`` to leave the chunk out; a stage that writes a file itself may write it to the segment's
    ``output``, which is in the journal's folder already. ``jobs`` chunks (1) are in each stage at a time, on threads of
    this process, or in the workers of an ``engine`` (see ``open_engine``; functions then go there by name, so they are
    a module's own); the order stays. Chunks that have ``settings`` are coded with them; what is only copied is never
    written before the join, which is by ``Clip.write`` (``audio`` says how sound goes on where coded chunks meet).
    ``on_error`` says what becomes of a chunk that fails; a full disk and a source that changed always end the job.

    Finished chunks are kept beside the output (see ``Journal``) until it stands: the same call after a crash, an error
    or a cancellation goes on from there and makes the same file, byte for byte. ``restart`` begins anew.

    ``reporter`` is told of chunks (stage ``chunks``, unit ``chunks``; ``details`` has ``eta_s`` and the media seconds
    done), then of joining. Raises ``ChunkError`` for what a stage raised (an ``FFZeroError`` stays what it is), naming
    chunk and time, ``JournalMismatchError``, ``OutputBusyError``, and as ``Clip.write`` does.
    """
    began = time.perf_counter()
    processors, sources = _processors(stages), _listed(source)
    _check_output(output, sources, overwrite=overwrite)
    segments = generate_video_segments(
        source,
        chunk_size,
        by=by,
        at_keyframes=at_keyframes,
        follow=follow,
        idle_timeout=idle_timeout,
        cancel=cancel,
        stop=stop,
    )
    files = Sources(sources, grows=follow)
    chunks = {"size": str(chunk_size), "by": by, "at_keyframes": at_keyframes, "follow": follow}
    job = _identity(files, chunks, processors, settings, audio, output)
    with Journal.open(output, job, restart=restart) as journal, _workers(engine, jobs) as (workers, count):
        run = _Run(journal, queue_bytes=queue_bytes, cancel=cancel, jobs=count)
        run.add_stages(processors, settings, workers)
        progress = StreamProgress(reporter, sources, follow=follow)
        found = run.through(_checked(segments, files), on_error, progress)
        if all(record.facts.get("dropped") for record in found.values()) and not run.failed:
            journal.discard()
        joined = _joined(found.values(), [os.path.abspath(one) for one in sources if follow])
        result = joined.write(output, audio=audio, overwrite=overwrite, fsync=fsync, reporter=reporter, cancel=cancel)
        journal.discard()
    stats = run.pipeline.get_stats()
    return stream_result(
        result,
        found,
        stats,
        resumed=run.resumed,
        elapsed_s=time.perf_counter() - began,
        warnings=progress.warnings(chunk_size, by),
    )


def _identity(
    files: Sources,
    chunks: Mapping[str, Any],
    processors: Iterable[Processor],
    settings: FFmpegSettings | None,
    audio: str | None,
    output: str | os.PathLike[str],
) -> dict[str, Any]:
    """Return all that decides what the output holds: jobs that differ in it are different jobs."""
    return {
        "source": files.identity,
        "chunks": chunks,
        "stages": [stage_identity(stage) for stage in processors],
        "settings": None if settings is None else repr(settings),
        "audio": audio,
        "suffix": os.path.splitext(os.fspath(output))[1],
    }


@contextlib.contextmanager
def _workers(engine: EngineLike | None, jobs: int | None) -> Iterator[tuple[Engine | None, int]]:
    """Lend an engine, ``None`` for this process, and say how many work; one opened for this job ends with it."""
    if engine is None or engine == "threads":  # what stages are on without an engine; functions need no name then
        yield None, 1 if engine is None and jobs is None else check_jobs(jobs)
    elif isinstance(engine, Engine):
        yield engine, engine.workers
    else:
        with open_engine(engine, jobs) as opened:
            yield opened, opened.workers


def _listed(source: SegmentSource) -> Sequence[Any]:
    sources = [source] if isinstance(source, str | os.PathLike | Clip | Movie) else source
    if not isinstance(sources, Sequence):
        raise UsageError("a stream that can be taken up again is of a list", found=type(source).__name__)
    return sources


def _processors(stages: StageLike | Iterable[StageLike]) -> list[Processor]:
    if isinstance(stages, Processor) or callable(stages) or not isinstance(stages, Iterable):
        return [as_processor(stages)]
    return [as_processor(stage) for stage in stages]


def _check_output(output: str | os.PathLike[str], sources: Sequence[Any], *, overwrite: bool) -> None:
    destination = Destination.examine(output, overwrite=overwrite)
    if destination.is_special:
        raise UsageError("a stream that can be taken up again is written to a file", path=destination.path)
    if destination.existing is None:
        return
    for path in {os.fspath(one) for one in sources if isinstance(one, str | os.PathLike)}:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(path), destination.existing):
                raise UsageError("the output is the source", path=destination.path, hint="Name another output")


class _Run:
    """The chunks of a job through its stages, those that are finished left out."""

    def __init__(
        self,
        journal: Journal,
        *,
        jobs: int,
        queue_bytes: int | None,
        cancel: CancelToken | None,
    ) -> None:
        self.journal = journal
        self.resumed = 0
        self._cancel = cancel
        self._suffix = os.path.splitext(journal.output)[1]
        mode = ProcessingMode.PARALLEL if jobs > 1 else ProcessingMode.STREAMING
        self.pipeline = StreamingPipeline(mode=mode, queue_size=max(2, jobs), queue_bytes=queue_bytes)
        self._jobs = jobs

    def add_stages(
        self, processors: Sequence[Processor], settings: FFmpegSettings | None, engine: Engine | None
    ) -> None:
        """Let chunks go through the processors, here or on an engine, and into the journal."""
        last: Processor
        if engine is None:
            for processor in processors:
                self.pipeline.add_stage(ChunkStage(processor), workers=self._jobs)
            last = ChunkWriter(self.journal, suffix=self._suffix, settings=settings, cancel=self._cancel)
        else:
            last = EngineStage(
                engine, self.journal, processors, suffix=self._suffix, settings=settings, cancel=self._cancel
            )
        self.pipeline.add_stage(last, workers=self._jobs)

    @property
    def failed(self) -> int:
        """How many chunks were skipped because they failed."""
        return sum(stage["items_failed"] for stage in self.pipeline.get_stats()["stages"])

    def through(
        self, segments: Iterator[Segment], on_error: ErrorHandler, progress: StreamProgress
    ) -> dict[int, ChunkRecord]:
        """Return the records of all chunks, in order."""
        finished = self.journal.finished(cancel=self._cancel)
        self.pipeline.set_error_handler(_of_chunks(on_error))
        found: dict[int, ChunkRecord] = {}
        under_way: dict[int, Segment] = {}

        def chunks() -> Iterator[Chunk]:
            for segment in segments:
                index = segment.index or 0
                record = finished.get(index)
                if record is not None and record.facts.get("range") == range_of(segment):
                    found[index] = record
                    self.resumed += 1
                    progress(segment, made=False)
                    continue
                path = self.journal.path_for(index, self._suffix)
                segment = Segment(segment.pieces, index=index, settings=segment.settings, output=path)
                under_way[index] = segment
                yield Chunk(segment=segment, value=segment)

        with _naming_chunks():
            for record in self.pipeline.process_stream(chunks(), cancel=self._cancel):
                found[record.index] = record
                progress(under_way.pop(record.index), made=True)
        return dict(sorted(found.items()))


def _checked(segments: Iterator[Segment], files: Sources) -> Iterator[Segment]:
    """Yield the segments while their files are what they were when the job began."""
    paths: set[str] = set()
    for segment in segments:
        paths = {piece.input.path for piece in segment.pieces}
        for path in paths:
            files.check(path)
        yield segment
    for path in paths:
        files.check(path)


def _of_chunks(on_error: ErrorHandler) -> ErrorHandler:
    """Return the policy for what is wrong with one chunk: a full disk or another source is so for all of them."""

    def handle(error: Exception, stage: Processor, item: Any) -> Any:
        if isinstance(error, OutputError | SourceChangedError):
            return ErrorPolicy.RAISE
        return on_error if isinstance(on_error, ErrorPolicy | Retry) else on_error(error, stage, item)

    return handle


@contextlib.contextmanager
def _naming_chunks() -> Iterator[None]:
    """Say in an error of a stage in which chunk it happened."""
    try:
        yield
    except Exception as error:
        place = getattr(error, "chunk_place", "")
        if not place:
            raise
        if isinstance(error, FFZeroError):
            error.message = f"{place}: {error.message}"
            raise
        raise ChunkError(f"{place}: {type(error).__name__}: {error}") from error


def _joined(records: Iterable[ChunkRecord], grows: Sequence[str]) -> Clip:
    pieces: list[Piece] = []
    for record in records:
        pieces += pieces_of(record, grows=grows)
    if not pieces:
        raise UsageError("no chunk is left to write", hint="Each one was dropped, or failed and was skipped")
    return Clip(pieces)
