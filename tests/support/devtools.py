"""A Chromium told what to do over a pipe, in the DevTools protocol; keeps what its media players say of themselves."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

__all__ = ["DevTools"]

COMMAND_TIMEOUT_S = 20
_BOOT = (
    "import os, sys; pair = [os.dup(os.dup(os.dup(int(word)))) for word in sys.argv[1:3]];"  # neither is 3 or 4 now
    "[os.dup2(pair[n], 3 + n) for n in (0, 1)]; os.execvp(sys.argv[3], sys.argv[3:])"
)
_HARMLESS = re.compile(r"av_read_frame\(\): End of file")


class DevTools:
    """A Chromium process; ``command`` is its command line. ``close`` ends it, and so does the end of this process."""

    def __init__(self, command: Sequence[str]) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        boot = [sys.executable, "-c", _BOOT, str(theirs_in), str(theirs_out)]
        self.process = subprocess.Popen(
            [*boot, *command, "--remote-debugging-pipe"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._asked = 0
        self._session: str | None = None
        self._players: dict[str, str] = {}
        self._said: defaultdict[str, set[str]] = defaultdict(set)
        self._gone: set[str] = set()
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it crashed
            os.killpg(self.process.pid, signal.SIGKILL)  # with its renderers, one of which may spin
        self.process.wait(10)
        self._reader.join(10)
        os.close(self._in)
        os.close(self._out)

    def hear_players(self, address: str) -> None:
        """Begin to keep what the players of the page at ``address`` say; ``TimeoutError`` where it does not open."""
        end = time.monotonic() + COMMAND_TIMEOUT_S
        while time.monotonic() < end:
            targets = self._command("Target.getTargets")["targetInfos"]
            page = next((each for each in targets if each["type"] == "page" and each["url"] == address), None)
            if page is not None:
                attached = self._command("Target.attachToTarget", targetId=page["targetId"], flatten=True)
                self._session = attached["sessionId"]
                self._command("Media.enable", self._session)
                return
            time.sleep(0.1)
        raise TimeoutError(f"{address} did not open")

    def said_of(self, url: str, timeout_s: float) -> frozenset[str]:
        """Return errors, warnings and remarks on ``url``, without numbers, once its player is gone (or time is up)."""
        with self._news:
            self._news.wait_for(lambda: self._players.get(url) in self._gone, timeout_s)
        self._command("Runtime.evaluate", self._session, expression="0")  # its last words come after its end
        with self._news:
            return frozenset(self._said[self._players.get(url, "")])

    def _command(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        try:
            reply = self._replies.get(timeout=COMMAND_TIMEOUT_S)
        except queue.Empty:
            raise TimeoutError(f"Chromium does not answer {method}") from None
        result: dict[str, Any] = reply["result"]
        return result

    def _read(self) -> None:
        pending = b""
        while block := os.read(self._in, 1 << 16):
            *whole, pending = (pending + block).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message:
                    self._replies.put(message)
                elif message["method"].startswith("Media."):
                    with self._news:
                        self._hear(message["method"], message["params"])
                        self._news.notify_all()

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        player = params.get("playerId", "")
        if method == "Media.playerEventsAdded":
            for event in (json.loads(each["value"]) for each in params["events"]):
                if event.get("event") == "kLoad":
                    self._players[event["url"]] = player
                elif event.get("event") == "kWebMediaPlayerDestroyed":
                    self._gone.add(player)
        elif method == "Media.playerMessagesLogged":
            for each in params["messages"]:
                if each["level"] != "info" and not _HARMLESS.search(each["message"]):  # info: what is in the file
                    self._said[player].add(re.sub(r"0x[0-9a-f]+|-?\d+", "#", f"{each['level']}: {each['message']}"))
        elif method == "Media.playerErrorsRaised":
            self._said[player].update(f"error: {each['errorType']} {each['code']}" for each in params["errors"])
