"""Decoded pictures and sound as values that Python code holds: ``Frame``, ``FrameBatch``, ``AudioBlock``.

They know numpy and nothing of decoders: how a decoded picture becomes an array is its ``Form``'s business, which the
layer above hands in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from ffzero.errors import UsageError
from ffzero.values import dataclass

__all__ = ["AudioBlock", "Form", "Frame", "FrameBatch", "Line"]


class Form(Protocol):
    """What pictures of one kind are like, and how they become arrays; shared by all frames of that kind."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def format(self) -> str: ...
    @property
    def colorspace(self) -> str: ...
    @property
    def range(self) -> str: ...
    @property
    def rotation(self) -> int: ...
    def converted(self, picture: Any, /) -> Any:
        """Return the ``av.VideoFrame`` that was asked for, the picture itself where nothing is to be done."""
        ...

    def planes(self, converted: Any, /) -> tuple[np.ndarray, ...]:
        """Return views of each plane of a converted picture."""
        ...


class Line:
    """Where the frames of one stretch of a track lie: ``time = pts * time_base + offset``, ``index = first + number``.

    ``first`` may be dear to find (a container without an index is read for it), so it is found when first asked for.
    """

    __slots__ = ("_first", "offset", "time_base", "track")

    def __init__(self, *, track: int, time_base: Fraction, offset: Fraction, first: int | Callable[[], int]) -> None:
        self.track = track
        self.time_base = time_base
        self.offset = offset
        self._first = first

    @property
    def first(self) -> int:
        if not isinstance(self._first, int):
            self._first = self._first()
        return self._first


class Frame:
    """A decoded picture: when it is shown, what it is like, and its pixels as numpy arrays.

    ``pts`` is its time in ticks of ``time_base`` as the container states it, before edits; ``time`` is exact seconds on
    the timeline of the movie or clip that it was asked of. With a packed format ``array`` holds the pixels, converted
    when first asked for; it is the frame's own and may be written to. With ``"yuv"`` ``planes`` are views of the
    decoder's own memory without a copy: read-only unless ``writable`` was asked for, valid as long as the frame or any
    view of it lives. Each that is kept holds a whole picture's memory; ``copy()`` gives a frame of its own. numpy,
    OpenCV, torch and others take a frame as an array (``__array__``, ``__dlpack__``).
    """

    __slots__ = ("_array", "_converted", "_form", "_key", "_line", "_number", "_picture", "pts")

    def __init__(self, picture: Any, form: Form, line: Line, pts: int, number: int) -> None:
        self._picture = picture
        self._converted: Any = None
        self._array: np.ndarray | None = None
        self._key: bool | None = None
        self._form = form
        self._line = line
        self._number = number
        self.pts = pts

    @property
    def time_base(self) -> Fraction:
        """Seconds in one tick of ``pts``."""
        return self._line.time_base

    @property
    def time(self) -> Fraction:
        """Seconds from the start of the movie or clip."""
        return self.pts * self._line.time_base + self._line.offset

    @property
    def index(self) -> int:
        """Number in the order of display, from 0: of all the track's pictures (of a clip's frame, of the clip's)."""
        return self._line.first + self._number

    @property
    def keyframe(self) -> bool:
        """Whether the decoder calls it a key picture."""
        if self._key is None:
            self._key = bool((self._converted or self._picture).key_frame)
        return self._key

    @property
    def track(self) -> int:
        """ID of the track that it is of."""
        return self._line.track

    @property
    def width(self) -> int:
        return self._form.width

    @property
    def height(self) -> int:
        return self._form.height

    @property
    def format(self) -> str:
        """FFmpeg's name of the pixel format: the one asked for, with ``"yuv"`` the source's own."""
        return self._form.format

    @property
    def colorspace(self) -> str:
        """The source's matrix: ``bt709``, ``smpte170m``, ``bt2020nc``, ``gbr``, ...; ``unspecified``."""
        return self._form.colorspace

    @property
    def range(self) -> str:
        """The source's range: ``tv`` (limited) or ``pc`` (full)."""
        return self._form.range

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which the pixels have still to be turned to be shown: 0 where that was done."""
        return self._form.rotation

    @property
    def video_frame(self) -> Any:
        """The picture as an ``av.VideoFrame`` in the format that was asked for; shares its memory."""
        if self._converted is None:
            self._converted = self._form.converted(self._picture)
            self._picture = None
        return self._converted

    @property
    def array(self) -> np.ndarray:
        """The pixels: (height, width, channels) or (height, width), uint8, or uint16 for formats of more bits.

        Rows may be padded at their end (``strides``). Raises ``UsageError`` for a format of several planes.
        """
        if self._array is None:
            planes = self.planes
            if len(planes) != 1:
                raise UsageError(f"{self.format} has {len(planes)} planes, not one array", hint="Use frame.planes")
            self._array = planes[0]
        return self._array

    @property
    def planes(self) -> tuple[np.ndarray, ...]:
        """Views of the planes in FFmpeg's order (Y, U, V, alpha): uint8, or uint16 where a sample has more bits."""
        return self._form.planes(self.video_frame)

    @property
    def y(self) -> np.ndarray:
        return self.planes[0]

    @property
    def u(self) -> np.ndarray:
        return self._chroma(0)

    @property
    def v(self) -> np.ndarray:
        return self._chroma(1)

    def _chroma(self, number: int) -> np.ndarray:
        planes = self.planes
        if len(planes) >= 3:
            return planes[1 + number]
        if len(planes) == 2 and planes[1].ndim == 3:  # NV12 and the like
            return planes[1][:, :, number]
        raise UsageError(f"{self.format} has no chroma planes", hint='Ask for format="yuv"')

    def copy(self) -> Frame:
        """Return the frame with memory of its own, writable; it holds nothing of the decoder's."""
        import av

        mine = self.video_frame
        other: Any = av.VideoFrame(mine.width, mine.height, mine.format.name)
        other.pts, other.time_base = mine.pts, self.time_base
        other.colorspace, other.color_range = mine.colorspace, mine.color_range
        other.color_primaries, other.color_trc = mine.color_primaries, mine.color_trc
        other.key_frame = self.keyframe
        made = Frame(None, _Owned(self._form), self._line, self.pts, self._number)
        made._converted = other
        for target, source in zip(made.planes, self.planes, strict=True):
            target[...] = source
        return made

    def forget(self) -> None:
        """Let go of the pixels and keep the facts; whoever took what they wanted from them calls this."""
        _ = self.keyframe
        self._picture = self._converted = self._array = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if dtype is None or dtype == self.array.dtype:
            return self.array.copy() if copy else self.array
        if copy is False:
            raise ValueError(f"a copy is needed to make {self.array.dtype} {dtype}")
        return self.array.astype(dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __repr__(self) -> str:
        return (
            f"<ffzero.Frame at {float(self.time):.3f} s, pts {self.pts}, {self.width}×{self.height} {self.format}"
            f"{', key' if self.keyframe else ''}>"
        )


class _Owned:
    """The form of a copied frame: its memory may be written to."""

    __slots__ = ("_form",)

    def __init__(self, form: Form) -> None:
        self._form = form

    def __getattr__(self, name: str) -> Any:
        return getattr(self._form, name)

    def planes(self, converted: Any) -> tuple[np.ndarray, ...]:
        views = self._form.planes(converted)
        for view in views:
            view.flags.writeable = True
        return views


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameBatch:
    """``n`` frames one after another.

    ``array`` has shape (n, height, width, channels) or (n, height, width); ``pts`` (int64 ticks of ``time_base``),
    ``times`` (float64 seconds), ``indices`` (int64), ``keyframes`` (bool) and ``tracks`` (int64) shape (n,). See
    ``Frame`` for what they mean. Where the caller gave ``out``, ``array`` is a view of it, overwritten by the next
    batch; else each batch has an array of its own.
    """

    array: np.ndarray
    pts: np.ndarray
    times: np.ndarray
    indices: np.ndarray
    keyframes: np.ndarray
    tracks: np.ndarray
    time_base: Fraction
    format: str

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioBlock:
    """Samples of a sound track: ``array`` is float32 of shape (samples, channels), full scale 1, from ``time`` on.

    ``time`` is exact seconds on the timeline of the movie or clip, ``rate`` samples a second.
    """

    time: Fraction
    array: np.ndarray = field(repr=False)
    rate: int
    track: int = 0

    def __len__(self) -> int:
        return len(self.array)

    @property
    def channels(self) -> int:
        return int(self.array.shape[1])

    @property
    def end(self) -> Fraction:
        """When the last sample ends."""
        return self.time + Fraction(len(self.array), self.rate)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)
