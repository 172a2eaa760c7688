"""What ``Clip.split`` asks of whoever finds scene changes: a layer above, so it is handed in instead of imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from ffzero.edits.parts.landmarks import picture_at_or_after
from ffzero.edits.slicing import PlacedPiece
from ffzero.errors import UnsupportedError
from ffzero.reporting import CancelToken, Reporter

__all__ = ["SceneDetector", "scene_changes", "use_scene_detector"]

_CLOCKS_DIFFER_S = Fraction(5, 1000)


class SceneDetector(Protocol):
    """Finds scene changes in a file."""

    def changes(
        self,
        path: str,
        start_s: Fraction,
        end_s: Fraction,
        *,
        threshold: float | None,
        reporter: Reporter,
        cancel: CancelToken | None = None,
    ) -> Sequence[Fraction]:
        """Return when each new scene's first picture begins, among those in ``[start_s, end_s)`` of the file's time.

        ``threshold`` is the detector's own measure, ``None`` its default. Raises ``UnsupportedError`` where what it
        needs is not installed, ``CancelledError``, and the errors of opening.
        """
        ...


_provider: list[Callable[[], SceneDetector]] = []


def use_scene_detector(provider: Callable[[], SceneDetector]) -> None:
    """Let clips be searched by what ``provider`` returns; it is called when one is first split at scenes."""
    _provider[:] = [provider]


def scene_changes(
    placed: Sequence[PlacedPiece], threshold: float | None, reporter: Reporter, cancel: CancelToken | None
) -> Iterator[Fraction]:
    """Yield the clip's times of the scene changes within its pieces, each exactly that of a picture."""
    if not _provider:
        raise UnsupportedError("no scene detector is loaded", hint="Import ffzero")
    detector = _provider[0]()
    for part in placed:
        path = part.piece.input.path
        for time in detector.changes(path, part.start, part.end, threshold=threshold, reporter=reporter, cancel=cancel):
            yield _at_picture(placed, part.clip_time(time))


def _at_picture(placed: Sequence[PlacedPiece], time: Fraction) -> Fraction:
    """Return the picture's own time: FFmpeg rounds the beginning of an edit to its clock's ticks."""
    near = (picture_at_or_after(placed, max(at, Fraction(0))) for at in (time - _CLOCKS_DIFFER_S, time))
    return min((found for found in near if found is not None), key=lambda found: abs(found - time), default=time)
