"""A caller's own FFmpeg options: checked, ordered, and never more than options and their values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.grammar import is_flag

__all__ = ["Arguments", "ExtraArguments", "canonical", "flatten", "option_text"]

Arguments = tuple[tuple[str, str | None], ...]
"""Options without their dash, in order; ``None`` marks a flag that takes no value."""

# An option's name, then a stream specifier (b:v, metadata:s:a:0, c:#0x101). A slash would read the value from a file.
_KEY = re.compile(r"-{0,2}([A-Za-z0-9][\w.+-]*(?::[\w:.#+-]+)?)", re.ASCII)
_GLOBAL = frozenset(
    (
        "init_hw_device",
        "filter_hw_device",
        "vaapi_device",
        "qsv_device",
        "hide_banner",
        "stats",
        "loglevel",
        "v",
        "ignore_unknown",
        "copy_unknown",
        "benchmark",
        "xerror",
        "copyts",
        "start_at_zero",
        "filter_threads",
        "filter_complex_threads",
        "max_error_rate",
    )
)
_INPUT = frozenset(
    (
        "hwaccel",
        "hwaccel_device",
        "hwaccel_output_format",
        "hwaccel_flags",
        "extra_hw_frames",
        "re",
        "readrate",
        "stream_loop",
        "thread_queue_size",
        "accurate_seek",
        "seek_timestamp",
        "itsoffset",
        "itsscale",
        "autorotate",
        "analyzeduration",
        "probesize",
        "find_stream_info",
        "reinit_filter",
        "fix_sub_duration",
    )
)
_REFUSED = {
    "i": "inputs are arguments of their own",
    "y": "whether to overwrite is asked for by overwrite=",
    "n": "whether to overwrite is asked for by overwrite=",
    "stdin": "FFmpeg never reads the terminal here",
    "progress": "progress comes from the executor",
    "report": "it would write a file beside the output",
    "attach": "it would open another file",
    "dump_attachment": "it would write another file",
    "protocol_whitelist": "which protocols an input may use is fixed",
    "protocol_blacklist": "which protocols an input may use is fixed",
    "map": "streams are chosen by the command's maps",
    "filter_complex": "the command has its own filter graph",
    "lavfi": "the command has its own filter graph",
    "filter_complex_script": "the command has its own filter graph",
    "filter_script": "it would open another file",
    "vstats": "it would write another file",
    "vstats_file": "it would write another file",
    "stats_enc_pre": "it would write another file",
    "stats_enc_post": "it would write another file",
    "stats_mux_pre": "it would write another file",
    "sdp_file": "it would write another file",
    "print_graphs_file": "it would write another file",
    "fpre": "it would open another file",
    "vpre": "it would open another file",
    "apre": "it would open another file",
    "spre": "it would open another file",
    "h": "it is a question, not a job",
    "help": "it is a question, not a job",
    "version": "it is a question, not a job",
}
_SAME = {
    "vcodec": "c:v",
    "acodec": "c:a",
    "codec:v": "c:v",
    "codec:a": "c:a",
    "vb": "b:v",
    "ab": "b:a",
    "qscale:v": "q:v",
    "qscale:a": "q:a",
    "threads:v": "threads",
    "r:v": "r",
    "pix_fmt:v": "pix_fmt",
    "ar:a": "ar",
    "ac:a": "ac",
    "profile": "profile:v",
    "preset:v": "preset",
    "crf:v": "crf",
    "vendor:v": "vendor",
}
_MUXERS_REFUSED = frozenset({"tee"})  # it reads the output's name as a list of addresses
_MUXER_OPTIONS = frozenset({"f", "fifo_format"})


def option_text(value: object, key: str) -> str:
    """Return an option's value as FFmpeg reads it: numbers and fractions as they print, paths as they are."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)
    if isinstance(value, str | int | float | os.PathLike):
        text = os.fspath(value) if isinstance(value, os.PathLike) else f"{value}"
        if isinstance(text, str) and "\0" not in text:
            return text
    raise UsageError(f"not a value for FFmpeg's option {key!r}: {value!r}", hint="Give a string or a number")


def canonical(key: str) -> str:
    """Return the one name of an option that FFmpeg knows by several, as ``vcodec`` is ``c:v``."""
    return _SAME.get(key, key)


def flatten(arguments: Iterable[tuple[str, str | None]]) -> list[str]:
    """Return options as words of a command line."""
    words = []
    for key, value in arguments:
        words.append(f"-{key}")
        if value is not None:
            words.append(value)
    return words


class ExtraArguments(Mapping[str, Any]):
    """An immutable, ordered copy of ``extra_args``: FFmpeg options without their dash, each with its value.

    ``True`` gives a flag alone (``"an": True``), or ``1`` where the option is a boolean that takes a value
    (``"row-mt": True``: a flag alone would swallow the next word); ``False`` and ``None`` leave the option out; a list
    or tuple repeats it. Names may carry a dash and a stream specifier (``"b:v"``). Raises ``UsageError`` for what is no
    option name or value, and for the few options that would open other files or fight with the command.
    """

    __slots__ = ("_items",)

    def __init__(self, given: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        pairs = given.items() if isinstance(given, Mapping) else given
        self._items: dict[str, Any] = {}
        for key, value in pairs:
            name = _key(key)
            value = tuple(value) if isinstance(value, list | tuple) else value
            self._items[name] = value
            for _, text in _words(name, value):
                if _base(name) in _MUXER_OPTIONS and text is not None and text.lower() in _MUXERS_REFUSED:
                    raise UsageError(f"extra_args may not choose the muxer {text!r}", hint="Write one output at a time")

    def __getitem__(self, key: str) -> Any:
        return self._items[key.lstrip("-")]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ExtraArguments, (dict(self._items),))

    def output(self) -> Arguments:
        """Return the options that belong before an output."""
        return self._chosen(lambda base: base not in _GLOBAL and base not in _INPUT)

    def input(self) -> Arguments:
        """Return those that belong before an input, such as ``hwaccel``."""
        return self._chosen(lambda base: base in _INPUT)

    def program(self) -> Arguments:
        """Return those that concern the whole program, such as ``init_hw_device``."""
        return self._chosen(lambda base: base in _GLOBAL and base not in _INPUT)

    def _chosen(self, wanted: Any) -> Arguments:
        return tuple(pair for key, value in self._items.items() if wanted(_base(key)) for pair in _words(key, value))


def _key(key: object) -> str:
    match = _KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        raise UsageError(
            f"not the name of an FFmpeg option: {key!r}", hint='Names are like "tune", "b:v" or "-movflags"'
        )
    reason = _REFUSED.get(_base(match[1]))
    if reason is not None:
        raise UsageError(f"extra_args may not hold {key!r}: {reason}")
    return match[1]


def _base(key: str) -> str:
    """Return the option's name without its stream specifier and without the ``no`` of a flag that is off."""
    name = key.partition(":")[0]
    return name[2:] if name.startswith("no") and is_flag(name) else name


def _words(key: str, value: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, tuple):
        for one in value:
            yield from _words(key, one)
    elif value is True:
        yield key, None if is_flag(key) else "1"
    elif value is not False and value is not None:
        if is_flag(key):
            raise UsageError(f"FFmpeg's option {key!r} takes no value: {value!r} would be an output", hint="Give True")
        yield key, option_text(value, key)
