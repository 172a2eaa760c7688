"""Frames as a PyTorch ``IterableDataset`` that shards by worker and by rank."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from torch import Tensor, from_numpy  # type: ignore[import-not-found]  # an extra of the user's
from torch.utils.data import IterableDataset, get_worker_info  # type: ignore[import-not-found]  # the same

from ffzero.edits.clip import Clip
from ffzero.edits.frame_values import Frame
from ffzero.edits.movie import Movie, open_movie
from ffzero.errors import UsageError
from ffzero.frames.reading.steps import parse_step
from ffzero.integrations.shards import Share, shares_of
from ffzero.timebase import TimeLike

__all__ = ["FrameDataset", "frame_tensor"]


def frame_tensor(frame: Frame) -> Tensor:
    """Return a frame's pixels as a uint8 tensor of shape (height, width, channels) that shares their memory."""
    return from_numpy(frame.array)


class FrameDataset(IterableDataset):  # type: ignore[misc]  # torch has no types where it is not installed
    """The frames of movies, clips or files, each of which exactly one worker of one rank yields.

        loader = DataLoader(FrameDataset(["a.mp4", "b.mp4"], size="224x224", step="1s"), batch_size=32, num_workers=4)

    The sources are laid end to end and divided into as many equal times as there are workers in all; within movies the
    divisions fall on key pictures, so that nothing is decoded twice. Items are what ``transform`` makes of a ``Frame``,
    by default a dict: ``frame`` (uint8 tensor, height × width × channels; it shares the frame's memory), ``time``
    (seconds), ``index`` and ``source`` (its number in ``sources``). ``format``, ``size`` and ``step`` are those of
    ``movie.frames``. Files are opened in the worker; the dataset pickles to names. Give ``rank`` and ``world_size``
    where several processes train.
    """

    def __init__(
        self,
        sources: Sequence[Movie | Clip | str | os.PathLike[str]],
        *,
        format: str = "rgb24",
        size: tuple[int, int] | str | None = None,
        step: int | TimeLike | None = None,
        transform: Callable[[Frame], Any] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__()
        if not 0 <= rank < world_size:
            raise UsageError(f"rank {rank} of {world_size}", expected="0 <= rank < world_size")
        if not sources:
            raise UsageError("a dataset needs at least one source")
        self._sources = [source if isinstance(source, Movie | Clip) else os.fspath(source) for source in sources]
        self._look = {"format": format, "size": size}
        self._step = parse_step(step)
        self._transform = transform
        self._rank, self._world_size = rank, world_size

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        opened = [open_movie(source) if isinstance(source, str) else source for source in self._sources]
        # Workers together take as many threads as there are processors; one alone takes the usual number.
        threads = None if worker is None else max(1, (os.cpu_count() or 1) // workers)
        shares = shares_of(opened, self._rank * workers + number, self._world_size * workers, self._step)
        for share in shares:
            with closing(share.frames(opened[share.source], self._step, {**self._look, "threads": threads})) as frames:
                for frame in frames:
                    yield self._item(share, frame)

    def _item(self, share: Share, frame: Frame) -> Any:
        if self._transform is not None:
            return self._transform(frame)
        return {
            "frame": frame_tensor(frame),
            "time": float(frame.time),
            "index": frame.index,
            "source": share.source,
        }
