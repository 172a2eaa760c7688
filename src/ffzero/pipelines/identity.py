"""What a job is, as plain data: two runs with the same data make the same output."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from ffzero.edits.clip import Clip
from ffzero.edits.movie import Movie
from ffzero.edits.pieces import Piece
from ffzero.edits.rendering import PictureEffect
from ffzero.edits.sound.rendering import SoundEffect
from ffzero.errors import SourceChangedError, SourceNotFoundError
from ffzero.pipelines.processors import FunctionProcessor, Processor

__all__ = ["Sources", "file_identity", "stage_identity"]

_MOST_NAMED = 8
_PLAIN = (str, int, float, bool, Fraction, type(None), bytes)


def file_identity(path: str | os.PathLike[str], *, grows: bool = False) -> dict[str, Any]:
    """Return a file's path and identity; of one that grows, what stays while it does."""
    name = os.path.abspath(os.fspath(path))
    try:
        status = os.stat(name)
    except OSError as error:
        raise SourceNotFoundError("no such file", path=name) from error
    identity: dict[str, Any] = {"path": name, "device": status.st_dev, "inode": status.st_ino}
    return identity if grows else {**identity, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


class Sources:
    """The files of a job as they were when it began. ``grows`` says that they are being recorded."""

    def __init__(self, sources: Iterable[Any], *, grows: bool = False) -> None:
        self._grows = grows
        self._files: dict[str, dict[str, Any]] = {}
        self.identity = self._identity(sources)
        """Path and identity of each file or piece, each file looked at once; of a long list a digest. JSON-ready."""

    def _identity(self, sources: Iterable[Any]) -> list[dict[str, Any]] | dict[str, Any]:
        digest = hashlib.sha256()
        named: list[dict[str, Any]] = []
        count = 0
        for source in sources:
            for fields in _pieces_of(source):
                path = str(fields["path"])
                if path not in self._files:
                    self._files[path] = file_identity(path, grows=self._grows)
                fields = {**fields, **self._files[path]}
                digest.update(repr(sorted(fields.items())).encode())
                count += 1
                if count <= _MOST_NAMED:
                    named.append(fields)
        if count <= _MOST_NAMED:
            return named
        return {"count": count, "sha256": digest.hexdigest(), "first": named[0]["path"]}

    def check(self, path: str) -> None:
        """Raise ``SourceChangedError`` where a file is not what it was, ``SourceNotFoundError`` where it is gone."""
        then = self._files.get(path)
        now = None if then is None else file_identity(path, grows=self._grows)
        if then is not None and now is not None and now != then:
            differing = [key for key in then if then[key] != now[key]]
            raise SourceChangedError(
                "the file changed while it was processed",
                path=path,
                expected=", ".join(f"{key} {then[key]}" for key in differing),
                found=", ".join(f"{key} {now[key]}" for key in differing),
                hint="Bring it back and run the job again, or start anew",
            )


def _pieces_of(source: Any) -> list[dict[str, Any]]:
    if isinstance(source, Movie):
        return [{"path": source.path}]
    if isinstance(source, Clip):
        return [_piece(piece) for piece in source.pieces]
    return [{"path": os.path.abspath(os.fspath(source))}]


def _piece(piece: Piece) -> dict[str, Any]:
    effects = [*map(_effect, piece.effects), *map(_effect, piece.sound_effects)]
    return {"path": piece.input.path, "start": _text(piece.start), "end": _text(piece.end), "effects": effects}


def _effect(effect: PictureEffect | SoundEffect) -> str:
    """Return what an effect is as text: its name, when and how it is done, and the code of its functions."""
    given = [getattr(effect, field.name) for field in dataclasses.fields(effect)]
    mapping = getattr(effect, "map", None)
    if mapping is not None:
        given += [getattr(mapping, field.name) for field in dataclasses.fields(mapping)]
    told = [_code_digest(value) if callable(value) else _plain(value) for value in given]
    return f"{effect.name} {hashlib.sha256(repr(told).encode()).hexdigest()[:16]}"


def _text(time: Fraction | None) -> str | None:
    return None if time is None else str(time)


def stage_identity(stage: Processor) -> dict[str, Any]:
    """Return what a stage is: its name, where its code is and what it is like, and its plain settings."""
    function: Any = stage.function if isinstance(stage, FunctionProcessor) else type(stage)
    home = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", type(function).__qualname__)
    values = {key: _plain(value) for key, value in vars(stage).items() if key not in ("function", "name")}
    return {
        "name": stage.name,
        "function": f"{home}:{name}",
        "code": _code_digest(function),
        "settings": {key: text for key, text in values.items() if text is not None},
    }


def _plain(value: Any) -> str | None:
    """Return a setting as text that is the same in each run; ``None`` for what is none."""
    if isinstance(value, _PLAIN):
        return repr(value)
    fields = getattr(value, "__dataclass_fields__", None)
    return repr(value) if fields is not None and " at 0x" not in repr(value) else None


def _code_digest(function: Any) -> str | None:
    """Return a digest of the file that a function or class is written in, and of the function's own code in it.

    Two lambdas of one file differ by the latter, and by what they have closed over, as far as that is plain.
    """
    parts: list[Any] = []
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    path = getattr(module, "__file__", None)
    if path is not None and os.path.isfile(path):
        with open(path, "rb") as file:
            parts.append(hashlib.file_digest(file, hashlib.sha256).hexdigest())
    code = getattr(function, "__code__", None)
    if code is not None:
        cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_filled(cell)]
        values = [*(function.__defaults__ or ()), *cells]
        parts += [code.co_firstlineno, code.co_code.hex(), code.co_names, *map(_plain, code.co_consts)]
        parts += map(_plain, values)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16] if parts else None


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # named before it is assigned
        return False
