"""A temporary folder for the owner alone (0700, unpredictable name) that does not outlive this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref

from ffzero.errors import OutputError
from ffzero.ffmpeg.process import Watchdog

__all__ = ["PrivateFolder"]


class PrivateFolder:
    """The private folder, removed once: by ``close``, at the end of Python, or by the watchdog if Python is killed."""

    def __init__(self, parent: str | None) -> None:
        try:
            self.path = os.path.realpath(tempfile.mkdtemp(prefix="ffzero-", dir=parent))
        except OSError as error:
            raise OutputError(f"no temporary folder can be made: {error.strerror}", path=parent) from error
        self._finalizer = weakref.finalize(self, _remove, self.path, Watchdog([self.path]), os.getpid())

    def sizes(self) -> list[int]:
        """Return the bytes of each file in it."""
        sizes = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    sizes.append(entry.stat().st_size)
        return sizes

    def close(self) -> None:
        """Remove it with all that is in it; a second time does nothing."""
        self._finalizer()


def _remove(path: str, watchdog: Watchdog, pid: int) -> None:
    if os.getpid() != pid:  # a forked child must take nothing from its parent
        return
    shutil.rmtree(path, ignore_errors=True)
    watchdog.close()
