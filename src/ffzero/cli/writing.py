"""The options of commands that write clips, handed over as one value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ffzero.cli.audio_mode import audio_option
from ffzero.cli.boundary import boundary_option
from ffzero.cli.engine import engine_options, workers
from ffzero.cli.output import check_output, output_options
from ffzero.cli.proof import Proof, proof_options
from ffzero.values import dataclass

__all__ = ["Writing", "writing_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How clips are to be written. ``output`` is a name or a pattern of names, ``None`` only with ``dry_run``."""

    output: str | None
    boundary: str
    audio: str | None
    dry_run: bool
    overwrite: bool
    jobs: int | None
    engine: str | None
    proof: Proof

    @property
    def plan_options(self) -> dict[str, Any]:
        """What ``Clip.plan`` is to be told besides the output."""
        return {"boundary": self.boundary, "audio": self.audio}

    @property
    def options(self) -> dict[str, Any]:
        """What ``Clip.write`` is to be told besides the output, a reporter and how it is cancelled."""
        chosen = {**workers(self.jobs, self.engine), **self.proof.options}
        return {**self.plan_options, "overwrite": self.overwrite, **chosen}


def writing_options(*, audio: bool = True) -> Callable[[_Command], _Command]:
    """Give a command the options of a write; it gets them as ``writing``, its output looked at.

    ``audio`` is whether ``--audio`` is among them.
    """

    def decorated(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_writing(
            *args: Any,
            boundary: str,
            output: str | None,
            dry_run: bool,
            json_wanted: bool,
            overwrite: bool,
            proof: Proof,
            jobs: int | None,
            engine: str | None,
            audio: str | None = None,
            **kwargs: Any,
        ) -> Any:
            writing = Writing(
                output=check_output(output, dry_run=dry_run),
                boundary=boundary,
                audio=audio,
                dry_run=dry_run,
                overwrite=overwrite,
                jobs=jobs,
                engine=engine,
                proof=proof,
            )
            proof.check(dry_run=dry_run)
            if engine is not None and dry_run:  # else whoever writes tells
                from ffzero.engines.opening import check_engine

                check_engine(engine)
            return command(*args, writing=writing, **kwargs)

        whole = output_options(engine_options(proof_options(with_writing)))
        return boundary_option(audio_option(whole) if audio else whole)  # type: ignore[return-value]  # see proof_options

    return decorated
