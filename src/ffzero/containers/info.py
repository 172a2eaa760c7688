"""What a media file holds, container by container alike: the data behind ``ffzero inspect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any

from ffzero.values import dataclass

__all__ = ["Chapter", "MovieInfo", "TrackInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A chapter, in seconds of the movie's timeline; ``[start_s, end_s)``."""

    start_s: Fraction
    end_s: Fraction
    title: str

    def to_dict(self) -> dict[str, Any]:
        return {"start_s": float(self.start_s), "end_s": float(self.end_s), "title": self.title}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """One track or stream.

    ``kind`` is ``video``, ``audio``, ``subtitle``, ``timecode``, ``chapters``, ``cover``, ``attachment`` or ``data``;
    ``codec`` is FFmpeg's codec name where known, ``codec_tag`` the container's four-character code. ``start_s`` and
    ``duration_s`` are on the movie's timeline (after edit lists). ``special`` lists what a user should know: open GOP,
    encryption, several sample entries, variable frame rate.
    """

    id: int
    kind: str
    codec: str
    codec_tag: str = ""
    language: str = "und"
    timescale: int = 1
    start_s: Fraction = Fraction(0)
    duration_s: Fraction = Fraction(0)
    sample_count: int | None = None
    shown_count: int | None = None
    """Pictures that an edit shows, where it hides others."""
    sync_count: int | None = None
    payload_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    rotation_degrees: int = 0
    frame_rate: Fraction | None = None
    sample_rate: int | None = None
    channels: int | None = None
    is_default: bool = True
    special: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the track as JSON-ready data; unknown values are ``None``."""
        return {
            "id": self.id,
            "kind": self.kind,
            "codec": self.codec,
            "codec_tag": self.codec_tag,
            "language": self.language,
            "timescale": self.timescale,
            "start_s": float(self.start_s),
            "duration_s": float(self.duration_s),
            "sample_count": self.sample_count,
            "shown_count": self.shown_count,
            "sync_count": self.sync_count,
            "payload_bytes": self.payload_bytes,
            "width": self.width,
            "height": self.height,
            "rotation_degrees": self.rotation_degrees,
            "frame_rate": float(self.frame_rate) if self.frame_rate else None,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "is_default": self.is_default,
            "special": list(self.special),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieInfo:
    """A whole file. ``start_s`` is the time of its first picture (or sound), ``duration_s`` the movie's length."""

    path: str
    container: str
    size_bytes: int
    start_s: Fraction
    duration_s: Fraction
    tracks: tuple[TrackInfo, ...]
    chapters: tuple[Chapter, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    special: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the description as JSON-ready data."""
        return {
            "path": self.path,
            "container": self.container,
            "size_bytes": self.size_bytes,
            "start_s": float(self.start_s),
            "duration_s": float(self.duration_s),
            "tracks": [track.to_dict() for track in self.tracks],
            "chapters": [chapter.to_dict() for chapter in self.chapters],
            "metadata": dict(self.metadata),
            "special": list(self.special),
        }
