"""What is done about proof while an output is written: a check before it has its name, a record beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from ffzero.edits.proof.proof import Verification, default_verifier
from ffzero.edits.proof.record import Record, is_record, record_draft, sidecar_path
from ffzero.errors import FFZeroError, UnsupportedError, VerificationError
from ffzero.reporting import CancelToken, Reporter, WriteResult
from ffzero.storage.local import forget_path
from ffzero.storage.outputs import Destination

__all__ = ["Proving", "check_sidecar", "drop_old_record", "verification_error"]

_MAX_NAMED = 3


def check_sidecar(output: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise ``OutputExistsError`` or ``OutputError`` where the record could not be kept beside ``output``."""
    Destination.examine(sidecar_path(output), overwrite=overwrite)


class Proving:
    """Proof of one output, as far as it is wanted: ``record`` is ``None`` where neither check nor record is.

    The output is written within ``around``, shown to ``approve`` before it gets its name, and ``told`` of afterwards.
    """

    def __init__(
        self,
        output: str | os.PathLike[str],
        record: Record | None,
        *,
        verify: bool,
        sidecar: bool,
        overwrite: bool,
        reporter: Reporter,
        cancel: CancelToken | None,
    ) -> None:
        self._output = os.fsdecode(output)
        self._record = record
        self._verify = verify
        self._sidecar = sidecar
        self._overwrite = overwrite
        self._reporter, self._cancel = reporter, cancel
        self._verification: Verification | None = None
        self._replaces = False

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Write the record first, so that a disk that has no room for it gets no output; both get their names last.

        Raises ``OutputExistsError``, ``DiskFullError`` and ``OutputError``, ``UnsupportedError`` for a pipe or device.
        """
        destination = Destination.examine(self._output, overwrite=self._overwrite)
        self._replaces = destination.existing is not None
        if self._record is not None and destination.is_special:
            raise UnsupportedError("a pipe or device cannot be verified", path=self._output, hint="Write a file")
        if self._record is None or not self._sidecar:
            yield
            return
        with record_draft(self._record, sidecar_path(self._output), overwrite=self._overwrite) as draft:
            yield
            draft.is_withheld = self._is_withheld

    @property
    def approve(self) -> Callable[[str], bool] | None:
        """What looks at the whole file and says whether it may have its name; ``None`` where nothing is checked."""
        return self._approved if self._verify and self._record is not None else None

    def told(self, result: WriteResult) -> WriteResult:
        """Return the result with what was found. Raises ``VerificationError`` with it where a check failed."""
        if not self._sidecar and not self._is_withheld:
            result = drop_old_record(result, replaces=self._replaces)
        if self._verification is None:
            return result
        result = replace(result, verification=self._verification.to_dict())
        if self._is_withheld:
            kept = f"{self._output} was left as it was before: what was to replace it failed its checks"
            result = replace(result, warnings=(*result.warnings, kept))
        if not self._verification.passed:
            raise verification_error(self._verification, result)
        return result

    @property
    def _is_withheld(self) -> bool:
        """Whether the output failed and must not take the place of what is there."""
        return self._replaces and self._verification is not None and not self._verification.passed

    def _approved(self, path: str) -> bool:
        assert self._record is not None
        try:
            found = default_verifier()(path, self._record, reporter=self._reporter, cancel=self._cancel)
        except FFZeroError as error:
            if error.path == path:
                error.path = self._output
            raise
        finally:
            forget_path(path)
        checks = tuple(replace(check, message=check.message.replace(path, self._output)) for check in found.checks)
        self._verification = replace(found, output=self._output, checks=checks)
        return not self._is_withheld


def drop_old_record(result: WriteResult, *, replaces: bool) -> WriteResult:
    """Remove the record that was kept of the file that an output has replaced: ``verify`` would hold it against that.

    Where nothing was replaced the record may be all that somebody has, and a warning says that it is not of this file.
    """
    path = sidecar_path(result.output)
    if not is_record(path):
        return result
    if replaces:
        with contextlib.suppress(OSError):
            os.unlink(path)
            return result
    warning = f"{path} is the record of an earlier file, not of this one"
    return replace(result, warnings=(*result.warnings, warning))


def verification_error(verification: Verification, result: WriteResult | None = None) -> VerificationError:
    """Return the error that tells of failed checks."""
    failures = verification.failures
    named = "; ".join(f"{check.name}: {check.message}" for check in failures[:_MAX_NAMED])
    more = f"; and {len(failures) - _MAX_NAMED} more" if len(failures) > _MAX_NAMED else ""
    return VerificationError(f"is not what was planned: {named}{more}", path=verification.output, result=result)
