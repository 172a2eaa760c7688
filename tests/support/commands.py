"""FFmpeg commands that ffzero builds, run as they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import av

from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.command import FFmpegCommand, FFmpegCommandBuilder
from ffzero.ffmpeg.settings import FFmpegSettings

__all__ = ["IO", "QUICK", "build", "described", "execute", "hashes", "run"]


QUICK = FFmpegSettings(preset="ultrafast", crf=30)
IO = {"input_path": "/in/a.mp4", "output_path": "/out/b.mp4"}


def build(operation: str, **parameters: Any) -> FFmpegCommand:
    return FFmpegCommandBuilder().build_command(operation, **parameters)


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{argv}\n{done.stderr[-2000:]}"
    return done.stderr


def execute(command: FFmpegCommand, folder: Path) -> str:
    for name, content in command.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    for name, path in command.links.items():
        (folder / name).symlink_to(path)
    return run(command.argv(find_ffmpeg().path, folder=folder))


def hashes(path: Path) -> list[int]:
    """Return what tells each decoded picture of a file from the others."""
    with av.open(os.fspath(path)) as container:
        return [hash(frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def described(path: Path) -> dict[str, Any]:
    """Decode all of a file; return its streams as kind → (codec, frames, width, height)."""
    with av.open(os.fspath(path)) as container:
        found: dict[str, Any] = {"duration": (container.duration or 0) / 1e6}
        counts = {stream.index: 0 for stream in container.streams}
        for packet in container.demux():
            if packet.stream.type in ("video", "audio"):
                counts[packet.stream.index] += len(packet.decode())
            else:
                counts[packet.stream.index] += packet.size > 0
        for stream in container.streams:
            size = (stream.width, stream.height) if stream.type == "video" else ()
            found[stream.type] = (stream.codec_context.name, counts[stream.index], *size)
        return found
