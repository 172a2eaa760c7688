"""What movies and clips ask of whoever decodes for Python code, and what they get back.

As with rendering, ``frames`` does it, a layer above: requests go up as values, and the reader is handed in
(``use_frame_reader``) instead of imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable, Sequence
from fractions import Fraction
from typing import Any, Protocol, overload

from ffzero.edits.frame_values import AudioBlock, Frame, FrameBatch
from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import duration_of
from ffzero.errors import TimeRangeError, UnsupportedError, UsageError
from ffzero.reporting import CancelToken, Reporter, no_report
from ffzero.timebase import TimeLike, format_time, parse_time
from ffzero.values import dataclass

__all__ = [
    "FrameReader",
    "FrameRequest",
    "Readable",
    "SoundRequest",
    "TrackChoice",
    "checked_threads",
    "default_frame_reader",
    "use_frame_reader",
]

TrackChoice = int | Sequence[int] | None
"""Which video tracks: an ID, several, or ``None`` for the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRequest:
    """Pictures in ``[start, end)``, in seconds of the pieces' timeline; ``end`` may be ``None``.

    The timeline is that of the clip that the pieces make, or, for ``whole``, of the one movie that they are all of.
    The other fields are those of ``Readable.frames``.
    """

    pieces: tuple[Piece, ...]
    whole: bool
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    format: str = "rgb24"
    size: tuple[int, int] | str | None = None
    step: int | TimeLike | None = None
    tracks: TrackChoice = None
    batch: int | None = None
    out: Any = None
    rotate: bool = True
    writable: bool = False
    threads: int | None = None
    reporter: Reporter = no_report
    cancel: CancelToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRequest:
    """Sound in ``[start, end)``; see ``FrameRequest`` and ``Readable.audio``."""

    pieces: tuple[Piece, ...]
    whole: bool
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    rate: int | None = None
    channels: int | None = None
    track: int | None = None
    block: int | None = None
    cancel: CancelToken | None = None


class FrameReader(Protocol):
    """Decodes for Python code. Requests are checked when a method is called, files are read as its result is used."""

    def frames(self, request: FrameRequest) -> Generator[Frame, None, None]: ...

    def batches(self, request: FrameRequest) -> Generator[FrameBatch, None, None]: ...

    def frames_at(self, request: FrameRequest, times: Sequence[Fraction]) -> list[Frame]: ...

    def sound(self, request: SoundRequest) -> Generator[AudioBlock, None, None]: ...


_provider: list[Callable[[], FrameReader]] = []


def use_frame_reader(provider: Callable[[], FrameReader]) -> None:
    """Let movies and clips be decoded by what ``provider`` returns; it is called when frames are first asked for."""
    _provider[:] = [provider]


def default_frame_reader() -> FrameReader:
    """Return the reader in use. Raises ``UnsupportedError`` where none was handed in."""
    if not _provider:
        importlib.import_module("ffzero.api")  # parts of the package load no more than they name
    if not _provider:
        raise UnsupportedError("frames are to be decoded, and no decoder is loaded", hint="Import ffzero")
    return _provider[0]()


class Readable:
    """What can be read frame by frame: the methods that ``Movie`` and ``Clip`` share."""

    __slots__ = ()

    def _reading(self) -> tuple[tuple[Piece, ...], bool]:
        """Return the pieces, and whether they are one whole movie on its own timeline."""
        raise NotImplementedError

    @overload
    def frames(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        step: int | TimeLike | None = None,
        tracks: TrackChoice = None,
        batch: None = None,
        out: None = None,
        rotate: bool = True,
        writable: bool = False,
        threads: int | None = None,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> Generator[Frame, None, None]: ...

    @overload
    def frames(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        step: int | TimeLike | None = None,
        tracks: TrackChoice = None,
        batch: int,
        out: Any = None,
        rotate: bool = True,
        writable: bool = False,
        threads: int | None = None,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> Generator[FrameBatch, None, None]: ...

    def frames(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        step: int | TimeLike | None = None,
        tracks: TrackChoice = None,
        batch: int | None = None,
        out: Any = None,
        rotate: bool = True,
        writable: bool = False,
        threads: int | None = None,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> Generator[Frame, None, None] | Generator[FrameBatch, None, None]:
        """Yield the pictures whose time lies in ``[start, end)``, in the order in which they are shown.

        Exactly those that a cut of the same range would hold. ``format`` is FFmpeg's name of a pixel format (``rgb24``,
        ``bgr24``, ``rgba``, ``gray``; ``rgb48`` and ``gray16`` for more bits) or ``"yuv"``: the source's own, without
        conversion and without a copy. ``size`` is ``(640, 360)``, ``"640x360"``, or ``"640x"`` and ``"x360"`` to keep
        the shape. ``step`` takes every n-th picture (an int), or, as a time (``"1s"``, a float, Fraction, timedelta),
        the picture that is shown at ``start`` and at every multiple of it after that, each once; what is not needed
        for them is not decoded. ``tracks`` are IDs of video tracks; of several, all pictures come in order of time,
        tagged with their ``track``. ``rotate`` turns pictures as the file says they are shown; with ``"yuv"`` they are
        left and ``frame.rotation`` tells. ``writable`` lets the planes of ``"yuv"`` be written to, which may copy them.
        ``threads`` decode: by default one a processor, up to 8; 1 takes the least CPU time, for one of many workers.

        With ``batch`` comes a ``FrameBatch`` of so many pictures (the last may have fewer), each in an array of its own
        (memory that nobody holds any more serves again). ``out`` is an array to be filled instead, again and again:
        numpy, a memory map, shared memory, or a tensor, of shape (batch, height, width, channels).

        A clip's effects are applied; a clip's pictures are as their files have them, of different sizes if so.
        Raises ``TimeRangeError`` and ``UsageError`` at once; while it runs ``DecodeError`` naming track, sample and
        time, ``SourceChangedError``, ``TruncatedError``, ``CancelledError``. Closing the generator frees the decoder.
        """
        pieces, whole = self._reading()
        low, high = _range(pieces, whole, start, end)
        if batch is None and out is not None:
            batch = len(out)
        request = FrameRequest(
            pieces=pieces,
            whole=whole,
            start=low,
            end=high,
            format=format,
            size=size,
            step=step,
            tracks=tracks,
            batch=batch,
            out=out,
            rotate=rotate,
            writable=writable,
            threads=checked_threads(threads),
            reporter=reporter,
            cancel=cancel,
        )
        reader = default_frame_reader()
        return reader.frames(request) if batch is None else reader.batches(request)

    def frame_at(
        self,
        time: TimeLike,
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        track: int | None = None,
        rotate: bool = True,
        writable: bool = False,
        threads: int | None = None,
        cancel: CancelToken | None = None,
    ) -> Frame:
        """Return the picture that is shown at ``time``: the last one whose time is not after it; see ``frames_at``."""
        found = self.frames_at(
            [time],
            format=format,
            size=size,
            track=track,
            rotate=rotate,
            writable=writable,
            threads=threads,
            cancel=cancel,
        )
        return found[0]

    def frames_at(
        self,
        times: Iterable[TimeLike],
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        track: int | None = None,
        rotate: bool = True,
        writable: bool = False,
        threads: int | None = None,
        cancel: CancelToken | None = None,
    ) -> list[Frame]:
        """Return the pictures shown at ``times``, in the order asked; each group of pictures is decoded once.

        Before the first picture it is the first; after the last, until everything has ended, the last. Times that show
        one picture get a frame each. All are held in memory. Raises ``TimeRangeError`` for a time outside, and what
        ``frames`` raises.
        """
        pieces, whole = self._reading()
        if isinstance(times, str) or not isinstance(times, Iterable):
            raise UsageError(f"not a list of times: {times!r}", hint="For a single time there is frame_at")
        wanted = [parse_time(time) for time in times]
        request = FrameRequest(
            pieces=pieces,
            whole=whole,
            format=format,
            size=size,
            tracks=track,
            rotate=rotate,
            writable=writable,
            threads=checked_threads(threads),
            cancel=cancel,
        )
        return default_frame_reader().frames_at(request, wanted)

    def audio(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        rate: int | None = None,
        channels: int | None = None,
        track: int | None = None,
        block: int | None = None,
        cancel: CancelToken | None = None,
    ) -> Generator[AudioBlock, None, None]:
        """Yield the sound in ``[start, end)`` as float32 arrays of shape (samples, channels), exact to the sample.

        ``rate`` and ``channels`` convert it; ``track`` is an ID, by default the first enabled sound track's; ``block``
        is how many samples come at a time (by default half a second of them; the last block has what is left). Priming
        and edits are honoured, so sample 0 of the movie's time is the first that is heard. Raises as ``frames`` does,
        and ``UnsupportedError`` where there is no sound.
        """
        pieces, whole = self._reading()
        low, high = _range(pieces, whole, start, end)
        request = SoundRequest(
            pieces=pieces,
            whole=whole,
            start=low,
            end=high,
            rate=rate,
            channels=channels,
            track=track,
            block=block,
            cancel=cancel,
        )
        return default_frame_reader().sound(request)


def checked_threads(threads: int | None) -> int | None:
    """Return how many threads are to decode, ``None`` for the usual number. Raises ``UsageError``."""
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise UsageError("at least one thread decodes", found=threads, expected="a whole number from 1 on, or None")
    return threads


def _range(
    pieces: Sequence[Piece], whole: bool, start: TimeLike | None, end: TimeLike | None
) -> tuple[Fraction, Fraction | None]:
    low = Fraction(0) if start is None else parse_time(start)
    high = None if end is None else parse_time(end)
    if high is not None and high <= low:
        raise TimeRangeError(f"the range ends at {format_time(high)}, not after its start at {format_time(low)}")
    if low and low >= (length := duration_of(pieces)):
        what = "movie" if whole else "clip"
        raise TimeRangeError(
            f"nothing of the {what} from {format_time(low)} on",
            path=pieces[-1].input.path,
            hint=f"It is {format_time(length)} long",
        )
    return low, high
