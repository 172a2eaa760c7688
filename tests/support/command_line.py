"""Running the command line in process, and a stand-in for the engine that records and fails as told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ffzero.cli import run
from ffzero.containers.info import Chapter, MovieInfo, TrackInfo
from ffzero.reporting import ProgressEvent, WriteResult

__all__ = ["INFO", "FakeEngine", "Outcome", "Terminal", "call"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def message(self) -> str:
        """The one line on stderr."""
        (line,) = self.err.splitlines()
        return line


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def call(*argv: object) -> Outcome:
    """Run ``ffzero`` with these arguments."""
    stdout, stderr = io.StringIO(), io.StringIO()
    status = run([str(word) for word in argv], stdout, stderr)
    return Outcome(status, stdout.getvalue(), stderr.getvalue())


INFO = MovieInfo(
    path="in.mp4",
    container="MP4",
    size_bytes=5_000_000,
    start_s=Fraction(0),
    duration_s=Fraction(10),
    tracks=(
        TrackInfo(
            id=1,
            kind="video",
            codec="h264",
            codec_tag="avc1",
            timescale=12_800,
            duration_s=Fraction(10),
            sample_count=250,
            sync_count=5,
            payload_bytes=4_800_000,
            width=1280,
            height=720,
            rotation_degrees=90,
            frame_rate=Fraction(25),
            special=("open GOP: 4 of 5 keyframes are not clean cut points",),
        ),
        TrackInfo(id=2, kind="audio", codec="aac", codec_tag="mp4a", language="deu", sample_rate=44_100, channels=2),
    ),
    chapters=(Chapter(start_s=Fraction(0), end_s=Fraction(5), title="Intro\x1b[31m"),),
    metadata={"title": "A film"},
    special=("edit list with 2 edits",),
)


@dataclass
class FakeEngine:
    """Stands in for ``ffzero.open`` and ``ffzero.concat``; ``calls`` says what the commands asked for."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    info: MovieInfo = INFO
    keyframes: list[Fraction] = field(default_factory=lambda: [Fraction(n) for n in range(0, 10, 2)])
    rates: list[float] | None = None
    failure: BaseException | None = None
    on_write: Callable[..., None] = lambda **_: None

    def open(self, path: object) -> FakeMovie:
        self.calls.append(("open", path))
        if self.failure is not None:
            raise self.failure
        return FakeMovie(self)

    def concat(self, inputs: list[object], *, like: object = None) -> FakeClip:
        self.calls.append(("concat", inputs) if like is None else ("concat", inputs, like))
        return FakeClip(self)


class FakeMovie:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def __enter__(self) -> FakeMovie:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.calls.append(("close",))

    def __getitem__(self, key: slice) -> FakeClip:
        self.engine.calls.append(("cut", key.start, key.stop))
        return FakeClip(self.engine)

    def info(self) -> MovieInfo:
        return self.engine.info

    def keyframes(self) -> list[Fraction]:
        return self.engine.keyframes

    def bitrate(self, bins: int) -> list[float] | None:
        return self.engine.rates


class FakePlan:
    def __str__(self) -> str:
        return "copy 25 frames"

    def to_dict(self) -> dict[str, Any]:
        return {"segments": [{"kind": "copy"}], "frames_copied": 25, "frames_rendered": 0, "bytes_total": 900}


class FakeClip:
    pieces = ()

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def plan(self, **options: object) -> FakePlan:
        self.engine.calls.append(("plan", options))
        return FakePlan()

    def write(
        self, output: object, *, reporter: Callable[[ProgressEvent], None], cancel: Any, **options: Any
    ) -> WriteResult:
        self.engine.calls.append(("write", output, options))
        self.engine.on_write(reporter=reporter, cancel=cancel)
        return WriteResult(
            output=str(output),
            bytes_total=1_000_000,
            bytes_shared=900_000,
            bytes_copied=90_000,
            bytes_header=10_000,
            frames_copied=25,
            elapsed_s=0.0123,
            warnings=("a data track was left out",),
            methods={"FICLONERANGE": 900_000, "copy_file_range": 90_000, "literal": 10_000},
        )
