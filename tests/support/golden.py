"""Golden files: what a value was when somebody last looked at it, rewritten with ``--update-golden``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["check_golden"]

FOLDER = Path(__file__).parent.parent / "golden"


def check_golden(file: str, name: str, found: Any, *, update: bool) -> None:
    """Compare ``found`` (JSON-ready) with the entry ``name`` of a golden file, or put it there."""
    path = FOLDER / file
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if update:
        entries[name] = found
        text = json.dumps(dict(sorted(entries.items())), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    assert name in entries, f"{path.name} has no {name!r}: look at it, then run with --update-golden"
    assert found == entries[name]
