"""Players that are not FFmpeg: GStreamer's qtdemux, Chromium and libde265 (a decoder), all as Debian packs them.

Each is installed on request only: as root, with ``FFZERO_INSTALL=1`` or in continuous integration (``CI=true``).
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.oracle import describe

__all__ = ["CHROMIUM", "GSTREAMER", "LIBDE265", "THUMB", "Chromium", "GstRun", "gstreamer", "need"]

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
ANSWER_TIMEOUT_S = 45
THUMB = (64, 36)
"""Width and height of the pictures that Chromium reports, stretched to that."""


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


_PAGE = """<!doctype html><meta charset=utf-8><title>ffzero</title><body><script>
const wait = (target, name, ms) => new Promise((good, bad) => {
  const timer = setTimeout(() => bad(name + ' did not come in ' + ms + ' ms'), ms);
  target.addEventListener(name, () => { clearTimeout(timer); good(); }, {once: true});
  target.addEventListener('error', () => { clearTimeout(timer); bad('error ' + (target.error || {}).code + ' ' +
    (target.error || {}).message); }, {once: true});
});
const rest = ms => new Promise(good => setTimeout(good, ms));
function thumb(video, width, height) {
  const canvas = document.createElement('canvas'); canvas.width = width; canvas.height = height;
  const pen = canvas.getContext('2d', {willReadFrequently: true}); pen.drawImage(video, 0, 0, width, height);
  return Array.from(pen.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 != 3);
}
async function seek(video, time, job) {
  const shown = new Promise(good => video.requestVideoFrameCallback((now, meta) => good(meta.mediaTime)));
  const done = wait(video, 'seeked', 6000);
  video.currentTime = time; await done;
  const media_time = await Promise.race([shown, rest(6000).then(() => null)]);
  return {time, media_time, pixels: thumb(video, job.width, job.height)};
}
async function attend(job) {
  const answer = {seeks: []}, video = document.createElement('video');
  video.muted = true; video.preload = 'auto'; document.body.append(video);
  try {
    const ready = wait(video, 'loadeddata', 8000); video.src = job.url; await ready;
    answer.duration = video.duration; answer.width = video.videoWidth; answer.height = video.videoHeight;
    for (const time of job.times) answer.seeks.push(await seek(video, time, job));
    const back = wait(video, 'seeked', 6000); video.currentTime = 0; await back;
    const ended = wait(video, 'ended', 15000); video.playbackRate = 4; await video.play();
    const far = Math.min(video.duration, 2);
    for (let i = 0; i < 100 && !video.ended && video.currentTime < far; i++) await rest(50);
    ended.catch(() => 0);
    answer.played_to = video.ended ? video.duration : video.currentTime;
    answer.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  } catch (error) { answer.error = String(error); }
  video.removeAttribute('src'); video.load(); video.remove();
  return answer;
}
(async () => { for (;;) {
  const reply = await fetch('/job'); if (reply.status != 200) continue;
  const job = await reply.json(), answer = await attend(job);
  await fetch('/answer', {method: 'POST', body: JSON.stringify(answer)});
} })();
</script>"""


class Chromium:
    """A headless Chromium that plays files handed to ``ask``; talks to 127.0.0.1 only. A context manager."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._files: dict[str, Path] = {}
        self._profile = tempfile.TemporaryDirectory(prefix="ffzero-chromium-", ignore_cleanup_errors=True)
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._closing = threading.Event()

    def __enter__(self) -> Chromium:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
        flags += ["--autoplay-policy=no-user-gesture-required", "--mute-audio", f"--user-data-dir={self._profile.name}"]
        flags += ["--proxy-server=127.0.0.1:9", "--proxy-bypass-list=127.0.0.1"]
        address = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._process = subprocess.Popen(
            ["chromium", *flags, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        os.killpg(self._process.pid, signal.SIGKILL)  # with its renderers, one of which may spin
        self._process.wait(10)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        self._profile.cleanup()

    def ask(self, path: Path, times: list[float]) -> dict[str, Any]:
        """Have ``path`` opened, sought to ``times`` (s) and played; return what happened, or ``{"error": ...}``."""
        name = f"/media/{len(self._files)}/{urllib.parse.quote(path.name)}"
        self._files[name] = path
        self._jobs.put({"url": name, "times": times, "width": THUMB[0], "height": THUMB[1]})
        try:
            return self._answers.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            return {"error": f"no answer in {ANSWER_TIMEOUT_S} s (process: {self._process.poll()})"}

    def next_job(self) -> dict[str, Any] | None:
        try:
            return None if self._closing.is_set() else self._jobs.get(timeout=1)
        except queue.Empty:
            return None

    def take(self, answer: dict[str, Any]) -> None:
        self._answers.put(answer)

    def file(self, url: str) -> Path | None:
        return self._files.get(url)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser hangs up when it has seen enough; anything else is shown as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(owner: Chromium) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing: the test's output is the test's."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            owner.take(json.loads(body))
            self._send(200, b"", "text/plain")

        def do_GET(self) -> None:
            if self.path == "/":
                self._send(200, _PAGE.encode(), "text/html")
            elif self.path == "/job":
                job = owner.next_job()
                self._send(200 if job else 204, json.dumps(job).encode() if job else b"", "application/json")
            elif (path := owner.file(self.path)) is not None:
                self._media(path)
            else:
                self._send(404, b"", "text/plain")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _media(self, path: Path) -> None:
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first = int(asked[1]) if asked else 0
            last = min(int(asked[2]) if asked and asked[2] else size - 1, size - 1)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last - first + 1))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            with path.open("rb") as file:
                file.seek(first)
                left = last - first + 1
                while left > 0 and (block := file.read(min(left, 1 << 18))):
                    self.wfile.write(block)
                    left -= len(block)

    return Handler
