"""A command line of FFmpeg as values: inputs, filter graph, outputs. Making one opens nothing and runs nothing.

A path is a file, whatever its name looks like: it is made absolute and stands behind ``file:``, where FFmpeg sees no
option, protocol, list or pattern in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any

from ffzero.errors import UsageError
from ffzero.ffmpeg.codecs import FFmpegCodec
from ffzero.ffmpeg.filters import chain
from ffzero.ffmpeg.memory_file import MemoryFile
from ffzero.ffmpeg.options import ExtraArguments, flatten
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.timebase import TimeLike, parse_time
from ffzero.values import dataclass

__all__ = ["PROTOCOLS", "FFmpegCommand", "Input", "ListFile", "Output", "Url", "file_url", "seconds_text"]

PROTOCOLS = "file,crypto,data,fd,pipe,subfile,concatf"
"""What an input, and what it refers to in turn, may be read through: nothing that reaches the network."""

_MP4_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".qt", ".m4a", ".3gp", ".3g2"})
_FORMATS = {
    ".mp4": "mp4",
    ".mov": "mov",
    ".m4a": "ipod",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".avi": "avi",
    ".flv": "flv",
    ".mp3": "mp3",
    ".aac": "adts",
    ".flac": "flac",
    ".wav": "wav",
    ".ogg": "ogg",
    ".opus": "opus",
    ".gif": "gif",
}
"""What a memory file's suffix asks for: the path by which it is opened has none."""
_SUFFIXES = {name: suffix for suffix, name in _FORMATS.items()}
_PICTURE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".png",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pam",
        ".pfm",
        ".tga",
        ".exr",
        ".dpx",
        ".jp2",
        ".j2k",
        ".jxl",
        ".svg",
        ".pcx",
        ".sgi",
        ".xbm",
        ".xpm",
        ".xwd",
        ".jls",
        ".ljpg",
        ".qoi",
        ".hdr",
        ".avif",
        ".dds",
        ".psd",
        ".ras",
        ".rgb",
        ".pix",
        ".cri",
        ".mng",
    )
)
_PATTERN = re.compile(r"[%*?\[{]")
_MICRO = 1_000_000


class Url(str):
    """An address that this program made itself (``concatf:…``, ``fd:``) and that goes to FFmpeg as it is."""

    __slots__ = ()


class ListFile(str):
    """The name of one of a command's ``files``: the executor writes it, and puts its path in the name's place."""

    __slots__ = ()


def file_url(path: str | os.PathLike[str]) -> str:
    """Return the address by which FFmpeg opens exactly this file. Raises ``UsageError`` for what no file can be."""
    if isinstance(path, Url | ListFile):
        return str(path)
    name = os.fspath(path)
    if not isinstance(name, str) or not name or "\0" in name:
        raise UsageError(f"not the name of a file: {name!r}")
    return f"file:{os.path.join(os.getcwd(), name)}"


def seconds_text(seconds: Fraction) -> str:
    """Return seconds as FFmpeg reads them, rounded to its microsecond."""
    ticks = round(seconds * _MICRO)
    text = f"{ticks // _MICRO}.{ticks % _MICRO:06d}".rstrip("0")
    return text.rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input. ``start`` and ``duration`` are in seconds of the file (anything ``parse_time`` takes)."""

    path: str | os.PathLike[str]
    options: Mapping[str, Any] = field(default_factory=ExtraArguments)
    start: TimeLike | None = None
    duration: TimeLike | None = None

    def __post_init__(self) -> None:
        url = file_url(self.path)
        keep = type(self.path) if isinstance(self.path, Url | ListFile) else Url
        object.__setattr__(self, "path", keep(url))  # fixed now, so that a later chdir does not change it
        object.__setattr__(self, "options", ExtraArguments(self.options))
        for name in ("start", "duration"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else parse_time(value))

    def argv(self, more: Iterable[str] = ()) -> list[str]:
        """Return the words for this input; ``more`` are options to stand before it."""
        words = [*more]
        if isinstance(self.start, Fraction) and self.start > 0:
            words += ["-ss", seconds_text(self.start)]
        if isinstance(self.duration, Fraction):
            words += ["-t", seconds_text(self.duration)]
        words += flatten(ExtraArguments(self.options).output() + ExtraArguments(self.options).input())
        url = os.fspath(self.path)
        suffix = os.path.splitext(url)[1].lower()
        if "f" not in self.options and suffix in _PICTURE_SUFFIXES and _PATTERN.search(url):
            words += ["-f", "image2", "-pattern_type", "none"]  # a picture's name would be read as a pattern
        return [*words, "-protocol_whitelist", PROTOCOLS, "-i", url]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output: which streams, filtered how, encoded how, and where to.

    ``maps`` are FFmpeg's (``"0:v:0"``, ``"[label]"``); ``filters`` and ``audio_filters`` come before those that the
    settings need. ``settings=None`` adds no codec: the options say what to do. ``graph_video`` and ``graph_audio`` say
    that the stream comes from the command's filter graph, which holds those filters already. A memory file gets the
    format that its ``suffix`` says.
    """

    path: str | os.PathLike[str]
    options: Mapping[str, Any] = field(default_factory=ExtraArguments)
    maps: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    audio_filters: tuple[str, ...] = ()
    settings: FFmpegSettings | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    graph_video: bool = False
    graph_audio: bool = False

    def __post_init__(self) -> None:
        suffix = self.path.suffix if isinstance(self.path, MemoryFile) else None
        format_name = {} if suffix not in _FORMATS else {"f": _FORMATS[suffix]}
        object.__setattr__(self, "path", Url(file_url(self.path)))
        object.__setattr__(self, "options", ExtraArguments({**format_name, **self.options}))
        metadata = {str(key): str(value) for key, value in self.metadata.items()}
        for key, value in metadata.items():
            if not key or "=" in key or "\0" in key + value:
                raise UsageError(f"not a metadata entry: {key!r}: {value!r}")
        object.__setattr__(self, "metadata", metadata)

    @property
    def suffix(self) -> str:
        """The name's ending in lower case, with its dot; where it has none, that of the format asked for."""
        own = os.path.splitext(os.fspath(self.path))[1].lower()
        return own or _SUFFIXES.get(str(self.options.get("f")), "")

    def warnings(self) -> tuple[str, ...]:
        """Return what the settings ask for and is left out here."""
        if self.settings is None:
            return ()
        left = [name for name in self._unusable(self.settings) if name in self.settings.extra_args]
        more = (f"{name} is an option of MP4 and MOV: left out for {self.suffix or 'this output'}" for name in left)
        return (*self.settings.warnings(), *more)

    def argv(self) -> list[str]:
        """Return the words for this output, its address last."""
        words = [word for one in self.maps for word in ("-map", one)]
        words += self._video_words() + self._audio_words()
        words += [word for key, value in self.metadata.items() for word in ("-metadata", f"{key}={value}")]
        words += flatten(ExtraArguments(self.options).output())
        if self.settings is not None:
            words += self._settings_words(self.settings)
        return [*words, os.fspath(self.path)]

    def _video_words(self) -> list[str]:
        settings = self.settings
        own = [] if settings is None or self.graph_video else settings.filters()
        filters = [*self.filters, *own]
        if filters and settings is not None and settings.video is FFmpegCodec.COPY:
            raise UsageError("video that is copied cannot be filtered", hint="Choose a video_codec other than COPY")
        words = ["-filter:v", chain(*filters)] if filters else []
        return words if settings is None else words + settings.video_arguments()

    def _audio_words(self) -> list[str]:
        settings = self.settings
        own = [] if settings is None or self.graph_audio else settings.audio_filters()
        filters = [*self.audio_filters, *own]
        if filters and settings is not None and settings.audio is FFmpegCodec.COPY:
            raise UsageError("audio that is copied cannot be filtered", hint="Choose an audio_codec other than COPY")
        words = ["-filter:a", chain(*filters)] if filters else []
        return words if settings is None else words + settings.audio_arguments()

    def _settings_words(self, settings: FFmpegSettings) -> list[str]:
        words = []
        if self.suffix in _MP4_SUFFIXES and settings.codes("hevc") and "tag:v" not in settings.extra_args:
            words += ["-tag:v", "hvc1"]  # QuickTime plays no hev1
        return words + settings.extra_arguments(without=self._unusable(settings))

    def _unusable(self, settings: FFmpegSettings) -> tuple[str, ...]:
        """Return the options of the MP4 muxer alone, where the output has another, which would call them unknown."""
        return () if self.suffix in _MP4_SUFFIXES or "f" in settings.extra_args else ("movflags",)


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpegCommand:
    """A command for the FFmpeg program. Immutable; ``argv`` gives its words.

    ``files`` are texts that stand in files when it runs: where a name is a word of ``argv``, its path goes in its place
    (the executor does both; or give ``argv`` the folder that holds them). ``links`` are symbolic links beside them,
    by name, to the paths of files. ``overwrite`` adds ``-y``; without it FFmpeg refuses an existing output by itself.
    ``notes`` are what ``warnings`` says of it besides what its outputs leave out.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    global_options: Mapping[str, Any] = field(default_factory=ExtraArguments)
    filter_complex: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.inputs or not self.outputs:
            raise UsageError("a command needs an input and an output")
        object.__setattr__(self, "global_options", ExtraArguments(self.global_options))

    def warnings(self) -> tuple[str, ...]:
        """Return what it does otherwise than one might expect, and what it leaves out."""
        return (*self.notes, *(warning for output in self.outputs for warning in output.warnings()))

    def argv(
        self, binary_path: str | os.PathLike[str] = "ffmpeg", /, *, folder: str | os.PathLike[str] | None = None
    ) -> list[str]:
        """Return the command's words, the program first. Shell syntax means nothing in them: run them as a list."""
        words = [os.fspath(binary_path), "-hide_banner", "-nostdin", *(["-y"] if self.overwrite else [])]
        options = ExtraArguments(self.global_options)
        words += flatten(options.program() + options.output())
        settings = [output.settings for output in self.outputs if output.settings is not None]
        words += settings[0].global_arguments() if settings else []
        for one in self.inputs:
            words += one.argv(settings[0].input_arguments() if settings else ())
        if self.filter_complex is not None:
            words += ["-filter_complex", self.filter_complex]
        for output in self.outputs:
            words += output.argv()
        if folder is None:
            return words
        return [f"file:{os.path.join(folder, word)}" if word in self.files else word for word in words]
