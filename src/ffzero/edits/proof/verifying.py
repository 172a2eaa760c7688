"""``ffzero.verify``: an output against the clip, plan or record that it was made by."""

from __future__ import annotations

import os

from ffzero.edits.clip import Clip
from ffzero.edits.plan import Plan
from ffzero.edits.proof.proof import Verification, default_verifier
from ffzero.edits.proof.record import Record, read_record, record_of_plan, sidecar_path
from ffzero.errors import SourceNotFoundError, UsageError
from ffzero.reporting import CancelToken, Reporter, no_report

__all__ = ["verify"]


def verify(
    output: str | os.PathLike[str],
    against: Clip | Plan | Record | str | os.PathLike[str] | None = None,
    *,
    boundary: str = "auto",
    audio: str | None = None,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> Verification:
    """Check an output: every copied sample and picture, how good coded ones are, where sound lies, what it is made of.

    ``against`` is the clip that was written (with ``boundary`` and ``audio`` as it was written), its plan, its record
    or the path of one; by default the record kept beside the output as ``OUTPUT.ffzero.json``. Reads and decodes the
    whole output and what it shows of its sources. What is wrong is told, not raised: see ``Verification.passed``.
    Raises ``SourceNotFoundError`` where the output or its record is not there, ``InvalidDataError`` for what is no
    record, ``UnsupportedError`` for plans of other containers than MP4 and MOV.
    """
    record = _record(output, against, boundary, audio)
    return default_verifier()(output, record, reporter=reporter, cancel=cancel)


def _record(
    output: str | os.PathLike[str],
    against: Clip | Plan | Record | str | os.PathLike[str] | None,
    boundary: str,
    audio: str | None,
) -> Record:
    if isinstance(against, Record):
        return against
    if isinstance(against, Clip):
        return against.record(boundary, audio=audio)
    if isinstance(against, Plan):
        return record_of_plan(against)
    if isinstance(against, str | os.PathLike):
        return read_record(against)
    if against is not None:
        raise UsageError(
            f"cannot verify against {type(against).__name__}", expected="a clip, a plan, a record or a path"
        )
    try:
        return read_record(sidecar_path(output))
    except SourceNotFoundError as error:
        if not os.path.exists(output):
            raise SourceNotFoundError("no such file", path=os.fspath(output)) from error
        raise SourceNotFoundError(
            "no record of the edit is kept there",
            path=sidecar_path(output),
            hint="Name its record (--plan), or what it was made of (--source)",
        ) from error
