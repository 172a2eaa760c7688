"""Players that are not FFmpeg: GStreamer's qtdemux, Chromium (driven by ``chromium.py``) and libde265 (a decoder).

All as Debian packs them; each is installed on request only: as root, with ``FFZERO_INSTALL=1`` or in continuous
integration (``CI=true``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from support.oracle import describe

__all__ = ["CHROMIUM", "GSTREAMER", "LIBDE265", "GstRun", "gstreamer", "need"]

GSTREAMER = {
    "gst-launch-1.0": (
        "gstreamer1.0-tools",
        "gstreamer1.0-plugins-good",
        "gstreamer1.0-plugins-bad",
        "gstreamer1.0-libav",
    )
}
CHROMIUM = {"chromium": ("chromium",)}
LIBDE265 = {"libde265-dec265": ("libde265-examples",)}
INSTALL_TIMEOUT_S = 500


def need(programs: Mapping[str, tuple[str, ...]]) -> None:
    """Skip the running test unless ``programs`` are there or may be installed."""
    for program, packages in programs.items():
        if shutil.which(program):
            continue
        if not _may_install():
            pytest.skip(f"{program} is not installed (as root, FFZERO_INSTALL=1 has the test install it)")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            run = subprocess.run(
                ["apt-get", "-qq", *step], env=environment, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
            )
            if run.returncode:
                pytest.skip(f"apt-get {step[0]} failed: {run.stderr[-300:]}")
        if not shutil.which(program):
            pytest.skip(f"{program} is not there even after its packages were installed")


def _may_install() -> bool:
    asked = os.environ.get("FFZERO_INSTALL") == "1" or os.environ.get("CI") == "true"
    return asked and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GstRun:
    """A whole decode by GStreamer: what it complained of (no numbers), and the times of the pictures it showed.

    A hidden picture that ends where the edit begins is clipped to nothing at that very time: it counts once.
    """

    complaints: frozenset[str]
    picture_times: tuple[Fraction, ...]


_PICTURE = re.compile(r"identity\d*:sink\).*?pts: (\d+):(\d+):(\d+)\.(\d+)")
_HARMLESS = re.compile(
    r"unknown QuickTime node type"  # boxes younger than this qtdemux
    r"|pad not activated yet|failed to find fragment defaults|frames left after draining"  # said of most files
)
_DEBUG = re.compile(r"^\S+\s+\d+\s+0x[0-9a-f]+ (WARN|ERROR)\s+(\S+) \S+?:\d+:([^:]+):(?:<[^>]*>)?(.*)$")


def gstreamer(path: Path) -> GstRun:
    """Decode the first video and every audio track of ``path`` to nowhere, as fast as it goes."""
    tracks = describe(path).tracks
    buffer = ["queue", "max-size-buffers=0", "max-size-bytes=0", "max-size-time=0"]
    line = ["filesrc", f"location={path}", "!", "qtdemux", "name=d"]
    if any(track.kind == "video" for track in tracks):
        line += ["d.video_0", "!", *buffer, "!", "decodebin", "!", "identity", "silent=false", "!"]
        line += ["fakesink", "sync=false"]
    for number in range(sum(track.kind == "audio" for track in tracks)):
        line += [f"d.audio_{number}", "!", *buffer, "!", "decodebin", "!", "fakesink", "sync=false"]
    run = subprocess.run(
        ["gst-launch-1.0", "-v", *line],
        env={**os.environ, "GST_DEBUG": "2", "GST_DEBUG_NO_COLOR": "1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=100,
    )
    times = []
    for hours, minutes, seconds, part in _PICTURE.findall(run.stdout):
        times.append(int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(int(part), 10 ** len(part)))
    return GstRun(complaints=_complaints(run), picture_times=tuple(sorted(set(times))))


def _complaints(run: subprocess.CompletedProcess[str]) -> frozenset[str]:
    found = set()
    for line in run.stderr.splitlines():
        match = _DEBUG.match(line)
        text = ": ".join(part.strip() for part in match.groups()) if match else line
        if (match or text.startswith(("ERROR", "WARNING"))) and not _HARMLESS.search(text):
            found.add(re.sub(r"0x[0-9a-f]+|\d+", "#", text))
    if run.returncode:
        found.add(f"gst-launch ended with status {run.returncode}")
    return frozenset(found)
