"""What is told of a stream while it runs, and when it is done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from fractions import Fraction
from typing import Any

from ffzero.engines.journal import ChunkRecord
from ffzero.pipelines.segments import Segment, as_clip
from ffzero.pipelines.stream_chunks import RENDERED
from ffzero.reporting import ProgressEvent, Reporter, WriteResult
from ffzero.timebase import TimeLike, parse_time
from ffzero.values import dataclass

__all__ = ["StreamProgress", "StreamResult", "stream_result"]

_FAR_LONGER = 2
"""A chunk is usually longer than was asked, by up to a group of pictures; of one so many times as long is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult(WriteResult):
    """A finished stream: what joining it cost, and how its chunks fared.

    ``chunks`` were made or found finished (``chunks_resumed`` of them), ``chunks_dropped`` left out by a stage,
    ``skipped`` left out because they failed: number, place in the source, error. ``segments`` has an entry for each
    chunk. ``stats`` is the pipeline's.
    """

    chunks: int = 0
    chunks_resumed: int = 0
    chunks_dropped: int = 0
    skipped: tuple[Mapping[str, Any], ...] = ()
    stats: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {
            **WriteResult.to_dict(self),
            "chunks": self.chunks,
            "chunks_resumed": self.chunks_resumed,
            "chunks_dropped": self.chunks_dropped,
            "skipped": [dict(one) for one in self.skipped],
            "stats": dict(self.stats),
        }


class StreamProgress:
    """Tells of chunks, with the seconds that are left as far as the media's length is known."""

    def __init__(self, reporter: Reporter, sources: Sequence[Any], *, follow: bool) -> None:
        self._reporter = reporter
        self._total_s = None if follow or len(sources) > 1 else float(as_clip(sources[0]).duration)
        self._began = time.perf_counter()
        self._done = 0
        self._done_s = self._made_s = self._longest_s = 0.0

    def __call__(self, segment: Segment, *, made: bool) -> None:
        self._done += 1
        length_s = float(segment.duration) if self._total_s is not None else 0.0
        self._done_s += length_s
        self._made_s += length_s if made else 0.0
        self._longest_s = max(self._longest_s, length_s)
        left_s = None
        if self._total_s is not None and self._made_s:
            elapsed_s = time.perf_counter() - self._began
            left_s = max(0.0, elapsed_s / self._made_s * (self._total_s - self._done_s))
        details = {"eta_s": left_s, "media_s": self._done_s, "media_total_s": self._total_s}
        total = None if not self._total_s or not self._done_s else round(self._done * self._total_s / self._done_s)
        self._reporter(ProgressEvent(stage="chunks", done=self._done, total=total, unit="chunks", details=details))

    def warnings(self, size: TimeLike, by: str) -> tuple[str, ...]:
        """Return what is to be said of chunks that are far longer than was asked."""
        if by != "seconds" or self._longest_s < _FAR_LONGER * float(parse_time(size)):
            return ()
        why = "chunks begin at keyframes that need nothing before them, and none is inside it"
        return (f"a chunk of {self._longest_s:.3g} s was not made shorter: {why}",)


def _told(record: ChunkRecord) -> dict[str, Any]:
    """Return what became of a chunk, as data of a report."""
    (path, start, _), (_, _, end) = record.facts["range"][0], record.facts["range"][-1]
    dropped, written = record.facts.get("dropped"), record.path is not None
    return {
        "chunk": record.index,
        "action": "drop" if dropped else "render" if written else "copy",
        "input": path,
        "chunk_start_s": float(Fraction(start or 0)),
        "chunk_end_s": None if not end or " " in end else float(Fraction(end)),
        "frames_rendered": record.facts.get("frames_rendered", 0),
    }


def stream_result(
    result: WriteResult,
    found: Mapping[int, ChunkRecord],
    stats: Mapping[str, Any],
    *,
    resumed: int,
    elapsed_s: float,
    warnings: Sequence[str] = (),
) -> StreamResult:
    """Return the report of a stream from that of its join, and from what is noted of its chunks."""
    skipped = [failure for stage in stats["stages"] for failure in stage["failures"]]
    given = {one.name: getattr(result, one.name) for one in fields(WriteResult)}
    made = {name: sum(int(record.facts.get(name, 0)) for record in found.values()) for name in RENDERED}
    told = [
        *warnings,
        *result.warnings,
        *(text for record in found.values() for text in record.facts.get("warnings", ())),
    ]
    given |= {
        "elapsed_s": elapsed_s,
        "segments": tuple(map(_told, found.values())),
        "bytes_rendered": result.bytes_rendered + made["bytes_rendered"],
        "bytes_copied": max(0, result.bytes_copied - made["bytes_rendered"]),
        "frames_rendered": result.frames_rendered + made["frames_rendered"],
        "frames_copied": max(0, result.frames_copied - made["frames_rendered"]),
        "warnings": tuple(dict.fromkeys(told)),
    }
    return StreamResult(
        **given,
        chunks=len(found),
        chunks_resumed=resumed,
        chunks_dropped=sum(bool(record.facts.get("dropped")) for record in found.values()),
        skipped=tuple(skipped),
        stats=stats,
    )
