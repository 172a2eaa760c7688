"""The record of an edit: what an output is to hold, exact and by itself, to be held against the output later.

It is kept beside the output as ``OUTPUT.ffzero.json`` where that is asked for. Times are fractions of a second, written
as ``"7/25"``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any

from ffzero.edits.plan import Copy, Plan, Render, Segment
from ffzero.errors import InvalidDataError, SourceNotFoundError, UnsupportedError
from ffzero.storage.failures import output_error
from ffzero.storage.local import LocalSource
from ffzero.storage.outputs import Destination, Draft, draft_of
from ffzero.storage.positional import write_fully_at
from ffzero.values import dataclass

__all__ = [
    "Record",
    "RecordedPiece",
    "RecordedSource",
    "RecordedTitle",
    "is_record",
    "missing_sources",
    "read_record",
    "record_draft",
    "record_of_plan",
    "sidecar_path",
]

_FORMAT = "ffzero-edit"
_VERSION = 1
_SUFFIX = ".ffzero.json"
_LARGEST_BYTES = 1 << 28
_SNIFF_BYTES = 256
_BEGINNING = re.compile(rb'\s*\{\s*"format":\s*"' + _FORMAT.encode("ascii") + b'"')


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSource:
    """A source as it was: its absolute path and identity (see ``LocalSource``)."""

    path: str
    size_bytes: int
    mtime_ns: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPiece:
    """``[start_s, end_s)`` of a source's timeline, shown from ``at_s`` of the output's."""

    input: str
    start_s: Fraction
    end_s: Fraction
    at_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTitle:
    """A chapter, shown for ``[start_s, end_s)`` of the output's timeline."""

    title: str
    start_s: Fraction
    end_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What an output is made of. ``chapters`` is how many it is to have, ``None`` where that is not known.

    ``titles`` are those of all chapters, each with when it is shown; one may be shown too shortly to be counted.
    """

    boundary: str
    duration_s: Fraction
    sources: tuple[RecordedSource, ...]
    pieces: tuple[RecordedPiece, ...]
    segments: tuple[Segment, ...]
    chapters: int | None = None
    titles: tuple[RecordedTitle, ...] = ()

    @property
    def frames(self) -> tuple[int, int]:
        """How many pictures are copied and how many rendered."""
        copied = sum(
            segment.samples - segment.hidden_before - segment.hidden_after
            for segment in self.segments
            if isinstance(segment, Copy) and segment.kind == "video"
        )
        return copied, sum(s.frames for s in self.segments if isinstance(s, Render) and s.kind == "video")

    @property
    def tracks(self) -> dict[int, str]:
        """The output's tracks: what each is, by its ID."""
        return {segment.output_track: segment.kind for segment in self.segments}

    def of_track(self, number: int) -> list[Segment]:
        """Return the segments of an output track in the order of the output."""
        own = [segment for segment in self.segments if segment.output_track == number]
        return sorted(own, key=lambda segment: (segment.piece, segment.start_s or 0))

    def to_dict(self) -> dict[str, Any]:
        copied, rendered = self.frames
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "boundary": self.boundary,
            "duration_s": str(self.duration_s),
            "sources": [_plain(source) for source in self.sources],
            "pieces": [_plain(piece) for piece in self.pieces],
            "segments": [
                {"action": "copy" if isinstance(segment, Copy) else "render", **_plain(segment)}
                for segment in self.segments
            ],
            "expected": {
                "tracks": dict(Counter(self.tracks.values())),
                "chapters": self.chapters,
                "titles": [_plain(title) for title in self.titles],
                "frames_copied": copied,
                "frames_rendered": rendered,
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Return the record that ``to_dict`` wrote. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for others."""
        if data["format"] != _FORMAT or data["version"] != _VERSION:
            raise ValueError(f"{data['format']} {data['version']} is not {_FORMAT} {_VERSION}")
        return cls(
            boundary=str(data["boundary"]),
            duration_s=Fraction(data["duration_s"]),
            sources=tuple(_value(RecordedSource, source) for source in data["sources"]),
            pieces=tuple(_value(RecordedPiece, piece) for piece in data["pieces"]),
            segments=tuple(
                _value(Copy if segment["action"] == "copy" else Render, segment) for segment in data["segments"]
            ),
            chapters=data["expected"]["chapters"],
            titles=tuple(_value(RecordedTitle, title) for title in data["expected"].get("titles", ())),
        )


def record_of_plan(plan: Plan, chapters: int | None = None) -> Record:
    """Return the record of a plan; looks at its sources, which must be there.

    Raises ``UnsupportedError`` for clips that go through libav packet by packet, ``SourceNotFoundError``.
    """
    if plan.method != "rope":
        raise UnsupportedError(
            "what is copied packet by packet has no plan that it could be held against: only MP4 and MOV have",
            hint="Write MP4 or MOV of MP4 or MOV (`ffzero cut IN -o OUT.mp4` makes one), or leave the proof out",
        )
    names = dict.fromkeys(str(piece["input"]) for piece in plan.pieces)
    return Record(
        boundary=plan.boundary,
        duration_s=plan.duration_s,
        sources=tuple(_source(name) for name in names),
        pieces=tuple(
            RecordedPiece(
                input=str(piece["input"]),
                start_s=Fraction(piece["start_s"]).limit_denominator(10**9),
                end_s=Fraction(piece["end_s"]).limit_denominator(10**9),
                at_s=Fraction(piece["at_s"]).limit_denominator(10**9),
            )
            for piece in plan.pieces
        ),
        segments=plan.segments,
        chapters=chapters,
    )


def _source(name: str) -> RecordedSource:
    found = LocalSource.open(name)
    return RecordedSource(
        path=found.path,
        size_bytes=found.size_bytes,
        mtime_ns=found.mtime_ns,
        device=found.device,
        inode=found.inode,
    )


def sidecar_path(output: str | os.PathLike[str]) -> str:
    """Return where an output's record is kept."""
    return os.fspath(output) + _SUFFIX


@contextlib.contextmanager
def record_draft(record: Record, path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Draft]:
    """Write a record as JSON, which gets its name when the block ends well. Raises like ``FileSink.put``, at once."""
    data = (json.dumps(record.to_dict(), indent=1, ensure_ascii=True) + "\n").encode("ascii")
    destination = Destination.examine(path, overwrite=overwrite)
    with draft_of(destination, overwrite=overwrite) as draft:
        try:
            write_fully_at(draft.fd, 0, memoryview(data))
        except OSError as error:
            raise output_error(error, path=destination.path, needed_bytes=len(data), fd=draft.fd) from error
        yield draft


def is_record(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a record does; false where there is none or it cannot be read."""
    try:
        with open(path, "rb") as file:
            return _BEGINNING.match(file.read(_SNIFF_BYTES)) is not None
    except OSError:
        return False


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read a record. Raises ``SourceNotFoundError``, ``InvalidDataError`` for what is none."""
    name = os.fspath(path)
    source = LocalSource.open(name)
    if source.size_bytes > _LARGEST_BYTES:
        raise InvalidDataError("too large for the record of an edit", path=name, found=source.size_bytes)
    try:
        data = json.loads(source.read_at(0, source.size_bytes))
        return Record.from_dict(data)
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
        raise InvalidDataError(f"not the record of an edit: {error}", path=name) from error


def _plain(value: Any) -> dict[str, Any]:
    found = {item.name: getattr(value, item.name) for item in fields(value)}
    return {name: _plain_item(item) for name, item in found.items()}


def _plain_item(item: Any) -> Any:
    if isinstance(item, tuple):
        return [_plain_item(one) for one in item]
    return str(item) if isinstance(item, Fraction) else item


def _value(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """Return a value of ``kind`` from what ``_plain`` wrote; what later versions add is passed over."""
    found: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in data:
            continue
        given, declared = data[item.name], str(item.type)
        if given is None and "None" not in declared:
            raise TypeError(f"{item.name} is not told")
        if declared == "tuple[tuple[Fraction, Fraction], ...]":
            given = tuple((Fraction(low), Fraction(high)) for low, high in given)
        elif "Fraction" in declared and given is not None:
            given = Fraction(given)
        elif declared.startswith("tuple[tuple"):
            given = tuple((int(low), int(high)) for low, high in given)
        elif declared in ("int", "str", "bool") and type(given).__name__ != declared:
            raise TypeError(f"{item.name} is {given!r}")
        found[item.name] = given
    return kind(**found)


def missing_sources(sources: Sequence[RecordedSource]) -> list[str]:
    """Return what is wrong with sources, in words: gone, or not what they were."""
    problems = []
    for source in sources:
        try:
            now = LocalSource.open(source.path)
        except (SourceNotFoundError, OSError) as error:
            problems.append(f"{source.path}: {getattr(error, 'message', error)}")
            continue
        if now.size_bytes != source.size_bytes:
            problems.append(f"{source.path}: {now.size_bytes} bytes now, {source.size_bytes} when it was edited")
        elif now.mtime_ns != source.mtime_ns:
            problems.append(f"{source.path}: written to since it was edited")
    return problems
