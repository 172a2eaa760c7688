"""Jobs, clips and movies travel to other processes as names: small whatever the file, and the same there."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import ffzero
from ffzero.edits.execute import _lay_out
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.edits.sound.rendering import CodedSound, RenderedSound, SoundJob
from ffzero.errors import SourceChangedError, SourceNotFoundError
from ffzero.frames.render import PyAVRenderer
from support.joins import made

MOST_BYTES = 4096
WORKER = """
import pickle, sys
from ffzero.frames.render import PyAVRenderer
found = []
for sent in pickle.load(sys.stdin.buffer):
    job = pickle.loads(sent)
    try:
        run = PyAVRenderer().sound if "Sound" in type(job).__name__ else PyAVRenderer().pictures
        found.append(run(job, advance=lambda count: None))
    except Exception as error:
        found.append(error)
sys.stdout.buffer.write(pickle.dumps(found))
"""


def inverted(picture: np.ndarray, time_s: Fraction) -> np.ndarray:
    return 255 - picture


def quieter(samples: np.ndarray) -> np.ndarray:
    return samples / 2


def jobs_of(clip: ffzero.Clip, audio: str | None = None) -> list[PictureJob | SoundJob]:
    layout, _ = _lay_out(clip.pieces, "render", audio)
    takes = [item.take for track in layout.tracks for item in track.placed]
    return [take.job for take in takes if isinstance(take, Rendered | RenderedSound)]


def elsewhere(jobs: list[bytes]) -> list[Any]:
    """Run jobs in a new process that has loaded nothing but what they name."""
    folders = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent), *sys.path])
    answer = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=pickle.dumps(jobs),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": folders},
        check=True,
        timeout=120,
    )
    found = pickle.loads(answer.stdout)
    assert isinstance(found, list)
    return found


def here(job: PictureJob | SoundJob) -> CodedPictures | CodedSound:
    renderer = PyAVRenderer()
    if isinstance(job, SoundJob):
        return renderer.sound(job, advance=lambda count: None)
    return renderer.pictures(job, advance=lambda count: None)


def of_all_kinds() -> Iterator[PictureJob | SoundJob]:
    a, b = ffzero.open(made("a.mp4")), ffzero.open(made("b.mp4"))
    yield from jobs_of(a[0.5:1.5].apply("negate"))
    yield from jobs_of(a[0:0.8].apply(inverted))
    yield from jobs_of(a[0:0.8].map(inverted, window=0).map(np.invert, format="gray"))
    yield from jobs_of(a[:1].crossfade(b[1:2], frames=5))
    yield from jobs_of(a[:1].apply_audio(quieter))
    yield from jobs_of(a[0.1:1] + b[0.7:1.3], audio="joint")
    other = ffzero.open(made("hevc.mp4"))
    yield from jobs_of(ffzero.concat([a[0:1], other[0:1]], like=a))


class TestJobs:
    def test_they_are_small_and_do_the_same_in_another_process(self) -> None:
        jobs = list(of_all_kinds())
        assert {type(job) for job in jobs} == {PictureJob, SoundJob}
        assert any(isinstance(job, PictureJob) and job.target is not None for job in jobs)
        sent = [pickle.dumps(job) for job in jobs]
        assert max(map(len, sent)) <= MOST_BYTES
        for job, theirs in zip(jobs, elsewhere(sent), strict=True):
            ours = here(job)
            if isinstance(ours, CodedPictures):
                assert (list(theirs.samples), theirs.pts) == (list(ours.samples), ours.pts)
            else:
                assert theirs == ours

    def test_size_does_not_grow_with_the_file(self) -> None:
        sizes = []
        for name in ("a.mp4", "b_fragments.mp4"):
            (job, *_) = jobs_of(ffzero.open(made(name))[0.5:1].apply(inverted))
            sizes.append(len(pickle.dumps(job)))
        assert max(sizes) < 2048

    def test_the_file_is_opened_once(self) -> None:
        jobs = jobs_of(ffzero.open(made("a.mp4"))[0.1:1.5].apply(inverted, 0, 0.2).apply("null", 0.9, 1.1))
        assert len(jobs) > 1
        first, second = (pickle.loads(pickle.dumps(job)) for job in jobs[:2])
        assert first.media is second.media and first.track is second.track
        assert first.track is first.media.main_video

    def test_a_file_that_changed_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "in.mp4"
        path.write_bytes(made("a.mp4").read_bytes())
        (job, *_) = jobs_of(ffzero.open(path)[0.1:0.5])
        path.unlink()
        path.write_bytes(made("b.mp4").read_bytes())
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            error = pool.submit(here, job).exception()
            assert isinstance(error, SourceChangedError) and "in.mp4" in str(error)
            path.unlink()
            assert isinstance(pool.submit(here, job).exception(), SourceNotFoundError), "the pool goes on"


class TestClips:
    def test_a_clip_writes_the_same(self, tmp_path: Path) -> None:
        clip = ffzero.open(made("a.mp4"))[0.3:2].apply(inverted, 0.2, 0.5) + ffzero.open(made("b.mp4"))[1:2]
        sent = pickle.dumps(clip)
        assert len(sent) <= MOST_BYTES
        again = pickle.loads(sent)
        assert again.duration == clip.duration
        with clip.open() as ours, again.open() as theirs:
            assert ours.read() == theirs.read()

    def test_a_movie(self) -> None:
        movie = ffzero.open(made("a.mp4"))
        movie.info()
        sent = pickle.dumps(movie)
        assert len(sent) < 1024
        again = pickle.loads(sent)
        assert again.duration == movie.duration and again.info() == movie.info()

    def test_pieces_of_one_movie_still_join(self) -> None:
        movie = ffzero.open(made("a.mp4"))
        one, two = pickle.loads(pickle.dumps((movie[0:1], movie[1:2])))
        assert len((one + two).pieces) == 1
