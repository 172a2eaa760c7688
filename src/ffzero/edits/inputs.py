"""An input file, opened: by its own index where ffzero reads the container, else for libav."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from ffzero.containers.detect import detect
from ffzero.edits.media import Media
from ffzero.errors import SourceError, UnsupportedError
from ffzero.storage.local import LocalSource
from ffzero.values import dataclass

__all__ = ["Input", "open_input", "require_known", "require_media"]

_SNIFF_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Input:
    """A file and its container family (see ``detect``); ``media`` is set for MP4, MOV and fragmented MP4.

    ``source`` is the file as it was when it was opened, for those that libav opens again by their path.
    """

    path: str
    container: str
    media: Media | None
    source: LocalSource | None = None

    def check_same(self, *, opened: bool = False) -> None:
        """Raise ``SourceChangedError`` where another file is at the path by now. One that has grown is the same.

        With ``opened`` a file that took its place is no matter: who has opened this one reads on in it.
        """
        if self.source is None:
            return
        try:
            status = os.stat(self.path)
        except OSError:
            return  # whoever opens it tells
        known = self.source
        is_it = (status.st_dev, status.st_ino) == (known.device, known.inode)
        if not (status.st_size > known.size_bytes if is_it else opened):
            known.check_unchanged()


def open_input(path: str | os.PathLike[str]) -> Input:
    """Open and index a media file. Raises ``SourceNotFoundError``, ``InvalidDataError``, ``UnsupportedError``."""
    source = LocalSource.open(path)
    if not source.size_bytes:
        raise SourceError("the file is empty", path=source.path)
    container = detect(source.read_at(0, min(_SNIFF_BYTES, source.size_bytes)))
    if container == "isobmff":
        return Input(path=source.path, container=container, media=Media.of(source))
    return Input(path=source.path, container=container, media=None, source=source)


def require_media(inputs: Iterable[Input]) -> None:
    """Raise ``UnsupportedError`` unless every input is edited by its own index; ``InvalidDataError`` for no media."""
    for item in inputs:
        if item.media is not None:
            continue
        require_known(item)
        copy = f"{os.path.splitext(os.path.basename(item.path))[0]}.mp4"
        raise UnsupportedError(
            f"only MP4 and MOV can be edited like this, and it is {item.container}",
            path=item.path,
            hint=f"Copy it first: ffzero cut {shlex.quote(item.path)} -o {shlex.quote(copy)} (or `ffzero transcode`,"
            " where MP4 does not hold its codecs)",
        )


def require_known(item: Input) -> None:
    """Raise ``InvalidDataError`` where a file without a known signature is none that FFmpeg can read either."""
    if item.media is None and item.container == "unknown":
        from ffzero.containers.libav import probe

        probe(item.path)
