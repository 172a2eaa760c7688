"""What checking an output against its plan found: checks that passed or failed, and what players may stumble over."""

from __future__ import annotations

import enum
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from ffzero.errors import UnsupportedError
from ffzero.reporting import CancelToken, Reporter
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.edits.proof.record import Record

__all__ = [
    "Check",
    "Status",
    "Verification",
    "Verifier",
    "default_verifier",
    "failed",
    "passed",
    "skipped",
    "use_verifier",
]


class Status(enum.Enum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: ``message`` says in words what was found, ``details`` as JSON-ready numbers."""

    name: str
    status: Status
    message: str
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "status": self.status.value, "message": self.message, **self.details}

    def __str__(self) -> str:
        return f"{self.status.value:<11}  {self.name:<9}  {self.message}"


def passed(name: str, message: str, **details: Any) -> Check:
    return Check(name=name, status=Status.PASSED, message=message, details=details)


def failed(name: str, message: str, **details: Any) -> Check:
    return Check(name=name, status=Status.FAILED, message=message, details=details)


def skipped(name: str, message: str, **details: Any) -> Check:
    return Check(name=name, status=Status.SKIPPED, message=message, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All that was checked of an output. ``str()`` is a line for each; ``to_dict()`` is JSON-ready.

    ``risks`` name what is valid and that not every player handles; they fail nothing.
    """

    output: str
    checks: tuple[Check, ...]
    risks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed. What could not be checked does not count."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status is Status.FAILED)

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": self.output,
            "passed": self.passed,
            "checks": [check.to_dict() for check in self.checks],
            "player_risks": list(self.risks),
        }

    def __str__(self) -> str:
        return "\n".join([*map(str, self.checks), *(f"player risk  {risk}" for risk in self.risks)])


class Verifier(Protocol):
    """Checks an output."""

    def __call__(
        self, output: str | os.PathLike[str], record: Record, *, reporter: Reporter, cancel: CancelToken | None
    ) -> Verification: ...


_provider: list[Callable[[], Verifier]] = []


def use_verifier(provider: Callable[[], Verifier]) -> None:
    """Let outputs be checked by what ``provider`` returns: decoding lies a layer above."""
    _provider[:] = [provider]


def default_verifier() -> Verifier:
    """Return the verifier in use. Raises ``UnsupportedError`` where none was handed in."""
    if not _provider:
        importlib.import_module("ffzero.api")  # parts of the package load no more than they name
    if not _provider:
        raise UnsupportedError("no verifier is loaded", hint="Import ffzero")
    return _provider[0]()
