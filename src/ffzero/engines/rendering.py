"""Renders on an engine: each part of each picture job is a unit, whose samples go into a file beside the output."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.edits.chunk_jobs import joined_pictures, split_job
from ffzero.edits.coded_samples import CodedSamples
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.edits.sound.rendering import CodedSound, SoundJob
from ffzero.engines.base import Engine
from ffzero.engines.chunks import Desk, Unit, run_units, work_folder
from ffzero.engines.opening import EngineLike, check_engine, open_engine
from ffzero.errors import EngineError, FFZeroError
from ffzero.extents.rope import Extent, Rope
from ffzero.frames.render import PyAVRenderer
from ffzero.reporting import CancelToken
from ffzero.storage.failures import output_error
from ffzero.storage.local import LocalSource
from ffzero.values import dataclass

__all__ = ["EngineRenderer", "engine_renderer"]

_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def engine_renderer(engine: EngineLike | None, jobs: int | None, output: str) -> Iterator[EngineRenderer]:
    """Lend a renderer that works for one output; its files go when that is written, and workers that it started.

    Raises ``UsageError`` for what is no engine, before there is anything to code.
    """
    check_engine("local" if engine is None else engine, jobs)
    with contextlib.ExitStack() as stack:
        yield EngineRenderer("local" if engine is None else engine, jobs, output, stack)


class EngineRenderer:
    """A ``Renderer`` whose pictures are coded by an engine's workers, sound by this process.

    Nothing is started before there are pictures to code.
    """

    def __init__(self, engine: EngineLike, jobs: int | None, output: str, stack: contextlib.ExitStack) -> None:
        self._given, self._jobs, self._output, self._stack = engine, jobs, output, stack
        self._here = PyAVRenderer()
        self._coded: dict[int, CodedPictures] = {}

    def prepare(
        self, jobs: Sequence[PictureJob], *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> None:
        """See ``Renderer.prepare``. Raises also ``EngineError``, and errors with the part's place in the source."""
        if not jobs:
            return
        folder = self._stack.enter_context(work_folder(self._output))
        engine = self._engine()
        parts = [(number, part) for number, job in enumerate(jobs) for part in split_job(job)]
        units = [
            Unit(
                number=at,
                name=_named(part),
                work=_Part(job=part, path=os.path.join(folder, f"{at}")),
                parts=part.frames,
            )
            for at, (_, part) in enumerate(parts)
        ]
        found: dict[int, CodedPictures] = {}

        def done(unit: Unit, stored: _Stored) -> None:
            found[unit.number] = stored.coded()

        run_units(engine, units, folder, done=done, advance=advance, cancel=cancel)
        for number, job in enumerate(jobs):
            own = [found[at] for at, (of, _) in enumerate(parts) if of == number]
            joined = own[0] if len(own) == 1 else joined_pictures(own)
            if joined is not None:
                self._coded[id(job)] = joined

    def _engine(self) -> Engine:
        if isinstance(self._given, Engine):
            return self._given
        return self._stack.enter_context(open_engine(self._given, self._jobs))

    def pictures(
        self, job: PictureJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> CodedPictures:
        """See ``Renderer.pictures``. What was prepared is at hand."""
        coded = self._coded.get(id(job))
        return coded if coded is not None else self._here.pictures(job, advance=advance, cancel=cancel)

    def sound(self, job: SoundJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None) -> CodedSound:
        """See ``Renderer.sound``."""
        return self._here.sound(job, advance=advance, cancel=cancel)


def _named(job: PictureJob) -> str:
    """Say where a part lies."""
    start, stop = (float(Fraction(ticks + job.shift, job.track.timescale)) for ticks in (job.pts_first, job.pts_stop))
    return f"rendering {start:.3f} to {stop:.3f} s of {job.media.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """Coded pictures whose samples lie in a file, one after another: what travels back."""

    pictures: CodedPictures
    path: str
    sizes: tuple[int, ...]
    sha256: str

    def coded(self) -> CodedPictures:
        """Return them with the file's ranges as samples. Raises ``EngineError`` where the file is not what was sent."""
        if not sum(self.sizes):
            return self.pictures
        try:
            source = LocalSource.open(self.path)
            rope = Rope([Extent(source, 0, source.size_bytes)])
            right = source.size_bytes == sum(self.sizes) and _digest(rope) == self.sha256
        except FFZeroError as error:
            raise EngineError(
                "what a worker coded is not to be found here",
                path=self.path,
                hint="Workers must see the output's folder",
            ) from error
        if not right:
            raise EngineError("what a worker coded is not whole here", path=self.path)
        return replace(self.pictures, samples=CodedSamples(rope, self.sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The work of a unit."""

    job: PictureJob
    path: str

    def __call__(self, desk: Desk) -> _Stored:
        coded = PyAVRenderer().pictures(self.job, advance=desk.advance, cancel=desk.cancel)
        samples = CodedSamples.of(coded.samples)
        # A name of its own: the same part may be in the hands of a worker that was thought to be dead.
        path = f"{self.path}-{os.getpid()}-{id(desk):x}"
        try:
            with open(path, "xb") as file:
                for at in range(0, samples.rope.length, _BLOCK_BYTES):
                    file.write(samples.rope.read_at(at, min(_BLOCK_BYTES, samples.rope.length - at)))
        except OSError as error:
            raise output_error(error, path=path) from error
        digest = _digest(samples.rope)
        return _Stored(pictures=replace(coded, samples=()), path=path, sizes=samples.sizes, sha256=digest)


def _digest(rope: Rope) -> str:
    digest = hashlib.sha256()
    for at in range(0, rope.length, _BLOCK_BYTES):
        digest.update(rope.read_at(at, min(_BLOCK_BYTES, rope.length - at)))
    return digest.hexdigest()
