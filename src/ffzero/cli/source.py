"""What a command needs to know of its input before FFmpeg reads it: how long it is, and which streams it holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.containers.libav import open_errors
from ffzero.errors import SourceError, SourceNotFoundError, TimeRangeError, UnsupportedError, UsageError
from ffzero.ffmpeg.model import PROTOCOLS, file_url
from ffzero.timebase import format_time
from ffzero.values import dataclass

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["Source", "look"]

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input. ``duration_s`` is ``None`` where the file does not say; ``audio`` are its codecs, in order."""

    path: str
    duration_s: Fraction | None
    video: tuple[str, ...]
    audio: tuple[str, ...]
    subtitles: tuple[str, ...] = ()

    def require_video(self) -> None:
        """Raise ``UnsupportedError`` where there are no pictures."""
        if not self.video:
            raise UnsupportedError("holds no pictures", path=self.path, hint="`ffzero inspect` shows what is there")

    def require_audio(self, track: int) -> str:
        """Return the codec of the sound track of that number, 1 being the first. Raises ``FFZeroError``."""
        if not self.audio:
            raise UnsupportedError("holds no sound", path=self.path, hint="`ffzero inspect` shows what is there")
        if not 1 <= track <= len(self.audio):
            raise UsageError(f"there is no sound track {track}", path=self.path, expected=f"1 to {len(self.audio)}")
        return self.audio[track - 1]

    def length(self, start_s: Fraction | None, end_s: Fraction | None) -> Fraction | None:
        """Return how many seconds the range holds, as far as that is known.

        Raises ``TimeRangeError`` where it begins behind the file's end.
        """
        start_s = start_s or Fraction(0)
        if self.duration_s is not None and start_s >= self.duration_s:
            found = f"the start ({format_time(start_s)}) is not before the file's end ({format_time(self.duration_s)})"
            raise TimeRangeError(found, path=self.path)
        ends = [end for end in (end_s, self.duration_s) if end is not None]
        return min(ends) - start_s if ends else None

    def refuse_as_output(self, output: str | None) -> None:
        """Raise ``UsageError`` where the output would take the input's place."""
        try:
            same = output is not None and os.path.samefile(self.path, output)
        except OSError:
            return
        if same:
            raise UsageError("the output is the input", path=output, hint="Give the output another name")


def look(path: str) -> Source:
    """Return what FFmpeg's libraries find in a file. Raises ``FFZeroError`` where they cannot read it."""
    _require_file(path)
    with open_errors(path), _opened(path) as container:
        streams = [stream for stream in container.streams if not _is_cover(stream)]
        known = [stream.duration * stream.time_base for stream in streams if stream.duration and stream.time_base]
        duration_s = Fraction(container.duration, _MICROSECONDS) if container.duration else max(known, default=None)
        codecs = {
            kind: tuple(_codec(stream) for stream in streams if stream.type == kind)
            for kind in ("video", "audio", "subtitle")
        }
    return Source(
        path=path, duration_s=duration_s, video=codecs["video"], audio=codecs["audio"], subtitles=codecs["subtitle"]
    )


def _require_file(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise SourceNotFoundError("no such file", path=path, hint="Check the path") from None
    except OSError as error:
        raise SourceError(f"the file cannot be read: {error.strerror}", path=path) from error
    if not stat.S_ISREG(mode):
        raise SourceError("is no file", path=path, hint="`ffzero run` reads pipes and devices")


@contextmanager
def _opened(path: str) -> Iterator[InputContainer]:
    import av

    # A playlist must not reach the network, here as in the commands.
    with av.open(file_url(path), options={"protocol_whitelist": PROTOCOLS}, metadata_errors="replace") as container:
        yield container


def _is_cover(stream: Any) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)
