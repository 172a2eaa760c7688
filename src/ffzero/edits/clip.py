"""A clip: an ordered list of time ranges of movies. Immutable; making one touches no media byte."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import IO, Any, Self

from ffzero.containers.info import Chapter
from ffzero.edits.effects import with_effect, with_map, with_sound_effect
from ffzero.edits.execute import open_clip, plan_clip, rope_of, write_clip
from ffzero.edits.ffmpeg_input import FFmpegInput
from ffzero.edits.mapping import MapFormat, MapFunction, Window, picture_map
from ffzero.edits.parts.landmarks import chapters_of
from ffzero.edits.parts.removal import TimeRange, without_ranges
from ffzero.edits.parts.splitting import split_pieces
from ffzero.edits.pieces import Piece, refuse_sources
from ffzero.edits.plan import Plan
from ffzero.edits.proof.proving import Proving
from ffzero.edits.proof.record import Record, RecordedTitle, record_of_plan
from ffzero.edits.reading import Readable
from ffzero.edits.rendering import PictureFunction
from ffzero.edits.slicing import duration_of, place_pieces, slice_pieces
from ffzero.edits.sound.rendering import SoundFunction
from ffzero.edits.transitions import crossfaded
from ffzero.errors import TimeRangeError, UnsupportedError, UsageError
from ffzero.reporting import CancelToken, Reporter, WriteResult, no_report
from ffzero.timebase import TimeLike, format_time

__all__ = ["Clip"]

_LEAST_CHAPTER_S = Fraction(1, 1000)


class Clip(Readable):
    """An edit: pieces of movies, one after another. ``a + b`` joins; pieces that continue each other merge."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Iterable[Piece]) -> None:
        merged: list[Piece] = []
        for piece in pieces:
            joined = merged[-1].joined(piece) if merged else None
            if joined is not None:
                merged[-1] = joined
            else:
                merged.append(piece)
        if not merged:
            raise UsageError("a clip needs at least one piece")
        self.pieces = tuple(merged)

    def __add__(self, other: Clip) -> Clip:
        if not isinstance(other, Clip):
            return NotImplemented
        return Clip((*self.pieces, *other.pieces))

    def _reading(self) -> tuple[tuple[Piece, ...], bool]:
        return self.pieces, False

    def __repr__(self) -> str:
        return f"<ffzero.{type(self).__name__} {' + '.join(map(_short, self.pieces))}>"

    def __getitem__(self, times: slice) -> Self:
        """Return the part ``[start, stop)`` of the clip, in times from the clip's own start; see ``slice``."""
        if not isinstance(times, slice) or times.step is not None:
            raise TimeRangeError("a clip is sliced by times", hint="Write clip[2.5:10], or clip[5:] for the rest")
        return self.slice(times.start, times.stop)

    def slice(self, start: TimeLike | None = None, end: TimeLike | None = None) -> Self:
        """Return the part ``[start, end)``, in times from the clip's own start; nothing is read or copied.

        A part that goes on beyond the clip's end stops there. Raises ``TimeRangeError`` where nothing is left.
        """
        return self._with(slice_pieces(self.pieces, start, end))

    def remove(self, ranges: Iterable[TimeRange]) -> Self:
        """Return the clip without the half-open ranges ``(start, end)``, in times from its own start; nothing is read.

        ``None`` stands for the clip's start or end. Ranges may overlap and come in any order, and what goes on beyond
        the clip's end stops there. Between two ranges, a rest in which no picture begins goes too. Raises
        ``TimeRangeError`` for a range that is empty or lies behind the end, and where nothing is left.
        """
        return self._with(without_ranges(self.pieces, ranges))

    def split(
        self,
        at: Iterable[TimeLike] | None = None,
        *,
        every: TimeLike | None = None,
        size_bytes: int | None = None,
        chapters: bool = False,
        scenes: bool | float = False,
        boundary: str = "auto",
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> list[Self]:
        """Return the clip's parts, one after another: together they are the whole, each picture is in just one.

        One way at a time: ``at`` times, ``every`` so many seconds (both from the clip's own start), into files of at
        most ``size_bytes``, at the beginnings of its ``chapters``, or at ``scenes``: where the picture changes by more
        than a threshold (``True`` for the detector's own), which decodes the clip; ``reporter`` and ``cancel`` are for
        that. A part begins with the first picture at or after the time, so there are fewer parts where several times
        meet one picture. Parts by size begin with key pictures, so that all of them is copied.

        ``boundary`` is the one that the parts will be written with. With ``"keyframe"``, and in containers that are cut
        at key pictures only, a part begins with the key picture at or before the time that no other picture crosses.
        Raises ``UsageError`` and ``TimeRangeError`` for requests that make no sense of this clip, ``UnsupportedError``
        for sizes outside MP4 and MOV and where no scene detector is installed.
        """
        parts = split_pieces(
            self.pieces,
            at=at,
            every=every,
            size_bytes=size_bytes,
            chapters=chapters,
            scenes=scenes,
            boundary=boundary,
            reporter=reporter,
            cancel=cancel,
        )
        return [self._with(pieces) for pieces in parts]

    def apply(self, effect: str | PictureFunction, start: TimeLike | None = None, end: TimeLike | None = None) -> Self:
        """Return the clip with an effect on the pictures of ``[start, end)``, in times from its own start.

        ``effect`` is an FFmpeg filter chain (``"boxblur=10"``), whose clock begins at ``start`` and which keeps the
        number and the size of the pictures; or a function that takes a picture and its time in seconds from ``start``
        and returns a picture: numpy arrays of shape (height, width, 3) in RGB, uint8, or uint16 where the source has
        more than 8 bits. Several effects are applied in the order in which they were given. Only the pictures of the
        range, and those that decode with them, are coded anew, when the clip is written; MP4 and MOV only. Raises
        ``TimeRangeError`` for a range that is empty or lies behind the clip's end, ``UsageError`` for what is no
        effect. What FFmpeg or the function refuses is told (``UsageError``) when the clip is written.
        """
        return self._with(with_effect(self.pieces, effect, start, end))

    def map(
        self,
        function: MapFunction,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        format: MapFormat = "rgb24",
        window: Window = 0,
        batch: int | None = None,
        writable: bool = True,
    ) -> Self:
        """Return the clip with ``function`` called with each picture of ``[start, end)``, in times from its own start.

        The function takes a picture, or a picture and its time in seconds from the clip's start (a float), where its
        second argument has no default or is named ``time`` or ``t``. It returns a picture of the same shape and type,
        or ``None`` for the one it was given, changed in place; not with ``writable=False``, which makes what it gets
        read-only and spares copies. Pictures are numpy arrays, uint8, or uint16 where the source has more than 8 bits:

        - ``"rgb24"``: (height, width, 3), full range (white of uint16 is 65535); pixels left alone stay bit-exact;
        - ``"gray"``: (height, width), the luma as it is coded; colour stays;
        - ``"yuv"``: a tuple of the planes as they are coded (10 bits: 0 to 1023), quickest: nothing is converted.

        They are as they are coded, before the track's rotation. ``"gray"`` and ``"yuv"`` are views of the picture
        itself: copy what is kept longer than the call.

        ``window=n`` (or ``(before, after)``) gives a list of read-only pictures instead, the picture amid its
        neighbours as they were before this call of ``map``, to return what the middle one becomes; at the ends of the
        stretch of its movie that the clip shows, the last one is repeated. ``batch=n`` gives ``n`` pictures (the last
        time fewer) in one array, one more axis in front, and an array of their times.

        The function is called when the clip is written (or opened): once for each picture, in the order in which they
        are shown; of several video tracks, one after another. Only groups of pictures that the range touches are coded
        anew; sound is copied. MP4 and MOV only. Raises ``TimeRangeError`` and ``UsageError`` as ``apply`` does, and
        ``UsageError``, when it is written, where the function fails (its exception is the cause) or returns what is no
        such picture; nothing is left then.
        """
        mapping = picture_map(function, format=format, window=window, batch=batch, writable=writable)
        return self._with(with_map(self.pieces, mapping, start, end))

    def crossfade(self, other: Clip, duration: TimeLike | None = None, *, frames: int | None = None) -> Clip:
        """Return this clip fading into ``other`` over ``duration`` seconds, or as many ``frames`` of its own.

        The last pictures of this clip are mixed with the first of the other, made like them; the result is shorter
        than both together by the fade. The sound changes at the end of it. Only the fade, and what decodes with it, is
        coded anew; MP4 and MOV only. Raises ``TimeRangeError`` where a clip is no longer than the fade, ``UsageError``.
        """
        if not isinstance(other, Clip):
            raise UsageError(f"not a clip: {other!r}", hint="Give movie[:], or use ffzero.crossfade(a, b) with paths")
        return self._with(crossfaded(self.pieces, other.pieces, duration, frames))

    def apply_audio(
        self, effect: str | SoundFunction, start: TimeLike | None = None, end: TimeLike | None = None
    ) -> Self:
        """Return the clip with an effect on the sound of ``[start, end)``, in times from its own start.

        ``effect`` is an FFmpeg filter chain as for ``-af`` (``"volume=0"``, ``"afade=t=in:d=2"``), whose clock begins
        at ``start`` and which keeps the number of samples; or a function that takes all of the range's samples, a
        float32 numpy array of shape (samples, channels) in [-1, 1], and returns one of the same shape. Over 2 ms at
        either end it is faded in, so that nothing clicks. All sound tracks get it. Only the packets of the range are
        coded anew, and one or two on either side; MP4 and MOV only. Raises as ``apply`` does, and ``UnsupportedError``
        when it is planned where the codec cannot be coded.
        """
        return self._with(with_sound_effect(self.pieces, effect, start, end))

    def chapters(self) -> tuple[Chapter, ...]:
        """Return the chapters of its movies that the clip shows, in times of its own; reads their titles."""
        return chapters_of(place_pieces(self.pieces))

    @property
    def duration(self) -> Fraction:
        """How long the clip is as asked for, in seconds; its plan says where its pictures really begin and end."""
        return duration_of(self.pieces)

    def _with(self, pieces: Iterable[Piece]) -> Self:
        """Return a clip of this kind with other pieces; a subclass keeps here what else it carries."""
        return type(self)(pieces)

    def plan(
        self,
        boundary: str = "auto",
        output: str | os.PathLike[str] | None = None,
        *,
        audio: str | None = None,
    ) -> Plan:
        """Return what must happen to make the clip one file: what is copied, what is rendered, why, at what cost.

        ``boundary`` says how a cut meets coded pictures: ``"auto"`` and ``"edit-list"`` start exactly at the first
        picture by one leading edit, ``"keyframe"`` starts at the key picture before it and hides nothing, ``"render"``
        wants no hidden pictures at all. ``output``, where given, tells the container. Reads at most the samples at the
        cut points; writes nothing.

        ``audio`` says how sound goes on where pieces meet: ``"copy"`` copies its packets, each piece's moved to the
        nearest place, ``"joint"`` codes the few packets at each joint anew, with a cross-fade of 4 ms, ``"encode"``
        codes all of it, exact to the sample. ``None`` codes joints of pieces that were cut inside where copying would
        be heard (MP3, Opus, FLAC, ALAC). What cannot be coded is copied, and the plan says why.
        """
        return plan_clip(self.pieces, boundary, output, audio)

    def write(
        self,
        output: str | os.PathLike[str],
        *,
        boundary: str = "auto",
        audio: str | None = None,
        overwrite: bool = False,
        fsync: bool = False,
        verify: bool = False,
        sidecar: bool = False,
        engine: Any = None,
        jobs: int | None = None,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> WriteResult:
        """Write the clip to a file, whole or not at all, and return its path with the report of what it cost.

        Within MP4 and MOV, bytes are shared with the sources where the filesystem can, else copied by the kernel; other
        containers are copied packet by packet from the key picture before the start. Raises ``OutputExistsError``
        unless ``overwrite``, ``UsageError`` for one of the clip's own files, ``RenderRequiredError`` where frames would
        have to be coded anew, ``IncompatibleError``, ``DiskFullError`` and others of ``ffzero.errors``.

        ``sidecar`` keeps the record of the edit beside the output, as ``OUTPUT.ffzero.json``; without it a record of
        the file that is replaced goes with that file. ``verify`` holds the output against its record before it gets its
        name (see ``ffzero.verify``), and raises ``VerificationError`` where something is wrong: the output stays to be
        looked at, but what it was to replace is not replaced by it. Both for MP4 and MOV only.

        What has to be coded anew is coded by this process, in order, unless ``jobs`` (so many processes) or ``engine``
        (what ``ffzero.open_engine`` takes or returns, or any executor of ``concurrent.futures``) says where: the
        file is the same, byte for byte. Functions are then called in several processes, each with a part of the
        pictures, so they keep nothing from one call to the next. Raises ``EngineError`` where workers are gone.
        """
        refuse_sources(self.pieces, output)
        proving = Proving(
            output,
            self.record(boundary, output, audio=audio) if verify or sidecar else None,
            verify=verify,
            sidecar=sidecar,
            overwrite=overwrite,
            reporter=reporter,
            cancel=cancel,
        )
        with proving.around():
            result = write_clip(
                self.pieces,
                output,
                boundary=boundary,
                audio=audio,
                overwrite=overwrite,
                fsync=fsync,
                engine=engine,
                jobs=jobs,
                reporter=reporter,
                cancel=cancel,
                approve=proving.approve,
            )
        return proving.told(result)

    def record(
        self, boundary: str = "auto", output: str | os.PathLike[str] | None = None, *, audio: str | None = None
    ) -> Record:
        """Return what the output is to hold, exact and by itself, to be kept and held against it; see ``plan``.

        Raises ``UnsupportedError`` for clips that are not made of MP4 and MOV by sample tables.
        """
        plan = self.plan(boundary, output, audio=audio)
        try:
            record = record_of_plan(plan)
        except UnsupportedError as error:
            other = (piece.input.path for piece in self.pieces if piece.input.media is None)
            raise error.located(path=next(other, None if output is None else os.fsdecode(output))) from None
        placed = [
            replace(part, start=real.start_s, end=real.end_s, at=real.at_s)
            for part, real in zip(place_pieces(self.pieces), record.pieces, strict=True)
        ]
        found = chapters_of(placed)
        titles = tuple(RecordedTitle(title=one.title, start_s=one.start_s, end_s=one.end_s) for one in found)
        shown = sum(one.end_s - one.start_s > _LEAST_CHAPTER_S for one in found)
        return replace(record, chapters=shown, titles=titles)

    def open(self, boundary: str = "auto", *, audio: str | None = None) -> IO[bytes]:
        """Return the file that ``write`` would make as a read-only, seekable binary file object; nothing is written.

        MP4 and MOV sources only. Reads go to the sources; one that changed raises ``SourceChangedError``.
        """
        return open_clip(self.pieces, boundary, audio)

    def ffmpeg_input(self, boundary: str = "auto", *, audio: str | None = None) -> FFmpegInput:
        """Return FFmpeg arguments that read the clip without it being written: ``[ffmpeg, *clip.ffmpeg_input(), ...]``.

        The list also carries ``url`` and ``options`` for ``av.open(url, options=options)``. The small files that it
        refer to live in a private temporary folder until it is closed, or garbage-collected.
        """
        return FFmpegInput.of(rope_of(self.pieces, boundary, audio))


def _short(piece: Piece) -> str:
    start, end = ("" if time is None else format_time(time) for time in (piece.start, piece.end))
    return f"{os.path.basename(piece.input.path)}[{start}:{end}]"
