"""The lines and files of a journal: what they say, and whether they are whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = [
    "MARK",
    "ChunkRecord",
    "differences",
    "is_torn_header",
    "is_whole",
    "job_digest",
    "line_of",
    "parsed",
    "record_of",
    "secured",
    "whole_lines",
]

MARK = "ffzero_journal"
_READ_BYTES = 1 << 20
_MAX_JOURNAL_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRecord:
    """A finished chunk: its file (``None`` where it needs none), size and SHA-256, and what its maker noted of it.

    ``facts`` is JSON-ready data that comes back as it was committed, tuples as lists.
    """

    index: int
    path: str | None = None
    size_bytes: int = 0
    sha256: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def job_digest(job: Mapping[str, Any]) -> str:
    """Return what tells a job from others."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()


def whole_lines(fd: int) -> tuple[list[bytes], int]:
    """Return the lines that end, and where the last of them does."""
    size = os.fstat(fd).st_size
    if size > _MAX_JOURNAL_BYTES:
        return [], 0
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        data = file.read()
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], end


def is_torn_header(fd: int) -> bool:
    """Whether the file is the beginning of a header: the job was killed as it began."""
    size = os.fstat(fd).st_size
    os.lseek(fd, 0, os.SEEK_SET)
    head = os.read(fd, min(size, 64))
    begin = f'{{"{MARK}":'.encode()
    return head[: len(begin)] == begin[: len(head)] or not head.strip(b"\0")


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line; ``None`` where there is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def line_of(record: ChunkRecord) -> bytes:
    """Return the line that tells of a chunk."""
    fields = {
        "chunk": record.index,
        "file": None if record.path is None else os.path.basename(record.path),
        "size": record.size_bytes,
        "sha256": record.sha256,
        "facts": dict(record.facts),
    }
    return json.dumps(fields, ensure_ascii=True).encode() + b"\n"


def record_of(fields: dict[str, Any] | None, folder: str) -> ChunkRecord | None:
    """Return the chunk that a line tells of; ``None`` where it makes no sense."""
    if fields is None:
        return None
    index, file, size = fields.get("chunk"), fields.get("file"), fields.get("size")
    digest, facts = fields.get("sha256"), fields.get("facts")
    if not isinstance(index, int) or not isinstance(size, int) or not isinstance(digest, str):
        return None
    if not isinstance(facts, dict) or not (file is None or (isinstance(file, str) and os.path.basename(file) == file)):
        return None
    path = None if file is None else os.path.join(folder, file)
    return ChunkRecord(index=index, path=path, size_bytes=size, sha256=digest, facts=facts)


def differences(then: Any, now: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (name, then, now) for all that is not the same in two structures of JSON."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*then, *now)):
            yield from differences(then.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from differences(before, after, f"{name}[{number}]")
    elif then != now:
        yield name, _short(then), _short(now)


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def secured(path: str) -> tuple[int, str]:
    """Return a file's size and digest; it is on the disk then."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, hashlib.sha256).hexdigest()
        size = os.fstat(file.fileno()).st_size
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return size, digest


def is_whole(record: ChunkRecord, cancel: CancelToken | None) -> bool:
    """Whether a chunk's file is as it was committed."""
    if record.path is None:
        return True
    try:
        with open(record.path, "rb") as file:
            if os.fstat(file.fileno()).st_size != record.size_bytes:
                return False
            digest = hashlib.sha256()
            while block := file.read(_READ_BYTES):
                digest.update(block)
                if cancel is not None:
                    cancel.check()
    except OSError:
        return False
    return digest.hexdigest() == record.sha256
