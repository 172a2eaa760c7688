"""The command line. ``main`` only wraps ``run(argv, stdout, stderr)``; nothing else here prints."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TextIO

__all__ = ["main", "run"]


def run(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command line ``argv`` (without the program's name) on these streams and return its exit status."""
    from ffzero.cli.app import run

    return run(argv, stdout, stderr)


def main() -> NoReturn:
    """The ``ffzero`` program."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules load ends it without a traceback
    from ffzero.cli.app import main

    main()
