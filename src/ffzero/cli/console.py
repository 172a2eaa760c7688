"""Where commands write: lines or one JSON object on stdout, messages on stderr."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any, TextIO

from ffzero.cli.text import printable
from ffzero.errors import FFZeroError

__all__ = ["Console", "StdoutError"]

_FALLBACK_WIDTH = 100
_MAX_WIDTH = 160


class StdoutError(Exception):
    """Standard output cannot be written; ``__cause__`` is the ``OSError``."""


class Console:
    """A command's output. Names are shown with control characters escaped, whatever the stream's encoding can hold."""

    def __init__(self, stdout: TextIO, stderr: TextIO, *, json_wanted: bool = False) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.json_wanted = json_wanted

    def line(self, text: str = "") -> None:
        """Write a line on stdout. Raises ``StdoutError``."""
        try:
            _write(self.stdout, text + "\n")
        except OSError as error:
            raise StdoutError from error

    def lines(self, texts: list[str]) -> None:
        for text in texts:
            self.line(text)

    def object(self, value: Mapping[str, Any]) -> None:
        """Write one JSON object on stdout, in ASCII. Raises ``StdoutError``."""
        self.line(json.dumps(value, indent=2, default=_plain))

    def flush(self) -> None:
        """Hand what was written to the system. Raises ``StdoutError``."""
        try:
            self.stdout.flush()
        except OSError as error:
            raise StdoutError from error

    def message(self, text: str) -> None:
        """Write one line on stderr, as far as it can be written."""
        try:
            _write(self.stderr, printable(text) + "\n")
            self.stderr.flush()
        except OSError:
            pass  # nobody is left to be told

    def block(self, text: str) -> None:
        """Write several lines on stderr as they are."""
        for line in text.splitlines():
            self.message(line)

    def failure(self, error: FFZeroError) -> None:
        """Tell of a failed command: one line on stderr, or an error object on stdout where JSON was asked for."""
        if not self.json_wanted:
            self.message(f"ffzero: error: {error}")
            return
        self.object({"error": _error_fields(error)})

    @property
    def colour(self) -> bool:
        """Whether stdout is a terminal that is wanted in colour (https://no-color.org)."""
        return self.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Columns to draw in: the terminal's, or 100 where there is none."""
        if not self.stdout.isatty() and "COLUMNS" not in os.environ:
            return _FALLBACK_WIDTH
        return max(40, min(_MAX_WIDTH, shutil.get_terminal_size((_FALLBACK_WIDTH, 24)).columns))

    @property
    def blocks(self) -> bool:
        """Whether stdout can show block elements."""
        try:
            "█▁".encode(self.stdout.encoding or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return False
        return True


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a locale without these characters, or a name that is not UTF-8
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _error_fields(error: FFZeroError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "path": error.path,
        "offset_bytes": error.offset_bytes,
        "box_path": error.box_path,
        "expected": None if error.expected is None else str(error.expected),
        "found": None if error.found is None else str(error.found),
    }


def _plain(value: object) -> object:
    """Return what JSON has no form for as a number where it is one (Fraction, numpy), else as text."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    return float(value) if hasattr(value, "__float__") else str(value)
