"""One chunk of a transcode, coded by a worker: its pictures alone, in one pass or two, or as well as is asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.engines.chunks import Desk
from ffzero.errors import UnsupportedError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.executor import ExecutionResult, FFmpegExecutor
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.coding import command_for
from ffzero.pipelines.target_quality import find_quality, vmaf_of
from ffzero.reporting import ProgressEvent, no_report
from ffzero.storage.local import LocalSource
from ffzero.values import dataclass

__all__ = ["ChunkWork", "CodedChunk", "takes_two_passes"]

_TWO_PASSES = frozenset({FFmpegCodec.H264, FFmpegCodec.H265, FFmpegCodec.VP8, FFmpegCodec.VP9, FFmpegCodec.AOM_AV1})
_SCORED_PICTURES = 60
"""About how many pictures of a chunk VMAF looks at while a quality is sought."""


def takes_two_passes(codec: FFmpegCodec | None) -> bool:
    """Whether an encoder can look at all pictures before it codes them."""
    return codec in _TWO_PASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedChunk:
    """What came of a chunk. ``path`` is its file; ``facts`` are JSON-ready: frames, and crf and vmaf where sought."""

    path: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkWork:
    """The work of a unit: ``frames`` pictures of ``clip`` into the file ``path``, with ``settings`` (video alone)."""

    clip: Clip
    settings: FFmpegSettings
    path: str
    frames: int
    vmaf: float | None = None
    two_pass: bool = False
    source: LocalSource | None = None

    def __call__(self, desk: Desk) -> CodedChunk:
        self._check_source()
        if self.vmaf is not None:
            return self._sought(desk, self.vmaf)
        done = self._twice(desk) if self.two_pass else self._code(self.settings, self.path, desk)
        self._check_source()
        return CodedChunk(path=self.path, facts={"frames": done.frames, "warnings": list(done.warnings)})

    def _check_source(self) -> None:
        """Raise ``SourceChangedError`` where the file is not the one that was planned: FFmpeg would not see it."""
        if self.source is not None:
            with self.source.descriptor():
                pass

    def _code(self, settings: FFmpegSettings, path: str, desk: Desk, *, tell: bool = True) -> ExecutionResult:
        binary = find_ffmpeg()
        told = 0
        length_s = float(self.clip.duration) or 1.0

        def advance(event: ProgressEvent) -> None:
            nonlocal told
            now = min(self.frames, int(event.done / length_s * self.frames))
            if now > told:
                desk.advance(now - told)
                told = now

        with contextlib.ExitStack() as stack:
            command = command_for(self.clip, path, settings.resolved(binary), stack)
            return FFmpegExecutor(binary.path).execute(
                command,
                cancel=desk.cancel,
                reporter=advance if tell else no_report,
                duration_s=length_s,
                overwrite=True,
            )

    def _twice(self, desk: Desk) -> ExecutionResult:
        log = os.path.join(desk.folder, f"{desk.number}.pass")
        first = f"{log}{os.path.splitext(self.path)[1]}"
        self._code(_in_pass(self.settings, 1, log), first, desk, tell=False)
        os.unlink(first)
        return self._code(_in_pass(self.settings, 2, log), self.path, desk)

    def _sought(self, desk: Desk, wanted: float) -> CodedChunk:
        """Code until the mean VMAF is near what is wanted; the best of the files is the chunk's."""
        suffix = os.path.splitext(self.path)[1]
        found: dict[float, tuple[str, ExecutionResult]] = {}
        every = max(1, self.frames // _SCORED_PICTURES)

        def probe(crf: float) -> float:
            path = os.path.join(desk.folder, f"{desk.number}-{crf:g}{suffix}")
            settings = self.settings.replace(crf=crf)
            found[crf] = path, self._code(settings, path, desk, tell=False)
            return vmaf_of(path, self.clip, settings, every=every, cancel=desk.cancel)

        best = find_quality(self.settings, wanted, probe)
        path, done = found[best.crf]
        score = best.vmaf if every == 1 else vmaf_of(path, self.clip, self.settings, cancel=desk.cancel)
        os.replace(path, self.path)
        for other, _ in found.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(other)
        self._check_source()
        desk.advance(self.frames)
        facts = {"frames": done.frames, "crf": best.crf, "vmaf": round(score, 3), "probes": len(found)}
        return CodedChunk(path=self.path, facts={**facts, "warnings": list(done.warnings)})


def _in_pass(settings: FFmpegSettings, number: int, log: str) -> FFmpegSettings:
    if settings.video is FFmpegCodec.H265:
        own = settings.extra_args.get("x265-params")
        params = ":".join(filter(None, (own, f"pass={number}", f"stats={log}")))
        return settings.replace(extra_args={**settings.extra_args, "x265-params": params})
    if not takes_two_passes(settings.video):
        raise UnsupportedError(f"{settings.video} has no two passes here")
    return settings.replace(extra_args={**settings.extra_args, "pass": number, "passlogfile": log})
