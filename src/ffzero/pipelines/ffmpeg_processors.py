"""Stages for media: each changes what is to be shown, or how it is to be coded, and nothing more."""

from __future__ import annotations

from typing import Any

from ffzero.errors import TimeRangeError, UsageError
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.processors import Outcome, Processor
from ffzero.pipelines.segments import Segment, as_segment, is_job
from ffzero.timebase import TimeLike, parse_time

__all__ = [
    "FFmpegProcessor",
    "ScaleProcessor",
    "TranscodeProcessor",
    "VideoConcatProcessor",
    "VideoCutProcessor",
]


class FFmpegProcessor(Processor):
    """Base of stages for media: derive from it and write ``edit`` (clip to clip), or ``process`` for anything else.

    ``process`` takes a clip, a movie or a path, and returns a ``Segment`` at once, whatever its size: nothing is read,
    coded or written before ``Segment.write``. It also takes (input, output) and (input, output, start, duration);
    then it writes the output, whole or not at all, and returns a ``WriteResult``, which is a path with its report. An
    output that exists is refused unless ``overwrite``. (A media pipeline writes once, after its last stage.)
    """

    def __init__(
        self, name: str | None = None, settings: FFmpegSettings | None = None, *, overwrite: bool = False
    ) -> None:
        super().__init__(name)
        self.settings = settings
        self.overwrite = overwrite

    def edit(self, segment: Segment) -> Segment | Outcome:
        """Return the new clip for a clip, or ``Outcome.DROP``. This one only attaches the stage's settings.

        A size or frame rate that an earlier stage asked for stays where the settings say nothing of it.
        """
        if self.settings is None:
            return segment
        return segment.with_settings(_with_shape_of(segment.settings, self.settings))

    def process(self, data: Any) -> Any:
        """Return the edited segment, or a job's ``WriteResult``. Raises like ``as_segment`` and ``Segment.write``."""
        edited = self.edit(as_segment(data))
        if is_job(data) and isinstance(edited, Segment) and edited.output is not None:
            return edited.write(edited.output, overwrite=self.overwrite)
        return edited


class VideoCutProcessor(FFmpegProcessor):
    """Keeps ``[start_time, start_time + duration)`` of each clip, in times from the clip's own start.

    A segment of a stream that ends before ``start_time`` is dropped; anything else that does is a ``TimeRangeError``.
    """

    def __init__(
        self,
        start_time: TimeLike = 0,
        duration: TimeLike | None = None,
        settings: FFmpegSettings | None = None,
        *,
        name: str | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__(name, settings, overwrite=overwrite)
        self.start_time = parse_time(start_time)
        self.duration = None if duration is None else parse_time(duration)
        if self.duration == 0:
            raise TimeRangeError("a cut lasts longer than nothing", found=duration)

    def edit(self, segment: Segment) -> Segment | Outcome:
        end = None if self.duration is None else self.start_time + self.duration
        try:
            return super().edit(segment.slice(self.start_time, end))
        except TimeRangeError:
            if segment.index is not None:
                return Outcome.DROP
            raise


class VideoConcatProcessor(FFmpegProcessor):
    """Joins: ``process`` takes a list of clips and paths, or (list, output). A single clip passes as it is."""

    def __init__(
        self, settings: FFmpegSettings | None = None, *, name: str | None = None, overwrite: bool = False
    ) -> None:
        super().__init__(name, settings, overwrite=overwrite)


class TranscodeProcessor(FFmpegProcessor):
    """Has each clip coded with ``settings`` when it is written, by default with those of ``FFmpegSettings()``."""

    def __init__(
        self, settings: FFmpegSettings | None = None, *, name: str | None = None, overwrite: bool = False
    ) -> None:
        super().__init__(name, FFmpegSettings() if settings is None else settings, overwrite=overwrite)


class ScaleProcessor(FFmpegProcessor):
    """Has each clip scaled when it is written; with one of ``width`` and ``height`` in pixels, the aspect is kept.

    All else is coded as an earlier stage's settings say, else as ``settings``, else as ``FFmpegSettings()`` does.
    """

    def __init__(
        self,
        width: int | None = None,
        height: int | None = None,
        settings: FFmpegSettings | None = None,
        *,
        name: str | None = None,
        overwrite: bool = False,
    ) -> None:
        if width is None and height is None:
            raise UsageError("scaling needs a width or a height")
        shaped = (settings or FFmpegSettings()).replace(width=width, height=height)
        super().__init__(name, shaped, overwrite=overwrite)
        self.width = width
        self.height = height

    def edit(self, segment: Segment) -> Segment | Outcome:
        before = segment.settings or self.settings
        assert before is not None
        return segment.with_settings(before.replace(width=self.width, height=self.height))


def _with_shape_of(earlier: FFmpegSettings | None, later: FFmpegSettings) -> FFmpegSettings:
    if earlier is None:
        return later
    kept: dict[str, Any] = {}
    if later.width is None and later.height is None:
        kept |= {"width": earlier.width, "height": earlier.height}
    if later.fps is None:
        kept["fps"] = earlier.fps
    return later.replace(**kept)
