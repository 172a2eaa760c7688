"""Every frame goes to exactly one worker, whatever is divided."""

from __future__ import annotations

import subprocess

import pytest

import ffzero
from ffzero.frames.reading.steps import parse_step
from ffzero.integrations.shards import shares_of
from support.media import ffmpeg_exe
from support.samples import plain_sample

LOOK = {"format": "gray", "size": (16, 16)}


def dealt(sources: list, count: int, step: object = None) -> list[list[tuple[int, int]]]:
    """Return what each worker gets: (source, index) of each frame."""
    parsed = parse_step(step)  # type: ignore[arg-type]
    return [
        [
            (share.source, frame.index)
            for share in shares_of(sources, number, count, parsed)
            for frame in share.frames(sources[share.source], parsed, LOOK)
        ]
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> ffzero.Movie:
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    with ffzero.open(plain_sample()) as movie:
        movie[0:7].write(path)
    return ffzero.open(path)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> ffzero.Movie:
    """Frames at a varying rate: some last longer than a step."""
    path = tmp_path_factory.mktemp("uneven") / "uneven.mp4"
    pick = "select='lt(mod(n,50),10)+not(mod(n,17))'"
    argv = [ffmpeg_exe(), "-v", "error", "-t", "12", "-i", plain_sample(), "-vf", pick, "-fps_mode", "vfr", path]
    subprocess.run(argv, check=True, timeout=60)
    return ffzero.open(path)


@pytest.mark.parametrize("step", [None, 7, "0.3s", "1.7s"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 40])
def test_shares_are_the_whole(short: ffzero.Movie, uneven: ffzero.Movie, step: object, count: int) -> None:
    sources = [short, uneven, short[1.1:3.3]]
    wanted = [
        (number, frame.index) for number, source in enumerate(sources) for frame in source.frames(step=step, **LOOK)
    ]
    if isinstance(step, str):  # where sound goes on after the pictures, the last one is shown until its end
        (one,) = dealt(sources, 1, step)
        assert set(wanted) <= set(one)
        assert len(one) - len(wanted) <= 1
        wanted = one
    workers = dealt(sources, count, step)
    assert [item for worker in workers for item in worker] == wanted


def test_shares_of_a_movie_begin_at_key_pictures(short: ffzero.Movie) -> None:
    starts = [share.start for number in range(3) for share in shares_of([short], number, 3)]
    assert starts == [None, 2, 4]
