"""The sample as a movie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import ffzero
from support.samples import plain_sample


@pytest.fixture
def movie() -> Iterator[ffzero.Movie]:
    with ffzero.open(plain_sample()) as opened:
        yield opened
