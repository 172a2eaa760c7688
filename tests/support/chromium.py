"""A headless Chromium that plays files from the disk and reports what it showed, decoded and complained of."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.devtools import DevTools

__all__ = ["THUMB", "Chromium", "Played"]

ANSWER_TIMEOUT_S = 45
LOG_TIMEOUT_S = 5
FASTEST = 16.0
"""The highest rate that Chromium plays at: it decodes every picture all the same."""
THUMB = (64, 36)
"""Width and height of the pictures that ``ask`` returns, stretched to that."""
_PAGE = Path(__file__).with_name("chromium.html")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required", "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=127.0.0.1",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A file played from its beginning to its end.

    ``decoded`` counts all pictures that came out of the decoder, shown or not. ``pictures`` maps the times (µs) of
    those that were shown to the SHA-1 of their planes, as decoded; empty unless they were asked for. ``complaints`` are
    the player's errors, warnings and remarks without their numbers.
    """

    decoded: int
    pictures: Mapping[int, str]
    pixel_format: str | None
    complaints: frozenset[str]
    error: str | None


class Chromium:
    """A browser; talks to 127.0.0.1 only. A context manager. One that got stuck is begun anew for the next file."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._files: dict[str, Path] = {}
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._closing = threading.Event()

    def __enter__(self) -> Chromium:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def ask(self, path: Path, times: list[float]) -> dict[str, Any]:
        """Have ``path`` opened, sought to ``times`` (s) and played; return what happened, or ``{"error": ...}``."""
        return self._do(path, {"times": times, "width": THUMB[0], "height": THUMB[1]}, ANSWER_TIMEOUT_S)

    def play(self, path: Path, *, look: bool = False, rate: float = FASTEST, length_s: float = 0) -> Played:
        """Have ``path``, some ``length_s`` long, played to its end; ``look`` keeps the pictures that reach the screen.

        Some pictures are passed over on a busy machine, most where there are more than 60 in a second: the lower the
        ``rate``, the fewer. Which pictures there are does not change.
        """
        if not self._heard:
            self._devtools.hear_players(self._address + "/")
            self._heard = True
        answer = self._do(path, {"rate": rate, "look": look}, ANSWER_TIMEOUT_S + 3 * length_s / rate)
        complaints = frozenset[str]()
        if "url" in answer:
            complaints = self._devtools.said_of(self._address + answer["url"], LOG_TIMEOUT_S)
        return Played(
            decoded=answer.get("decoded", 0),
            pictures=_pictures(answer),
            pixel_format=answer.get("format"),
            complaints=complaints,
            error=answer.get("error"),
        )

    def visit(self, path: Path, times: Sequence[Fraction]) -> Mapping[int, str]:
        """Return the pictures of ``path`` on show at ``times`` (s), as in ``Played.pictures``, as far as it could seek.

        Chromium's seeks end at wrong pictures in some groups that are open.
        """
        spots = [float(time) for time in times]
        return _pictures(self._do(path, {"spots": spots}, ANSWER_TIMEOUT_S + len(spots)))

    def next_job(self) -> dict[str, Any] | None:
        try:
            return None if self._closing.is_set() else self._jobs.get(timeout=1)
        except queue.Empty:
            return None

    def take(self, answer: dict[str, Any]) -> None:
        self._answers.put(answer)

    def file(self, url: str) -> Path | None:
        return self._files.get(url)

    def _begin(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="ffzero-chromium-", ignore_cleanup_errors=True)
        profile = f"--user-data-dir={self._profile.name}"
        self._devtools = DevTools(["chromium", *_FLAGS, profile, self._address + "/"])
        self._heard = False

    def _end(self) -> None:
        self._devtools.close()
        self._profile.cleanup()

    def _do(self, path: Path, job: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        name = f"/media/{len(self._files)}/{urllib.parse.quote(path.name)}"
        self._files[name] = path
        self._jobs.put({"url": name, **job})
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=left)
                if answer["url"] == name:  # not a late one
                    return answer
        status = self._devtools.process.poll()
        self._end()
        self._begin()
        return {"error": f"no answer in {timeout_s:.0f} s (process: {status})"}


def _pictures(answer: Mapping[str, Any]) -> dict[int, str]:
    return dict(answer.get("pictures", ()))


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
                self._send(200, _PAGE.read_bytes(), "text/html")
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
