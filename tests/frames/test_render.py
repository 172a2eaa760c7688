"""Pictures rendered out of every file: as many as asked, when asked, like the source's, and decodable beside it."""

from __future__ import annotations

import pytest

from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.errors import UnsupportedError
from support.media import Media as MediaFile
from support.media import playable
from support.renders import (
    clean_sync_after,
    decode,
    entry_of_coded,
    job_at,
    opened,
    render,
    shown_times,
    source_samples,
    video_tracks,
)

FILES = playable()
FEW = 5


def jobs_of(file: MediaFile, place: float = 0.5, frames: int = FEW) -> list[PictureJob]:
    media = opened(file.path())
    return [job_at(media, track, place, frames) for track in video_tracks(media)]


def rendered(job: PictureJob) -> CodedPictures:
    if job.media.entry_of(job.track, job.decode_first).encryption is not None:
        with pytest.raises(UnsupportedError, match="encrypted"):
            render(job)
        pytest.skip("encrypted")
    return render(job)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rendered_pictures_are_those_asked_for_and_like_the_source(file: MediaFile) -> None:
    for job in jobs_of(file):
        coded = rendered(job)
        assert list(coded.pts) == shown_times(job)
        assert len(coded.samples) == job.frames
        assert coded.sync[0] == 0
        entry = job.media.entry_of(job.track, job.decode_first)
        source = {
            picture.pts: picture for picture in decode(entry, source_samples(job, job.decode_first, job.decode_stop))
        }
        got = decode(entry_of_coded(job, coded), list(zip(coded.pts, coded.samples, strict=True)))
        assert [picture.pts for picture in got] == list(coded.pts)
        for picture in got:
            assert picture.kind == source[picture.pts].kind
            assert picture.facts == source[picture.pts].facts
        least = min(picture.psnr_db(source[picture.pts]) for picture in got)
        assert least >= 45
        assert coded.psnr_db == pytest.approx(least, abs=0.05)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("rendered_first", [True, False])
def test_rendered_pictures_splice_with_copied_ones(file: MediaFile, rendered_first: bool) -> None:
    """One decoder goes over the seam either way: every picture comes out, in order, the copied ones bit for bit."""
    spliced = False
    for job in jobs_of(file, place=0.3):
        if job.track.entries[0].codec != "h264":
            continue
        coded = rendered(job)
        ours = list(zip(coded.pts, coded.samples, strict=True))
        span = copied_after(job) if rendered_first else copied_before(job)
        if span is None:
            continue
        copied = source_samples(job, *span)
        alone = decode(job.media.entry_of(job.track, span[0]), copied)
        both = decode(entry_of_coded(job, coded), ours + copied if rendered_first else copied + ours)
        expected = [pts for pts, _ in ours] + sorted(pts for pts, _ in copied)
        assert [picture.pts for picture in both] == (
            expected if rendered_first else expected[len(ours) :] + expected[: len(ours)]
        )
        beside = both[len(ours) :] if rendered_first else both[: len(copied)]
        assert [picture.digest for picture in beside] == [picture.digest for picture in alone]
        spliced = True
    if not spliced:
        pytest.skip("no H.264 group of pictures to copy")


def copied_after(job: PictureJob) -> tuple[int, int] | None:
    """Return a clean group of pictures after the job's, as samples."""
    first = clean_sync_after(job, job.decode_stop)
    return None if first is None else (first, next_clean(job, first))


def copied_before(job: PictureJob) -> tuple[int, int] | None:
    first = clean_sync_after(job, 0)
    return None if first is None else (first, next_clean(job, first))


def next_clean(job: PictureJob, first: int) -> int:
    stop = clean_sync_after(job, first + 1)
    return min(first + 60, job.track.table.count) if stop is None or stop > first + 60 else stop
