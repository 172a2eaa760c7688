"""Options and fixtures that the whole test suite shares."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from support import media

settings.register_profile("ffzero", deadline=None)  # shared machines are slow at times; time-outs catch hangs
settings.load_profile("ffzero")

# A shell's background job begins with SIGINT ignored, one under nohup with SIGHUP; what the tests start inherits that.
for _name, _usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ffzero")
    group.addoption("--exhaustive", action="store_true", help="every cut and every mutation, not a sample of them")
    group.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


@pytest.fixture(scope="session")
def exhaustive(pytestconfig: pytest.Config) -> bool:
    """Whether the slow whole was asked for (``--exhaustive``)."""
    return bool(pytestconfig.getoption("--exhaustive"))


@pytest.fixture(scope="session")
def update_golden(pytestconfig: pytest.Config) -> bool:
    """Whether golden files are to be rewritten (``--update-golden``)."""
    return bool(pytestconfig.getoption("--update-golden"))


@pytest.fixture(scope="session")
def ffzero_media() -> Path:
    """The folder of real media that ``FFZERO_MEDIA`` names; the test is skipped where there is none."""
    folder = media.media_folder()
    if folder is None or not folder.is_dir():
        pytest.skip("FFZERO_MEDIA names no folder of real media")
    return folder
