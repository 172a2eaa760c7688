"""Sound in blocks: the samples that FFmpeg decodes, from and to the very sample that was asked for."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import ffzero
from support.media import ffmpeg_exe
from support.oracle import decode_audio_pcm
from support.pixels import file_of

NAMES = ["h264_open_gop.mp4", "h264_alac.mov", "prores_tc_pcm24.mov", "h264_opus.mp4", "h264_open_gop.mp4.mkv"]


def joined(blocks: list[ffzero.AudioBlock]) -> np.ndarray:
    """Return the samples of blocks, each of which begins where the one before it ends."""
    for one, two in pairwise(blocks):
        assert one.end == two.time
    return np.concatenate([block.array for block in blocks])


@pytest.mark.parametrize("name", NAMES[:-1])
def test_samples_and_their_times_are_those_that_ffmpeg_decodes(name: str) -> None:
    pcm = decode_audio_pcm(file_of(name))
    assert pcm is not None
    blocks = list(ffzero.open(file_of(name)).audio())
    mine, rate = joined(blocks), blocks[0].rate
    assert mine.dtype == np.float32 and mine.shape[1] == blocks[0].channels
    skipped = round((Fraction(pcm.start_s) - blocks[0].time) * rate)
    full = 2.0 ** (8 * pcm.samples.itemsize - 1) if pcm.samples.dtype.kind == "i" else 1
    theirs = np.asarray(pcm.samples / full, np.float32).reshape(-1, mine.shape[1])
    count = min(len(mine) - skipped, len(theirs))
    assert count > rate
    assert np.abs(mine[skipped : skipped + count] - theirs[:count]).max() < 1e-4


def test_times_in_milliseconds_do_not_make_samples_slip() -> None:
    path = file_of("h264_open_gop.mp4.mkv")
    command = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", "0:a", "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    mine = joined(list(ffzero.open(path).audio()))
    assert np.array_equal(mine.ravel(), np.frombuffer(raw, np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_a_range_is_exact_to_the_sample(name: str) -> None:
    movie = ffzero.open(file_of(name))
    whole = list(movie.audio())
    samples, rate, zero = joined(whole), whole[0].rate, whole[0].time
    start, end = Fraction(101, 100), Fraction(2345, 1000)
    blocks = list(movie.audio(start, end, block=777))
    part = joined(blocks)
    first = round((start - zero) * rate)
    assert len(part) == round((end - start) * rate)
    assert {len(block) for block in blocks[:-1]} == {777}
    assert abs(blocks[0].time - start) <= Fraction(1, 2 * rate)
    assert np.abs(part - samples[first : first + len(part)]).max() < 2e-3


def test_rate_and_channels_are_converted_the_same_in_any_blocks() -> None:
    movie = ffzero.open(file_of("h264_alac.mov"))
    whole = joined(list(movie.audio(1, 2, rate=16000, channels=2)))
    assert whole.shape == (16000, 2)
    assert np.array_equal(joined(list(movie.audio(1, 2, rate=16000, channels=2, block=1000))), whole)
    plain = joined(list(movie.audio(1, 2)))
    assert np.sqrt((whole**2).mean()) == pytest.approx(np.sqrt((plain**2).mean()), rel=0.05)


def test_a_clips_sound_is_that_of_its_pieces() -> None:
    movie = ffzero.open(file_of("h264_alac.mov"))
    clip = movie[2:3] + movie[0.5:1]
    blocks = list(clip.audio())
    first, second = joined(list(movie.audio(2, 3))), joined(list(movie.audio(0.5, 1)))
    assert np.array_equal(np.concatenate([block.array for block in blocks]), np.concatenate([first, second]))
    assert blocks[0].time == 0
    assert next(block.time for block in blocks if block.time >= 1) == 1
    inside = joined(list(clip.audio(0.25, 0.5)))
    assert np.array_equal(inside, joined(list(movie.audio(2.25, 2.5))))


def test_what_makes_no_sense_is_refused() -> None:
    movie = ffzero.open(file_of("h264_alac.mov"))
    for arguments in ({"rate": 0}, {"channels": 65}, {"block": -1}, {"track": 99}):
        with pytest.raises(ffzero.UsageError):
            movie.audio(**arguments)  # type: ignore[arg-type]
    with pytest.raises(ffzero.UnsupportedError, match="no sound"):
        ffzero.open(file_of("vfr.mp4")).audio()
    with pytest.raises(ffzero.TimeRangeError):
        movie.audio(100)
