"""Finds the outputs in an FFmpeg command line and gives each a temporary name until all is well."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from ffzero.errors import OutputExistsError
from ffzero.ffmpeg.grammar import Target, read_words
from ffzero.storage.failures import OVERWRITE_HINT, output_error
from ffzero.storage.outputs import Destination, atomic_output
from ffzero.values import dataclass

__all__ = ["CommandOutput", "find_outputs", "output_path", "staged_outputs"]

_SEVERAL_FILES = frozenset({"hls", "dash", "segment", "stream_segment", "ssegment", "webm_chunk", "smoothstreaming"})
_NO_FILE = frozenset(
    {"null", "tee", "alsa", "pulse", "sdl", "sdl2", "opengl", "fbdev", "xv", "caca", "v4l2", "decklink"}
)
_SEVERAL_SUFFIXES = frozenset({".m3u8", ".mpd", ".ism"})
# Their values name files that lie beside the output; other names in options are relative to it already.
_BESIDE_OPTIONS = frozenset({"hls_segment_filename", "segment_list"})
# A single letter is a Windows drive (libavformat/avio.c, ``url_find_protocol``).
_SCHEME = re.compile(r"^(?:[A-Za-z0-9+.-]{2,}:|subfile,)")
_HIDDEN = ".ffzero-"
_PATTERN = re.compile(r"%(?:\d*d|v|t|[A-Za-z])|\$\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutput:
    """An output: the word at ``index``; its options stand in ``argv[options_start:index]``."""

    index: int
    options_start: int
    path: str | None
    """The file that it names, or ``None`` for a pipe, a device or the network."""
    several_files: bool = False


def find_outputs(argv: Sequence[str]) -> tuple[CommandOutput, ...]:
    """Return the outputs of a command line whose first word is the program."""
    found = []
    start = 1
    for one in read_words(argv):
        if isinstance(one, Target):
            found.append(_output(argv, start, one.index))
            start = one.index + 1
        elif one.name == "i":
            start = one.index + 2
    return tuple(found)


def _output(argv: Sequence[str], start: int, index: int) -> CommandOutput:
    options = dict(zip(argv[start:index], argv[start + 1 : index], strict=False))
    format_name = options.get("-f", "")
    path = None if format_name in _NO_FILE else output_path(argv[index])
    several = path is not None and (
        format_name in _SEVERAL_FILES
        or (not format_name and os.path.splitext(path)[1].lower() in _SEVERAL_SUFFIXES)
        or (
            (format_name in ("", "image2") or format_name.startswith("image2"))
            and _PATTERN.search(os.path.basename(path)) is not None
            and options.get("-update", "0") in ("0", "false")
        )
    )
    return CommandOutput(index=index, options_start=start, path=path, several_files=several)


def output_path(url: str) -> str | None:
    """Return the path that FFmpeg would open for ``url``, or ``None`` where it is no file."""
    if url in ("-", ""):
        return None
    if _SCHEME.match(url) is None:
        return url
    return url[len("file:") :] if url.startswith("file:") else None


@contextlib.contextmanager
def staged_outputs(argv: Sequence[str], *, overwrite: bool) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (argv whose outputs have temporary names, those names); when the block ends well they get their own.

    A file goes through ``atomic_output``; what is several files (HLS, DASH, segments, numbered pictures) is written in
    a hidden folder beside and moved file by file, the playlist last. Devices, pipes and addresses stay as they are.
    Raises ``OutputExistsError`` without ``overwrite``, ``OutputError`` for a folder that is not there and the like.
    """
    outputs = find_outputs(argv)
    staged, temporary = list(argv), []
    with contextlib.ExitStack() as stack:
        for output in outputs:
            if output.path is None or _is_open_file(output.path):
                continue
            if output.several_files:
                folder = stack.enter_context(_staged_folder(output.path, overwrite=overwrite))
                _move_into(staged, output, folder)
                temporary.append(folder)
            else:
                name = stack.enter_context(atomic_output(output.path, overwrite=overwrite))
                staged[output.index] = f"file:{name}"
                if os.path.basename(name).startswith(_HIDDEN):  # not a device or a pipe, which is written straight
                    temporary.append(name)
        yield staged, temporary


def _is_open_file(path: str) -> bool:
    """Whether it is a descriptor of this process (a memory file): it has no folder to put a temporary name in."""
    return os.path.abspath(path).startswith(("/proc/self/fd/", "/dev/fd/", "/dev/stdout", "/dev/stderr"))


def _root(path: str) -> str:
    """Return the folder nearest to the output whose name is no pattern."""
    folder = os.path.dirname(os.path.abspath(path))
    while _PATTERN.search(os.path.basename(folder)):
        folder = os.path.dirname(folder)
    return folder


def _move_into(argv: list[str], output: CommandOutput, folder: str) -> None:
    assert output.path is not None
    root = _root(output.path)
    for index in range(output.options_start, output.index):
        beside = argv[index].lstrip("-") in _BESIDE_OPTIONS and index + 1 < output.index
        path = output_path(argv[index + 1]) if beside else None
        if path is not None and _root(path) == root:
            argv[index + 1] = f"{folder}/{os.path.relpath(path, root)}"
    argv[output.index] = f"file:{folder}/{os.path.relpath(os.path.abspath(output.path), root)}"


@contextlib.contextmanager
def _staged_folder(path: str, *, overwrite: bool) -> Iterator[str]:
    root = _root(path)
    if not _PATTERN.search(path):
        Destination.examine(path, overwrite=overwrite)
    try:
        folder = tempfile.mkdtemp(prefix=_HIDDEN, dir=root)
    except OSError as error:
        raise output_error(error, path=path) from error
    try:
        yield folder
        try:
            _publish(folder, root, os.path.basename(path), overwrite=overwrite)
        except OSError as error:
            raise output_error(error, path=path) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: str, root: str, last: str, *, overwrite: bool) -> None:
    """Move the files; what refers to the others comes last, so that a reader never finds it alone."""
    names = [
        os.path.relpath(os.path.join(parent, name), folder) for parent, _, files in os.walk(folder) for name in files
    ]
    for name in names:
        if not overwrite and os.path.lexists(os.path.join(root, name)):
            raise OutputExistsError("exists already", path=os.path.join(root, name), hint=OVERWRITE_HINT)
    names.sort(key=lambda name: (os.path.splitext(name)[1] in _SEVERAL_SUFFIXES, name == last, name))
    for name in names:
        target = os.path.join(root, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(os.path.join(folder, name), target)
