"""What is done to a finished output where proof is wanted: its record is kept beside it, and it is checked."""

from __future__ import annotations

import os
from dataclasses import replace

from ffzero.edits.proof.proof import Verification, default_verifier
from ffzero.edits.proof.record import Record, sidecar_path, write_record
from ffzero.errors import VerificationError
from ffzero.reporting import CancelToken, Reporter, WriteResult
from ffzero.storage.outputs import Destination

__all__ = ["check_sidecar", "proved", "verification_error"]

_MAX_NAMED = 3


def check_sidecar(output: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise ``OutputExistsError`` or ``OutputError`` where the record could not be kept beside ``output``."""
    Destination.examine(sidecar_path(output), overwrite=overwrite)


def proved(
    result: WriteResult,
    record: Record,
    *,
    verify: bool,
    sidecar: bool,
    overwrite: bool,
    reporter: Reporter,
    cancel: CancelToken | None,
) -> WriteResult:
    """Keep the record of a written output and check it, each where wanted; returns the result with what was found.

    Raises ``VerificationError``, with that result, where a check failed: the output stays.
    """
    if sidecar:
        write_record(record, sidecar_path(result.output), overwrite=overwrite)
    if not verify:
        return result
    verification = default_verifier()(result.output, record, reporter=reporter, cancel=cancel)
    result = replace(result, verification=verification.to_dict())
    if not verification.passed:
        raise verification_error(verification, result)
    return result


def verification_error(verification: Verification, result: WriteResult | None = None) -> VerificationError:
    """Return the error that tells of failed checks."""
    failures = verification.failures
    named = "; ".join(f"{check.name}: {check.message}" for check in failures[:_MAX_NAMED])
    more = f"; and {len(failures) - _MAX_NAMED} more" if len(failures) > _MAX_NAMED else ""
    return VerificationError(f"is not what was planned: {named}{more}", path=verification.output, result=result)
