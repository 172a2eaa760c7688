"""``run``: an argument list in, an exit status out, and never a traceback.

Exit status: 0 done, 1 failed, 2 wrong usage, 128 + N ended by signal N (130 is Ctrl-C, 143 SIGTERM).
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn, TextIO

import click

from ffzero import __version__
from ffzero.cli.console import Console, StdoutError
from ffzero.cli.signals import Interrupted, StopState, stop_signals
from ffzero.errors import CancelledError, FFZeroError, UsageError

__all__ = ["main", "run"]


_COMMANDS = {
    "inspect": "Show tracks, keyframes, edits and what is special.",
    "cut": "Cut a time range out of a file.",
    "concat": "Join files end to end.",
    "remove": "Take time ranges out of a file.",
    "split": "Split a file at times, sizes, chapters or scene changes.",
    "apply": "Apply effects to a time range; copy the rest.",
    "transcode": "Code a file anew: codec, quality, size, frame rate.",
    "thumbnail": "Take a picture out of a video, or a sheet of pictures.",
    "frames": "Write exact frames as pictures or numpy arrays.",
    "contact-sheet": "Tile frames that are spread over a video, with their times.",
    "gif": "Make an animated GIF.",
    "audio": "Take a sound track out of a file.",
    "stream": "Process a file in chunks with a Python function; goes on after a crash.",
    "run": "Run any FFmpeg command line.",
    "verify": "Check an output against the plan that it was made by.",
    "doctor": "Show what FFmpeg, encoders, hardware and filesystem really do here.",
    "demo": "Make a sample and show what each job costs.",
}
"""Each is the command of the same name in the module of the same name, loaded when it is asked for."""
_MODULES = {"run": "run_command", "contact-sheet": "contact_sheet"}
"""Where the module's name is another one: ``ffzero.cli.run`` is the function."""


class _Commands(click.Group):
    """A group that loads a command's module only for that command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(_module(cmd_name), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:  # click guesses what was meant among the commands that it holds
            self.commands.update({name: command for name in _COMMANDS if (command := self.get_command(ctx, name))})
        return super().resolve_command(ctx, args)


def _module(command_name: str) -> ModuleType:
    return import_module(f"ffzero.cli.{_MODULES.get(command_name, command_name)}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ffzero", message="%(prog)s %(version)s")
def ffzero() -> None:
    """Cut and join video without moving the data, and code it anew where that is wanted.

    Times are seconds (12.5) or [HH:]MM:SS[.frac] (1:02:03.5). A name that starts with a dash is given after `--`, or
    as ./-name.
    """


def run(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command line ``argv`` (without the program's name) and return its exit status.

    Everything is written on the two streams. While it runs in the main thread, SIGINT, SIGTERM and SIGHUP cancel it.
    """
    console = Console(stdout, stderr, json_wanted=_asks_for_json(argv))
    try:
        with stop_signals() as stop:
            try:
                status = _dispatch(list(argv), console, stop)
            except (Interrupted, CancelledError, KeyboardInterrupt) as error:
                status = _interrupted(console, error, stop.exit_status)
        console.flush()
    except StdoutError as error:
        cause = error.__cause__
        if not isinstance(cause, BrokenPipeError):  # whoever read from the pipe knows that they left
            console.message(f"ffzero: error: cannot write to standard output: {getattr(cause, 'strerror', cause)}")
        status = 1
    return status


def _dispatch(argv: list[str], console: Console, stop: StopState) -> int:
    try:
        with (
            contextlib.redirect_stdout(console.stdout),
            contextlib.redirect_stderr(console.stderr),
            ffzero.make_context("ffzero", argv, obj=console) as context,
        ):
            ffzero.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        console.block(error.format_message())
        return 2
    except click.ClickException as error:
        return _wrong_usage(console, error, argv)
    except FFZeroError as error:
        if isinstance(error, CancelledError):
            raise
        console.failure(error)
        return error.exit_code
    except SystemExit as error:  # of a function that was called with pictures or sound
        console.failure(FFZeroError(f"a function that was called would end the program (SystemExit: {error})"))
        return 1
    except (StdoutError, Interrupted):
        raise
    except Exception as error:  # the last line of defence: no traceback reaches a user
        if stop.exit_status is not None:
            raise Interrupted from error  # an extension module made another exception of it
        return _internal_error(console, error)
    return 0


def _wrong_usage(console: Console, error: click.ClickException, argv: list[str]) -> int:
    command = f"ffzero {argv[0]}" if argv and argv[0] in _COMMANDS else "ffzero"
    message, guess, names = error.format_message().replace("\n", " ").partition(" Did you mean")
    hint = f"{guess.strip()}{names} See: {command} --help" if guess else f"See: {command} --help"
    console.failure(UsageError(message.rstrip("."), hint=hint))
    return 2


def _interrupted(console: Console, error: BaseException, exit_status: int | None) -> int:
    if console.json_wanted:
        console.failure(error if isinstance(error, FFZeroError) else CancelledError("interrupted"))
    else:
        console.message("ffzero: interrupted")
    if exit_status is not None:
        return exit_status
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _internal_error(console: Console, error: Exception) -> int:
    if os.environ.get("FFZERO_DEBUG") == "1":
        import traceback

        traceback.print_exception(error, file=console.stderr)
    if isinstance(error, BrokenPipeError):  # click's own help and version texts go straight to stdout
        raise StdoutError from error
    found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    hint = "Please report this; FFZERO_DEBUG=1 shows where it happened"
    console.failure(FFZeroError(f"internal error: {found}", hint=hint))
    return 1


def _asks_for_json(argv: Sequence[str]) -> bool:
    options = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in options


def main() -> NoReturn:
    """The ``ffzero`` program."""
    stdout, stderr = _stream(sys.stdout), _stream(sys.stderr)
    status = run(sys.argv[1:], stdout, stderr)
    try:
        stdout.flush()
    except OSError:
        # The interpreter flushes once more at its end and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    gc.freeze()  # else the interpreter takes 20 ms to look through all modules for what it could free
    sys.exit(status)


def _stream(stream: TextIO | None) -> TextIO:
    """Return the stream, or one that swallows everything where the program was started with it closed."""
    return stream if stream is not None else open(os.devnull, "w", encoding="utf-8")
