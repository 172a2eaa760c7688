"""The engine's stand-in as a fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import ffzero
from support.command_line import FakeEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    fake = FakeEngine()
    with monkeypatch.context() as patch:
        patch.setitem(vars(ffzero), "open", fake.open)
        patch.setitem(vars(ffzero), "concat", fake.concat)
        yield fake
