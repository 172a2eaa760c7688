"""From decoded pictures to those asked for: turned, scaled and converted by one reused reformatter for each form.

What comes out is what ``ffmpeg -f rawvideo -pix_fmt FORMAT`` writes: the same scaler (swscale) with the same flags.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from ffzero.errors import UsageError
from ffzero.frames.changes.graphs import Filter, FrameGraph, range_of
from ffzero.frames.changes.orientation import Turn, turning_filters
from ffzero.frames.reading.planes import ALIASES, layout_of, plane_views, video_format
from ffzero.values import dataclass

__all__ = ["SOURCE_FORMAT", "Forms", "Look", "PictureForm", "parse_size", "turn_of_degrees"]

SOURCE_FORMAT = "yuv"
_NO_TURN: Turn = (1, 0, 0, 1)
_DEGREES: dict[Turn, int] = {(0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
_TURNS: dict[int, Turn] = {degrees: turn for turn, degrees in _DEGREES.items()}
_MATRICES = {
    0: "gbr", 1: "bt709", 2: "unspecified", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 14: "ictcp",
}  # fmt: skip
"""FFmpeg's names of matrix coefficients (ITU-T H.273 §8.3)."""
_QUICK = frozenset({"yuv420p", "yuv422p", "yuvj420p", "yuvj422p"})
"""What swscale converts in half a millisecond where the size stays: handing it to threads costs more than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What pictures are asked to be like; see ``Readable.frames``. Checked when made: ``UsageError``."""

    format: str
    size: tuple[int | None, int | None] | None = None
    rotate: bool = True
    writable: bool = False

    def __post_init__(self) -> None:
        if self.format != SOURCE_FORMAT:
            layout_of(video_format(self.format))


def parse_size(size: tuple[int, int] | str | None) -> tuple[int | None, int | None] | None:
    """Return width and height, ``None`` for one that follows from the shape. Raises ``UsageError``."""
    if size is None:
        return None
    try:
        if isinstance(size, str):
            width, cross, height = size.lower().partition("x")
            sides = tuple(int(side) if side else None for side in (width, height))
            good = bool(cross) and sides != (None, None)
        else:
            sides = tuple(int(side) for side in size)
            good = len(sides) == 2
        if good and all(side is None or 0 < side <= 32768 for side in sides):
            return sides[0], sides[1]
    except (TypeError, ValueError):
        pass
    raise UsageError(f"not a size: {size!r}", hint='Sizes are (640, 360), "640x360", "640x" or "x360"')


class Forms:
    """Tells decoded pictures' forms and keeps them, so that pictures alike share one; not for several threads."""

    def __init__(self, look: Look, turn: Turn | None = None) -> None:
        self._look = look
        self._turn = turn
        self._last: tuple[Any, ...] = ()
        self._known: dict[tuple[Any, ...], PictureForm] = {}
        self._form: PictureForm | None = None

    def of(self, picture: VideoFrame) -> PictureForm:
        """Return the form of a picture. Where the track says nothing of turning, the picture's own word counts."""
        key: tuple[Any, ...] = (
            picture.format.name,
            picture.width,
            picture.height,
            picture.colorspace,
            picture.color_range,
            picture.rotation if self._turn is None else 0,
        )
        if key != self._last or self._form is None:
            turn = self._turn or turn_of_degrees(-round(key[-1]))
            if key not in self._known:
                self._known[key] = PictureForm(picture, self._look, turn)
            self._form, self._last = self._known[key], key
        return self._form


def turn_of_degrees(degrees: int) -> Turn:
    """Return the turn by so many degrees clockwise; none where they are no quarters."""
    return _TURNS.get(degrees % 360, _NO_TURN)


class PictureForm:
    """One form of pictures, as ``edits.frame_values.Form``. Frames of it may be used in several threads."""

    def __init__(self, like: VideoFrame, look: Look, turn: Turn) -> None:
        self.colorspace = _MATRICES.get(int(like.colorspace), str(int(like.colorspace)))
        self.range = "pc" if like.format.is_rgb else range_of(like)
        as_it_is = look.format == SOURCE_FORMAT
        self._turn = _NO_TURN if as_it_is or not look.rotate else turn
        self.rotation = 0 if turn == self._turn else _DEGREES.get(turn, 0)
        self.turn = _NO_TURN if turn == self._turn else turn
        """What is still to be done with the pixels, flips included."""
        name = like.format.name if as_it_is else ALIASES.get(look.format, look.format)
        self.format = like.format.name if as_it_is else look.format
        self._name = name
        self.width, self.height = _size(like, look, self._turn)
        self._target = video_format(name)
        self._layout = layout_of(self._target)
        self._packed = len(self._layout) == 1 and not as_it_is
        straight = (like.width, like.height) if self._turn[0] else (like.height, like.width)
        self._converts = name != like.format.name or straight != (self.width, self.height)
        self._writable = look.writable or self._packed
        self._owned = self._converts or self._turn != _NO_TURN
        stays = self._turn == _NO_TURN and straight == (self.width, self.height)
        self._threads = 1 if stays and like.format.name in _QUICK else 0
        self._lock = threading.Lock()
        self._graph: FrameGraph | None = None

    def _filters(self) -> list[Filter]:
        filters = list(turning_filters(self._turn))
        if self._converts:
            filters.append(("scale", f"w={self.width}:h={self.height}:flags=bicubic"))
        return filters

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a picture's one array. Raises ``UsageError`` where there are several planes."""
        if len(self._layout) != 1:
            raise UsageError(
                f"{self.format} has {len(self._layout)} planes, not one array", hint="Batches are of packed formats"
            )
        channels = self._layout[0].channels
        return (self.height, self.width, channels) if channels > 1 else (self.height, self.width)

    @property
    def dtype(self) -> np.dtype:
        return self._layout[0].dtype

    @property
    def lends(self) -> bool:
        """Whether what may be written to is the decoded picture itself: a second frame of it must be a copy."""
        return self._writable and not self._owned

    def converted(self, picture: VideoFrame) -> VideoFrame:
        """See ``Form.converted``. Writable forms get memory of their own where the decoder still uses the picture's."""
        if not self._owned:
            if self._writable:
                picture.make_writable()
            return picture
        with self._lock:
            if self._graph is None:
                self._graph = self._conversion(picture)
            made = self._graph.one(picture)
        if made is picture:
            made.make_writable()
        return made

    def _conversion(self, picture: VideoFrame) -> FrameGraph:
        try:
            return FrameGraph(picture, self._filters(), self._name, threads=self._threads)
        except (FFmpegError, ValueError) as error:
            raise UsageError(
                f"{picture.format.name} pictures cannot be made {self.format} of {self.width}x{self.height}: {error}",
                hint='Take another format, such as "rgb24"',
            ) from error

    def planes(self, converted: VideoFrame) -> tuple[np.ndarray, ...]:
        return plane_views(converted, self._layout, writable=self._writable or self._owned)


def _size(like: VideoFrame, look: Look, turn: Turn) -> tuple[int, int]:
    width, height = (like.width, like.height) if turn[0] else (like.height, like.width)
    if look.size is None:
        return width, height
    wide, high = look.size
    if wide is None:
        assert high is not None
        return max(1, round(width * high / height)), high
    return wide, max(1, round(height * wide / width)) if high is None else high
