"""Frames as a PyTorch data set. Runs where torch is installed."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import ffzero
from support.samples import plain_sample

torch = pytest.importorskip("torch")

LOOK = {"size": "32x18", "step": 100}


@pytest.fixture
def path() -> str:
    return str(plain_sample())


def indices(items: object) -> list[tuple[int, int]]:
    return [(int(item["source"]), int(item["index"])) for item in items]  # type: ignore[attr-defined]


def test_a_tensor_shares_the_frame_s_memory(movie: ffzero.Movie) -> None:
    from ffzero.integrations.torch import frame_tensor

    frame = movie.frame_at(1)
    tensor = frame_tensor(frame)
    assert tensor.data_ptr() == frame.array.__array_interface__["data"][0]
    assert (tensor.shape, tensor.dtype) == ((108, 192, 3), torch.uint8)
    assert torch.from_dlpack(frame).data_ptr() == tensor.data_ptr()


def test_batches_fill_a_tensor(movie: ffzero.Movie) -> None:
    out = torch.zeros((4, 108, 192, 3), dtype=torch.uint8)
    batch = next(movie.frames(batch=4, out=out))
    assert batch.array.__array_interface__["data"][0] == out.data_ptr()
    assert bool((out[3] == torch.from_numpy(movie.frame_at(0.12).array)).all())


@pytest.mark.parametrize("workers", [0, 2])
def test_each_frame_comes_once(path: str, workers: int) -> None:
    from ffzero.integrations.torch import FrameDataset

    data = FrameDataset([path, path], **LOOK)
    # Processes that are forked from one whose decoders have threads are not safe; a loader should spawn.
    context = None if not workers else "spawn"
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers, multiprocessing_context=context)
    found = sorted(indices(loader))
    assert found == [(source, index) for source in (0, 1) for index in range(0, 2000, 100)]


def test_ranks_share_too(path: str) -> None:
    from ffzero.integrations.torch import FrameDataset

    ranks = [indices(FrameDataset([path], rank=rank, world_size=3, **LOOK)) for rank in range(3)]
    assert all(ranks)
    assert [item for rank in ranks for item in rank] == [(0, index) for index in range(0, 2000, 100)]
    with pytest.raises(ffzero.UsageError, match="rank 3 of 3"):
        FrameDataset([path], rank=3, world_size=3)


def test_transform_and_default_collation(path: str) -> None:
    from ffzero.integrations.torch import FrameDataset

    data = FrameDataset([path], transform=lambda frame: float(frame.time), step="20s")
    assert list(data) == [0, 20, 40, 60]
    (batch,) = torch.utils.data.DataLoader(FrameDataset([path], size="32x18", step="20s"), batch_size=4)
    assert batch["frame"].shape == (4, 18, 32, 3)
    assert batch["time"].tolist() == [0, 20, 40, 60]


def test_it_pickles_small(path: str) -> None:
    from ffzero.integrations.torch import FrameDataset

    assert len(pickle.dumps(FrameDataset([path, ffzero.open(path)]))) < 2000


def test_without_it_ffzero_does_not_load_torch() -> None:
    code = "import sys, ffzero.api; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout != "True\n"
