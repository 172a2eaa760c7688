"""A finer encoder takes over at a picture that comes out too poor; nothing is made twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ffzero
from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slice_header import slice_header, slice_pps_id
from ffzero.containers.isobmff.codec_config import AvcConfig
from ffzero.containers.nal_units import iter_nal_units
from ffzero.edits.rendering import PictureJob
from support.joins import made
from support.renders import decode, entry_of_coded, job_at, opened, render, source_samples, video_tracks
from support.shown import psnr_db, shown

Poor = Callable[..., list[int]]


def check(job: PictureJob) -> tuple[int, ...]:
    """Render a job, look at all its pictures, and return which are key pictures."""
    coded = render(job)
    source = {p.pts: p for p in decode(job.track.entries[0], source_samples(job, job.decode_first, job.decode_stop))}
    got = decode(entry_of_coded(job, coded), list(zip(coded.pts, coded.samples, strict=True)))
    assert [picture.pts for picture in got] == list(coded.pts) and len(got) == job.frames
    assert min(picture.psnr_db(source[picture.pts]) for picture in got) >= 45
    assert coded.psnr_db is not None and coded.psnr_db >= 45
    return coded.sync


FILES = ["a.mp4", "b_90000.mp4", "hevc.mp4"]


@pytest.mark.parametrize("name", FILES)
def test_a_picture_in_the_middle(name: str, poor: Poor) -> None:
    begun = poor(lambda attempt, number: attempt == 0 and number == 7)
    media = opened(made(name))
    assert 7 in check(job_at(media, video_tracks(media)[0], 0.3, 20))
    assert begun == [0, 1]


def test_one_after_another(poor: Poor) -> None:
    begun = poor(lambda attempt, number: attempt < 2 and number >= 4 + attempt)
    media = opened(made("a.mp4"))
    check(job_at(media, video_tracks(media)[0], 0.3, 20))
    assert begun == [0, 1, 2]


def test_the_finest_begins_anew_at_an_abrupt_change(poor: Poor) -> None:
    begun = poor(lambda attempt, at: (attempt, at) in {(0, 3), (1, 5)} or (at == 9 and begun.count(2) < 2))
    media = opened(made("a.mp4"))
    assert {3, 5, 9} <= set(check(job_at(media, video_tracks(media)[0], 0.3, 20)))
    assert begun == [0, 1, 2, 2]


def test_the_finest_does_not_begin_anew_at_every_picture(poor: Poor) -> None:
    begun = poor(lambda attempt, at: at > 4)
    media = opened(made("a.mp4"))
    render(job_at(media, video_tracks(media)[0], 0.3, 40))
    assert begun == [0, 1, 2, 2, 2, 2]


def test_the_finest_begins_anew_at_every_broken_picture(poor: Poor) -> None:
    broken: set[int] = set()

    def is_broken(attempt: int, at: int) -> bool:
        found = attempt == 2 and at % 3 == 0 and at not in broken
        broken.update({at} if found else set())
        return found or (attempt < 2 and at > 1)

    begun = poor(is_broken, 30.0)
    media = opened(made("a.mp4"))
    assert {6, 9, 12} <= set(check(job_at(media, video_tracks(media)[0], 0.3, 14)))
    assert begun == [0, 1, 2, 2, 2, 2, 2]


def test_a_key_picture_of_the_finest_has_to_do(poor: Poor) -> None:
    begun = poor(lambda attempt, at: at == 9)
    media = opened(made("a.mp4"))
    coded = render(job_at(media, video_tracks(media)[0], 0.3, 20))
    assert begun == [0, 1, 2]
    assert 9 in coded.sync and any("no nearer" in warning for warning in coded.warnings)


@pytest.mark.parametrize("number", [0, 1, 2, 10, 11, 19])
def test_neighbouring_idr_pictures_differ_in_number(number: int, poor: Poor) -> None:
    poor(lambda attempt, at: attempt == 0 and at == number)
    media = opened(made("a.mp4"))
    job = job_at(media, video_tracks(media)[0], 0.3, 20)
    check(job)
    coded = render(job)
    config = entry_of_coded(job, coded).avc
    assert config is not None
    ids = [idr_number(sample, config) for sample in coded.samples]
    assert [number for number, one in enumerate(ids) if one is not None] == list(coded.sync)
    assert all(one is None or one != two for one, two in itertools.pairwise(ids))


def idr_number(sample: bytes, config: AvcConfig) -> int | None:
    units = (sample[at : at + size] for at, size in iter_nal_units(sample, config.nal_length_size))
    unit = next(unit for unit in units if unit[0] & 31 in (1, 5))
    pps = {one.id: one for one in map(parse_h264_pps, config.pps)}[slice_pps_id(unit)]
    sps = {one.id: one for one in map(parse_h264_sps, config.sps)}[pps.sps_id]
    return slice_header(unit, sps, pps).idr_pic_id


def test_a_function_is_called_once_for_each_picture(tmp_path: Path, poor: Poor) -> None:
    begun = poor(lambda attempt, number: (attempt, number) in ((0, 3), (1, 12)))
    times: list[float] = []

    def seen(picture: np.ndarray, time: float) -> None:
        times.append(time)
        picture[:] = 255 - picture

    ffzero.open(made("a.mp4")).map(seen, 1, 2).write(tmp_path / "out.mp4")
    assert begun == [0, 1, 2]
    assert times == pytest.approx([1 + number / 25 for number in range(25)])
    got, source = shown(tmp_path / "out.mp4"), shown(made("a.mp4"))
    assert len(got) == len(source)
    assert all(psnr_db(251 - got[n].luma, source[n].luma) > 40 for n in range(25, 50))
