"""Finds the FFmpeg program and asks it what it can do: once for each file, not once for each question."""

from __future__ import annotations

import functools
import os
import re
import shutil
from dataclasses import field

from ffzero.errors import FFmpegNotFoundError
from ffzero.ffmpeg.asking import ask
from ffzero.values import dataclass

__all__ = ["ENVIRONMENT_VARIABLE", "FFmpegBinary", "find_ffmpeg", "names_in"]

ENVIRONMENT_VARIABLE = "FFZERO_FFMPEG"

_VERSION = re.compile(r"ffmpeg version (\S+)")
# Distributions write 6.1.1-3ubuntu5, release branches n7.0.2; a snapshot (N-112345-gabc, 2024-01-01-git) has no number.
_NUMBER = re.compile(r"n?(\d{1,2})\.(\d+)(?:\.(\d+))?(?![\d.])", re.ASCII)
_CODEC_LINE = re.compile(r" [VAS.D][A-Z.]{5} (\S+)", re.ASCII)  # " V....D libx264   words"
_FORMAT_LINE = re.compile(r" [D ][E ]d? +(\S+)", re.ASCII)  # " DEd v4l2   words", "  E  3g2", " D   mov,mp4,m4a"
_FILTER_LINE = re.compile(r" [T.][S.][C.]? +(\S+) +\S+->\S+", re.ASCII)  # " TSC scale  V->V  words"; C until 6.1
_PLAIN_LINE = re.compile(r" *(\S+)", re.ASCII)
_LINES = {
    "encoders": _CODEC_LINE,
    "decoders": _CODEC_LINE,
    "muxers": _FORMAT_LINE,
    "demuxers": _FORMAT_LINE,
    "filters": _FILTER_LINE,
    "protocols": _PLAIN_LINE,
    "hwaccels": _PLAIN_LINE,
    "bsfs": _PLAIN_LINE,
}
_HINT = f"Install FFmpeg, or name one: {ENVIRONMENT_VARIABLE}=/path/to/ffmpeg, or pip install imageio-ffmpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpegBinary(os.PathLike[str]):
    """An FFmpeg program that answered ``-version``: a path (``os.PathLike``) that knows what it can do.

    ``source`` says how it was found: ``"explicit"``, ``"environment"``, ``"path"`` or ``"bundled"``. ``version_number``
    is ``None`` for a development snapshot. What it can do is asked at first use and kept until the file changes; a
    program that does not answer then is an ``FFmpegNotFoundError``. What is listed may still fail when run: hardware
    encoders often do.
    """

    path: str
    source: str
    version: str
    version_number: tuple[int, int, int] | None = field(default=None)

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    @property
    def encoders(self) -> frozenset[str]:
        return self._listed("encoders")

    @property
    def decoders(self) -> frozenset[str]:
        return self._listed("decoders")

    @property
    def muxers(self) -> frozenset[str]:
        return self._listed("muxers")

    @property
    def demuxers(self) -> frozenset[str]:
        return self._listed("demuxers")

    @property
    def filters(self) -> frozenset[str]:
        return self._listed("filters")

    @property
    def protocols(self) -> frozenset[str]:
        """Names that it reads or writes."""
        return self._listed("protocols")

    @property
    def hwaccels(self) -> frozenset[str]:
        return self._listed("hwaccels")

    @property
    def bsfs(self) -> frozenset[str]:
        """Bitstream filters."""
        return self._listed("bsfs")

    def has_encoder(self, name: str) -> bool:
        return str(name) in self.encoders

    def has_decoder(self, name: str) -> bool:
        return str(name) in self.decoders

    def has_muxer(self, name: str) -> bool:
        return str(name) in self.muxers

    def has_demuxer(self, name: str) -> bool:
        return str(name) in self.demuxers

    def has_filter(self, name: str) -> bool:
        return str(name) in self.filters

    def has_protocol(self, name: str) -> bool:
        return str(name) in self.protocols

    def has_hwaccel(self, name: str) -> bool:
        return str(name) in self.hwaccels

    def has_bsf(self, name: str) -> bool:
        return str(name) in self.bsfs

    def _listed(self, what: str) -> frozenset[str]:
        return _listed(self.path, *_identity(self.path), what)


def find_ffmpeg(path: str | os.PathLike[str] | None = None) -> FFmpegBinary:
    """Return the FFmpeg program to use.

    ``path`` is taken where given, then what the environment variable ``FFZERO_FFMPEG`` names, then ``ffmpeg`` on
    ``PATH``, then the one that the package ``imageio-ffmpeg`` brings. What is named must work: it is never passed over
    for another. Raises ``FFmpegNotFoundError`` where there is none, or what was named is missing, may not be run, or
    is not FFmpeg.
    """
    if path is not None:
        return _named(os.fspath(path), "explicit")
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return _named(named, "environment")
    found = shutil.which("ffmpeg")
    if found is not None:
        try:
            return _checked(os.path.abspath(found), "path")
        except FFmpegNotFoundError:
            pass  # a broken program that nobody named does not stand in the way of the bundled one
    bundled = _bundled()
    if bundled is None:
        raise FFmpegNotFoundError("no FFmpeg program was found", cause="not installed", hint=_HINT)
    return _checked(bundled, "bundled")


def _named(name: str, source: str) -> FFmpegBinary:
    hint = f"Check {ENVIRONMENT_VARIABLE}" if source == "environment" else "Check the path"
    path = name if os.path.dirname(name) else shutil.which(name) or name
    if not os.path.exists(path):
        raise FFmpegNotFoundError("there is no such FFmpeg program", path=name, cause="no such file", hint=hint)
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise FFmpegNotFoundError("is not a program that may be run", path=name, cause="not executable", hint=hint)
    return _checked(os.path.abspath(path), source)


def _bundled() -> str | None:
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped] # has no stubs; imported late: it is slow to import
    except ImportError:
        return None
    try:
        return os.path.abspath(str(imageio_ffmpeg.get_ffmpeg_exe()))
    except RuntimeError:  # the wheel for this platform carries none
        return None


def _checked(path: str, source: str) -> FFmpegBinary:
    version = _version(path, *_identity(path))
    match = _NUMBER.match(version)
    number = None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))
    return FFmpegBinary(path=path, source=source, version=version, version_number=number)


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise FFmpegNotFoundError("the FFmpeg program is gone", path=path, cause="no such file") from error
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _version(path: str, mtime_ns: int, size: int) -> str:
    match = _VERSION.match(ask(path, "-version"))
    if match is None:
        raise FFmpegNotFoundError(
            "is not FFmpeg: it does not answer -version as FFmpeg does",
            path=path,
            argv=(path, "-version"),
            cause="not FFmpeg",
            hint=_HINT,
        )
    return match[1]


@functools.lru_cache(maxsize=256)
def _listed(path: str, mtime_ns: int, size: int, what: str) -> frozenset[str]:
    return names_in(what, ask(path, "-hide_banner", f"-{what}"))


def names_in(what: str, text: str) -> frozenset[str]:
    """Return the names that FFmpeg's answer to ``-what`` lists; headings and legends are none."""
    names: set[str] = set()
    for line in text.splitlines():
        match = _LINES[what].match(line)
        if match is not None and match[1] != "=" and not line.endswith(":"):
            names.update(match[1].split(","))
    return frozenset(names - {""})
