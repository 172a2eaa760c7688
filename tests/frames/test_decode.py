"""Decoding the pictures of a job: only they come out, damage is told, and a cancelled job ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffzero.errors import CancelledError, DecodeError
from ffzero.frames.pictures.decode import pictures
from ffzero.frames.render import PyAVRenderer
from ffzero.reporting import CancelToken
from support.media import made
from support.renders import job_at, opened, render, shown_times

CLOSED, OPEN, GRADUAL = "h264_opus.mp4", "h264_open_gop.mp4", "h264_intra_refresh.mp4"
HEVC = "hevc_cra_rasl_hvc1.mp4"


@pytest.mark.parametrize("name", [CLOSED, OPEN, GRADUAL, HEVC, "av1_10bit.mp4", "vfr.mp4"])
@pytest.mark.parametrize("place", [0, 0.4, 1])
def test_only_the_pictures_of_a_job_come_out(name: str, place: float) -> None:
    media = opened(made(name))
    job = job_at(media, media.box.tracks[0], place, 9)
    assert [frame.pts for _, frame in pictures(job)] == shown_times(job)


def damaged(folder: Path, name: str, sample: int, how: str) -> Path:
    """Return a copy of a made file in which one sample of its pictures is damaged."""
    media = opened(made(name))
    offsets, sizes = media.box.tracks[0].table.offsets_and_sizes(sample, sample + 1)
    offset, size = int(offsets[0]), int(sizes[0])
    data = bytearray(made(name).read_bytes())
    if how == "noise":
        for at in range(offset + size // 3, offset + size - 8):
            data[at] = (data[at] * 167 + at * 89 + 13) & 255
    elif how == "zeros":
        data[offset : offset + size] = bytes(size)
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (CLOSED, "noise"),
        (OPEN, "noise"),
        (CLOSED, "zeros"),
        (OPEN, "zeros"),
        (HEVC, "zeros"),  # libavcodec does not notice noise in HEVC slices
    ],
)
def test_a_damaged_picture_is_an_error_that_says_where(tmp_path: Path, name: str, how: str) -> None:
    whole = opened(made(name))
    job = job_at(whole, whole.box.tracks[0], 0.5, 8)
    column = job.track.table.pts_column(0, job.decode_stop)
    _, sizes = job.track.table.offsets_and_sizes(0, job.decode_stop)
    number = max(np.flatnonzero((column >= job.pts_first) & (column < job.pts_stop)).tolist(), key=lambda n: sizes[n])
    media = opened(damaged(tmp_path, name, number, how))
    broken = job_at(media, media.box.tracks[0], 0.5, 8)
    with pytest.raises(DecodeError, match=r"track 1, sample \d+, at \d+\.\d+ s") as caught:
        render(broken)
    assert caught.value.path == str(tmp_path / name)


def test_a_file_that_ends_early_is_an_error(tmp_path: Path) -> None:
    whole = opened(made(CLOSED))
    job = job_at(whole, whole.box.tracks[0], 0.9, 5)
    offsets, _ = job.track.table.offsets_and_sizes(job.decode_first, job.decode_first + 1)
    path = tmp_path / "short.mp4"
    path.write_bytes(made(CLOSED).read_bytes())
    media = opened(path)
    short = replace(job, media=media, track=media.box.tracks[0])
    with path.open("r+b") as file:
        file.truncate(int(offsets[0]) + 10)
    with pytest.raises(Exception, match=r"short\.mp4"):
        render(short)


def test_wrong_count_is_an_error() -> None:
    media = opened(made(CLOSED))
    job = replace(job_at(media, media.box.tracks[0], 0.5, 5), frames=6)
    with pytest.raises(DecodeError, match="expected 6 pictures"):
        render(job)


def test_a_cancelled_job_ends() -> None:
    media = opened(made(CLOSED))
    token = CancelToken()
    done: list[int] = []

    def advance(count: int) -> None:
        done.append(count)
        token.cancel()

    with pytest.raises(CancelledError):
        PyAVRenderer().pictures(job_at(media, media.box.tracks[0], 0.2, 100), advance=advance, cancel=token)
    assert 0 < sum(done) < 100
