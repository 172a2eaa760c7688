"""What a file is made like: size, rate, clock and colour, taken from a movie's first picture or from the caller."""

from __future__ import annotations

import os
from contextlib import closing
from fractions import Fraction

from av.codec.codec import Codec
from av.video.format import VideoFormat

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie, open_movie
from ffzero.errors import UnsupportedError, UsageError
from ffzero.frames.reading.forms import parse_size
from ffzero.frames.reading.planes import video_format
from ffzero.frames.writing.choices import CodingChoice
from ffzero.values import dataclass

__all__ = ["Like", "Model", "model_of"]

Like = Movie | Clip | str | os.PathLike[str] | None

_HIGH_DEFINITION_LINES = 720
_UNSPECIFIED = 2
_DEFAULT_FPS = Fraction(25)
_ALPHA = ("yuva420p", "yuva444p10le", "yuva444p", "gbrap", "rgba", "bgra")
"""What keeps the alpha of arrays, where the encoder takes it."""
_SMALL_CLOCKS = frozenset({"mpeg4", "mpeg2video", "mpeg1video"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Size and pixel format of the pictures to code, pictures a second, clock, and colour as FFmpeg's code points.

    ``source`` is the movie or clip that the file is made like.
    """

    width: int
    height: int
    pixel_format: str
    fps: Fraction
    time_base: Fraction
    matrix: int
    full_range: bool
    primaries: int
    transfer: int
    source: Movie | Clip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """What the first picture of the model movie is."""

    width: int
    height: int
    pixel_format: str
    fps: Fraction | None
    time_base: Fraction
    matrix: int
    full_range: bool
    primaries: int
    transfer: int


def model_of(
    like: Like,
    size: tuple[int, int] | str | None,
    fps: Fraction | None,
    choice: CodingChoice,
    array_format: str,
    first_size: tuple[int, int] | None,
) -> Model:
    """Put together what is known; ``first_size`` is the first picture's, for a writer that was told no size."""
    assert choice.video is not None
    source = _opened(like)
    first = _first(source) if source is not None else None
    width, height = _size(size, choice, first, first_size)
    rate = fps or choice.fps or (first.fps if first is not None else None) or _DEFAULT_FPS
    time_base = _clock(rate, first.time_base if first is not None and fps is None and choice.fps is None else None)
    if choice.video in _SMALL_CLOCKS:
        time_base = 1 / rate if choice.video != "mpeg4" or time_base.denominator > 65535 else time_base
    usual = 1 if height >= _HIGH_DEFINITION_LINES else 6
    matrix = first.matrix if first is not None and first.matrix else usual
    return Model(
        width=width,
        height=height,
        pixel_format=_pixel_format(choice, first.pixel_format if first is not None else None, array_format),
        fps=rate,
        time_base=time_base,
        matrix=matrix,
        full_range=(first is not None and first.full_range) or choice.video == "mjpeg",
        primaries=first.primaries if first is not None else matrix,
        transfer=first.transfer if first is not None else matrix,
        source=source,
    )


def _opened(like: Like) -> Movie | Clip | None:
    if like is None or isinstance(like, Movie | Clip):
        return like
    if isinstance(like, str | os.PathLike):
        return open_movie(like)
    raise UsageError(f"not a movie: {like!r}", hint="like is a Movie, a Clip or a path")


def _first(source: Movie | Clip) -> _First:
    with closing(source.frames(format="yuv")) as frames:
        frame = next(frames, None)
        if frame is None:
            raise UsageError("there is no picture to be like", hint="Give size and fps")
        picture = frame.video_frame
        turned = frame.rotation in (90, 270)
        return _First(
            width=frame.height if turned else frame.width,
            height=frame.width if turned else frame.height,
            pixel_format=picture.format.name,
            fps=_rate(source),
            time_base=frame.time_base,
            matrix=int(picture.colorspace),
            full_range=frame.range == "pc" and not picture.format.is_rgb,
            primaries=int(picture.color_primaries),
            transfer=int(picture.color_trc),
        )


def _rate(source: Movie | Clip) -> Fraction | None:
    movie = source if isinstance(source, Movie) else Movie(source.pieces[0].input)
    return next((track.frame_rate for track in movie.info().tracks if track.kind == "video"), None)


def _size(
    size: tuple[int, int] | str | None, choice: CodingChoice, first: _First | None, first_size: tuple[int, int] | None
) -> tuple[int, int]:
    whole = (first.width, first.height) if first is not None else first_size
    sides = parse_size(size) or ((choice.width, choice.height) if choice.width or choice.height else None)
    if sides is None:
        if whole is None:
            raise UsageError("the size of the pictures is not known", hint="Give size=(width, height)")
        return whole
    wide, high = sides
    if wide is not None and high is not None:
        return wide, high
    if whole is None:
        raise UsageError("one side of the pictures is not known", hint="Give size=(width, height)")
    if wide is None:
        assert high is not None
        return max(2, round(whole[0] * high / whole[1] / 2) * 2), high
    return wide, max(2, round(whole[1] * wide / whole[0] / 2) * 2)


def _clock(rate: Fraction, source: Fraction | None) -> Fraction:
    """Return the ticks to count times in: the source's, else some thousand in a second of which frames take whole."""
    if source is not None and source <= Fraction(1, 100):
        return source
    factor = max(1, -(-10000 // rate.numerator))
    return Fraction(1, rate.numerator * factor)


def _pixel_format(choice: CodingChoice, source: str | None, array_format: str) -> str:
    """Return the encoder's pixel format nearest to the source's, else to that of the arrays."""
    try:
        formats: list[VideoFormat] = list(Codec(choice.video or "", "w").video_formats or ())
    except ValueError as error:
        raise UnsupportedError(f"there is no encoder {choice.video} here") from error
    names = [form.name for form in formats]
    if choice.pixel_format is not None:
        if names and choice.pixel_format not in names:
            raise UsageError(
                f"{choice.video} codes no {choice.pixel_format}", expected=f"one of {', '.join(sorted(names))}"
            )
        return choice.pixel_format
    wanted = source.replace("yuvj", "yuv") if source is not None else None
    plain = video_format("rgb24" if array_format == "yuv" else array_format)
    see_through = any(part.is_alpha for part in plain.components)
    if see_through and not (wanted in names and any(part.is_alpha for part in video_format(str(wanted)).components)):
        wanted = next((name for name in _ALPHA if name in names), wanted)
    if wanted in names and wanted is not None:
        return wanted
    deep = source is not None and max(part.bits for part in video_format(source).components) > 8
    deep = deep or max(part.bits for part in plain.components) > 8
    order = ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p"] if deep else ["yuv420p", "yuvj420p"]
    return next((name for name in order if name in names), names[0] if names else "yuv420p")
