"""``--verify`` and ``--sidecar``: proof of an output as soon as it is written, and the record for proof later."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from ffzero.cli.draw import columns
from ffzero.cli.text import printable
from ffzero.errors import UsageError
from ffzero.values import dataclass

__all__ = ["Proof", "proof_options", "verification_lines"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_COLOURS = {"passed": "\x1b[32m", "failed": "\x1b[1;31m", "not checked": "\x1b[33m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is wanted besides the output."""

    verify: bool = False
    sidecar: bool = False

    @property
    def options(self) -> dict[str, bool]:
        """What ``Clip.write`` is to be told."""
        return {name: True for name in ("verify", "sidecar") if getattr(self, name)}

    def check(self, *, dry_run: bool) -> None:
        """Raise ``UsageError`` where there will be no output to prove."""
        if dry_run and (self.verify or self.sidecar):
            raise UsageError("with --dry-run nothing is written that could be verified")

    def check_records(self, outputs: Iterable[str], *, overwrite: bool) -> None:
        """Raise ``OutputExistsError`` or ``OutputError`` where the record of an output could not be kept beside it."""
        if self.sidecar:
            from ffzero.edits.proof.proving import check_sidecar

            for output in outputs:
                check_sidecar(output, overwrite=overwrite)


def proof_options(command: _Command) -> _Command:
    """Give a command ``--verify`` and ``--sidecar``; it gets them as ``proof``."""

    @functools.wraps(command)
    def with_proof(*args: Any, verify: bool, sidecar: bool, **kwargs: Any) -> Any:
        return command(*args, proof=Proof(verify=verify, sidecar=sidecar or verify), **kwargs)

    option = click.option(
        "--sidecar", is_flag=True, help="Keep a record of the edit beside OUTPUT, for `ffzero verify` later."
    )
    verify = click.option(
        "--verify",
        is_flag=True,
        help="Hold OUTPUT against the plan: copied samples, every picture, how good coded ones are, where sound lies."
        " Decodes all of it. Implies --sidecar.",
    )
    return verify(option(with_proof))  # type: ignore[return-value]  # the same function but for what proof is made of


def verification_lines(verification: Mapping[str, Any], *, colour: bool) -> list[str]:
    """Return what was checked, a line each, the risks, and the verdict."""
    rows = [[check["status"], check["name"], printable(check["message"])] for check in verification["checks"]]
    lines = columns(rows)
    if colour:
        lines = [f"{_COLOURS[row[0]]}{line}\x1b[0m" for row, line in zip(rows, lines, strict=True)]
    lines += [f"  player risk: {printable(risk)}" for risk in verification["player_risks"]]
    failures = sum(check["status"] == "failed" for check in verification["checks"])
    verdict = "it is what was planned" if not failures else f"{failures} of {len(rows)} checks failed"
    return [*lines, f"{printable(verification['output'])}: {verdict}"]
