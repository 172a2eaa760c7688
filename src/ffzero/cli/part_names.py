"""The names of a split's parts: numbered, and after their chapters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from ffzero.errors import UsageError

__all__ = ["check_names", "part_names"]

_FIELD = re.compile(r"%%|%0?(\d*)d|\{title\}")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MAX_TITLE_BYTES = 120
_LEAST_DIGITS, _MOST_DIGITS = 3, 20


def part_names(pattern: str, titles: Sequence[str]) -> list[str]:
    """Return a name for each part, numbered from 1; ``titles`` are the parts' own, empty where one has none.

    ``%d`` and ``%03d`` in the pattern's last component become the number, ``{title}`` a title made fit for a name and
    ``%%`` one percent sign. Without a number in it, parts are told apart by one before the extension: all of them, or
    with ``{title}`` only those whose titles are the same.
    """
    folder, base = os.path.split(pattern)
    fields = [match.group() for match in _FIELD.finditer(base)]
    numbered = any(field.endswith("d") for field in fields)
    names = [_filled(base, number, title) for number, title in enumerate(titles, 1)]
    if not numbered and "{title}" not in fields:
        digits = max(_LEAST_DIGITS, len(str(len(titles))))
        names = [_before_extension(name, f"_{number:0{digits}d}") for number, name in enumerate(names, 1)]
    return [os.path.join(folder, name) for name in _told_apart(names)]


def _filled(base: str, number: int, title: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        if match.group() == "{title}":
            return _name_of(title) or "untitled"
        return str(number).zfill(min(int(match.group(1) or 0), _MOST_DIGITS))

    return _FIELD.sub(value, base)


def _name_of(title: str) -> str:
    """Return a title as part of a file name on any system: no separators, controls or reserved names, not too long."""
    text = _UNSAFE.sub("_", " ".join(title.split())).strip(" .")
    text = text.encode()[:_MAX_TITLE_BYTES].decode(errors="ignore").strip(" .")
    return f"_{text}" if _RESERVED.fullmatch(text) else text


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return the names with a number added to those taken already; case is no difference to some filesystems."""
    taken = {name.casefold() for name in names}
    seen: set[str] = set()
    found = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in seen or (number > 1 and candidate.casefold() in taken):
            number += 1
            candidate = _before_extension(name, f"_{number}")
        seen.add(candidate.casefold())
        found.append(candidate)
    return found


def _before_extension(name: str, text: str) -> str:
    stem, extension = os.path.splitext(name)
    return f"{stem}{text}{extension}"


def check_names(names: Iterable[str], source: str, *, overwrite: bool) -> None:
    """Raise now what writing would raise for the names alone, and refuse to replace the source by one of its parts."""
    from ffzero.storage.sinks import FileSink

    for name in names:
        if os.path.exists(name) and os.path.samefile(name, source):
            raise UsageError("a part would replace the file that it is cut from", path=name, hint="Name it otherwise")
        FileSink(name, overwrite=overwrite).check()
