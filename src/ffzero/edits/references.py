"""Jobs on their way to another process: what lies in files is named there, not sent."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media, Unreachable
from ffzero.errors import FFZeroError
from ffzero.values import dataclass

__all__ = ["by_reference", "named_track"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """Stands for a track while it is pickled; what is unpickled is the track itself."""

    media: Media
    number: int

    def __reduce__(self) -> tuple[Any, ...]:
        return _track_of, (self.media, self.number)


def named_track(track: Track, *medias: Media) -> Track | _Named:
    """Return what to pickle for a track: its place in the first of the files that it is a track of, else itself."""
    for media in medias:
        for number, own in enumerate(media.box.tracks):
            if own is track:
                return _Named(media=media, number=number)
    return track


def by_reference(value: Any, **standing_in: object) -> tuple[Any, ...]:
    """Return what ``__reduce__`` of a keyword-only dataclass returns, some fields by what stands for them."""
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    return _made, (type(value), {**given, **standing_in})


def _track_of(media: Media, number: int) -> Any:
    try:
        return media.box.tracks[number]
    except FFZeroError as error:
        return Unreachable(error)


def _made(kind: type[Any], given: dict[str, Any]) -> Any:
    return kind(**given)
