"""Where the scene changes: PySceneDetect's content detector, fed with PyAV's pictures so that times stay exact.

PySceneDetect (https://www.scenedetect.com) is the extra ``scenes``, imported when a clip is first split at scenes. Its
own readers are not used: they begin at the file's beginning, and know nothing of where its clock does.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.containers.libav.opening import Input, context_of, main_stream
from ffzero.errors import DecodeError, UnsupportedError
from ffzero.reporting import CancelToken, ProgressEvent, Reporter, no_report
from ffzero.timebase import TOLERANCE

if TYPE_CHECKING:
    from av.stream import Stream
    from av.video.frame import VideoFrame

__all__ = ["ContentScenes"]

_WIDTH_PIXELS = 256
"""What pictures are scaled down to, as PySceneDetect itself does: a change of scene is seen in a small one."""

_THRESHOLD = 27.0
_SHORTEST_S = 0.6
"""PySceneDetect's defaults: mean change of hue, saturation and brightness (0 to 255), and the shortest scene."""

_RATE = Fraction(1000)
"""Pictures per second that PySceneDetect is told of. It compares times as counts of them where time bases differ."""


class ContentScenes:
    """A ``SceneDetector`` that compares each picture with the one before it."""

    def __init__(self, *, shortest_s: float = _SHORTEST_S) -> None:
        self._shortest_s = shortest_s

    def changes(
        self,
        path: str,
        start_s: Fraction,
        end_s: Fraction,
        *,
        threshold: float | None = None,
        reporter: Reporter = no_report,
        cancel: CancelToken | None = None,
    ) -> list[Fraction]:
        """See ``SceneDetector``. ``threshold`` is the mean change, 0 to 255, of hue, saturation and brightness."""
        detector = _Judge(_THRESHOLD if threshold is None else threshold, self._shortest_s)
        length_s = int(end_s - start_s)
        found = []
        with Input(path) as source:
            for time_s, frame in _pictures(source, start_s, end_s):
                if cancel is not None:
                    cancel.check()
                found += detector.changes(time_s, frame)
                reporter(ProgressEvent(stage="scenes", done=int(time_s - start_s), total=length_s, unit="seconds"))
        return found


class _Judge:
    """Takes pictures in order; tells of each new scene at once or a few pictures later."""

    def __init__(self, threshold: float, shortest_s: float) -> None:
        try:
            from scenedetect.common import FrameTimecode, Timecode  # type: ignore[import-untyped]  # no type marker
            from scenedetect.detectors import ContentDetector  # type: ignore[import-untyped]  # no type marker
        except ImportError as error:
            raise UnsupportedError(
                f"finding scene changes needs PySceneDetect ({error})",
                hint="Install it: pip install 'ffzero[scenes]'",
            ) from error
        from av.video.reformatter import VideoReformatter

        self._frame_timecode, self._timecode = FrameTimecode, Timecode
        self._detector = ContentDetector(threshold=threshold, min_scene_len=shortest_s)
        self._scaler = VideoReformatter()
        self._first_s: Fraction | None = None

    def changes(self, time_s: Fraction, frame: VideoFrame) -> list[Fraction]:
        first_s = self._first_s = time_s if self._first_s is None else self._first_s
        since = time_s - first_s
        # A time base of its own for each picture keeps times exact.
        stamp = self._timecode(pts=since.numerator, time_base=Fraction(1, since.denominator))
        small = self._scaler.reformat(frame, width=_WIDTH_PIXELS, height=_height(frame), format="bgr24")
        cuts = self._detector.process_frame(self._frame_timecode(stamp, fps=_RATE), small.to_ndarray())
        return [first_s + cut.pts * cut.time_base for cut in cuts]


def _height(frame: VideoFrame) -> int:
    return max(16, round(_WIDTH_PIXELS * frame.height / max(1, frame.width)))


def _pictures(source: Input, start_s: Fraction, end_s: Fraction) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Yield the main video's pictures in ``[start_s, end_s)`` of movie time; damaged ones are passed over."""
    stream = main_stream(source.streams)
    if stream is None or stream.type != "video":
        raise UnsupportedError("there are no pictures to find scene changes in", path=source.path)
    seen = False
    for time_s, frame in _decoded(source, [stream], start_s):
        seen = True
        if time_s >= end_s - TOLERANCE:
            break
        if time_s >= start_s - TOLERANCE:
            yield time_s, frame
    if not seen:
        raise DecodeError("none of its pictures can be decoded", path=source.path)


def _decoded(source: Input, chosen: list[Stream], start_s: Fraction) -> Iterator[tuple[Fraction, VideoFrame]]:
    from av.error import FFmpegError

    packets = source.packets(chosen, start_s if start_s else None)
    context: Any = None
    for packet in packets:
        if context is None:
            context = context_of(packet.stream)
            context.thread_type = "AUTO"
        try:
            frames = context.decode(packet)
        except FFmpegError:
            continue
        yield from _timed(source, packet.stream, frames)
    if context is not None:
        yield from _timed(source, chosen[0], context.decode(None))


def _timed(source: Input, stream: Stream, frames: list[VideoFrame]) -> Iterator[tuple[Fraction, VideoFrame]]:
    return ((source.clock_s(frame.pts, stream), frame) for frame in frames if frame.pts is not None)
