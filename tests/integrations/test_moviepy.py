"""MoviePy clips of ours. Runs where MoviePy is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ffzero

pytest.importorskip("moviepy")


def test_frames_are_exact_in_any_order(movie: ffzero.Movie) -> None:
    from ffzero.integrations.moviepy import video_clip

    clip = video_clip(movie)
    assert (clip.size, clip.duration, clip.fps) == ((192, 108), 80.0, 25.0)
    for time in (0, 0.04, 0.08, 0.5, 10.02, 3, 3.03, 79.99, 0):
        assert np.array_equal(clip.get_frame(time), movie.frame_at(time).array), time


def test_a_clip_on_its_own_clock(movie: ffzero.Movie) -> None:
    from ffzero.integrations.moviepy import video_clip

    clip = video_clip(movie[10:12] + movie[40:41])
    assert clip.duration == 3
    assert np.array_equal(clip.get_frame(2.5), movie.frame_at(40.5).array)


def test_times_that_rise_are_decoded_once(movie: ffzero.Movie, monkeypatch: pytest.MonkeyPatch) -> None:
    from ffzero.integrations.moviepy import FrameReader

    sought: list[object] = []
    seek = FrameReader._seek
    monkeypatch.setattr(FrameReader, "_seek", lambda self, time: (sought.append(time), seek(self, time)))
    reader = FrameReader(movie)
    assert [reader.frame(number / 25).index for number in range(60)] == list(range(60))
    assert len(sought) == 1
    reader.close()


def test_moviepy_writes_it(movie: ffzero.Movie, tmp_path: Path) -> None:
    from ffzero.integrations.moviepy import video_clip

    output = tmp_path / "out.mp4"
    video_clip(movie[2:3]).write_videofile(str(output), preset="ultrafast", logger=None)
    with ffzero.open(output) as made:
        found = made.frame_at(0.5).array.astype(int)
        assert np.abs(found - movie.frame_at(2.5).array).mean() < 8
        assert {track.kind for track in made.info().tracks} == {"video", "audio"}
