"""How much memory this process and those that it started hold."""

from __future__ import annotations

import contextlib
import os

__all__ = ["resident_bytes"]


def resident_bytes() -> int | None:
    """Return the resident memory of this process and all below it; ``None`` where the system does not tell."""
    if not os.path.isdir("/proc/self"):
        return None
    parents, pages = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()
                parents[int(name)], pages[int(name)] = int(fields[1]), int(fields[21])
    mine = {os.getpid()}
    below = {child for child, parent in parents.items() if parent in mine}
    while below - mine:
        mine |= below
        below = {child for child, parent in parents.items() if parent in mine}
    return sum(pages.get(process, 0) for process in mine) * os.sysconf("SC_PAGE_SIZE")
