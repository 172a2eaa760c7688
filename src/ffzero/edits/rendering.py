"""What the planner asks of whoever codes pictures anew, and what it gets back.

A plan only names what is to be rendered. ``frames`` does it, a layer above, so the two meet here: jobs go up as values,
coded samples come back as values, and the renderer is handed in (``use_renderer``) instead of imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.edits.mapping import PictureMap
from ffzero.edits.media import Media
from ffzero.edits.references import by_reference, named_track
from ffzero.edits.sound.rendering import CodedSound, SoundJob
from ffzero.errors import RenderRequiredError
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = [
    "Blend",
    "CodedPictures",
    "PictureEffect",
    "PictureFunction",
    "PictureJob",
    "Renderer",
    "Target",
    "default_renderer",
    "renderer_on",
    "use_engines",
    "use_renderer",
]


PictureFunction = Callable[[np.ndarray, Fraction], np.ndarray]
"""Takes a picture, shape (height, width, 3) in RGB, and its time in seconds from the effect's start; returns one of the
same shape and type: uint8, or uint16 (white is 65535) where the source has more than 8 bits. The array is for the
function to write to. It is called once for each picture, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEffect:
    """What is done to the pictures shown in ``[start, end)``, seconds of their input's timeline.

    Either an FFmpeg filter chain, whose clock begins at ``start`` and which must keep size and number of the pictures,
    or a function, or a function that is called as ``map`` says, or a blend with another clip's pictures.
    """

    start: Fraction
    end: Fraction
    filter: str = ""
    function: PictureFunction | None = None
    map: PictureMap | None = None
    blend: Blend | None = None

    @property
    def name(self) -> str:
        if self.blend is not None:
            return f"a cross-fade to {self.blend.media.name}"
        if self.map is not None:
            return self.map.name
        return self.filter or getattr(self.function, "__name__", "a function")

    @property
    def calls(self) -> bool:
        """Whether a function of the user's is called with pictures."""
        others = () if self.blend is None else self.blend.effects
        return self.function is not None or self.map is not None or any(other.calls for other in others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Pictures to be mixed with: those of a movie from ``start`` (seconds of its timeline) on, with ``effects``.

    Their share goes from ``weight_first`` to ``weight_last`` (0 to 1) over the effect's time.
    """

    media: Media
    start: Fraction
    weight_first: Fraction
    weight_last: Fraction
    effects: tuple[PictureEffect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The pictures whose coding is to be matched: those of a track's sample entry ``description``."""

    media: Media
    track: Track
    description: int

    def __reduce__(self) -> tuple[Any, ...]:
        return by_reference(self, track=named_track(self.track, self.media))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureJob:
    """Pictures of one track to be decoded and coded anew: those with composition time in ``[pts_first, pts_stop)``.

    ``[decode_first, decode_stop)`` are the samples to feed a decoder, in decoding order: from a random access point to
    the last that any of the pictures needs. Ticks are the track's. ``frames`` is how many pictures there are, and
    ``shift`` what is added to their times for the input's timeline. ``effects`` are applied in order, each to the
    pictures of its time. They are coded like the source's own, or like those of ``target``: in its size (letterboxed),
    orientation, pixel format, colour and frame rate. Without samples (``is_blank``) they are black.

    Pickled it is some hundred bytes and its effects' functions: files and their tracks are only named. Unpickling it
    opens the files, once in a process; where one is gone or changed, carrying the job out raises that.
    """

    media: Media
    track: Track
    decode_first: int
    decode_stop: int
    pts_first: int
    pts_stop: int
    frames: int
    shift: int = 0
    effects: tuple[PictureEffect, ...] = ()
    target: Target | None = None
    continued: bool = False
    """Copied H.264 pictures at which no decoder starts afresh go on from these: there is one IDR picture, the first,
    and each other is predicted from the one before it alone."""
    part_of: PictureJob | None = None
    """The whole job, without its effects, of which this is a part (see ``split_job``): what pictures are like, and the
    grid of a target's rate, are the whole's."""

    @property
    def is_blank(self) -> bool:
        """Whether there are no pictures to decode: the track is the target's."""
        return self.decode_first == self.decode_stop

    def __reduce__(self) -> tuple[Any, ...]:
        others = () if self.target is None else (self.target.media,)
        return by_reference(self, track=named_track(self.track, self.media, *others))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedPictures:
    """Pictures coded anew, as samples of the job's container form, in the order in which they are decoded and shown.

    ``pts`` are their times, rising, in ticks of the job's track or of ``timescale``; ``sync`` the numbers of those at
    which a decoder can start, the first always among them. Where ``entry`` is ``None`` they decode by the sample entry
    of the source's (or the target's) samples with ``added_sets`` (parameter sets, NAL units, with ids that it lacks)
    added to it, and so do those samples; else by ``entry``, a whole sample entry box. ``restore`` is what must stand
    before the first sample of the source that follows them, in it, to make its decoder's headers the source's again
    (MPEG-4 Part 2, MPEG-2); empty where nothing must. Where frame numbers skip some at the joint, H.264's sequence
    parameter sets must allow that (``skips_frame_numbers``). ``psnr_db`` is the least of any picture's luma against the
    source's.
    """

    samples: Sequence[bytes]
    """``CodedSamples`` where they may be too many for memory."""
    pts: tuple[int, ...]
    sync: tuple[int, ...]
    entry: bytes | None = None
    added_sets: tuple[bytes, ...] = ()
    restore: bytes = b""
    psnr_db: float | None = None
    timescale: int | None = None
    skips_frame_numbers: bool = False
    warnings: tuple[str, ...] = ()


class Renderer(Protocol):
    """Codes pictures and sound anew."""

    def prepare(
        self, jobs: Sequence[PictureJob], *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> None:
        """Take note that ``pictures`` will be asked for these very jobs, which may be done now, several at a time.

        ``advance`` is told here of what is done here. Raises what ``pictures`` raises.
        """
        ...

    def pictures(
        self, job: PictureJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None
    ) -> CodedPictures:
        """Decode, code and return the pictures of a job; ``advance(n)`` is told of every ``n`` pictures done.

        Raises ``UnsupportedError`` for what cannot be matched, with the reason, ``DecodeError`` where the source's
        pictures cannot be decoded, ``CancelledError``.
        """
        ...

    def sound(self, job: SoundJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None) -> CodedSound:
        """Decode, code and return the sound of a job; ``advance(n)`` is told of every ``n`` packets done.

        Raises ``UnsupportedError`` for what cannot be matched, ``DecodeError``, ``CancelledError``, and ``UsageError``
        for an effect that returns other than was asked.
        """
        ...


_provider: list[Callable[[], Renderer]] = []
_Engines = Callable[[Any, int | None, str], AbstractContextManager[Renderer]]
_engines: list[_Engines] = []


def use_renderer(provider: Callable[[], Renderer]) -> None:
    """Let clips be rendered by what ``provider`` returns; it is called when a plan first needs it."""
    _provider[:] = [provider]


def default_renderer() -> Renderer:
    """Return the renderer in use. Raises ``RenderRequiredError`` where none was handed in."""
    if not _provider:
        # Parts of the package, and processes that were started for a job, load no more than they name.
        importlib.import_module("ffzero.api")
    if not _provider:
        raise RenderRequiredError("the clip needs frames coded anew, and no renderer is loaded", hint="Import ffzero")
    return _provider[0]()


def use_engines(provider: _Engines) -> None:
    """Let clips be rendered on engines: ``provider(engine, jobs, output)`` lends a renderer for one output."""
    _engines[:] = [provider]


def renderer_on(engine: Any, jobs: int | None, output: str) -> AbstractContextManager[Renderer | None]:
    """Lend the renderer for an output; ``None``, for the one in use, where neither an engine nor jobs are asked for."""
    if engine is None and jobs in (None, 1):
        return nullcontext()
    if not _engines:
        importlib.import_module("ffzero.api")
    if not _engines:
        raise RenderRequiredError("no engine is loaded that could render", hint="Import ffzero")
    return _engines[0](engine, jobs, output)
