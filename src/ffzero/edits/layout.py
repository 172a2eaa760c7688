"""All that is decided about a clip before a byte is named. Pure data."""

from __future__ import annotations

from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.edits.laying.parts import Placed
from ffzero.edits.media import Media
from ffzero.edits.plan import Segment
from ffzero.edits.rendering import PictureEffect
from ffzero.edits.sound.rendering import SoundEffect
from ffzero.edits.takes import Take
from ffzero.values import dataclass

__all__ = ["Layout", "PieceLayout", "PieceRequest", "TrackLayout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRequest:
    """A piece of a clip: ``[start, end)`` of a movie's timeline in seconds; ``end`` is ``None`` for the whole rest.

    ``after_removal`` and ``before_removal``: see ``Piece``.
    """

    media: Media
    start: Fraction
    end: Fraction | None
    effects: tuple[PictureEffect, ...] = ()
    sound_effects: tuple[SoundEffect, ...] = ()
    like: Media | None = None
    after_removal: bool = False
    before_removal: bool = False


@dataclass(frozen=True, kw_only=True)
class PieceLayout:
    """Where a piece really lies: source time ``[start, end)``, at ``at`` on the clip's timeline.

    ``takes`` is what that takes of the main video track, where it is known already.
    """

    request: PieceRequest
    start: Fraction
    end: Fraction
    at: Fraction
    takes: tuple[Take, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TrackLayout:
    """One output track: the model it takes its header from, sample entries, and takes in order."""

    model: Track
    media: Media
    role: str
    entries: tuple[bytes, ...]
    timescale: int
    placed: tuple[Placed, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All that is decided before a byte is named."""

    boundary: str
    pieces: tuple[PieceLayout, ...]
    tracks: tuple[TrackLayout, ...]
    segments: tuple[Segment, ...]
    frames: int
    warnings: tuple[str, ...]

    @property
    def duration(self) -> Fraction:
        last = self.pieces[-1]
        return last.at + last.end - last.start
