"""Pictures of a source coded anew, in as many attempts as their quality takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.chunk_jobs import joined_pictures, split_job
from ffzero.edits.coded_samples import SampleStore
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.errors import DecodeError, UnsupportedError
from ffzero.frames.changes.effects import with_effects
from ffzero.frames.changes.fitting import fitted
from ffzero.frames.changes.pacing import timescale_of
from ffzero.frames.changes.targets import model_of
from ffzero.frames.pictures.bettering import ENOUGH_DB, Bettering, TooPoorError
from ffzero.frames.pictures.blank import blank_pictures
from ffzero.frames.pictures.decode import pictures
from ffzero.frames.pictures.later import decoded_quality
from ffzero.frames.pictures.matching import recipe_for
from ffzero.frames.pictures.recipes import Package, Recipe
from ffzero.frames.pictures.source import Source, source_of
from ffzero.reporting import CancelToken

__all__ = ["code_pictures"]

_MANY_FRAMES = 1500
_FEW_FRAMES = 300
_NEAR_DB = 45.0


def code_pictures(
    job: PictureJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None
) -> CodedPictures:
    """Do what ``Renderer.pictures`` says: a long job in parts, as an engine does it, so that the result is the same."""
    parts = split_job(job)
    coded = [_Job(part, advance, cancel).result() for part in parts]
    joined = coded[0] if len(coded) == 1 else joined_pictures(coded)
    return joined or _Job(job, lambda count: None, cancel).result()


class _Told(NamedTuple):
    """What is kept of a picture that was coded; its sample is stored."""

    pts: int
    sync: bool
    psnr_db: float


class _Job:
    def __init__(self, job: PictureJob, advance: Callable[[int], None], cancel: CancelToken | None) -> None:
        self._job = job
        self._advance = advance
        self._cancel = cancel
        self._told = 0
        self._recipe: Recipe | None = None
        self._model = None if job.target is None else model_of(job.target, cancel)

    def result(self) -> CodedPictures:
        number = 0
        while True:
            try:
                return self._attempt(number)
            except TooPoorError as error:
                number = error.number

    def _attempt(self, number: int) -> CodedPictures:
        """Code all pictures. Raises ``TooPoorError`` where they are to be made again, by a better attempt."""
        store, coded, package = self._coded(number)
        if self._recipe is not None and self._recipe.compared_later:
            coded = self._compared(store, coded, package, number)
        self._tell(self._job.frames)
        scale = timescale_of(self._job)
        return _gathered(store, coded, package, scale if self._job.target is not None else None)

    def _coded(self, number: int) -> tuple[SampleStore, list[_Told], Package]:
        """Return what an attempt's encoder makes; nothing of it or of the decoder is left."""
        frames = self._pictures()
        first = next(frames, None)
        if first is None:
            raise DecodeError("there is no picture to code", path=self._job.media.name)
        entry, like = first
        if self._recipe is None:
            found = recipe_for(self._source(entry, like))
            self._recipe = replace(found, compared_later=found.compared_later and self._can_compare_later())
        # A long job is not begun anew for a picture that comes out a little poorer, nor is a function called again.
        restarts = self._job.frames <= _MANY_FRAMES and not any(effect.calls for effect in self._job.effects)
        encoding = Bettering(self._recipe, number, _size(like), one_key=self._job.continued, restarts=restarts)
        kind = _kind(like)
        rest = chain([first], frames, [None])
        del first, like  # what is held by a name takes memory that the decoder could use again
        coded: list[_Told] = []
        store = SampleStore()
        with closing(encoding):
            for item in rest:
                if item is not None:
                    _check_same(kind, item[1])
                for done in encoding.end() if item is None else encoding.add(item[1]):
                    store.add(done.sample)
                    coded.append(_Told(done.pts, done.sync, done.psnr_db))
                    self._tell(len(coded))
                    del done
                del item
        return store, coded, encoding.package

    def _can_compare_later(self) -> bool:
        """Whether what is coded can be made once more to compare it, and is little enough to be coded anew if poor.

        Not with effects: some of FFmpeg's filters draw random numbers.
        """
        return not self._job.effects and self._job.frames <= _FEW_FRAMES

    def _compared(self, store: SampleStore, coded: list[_Told], package: Package, number: int) -> list[_Told]:
        """Return what was coded with how near it is to what it was made from, which is made once more.

        Raises ``TooPoorError`` where a better attempt is to be made, ``DecodeError`` where a picture does not come out.
        """
        assert self._recipe is not None
        found = decoded_quality(self._pictures(), store.finished(), package.decodes_by)
        if len(found) != len(coded):
            raise UnsupportedError(f"of {len(coded)} pictures that {self._recipe.encoder} made {len(found)} decode")
        if min(found) < ENOUGH_DB and number + 1 < len(self._recipe.attempts):
            raise TooPoorError(number + 1)
        return [told._replace(psnr_db=quality) for told, quality in zip(coded, found, strict=True)]

    def _pictures(self) -> Iterator[tuple[SampleEntry, VideoFrame]]:
        """Yield what is to be coded: the source's pictures with what is done to them."""
        if self._model is not None and self._job.is_blank:
            return blank_pictures(self._job, self._model, self._cancel)
        frames = with_effects(self._job, pictures(self._job, cancel=self._cancel), self._cancel)
        return frames if self._model is None else fitted(self._job, frames, self._model)

    def _source(self, entry: SampleEntry, like: VideoFrame) -> Source:
        """Return what the coded pictures are to be like."""
        if self._model is None:
            return source_of(self._job, entry, like)
        found = source_of(self._model.job, self._model.entry, self._model.frame)
        return replace(found, continued=self._job.continued)

    def _tell(self, done: int) -> None:
        done = min(done, self._job.frames)  # at a target's rate there may be more than were promised
        if done > self._told:
            self._advance(done - self._told)
            self._told = done


def _size(frame: VideoFrame) -> tuple[int, int]:
    return frame.width, frame.height


def _kind(frame: VideoFrame) -> tuple[int, int, str]:
    return *_size(frame), frame.format.name


def _check_same(kind: tuple[int, int, str], frame: VideoFrame) -> None:
    """Raise ``UnsupportedError`` where a picture cannot follow those of a kind in one coded sequence."""
    found = _kind(frame)
    if found != kind:
        raise UnsupportedError("pictures to be rendered together differ in kind", expected=kind, found=found)


def _gathered(store: SampleStore, coded: list[_Told], package: Package, timescale: int | None) -> CodedPictures:
    least = min(item.psnr_db for item in coded)
    poor = f"rendered pictures are no nearer to the source's than {least:.1f} dB (PSNR)"
    return CodedPictures(
        samples=store.finished(),
        pts=tuple(item.pts for item in coded),
        sync=tuple(number for number, item in enumerate(coded) if item.sync),
        entry=package.entry,
        added_sets=package.added_sets,
        restore=package.restore,
        warnings=package.warnings if least >= _NEAR_DB else (*package.warnings, poor),
        psnr_db=least,
        timescale=timescale,
    )
