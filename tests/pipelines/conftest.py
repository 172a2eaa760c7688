"""A folder with the sample in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that holds ``in.mp4``: 80 s, 25 fps, a keyframe every 2 s."""
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path
