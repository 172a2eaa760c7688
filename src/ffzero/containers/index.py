"""Every sample of a stretch of a track, as numpy columns: for those who want to see them one by one."""

from __future__ import annotations

import numpy as np

from ffzero.errors import UsageError
from ffzero.values import dataclass

__all__ = ["MAX_SAMPLES", "SampleIndex"]

MAX_SAMPLES = 4_000_000
"""Most samples in one index: 36 hours of 30 frames a second, some 200 MB. Ask for stretches beyond that."""

_COLUMNS = {
    "offset_bytes": np.int64,
    "size_bytes": np.int64,
    "dts_ticks": np.int64,
    "pts_ticks": np.int64,
    "duration_ticks": np.int64,
    "is_sync": np.bool_,
    "description": np.int64,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleIndex:
    """Samples ``[first, first + len)`` of a track in decoding order, one read-only array of shape (n,) per column.

    Ticks are 1/``timescale`` seconds of media time, before edits; offsets count from the start of the file.
    ``is_sync`` is the container's word; ``description`` numbers the track's sample entries from 0.
    """

    first: int
    timescale: int
    offset_bytes: np.ndarray
    size_bytes: np.ndarray
    dts_ticks: np.ndarray
    pts_ticks: np.ndarray
    duration_ticks: np.ndarray
    is_sync: np.ndarray
    description: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in _COLUMNS.items():
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != self.offset_bytes.shape or column.ndim != 1:
                raise ValueError(f"{name} must be a column of {len(self)} {np.dtype(dtype)}")
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.offset_bytes)

    @staticmethod
    def check_bound(count: int) -> None:
        """Raise ``UsageError`` where ``count`` samples are too many for one index."""
        if count > MAX_SAMPLES:
            raise UsageError(
                "too many samples for one index", expected=f"at most {MAX_SAMPLES}", found=count, hint="Ask for a range"
            )
