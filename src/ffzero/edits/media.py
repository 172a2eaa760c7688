"""An indexed movie as the planner sees it: roles of tracks, their place in time, and what single samples are."""

from __future__ import annotations

from dataclasses import field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, Literal, Self

from ffzero.containers.isobmff.model import MovieBox, Track
from ffzero.containers.isobmff.presentation import ENDLESS, Span, presentation
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.containers.nal import AccessUnit, RandomAccess, classify_access_unit, starts_closed
from ffzero.errors import FFZeroError, InvalidDataError
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["Media", "Role", "Unreachable"]

_TEXT_HANDLERS = frozenset({"text", "sbtl", "subt", "clcp", "subp"})
_STILL_CODECS = frozenset({"png", "mjpeg", "bmp", "gif"})
_MAX_PEEK_BYTES = 1 << 24
_HEAD_BYTES = 4096
_MOST_REOPENED = 8

Role = str
"""``video``, ``still`` (one picture all along), ``audio``, ``text`` (cues that last), ``chapters``, ``timecode`` or
``data``; ``hint`` is never kept."""


@dataclass(kw_only=True)
class Media:
    """A ``MovieBox`` with lazily worked out views of it. Not a value: it caches.

    Pickled, one that is a whole file (``of``) is the file's name and identity: whoever unpickles it reads the file's
    index anew, once in a process. Where that fails, because the file is another by then (``SourceChangedError``), the
    error comes when the media is first used: pools break where unpickling fails.
    """

    box: MovieBox
    is_whole_file: bool = False
    _spans: dict[int, tuple[Span, ...]] = field(default_factory=dict)
    _units: dict[tuple[int, int], AccessUnit | None] = field(default_factory=dict)

    @classmethod
    def of(cls, source: ByteSource) -> Self:
        """Index a file. Raises what ``read_movie`` raises."""
        from ffzero.containers.isobmff.movie import read_movie

        return cls(box=read_movie(source), is_whole_file=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reopened, (self.box.source,)) if self.is_whole_file else (_of_box, (self.box,))

    @property
    def name(self) -> str:
        return self.box.source.name

    @cached_property
    def chapter_tracks(self) -> frozenset[int]:
        return frozenset(number for track in self.box.tracks for number in track.references.get("chap", ()))

    def role(self, track: Track) -> Role:
        """Return what a track is for; see ``Role``."""
        if track.id in self.chapter_tracks:
            return "chapters"
        if track.handler in ("vide", "auxv", "pict"):
            return "still" if track.table.count == 1 and track.entries[0].codec in _STILL_CODECS else "video"
        if track.handler == "soun":
            return "audio"
        if track.handler in _TEXT_HANDLERS:
            return "text"
        return {"tmcd": "timecode", "hint": "hint"}.get(track.handler, "data")

    @cached_property
    def main_video(self) -> Track | None:
        """The track whose pictures rule the clock: the first enabled video track that is not a still."""
        tracks = [track for track in self.box.tracks if self.role(track) == "video" and track.table.count]
        ranked = sorted(tracks, key=lambda track: not track.header.enabled)
        return ranked[0] if ranked else None

    def spans(self, track: Track) -> tuple[Span, ...]:
        """Return what of the track is shown when, endless spans bounded by the track's own samples."""
        if track.id not in self._spans:
            first, end = _media_bounds(track)
            self._spans[track.id] = tuple(
                Span(
                    media_start=max(span.media_start, first) if span.media_start == -ENDLESS else span.media_start,
                    media_stop=min(span.media_stop, end),
                    shift=span.shift,
                )
                for span in presentation(track)
                if span.media_start < end
            )
        return self._spans[track.id]

    def seconds(self, track: Track, ticks: int) -> Fraction:
        return Fraction(ticks, track.timescale)

    def track_range(self, track: Track) -> tuple[Fraction, Fraction] | None:
        """Return when the track is shown, ``[start, end)`` in seconds, or ``None`` where it never is."""
        spans = self.spans(track)
        if not spans or not track.table.count:
            return None
        start = min(max(span.start, _media_bounds(track)[0] + span.shift) for span in spans)
        return self.seconds(track, start), self.seconds(track, max(span.stop for span in spans))

    @cached_property
    def range(self) -> tuple[Fraction, Fraction]:
        """The movie's time range: from its first picture, sound or cue to the last."""
        ranges = [
            found
            for track in self.box.tracks
            if self.role(track) in ("video", "audio", "text") and (found := self.track_range(track))
        ] or [found for track in self.box.tracks if (found := self.track_range(track))]
        if not ranges:
            return Fraction(0), Fraction(0)
        return min(start for start, _ in ranges), max(end for _, end in ranges)

    @property
    def chapters_end(self) -> Fraction | None:
        """Where the last chapter ends, as a chapter track tells; ``None`` where there is none."""
        tracks = [track for track in self.box.tracks if track.id in self.chapter_tracks and track.handler == "text"]
        ranges = [found for track in tracks if (found := self.track_range(track))]
        return ranges[0][1] if ranges else None

    def peek(self, track: Track, sample: int) -> AccessUnit | None:
        """Say what an H.264 or HEVC sample is; reads that sample. ``None`` for other codecs and encrypted samples."""
        key = (track.id, sample)
        if key not in self._units:
            self._units[key] = self._classified(track, sample)
        return self._units[key]

    def entry_of(self, track: Track, sample: int) -> SampleEntry:
        """Return the sample entry that describes ``sample``."""
        run, _, _ = track.table.chunks.locate(sample)
        return track.entries[int(track.table.chunks.run_descriptions[run])]

    def sample_bytes(self, track: Track, sample: int, most: int = _MAX_PEEK_BYTES) -> bytes | None:
        """Read one sample, at most the first ``most`` bytes; ``None`` where it is too large or not in the file."""
        offsets, sizes = track.table.offsets_and_sizes(sample, sample + 1)
        offset, size = int(offsets[0]), int(sizes[0])
        if size > _MAX_PEEK_BYTES or offset + size > self.box.source.size_bytes:
            return None
        data = bytearray(min(size, most))
        self.box.source.readinto_at(offset, memoryview(data))
        return bytes(data)

    def _classified(self, track: Track, sample: int) -> AccessUnit | None:
        entry = self.entry_of(track, sample)
        if entry.codec not in ("h264", "hevc") or entry.encryption is not None or not entry.nal_length_size:
            return None
        codec: Literal["h264", "hevc"] = "h264" if entry.codec == "h264" else "hevc"
        head = self.sample_bytes(track, sample, most=_HEAD_BYTES)
        if head is not None and starts_closed(codec, head, entry.nal_length_size):
            return AccessUnit(random_access=RandomAccess.CLOSED, is_reference=True, has_vcl=True)
        data = self.sample_bytes(track, sample)
        if data is None:
            return None
        try:
            unit = classify_access_unit(codec, data, entry.nal_length_size)
        except InvalidDataError:
            return None  # a damaged sample: the container's word is all there is
        return unit if unit.has_vcl else None


def _media_bounds(track: Track) -> tuple[int, int]:
    """Return the least pts and the end of the last shown sample, in ticks."""
    table = track.table
    if not table.count:
        return 0, 0
    least, _ = table.composition_range
    head = min(table.count, max(1, table.first_at_or_after_dts(table.pts(0) - least)), 4096)
    first = int(table.pts_column(0, head).min())
    if table.composition is None:
        return first, table.dts(table.count) + (0 if table.durations.at(table.count - 1) else 1)
    tail = table.pts_column(max(0, table.count - 256), table.count)
    return first, int(tail.max()) + max(1, table.durations.at(table.count - 1))


class Unreachable:
    """Stands for what could not be opened again: whoever asks anything of it gets the error."""

    def __init__(self, error: FFZeroError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._error


def _reopened(source: ByteSource) -> Media:
    """Return the media of a source that was named in another process."""
    try:
        named: Any = source  # sources are values: they hash
        return _kept(named)
    except FFZeroError as error:
        lost: Any = Unreachable(error)
        return Media(box=lost)


@lru_cache(maxsize=_MOST_REOPENED)
def _kept(source: ByteSource) -> Media:
    """Many jobs are about the same few files."""
    return Media.of(source)


def _of_box(box: MovieBox) -> Media:
    return Media(box=box)
