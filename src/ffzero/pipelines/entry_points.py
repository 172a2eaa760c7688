"""Stages named on a command line: ``package.module:function`` or ``path/to/file.py:function``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ffzero.errors import UsageError
from ffzero.pipelines.processors import FunctionProcessor, Processor

__all__ = ["EntryPoint", "load_stage"]


class EntryPoint(FunctionProcessor):
    """A stage that goes to other processes by its name on the command line, wherever its function was found."""

    def __init__(self, entry: str, function: Callable[[Any], Any]) -> None:
        super().__init__(function)
        self.entry = entry

    def process(self, data: Any) -> Any:
        """Return what the function returns. One that would end the program fails instead: the job is not its own."""
        try:
            return super().process(data)
        except SystemExit as error:
            raise RuntimeError(f"it would end the program (SystemExit: {error})") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_there, (self.entry, os.getcwd())


def _load_there(entry: str, folder: str) -> Processor:
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return load_stage(entry)


def load_stage(name: str) -> Processor:
    """Import what ``name`` names: a function of one argument, a ``Processor``, or a class of one, which is made.

    Modules are looked for in the working folder too. Raises ``UsageError``, the import's own error as its cause.
    """
    place, found, attribute = name.rpartition(":")
    if not found or not place or not attribute:
        raise UsageError(f"not an entry point: {name!r}", expected="module:function, or path/to/file.py:function")
    value: Any = _module_from_file(place) if place.endswith(".py") else _module(place)
    for part in attribute.split("."):
        value = getattr(value, part, None)
    if isinstance(value, type) and issubclass(value, Processor):
        return value()
    if not callable(value):
        raise UsageError(f"{place} has no function {attribute!r}", hint="Name one that takes a clip")
    if isinstance(value, Processor):
        return value
    full = f"{os.path.abspath(place)}:{attribute}" if place.endswith(".py") else name
    return EntryPoint(full, value)


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise UsageError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _module_from_file(path: str) -> ModuleType:
    """Import a file under its own name, so that what it defines can be told from other files' again."""
    full = os.path.abspath(path)
    if not os.path.isfile(full):
        raise UsageError("no such file", path=full)
    name = os.path.splitext(os.path.basename(full))[0]
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == full:
        return known
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None or known is not None:
        spec = importlib.util.spec_from_file_location(f"ffzero_stage_{name}", full)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(spec.name, None)
        raise UsageError(f"it cannot be imported: {type(error).__name__}: {error}", path=full) from error
    return module
