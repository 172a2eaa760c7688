"""What several tests of frames need: encoders that come out poorer than they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ffzero.frames.pictures import bettering
from ffzero.frames.pictures.encode import Coded, Encoding

POOR_DB = 43.0
GOOD_DB = 46.0
Poor = Callable[[int, int], bool]
"""Whether an attempt makes a poor picture of one, by their numbers."""


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[int]]]:
    """Let some pictures come out poor and all others well enough; returns the list of attempts that were begun."""
    begun: list[int] = []

    def install(is_poor: Poor, poor_db: float = POOR_DB) -> list[int]:
        numbers: dict[int, int] = {}

        class Worse(Encoding):
            def __init__(self, recipe: Any, attempt: int, like: Any) -> None:
                super().__init__(recipe, attempt, like)
                self.attempt = attempt
                begun.append(attempt)

            def _coded(self, sample: bytes, sync: bool, quality: float) -> Coded:
                number = numbers.setdefault(self._times[0], len(numbers))
                told = poor_db if is_poor(self.attempt, number) else max(quality, GOOD_DB)
                return super()._coded(sample, sync, told)

        monkeypatch.setattr(bettering, "Encoding", Worse)
        return begun

    yield install
