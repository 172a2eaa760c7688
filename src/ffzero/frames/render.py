"""Render jobs run with PyAV: decode, code like the source, look at what came out, and code better where it must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.edits.sound.rendering import CodedSound, SoundJob
from ffzero.reporting import CancelToken

__all__ = ["PyAVRenderer"]


class PyAVRenderer:
    """A ``Renderer`` on the codecs of PyAV's wheel. PyAV is loaded by the first job."""

    def prepare(
        self, jobs: Sequence[PictureJob], *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> None:
        """See ``Renderer.prepare``. Each job is done when it is asked for: one at a time, in order."""

    def pictures(
        self, job: PictureJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> CodedPictures:
        """See ``Renderer.pictures``. Holds the coded samples of the job, and a few decoded pictures at a time."""
        from ffzero.frames.pictures.coding import code_pictures

        return code_pictures(job, advance=advance, cancel=cancel)

    def sound(self, job: SoundJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None) -> CodedSound:
        """See ``Renderer.sound``. Holds the coded packets of the job, and a second of its sound at a time."""
        from ffzero.frames.sound.coding import code_sound

        return code_sound(job, advance=advance, cancel=cancel)
