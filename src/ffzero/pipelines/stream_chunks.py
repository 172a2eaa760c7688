"""A chunk of a stream on its way: its segment, what the stages made of it, and how it is kept until the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.edits.clip import Clip
from ffzero.edits.pieces import Piece
from ffzero.engines.journal import ChunkRecord, Journal
from ffzero.errors import SourceChangedError, UsageError
from ffzero.pipelines.identity import file_identity
from ffzero.pipelines.processors import Outcome, Processor
from ffzero.pipelines.segments import Segment, as_segment, opened
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["RENDERED", "Chunk", "ChunkStage", "ChunkWriter", "pieces_of", "range_of", "settle"]

RENDERED = ("bytes_rendered", "frames_rendered")
"""What of a written chunk's report a stream's adds up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A segment with its number, and what the stages so far returned for it."""

    segment: Segment
    value: Any

    @property
    def index(self) -> int:
        return self.segment.index or 0


class ChunkStage(Processor):
    """A stage of the caller's, on chunks: it sees the value, and may drop the chunk by returning nothing."""

    def __init__(self, inner: Processor) -> None:
        super().__init__(inner.name)
        self.inner = inner

    def setup(self) -> None:
        self.inner.setup()

    def process(self, data: Any) -> Any:
        if data.value is Outcome.DROP:
            return data
        value = self.inner.process(data.value)
        return replace(data, value=Outcome.DROP if value is None else value)

    def teardown(self) -> None:
        self.inner.teardown()


def settle(
    chunk: Chunk, path: str, settings: FFmpegSettings | None, cancel: CancelToken | None
) -> tuple[str | None, dict[str, Any]]:
    """Return the file that a chunk is kept in (``None``: it needs none) and the facts to be noted of it.

    It is written to ``path`` where it has to be; a clip that only copies from files that stay is kept as its ranges.
    Raises ``UsageError`` for a value that is no clip, and as writing does.
    """
    facts: dict[str, Any] = {"range": range_of(chunk.segment)}
    if chunk.value is Outcome.DROP:
        return None, {**facts, "dropped": True}
    own = chunk.segment.output
    if own is not None and isinstance(chunk.value, str | os.PathLike) and _same_path(chunk.value, own):
        _ = as_segment(own).duration  # what is none of ours is told now, not when all else is done
        return os.fspath(own), facts
    segment = _as_segment(chunk.value, settings)
    if _is_copied(segment):
        return None, {**facts, "pieces": [_named(one) for one in segment.pieces]}
    result = segment.write(path, cancel=cancel)
    counts = {name: getattr(result, name) for name in RENDERED}
    return path, {**facts, **counts, "warnings": list(result.warnings)}


def _as_segment(value: Any, settings: FFmpegSettings | None) -> Segment:
    try:
        segment = as_segment(value)
    except UsageError as error:
        if "not something to process" not in error.message:
            raise
        raise UsageError(
            "a stage of a stream returns a clip, a path, or None to leave the chunk out", found=error.found
        ) from error
    return segment.with_settings(settings) if segment.settings is None and settings is not None else segment


class ChunkWriter(Processor):
    """The last stage: notes in the journal what became of a chunk, its file written where it needs one."""

    def __init__(
        self, journal: Journal, *, suffix: str, settings: FFmpegSettings | None, cancel: CancelToken | None
    ) -> None:
        super().__init__("write")
        self.journal = journal
        self.suffix = suffix
        self.settings = settings
        self.cancel = cancel

    def process(self, data: Any) -> ChunkRecord:
        """Return the record of a chunk; see ``settle``."""
        path = self.journal.path_for(data.index, self.suffix)
        file, facts = settle(data, path, self.settings, self.cancel)
        return self.journal.commit(data.index, file, facts)


def _same_path(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    return os.path.abspath(os.fspath(path)) == os.path.abspath(os.fspath(other))


def range_of(segment: Segment) -> list[Any]:
    """Return what of which files a chunk shows before the stages, as JSON-ready data.

    An open end is told as the file's own end, which a recording that went on no longer has.
    """
    return [[piece.input.path, _text(piece.start), _text(piece.end) or _end_of(piece)] for piece in segment.pieces]


def _end_of(piece: Piece) -> str:
    if piece.input.media is not None:
        return f"end {piece.input.media.range[1]}"
    return f"size {os.path.getsize(piece.input.path)}"


def _is_copied(segment: Segment) -> bool:
    if segment.settings is not None:
        from ffzero.pipelines.coding import copies_all

        if not copies_all(segment.settings):
            return False
    return not any(piece.effects or piece.sound_effects or piece.like for piece in segment.pieces)


def _named(piece: Piece) -> dict[str, Any]:
    return {
        "start": _text(piece.start),
        "end": _text(piece.end),
        **file_identity(piece.input.path),
    }


def _text(time: Fraction | None) -> str | None:
    return None if time is None else str(time)


def _time(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def pieces_of(record: ChunkRecord, *, grows: Sequence[str] = ()) -> tuple[Piece, ...]:
    """Return what a finished chunk shows; nothing for one that was dropped.

    ``grows`` are paths of files that may have grown since. Raises ``SourceChangedError``.
    """
    if record.facts.get("dropped"):
        return ()
    if record.path is not None:
        return Clip((Piece(input=opened(record.path), start=None, end=None),)).pieces
    return tuple(_piece(fields, grows) for fields in record.facts["pieces"])


def _piece(fields: Mapping[str, Any], grows: Sequence[str]) -> Piece:
    path = str(fields["path"])
    now = file_identity(path, grows=path in grows)
    if any(fields[key] != value for key, value in now.items()):
        raise SourceChangedError(
            "the file changed since the chunk was made",
            path=path,
            hint="Bring the file back, or start anew (restart=True, --restart)",
        )
    return Piece(input=opened(path), start=_time(fields["start"]), end=_time(fields["end"]))
