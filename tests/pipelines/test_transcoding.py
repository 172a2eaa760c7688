"""Transcodes in chunks: exact at their borders, the same whoever codes them, resumed, and as good as asked for."""

from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

import ffzero
from ffzero.errors import CancelledError, JournalMismatchError, SourceChangedError, UnsupportedError, UsageError
from ffzero.pipelines import transcoding
from ffzero.pipelines.target_quality import find_quality
from ffzero.pipelines.transcode_plan import plan_transcode
from ffzero.reporting import CancelToken, ProgressEvent
from support.encoding import ffmpeg

FAST = ffzero.FFmpegSettings(preset="ultrafast")
FRAMES = 150


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with a key picture each second, B pictures, and sound; the first half is much easier to code."""
    path = tmp_path_factory.mktemp("transcoding") / "in.mp4"
    graph = (
        "testsrc2=s=160x120:r=25:d=3,gblur=2,format=yuv420p[a];"
        "mandelbrot=s=160x120:r=25,noise=alls=18:allf=t+u,trim=duration=3,setpts=PTS-STARTPTS,format=yuv420p[b];"
        "[a][b]concat=n=2[v]"
    )
    sound = ["-f", "lavfi", "-i", "sine=duration=6"]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-g", "25", "-bf", "2", "-c:a", "aac"]
    ffmpeg(*sound, "-filter_complex", graph, "-map", "[v]", "-map", "0:a", *coding, "-metadata", "title=Both", path)
    return path


def digest(path: object) -> str:
    return hashlib.sha256(Path(str(path)).read_bytes()).hexdigest()


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def times(path: object, kind: str = "video") -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = next(one for one in container.streams if one.type == kind)
        return sorted(p.pts * p.time_base for p in container.demux(stream) if p.pts is not None and p.time_base)


def container_tags(path: object) -> dict[str, str]:
    with av.open(str(path)) as container:
        return dict(container.metadata)


def facts(path: object) -> tuple[Any, ...]:
    movie = ffzero.open(str(path))
    return movie.duration, [(t.kind, t.codec, t.width, t.height) for t in movie.info().tracks], container_tags(path)


def test_chunks_make_the_file_that_one_pass_makes(video: Path, tmp_path: Path) -> None:
    whole = ffzero.transcode_video(video, tmp_path / "whole.mp4", FAST)
    two = ffzero.transcode_video(video, tmp_path / "two.mp4", FAST, jobs=2, chunk_s=1)
    assert len(two.segments) == 6
    assert "closed GOPs at chunk borders" in two.segments[0]["reason"]
    assert two.warnings == ()
    assert two.frames_rendered == FRAMES
    assert times(two) == times(whole)
    assert times(two, "audio") == times(whole, "audio")
    assert facts(two) == facts(whole)
    three = ffzero.transcode_video(video, tmp_path / "three.mp4", FAST, jobs=3, engine="processes", chunk_s=1)
    assert digest(two) == digest(three)
    with av.open(str(two)) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
    assert left(tmp_path) == ["three.mp4", "two.mp4", "whole.mp4"]


def test_variable_frame_rates_are_kept(video: Path, tmp_path: Path) -> None:
    source = tmp_path / "vfr.mp4"
    drop = "select='not(between(mod(n,25),18,24))+eq(mod(n,50),20)'"
    ffmpeg(
        "-i",
        video,
        "-an",
        "-vf",
        drop,
        "-fps_mode",
        "vfr",
        "-c:v",
        "libx264",
        "-g",
        "10",
        "-preset",
        "veryfast",
        source,
    )
    whole = ffzero.transcode_video(source, tmp_path / "whole.mp4", FAST)
    parts = ffzero.transcode_video(source, tmp_path / "parts.mp4", FAST, jobs=2, chunk_s=1)
    assert len(parts.segments) > 3
    assert len({b - a for a, b in pairwise(times(parts))}) > 1
    assert times(parts) == times(whole)


@pytest.mark.parametrize(("name", "codec", "sound"), [("out.webm", "vp9", "opus"), ("out.mkv", "h265", "aac")])
def test_other_containers_and_codecs(video: Path, tmp_path: Path, name: str, codec: str, sound: str) -> None:
    settings = FAST.replace(video_codec=codec, audio_codec=sound)
    result = ffzero.transcode_video(video, tmp_path / name, settings, jobs=2, chunk_s=3)
    assert len(result.segments) == 2
    assert len(times(result)) == FRAMES
    assert float(times(result)[-1]) == pytest.approx(FRAMES / 25 - 1 / 25, abs=0.002)


def test_quality_is_the_same_in_easy_and_hard_chunks(video: Path, tmp_path: Path) -> None:
    result = ffzero.transcode_video(video, tmp_path / "out.mp4", FAST, jobs=2, chunk_s=3, vmaf=88)
    easy, hard = result.segments
    assert easy["crf"] > hard["crf"] + 2
    assert abs(easy["vmaf"] - 88) < 1
    assert abs(hard["vmaf"] - 88) < 1
    movie = ffzero.open(result)
    assert movie.media is not None and movie.media.main_video is not None
    assert len(movie.media.main_video.entries) == 1
    again = ffzero.transcode_video(video, tmp_path / "again.mp4", FAST, chunk_s=3, vmaf=88)
    assert digest(again) == digest(result)


def test_a_quality_is_found_by_few_tries() -> None:
    tried: list[float] = []

    def score(crf: float) -> float:
        tried.append(crf)
        return 100 - 0.02 * crf**2

    best = find_quality(FAST, 93, score)
    assert abs(best.vmaf - 93) <= 0.3
    assert len(tried) <= 5
    flat = find_quality(FAST, 50, lambda crf: 99.0)
    assert flat.crf <= 51


def test_two_passes_hold_the_bitrate(video: Path, tmp_path: Path) -> None:
    settings = FAST.replace(video_bitrate="200k", audio_codec=None)
    result = ffzero.transcode_video(video, tmp_path / "out.mp4", settings, two_pass=True, chunk_s=3)
    assert len(times(result)) == FRAMES
    assert result.bytes_total * 8 / 6 == pytest.approx(200_000, rel=0.3)
    assert left(tmp_path) == ["out.mp4"]


def test_what_is_finished_is_not_done_again(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ffzero.transcode_video(video, tmp_path / "undisturbed.mp4", FAST, chunk_s=1)
    token = CancelToken()

    def stop(event: ProgressEvent) -> None:
        if event.stage == "transcode" and event.done >= 50:
            token.cancel()

    out = tmp_path / "out.mp4"
    with pytest.raises(CancelledError):
        ffzero.transcode_video(video, out, FAST, chunk_s=1, reporter=stop, cancel=token)
    assert left(tmp_path) == ["out.mp4.ffzero-chunks", "out.mp4.ffzero-journal", "undisturbed.mp4"]
    with pytest.raises(JournalMismatchError, match="settings"):
        ffzero.transcode_video(video, out, FAST.replace(crf=40), chunk_s=1)
    coded: list[int] = []
    run = transcoding.run_units

    def counted(engine: Any, units: Any, folder: str, **options: Any) -> None:
        coded.extend(unit.number for unit in units)
        run(engine, units, folder, **options)

    monkeypatch.setattr(transcoding, "run_units", counted)
    result = ffzero.transcode_video(video, out, FAST, chunk_s=1, jobs=2)
    assert 0 < len(coded) < 6
    assert digest(result) == digest(expected)
    assert left(tmp_path) == ["out.mp4", "undisturbed.mp4"]


def test_a_source_that_changes_names_the_chunk(video: Path, tmp_path: Path) -> None:
    own = tmp_path / "in.mp4"
    own.write_bytes(video.read_bytes())

    def change(event: ProgressEvent) -> None:
        if event.stage == "transcode" and event.done:
            os.utime(own, ns=(1, 1))

    with pytest.raises(SourceChangedError, match=r"chunk \d of 6 \(\d"):
        ffzero.transcode_video(own, tmp_path / "out.mp4", FAST, chunk_s=1, reporter=change)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fps": 10}, "the frame rate is changed"),
        ({"extra_args": {"vf": "tmix=frames=3"}}, "may look at more than one picture"),
        ({"extra_args": {"t": 2}}, "would mean something else in a chunk"),
    ],
)
def test_what_cannot_be_split_is_coded_in_one_pass(
    video: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    result = ffzero.transcode_video(video, tmp_path / "out.mp4", FAST.replace(**changes), jobs=2, chunk_s=1)
    assert any(reason in warning for warning in result.warnings)
    with pytest.raises(UnsupportedError, match=reason):
        ffzero.transcode_video(video, tmp_path / "v.mp4", FAST.replace(**changes), vmaf=90)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {"two_pass": True}, "need a bitrate"),
        ({"crf": 20}, {"vmaf": 90}, "chooses the crf"),
        ({}, {"vmaf": 101}, "not a VMAF"),
        ({"video_bitrate": "1M"}, {"vmaf": 90, "two_pass": True}, "one of them"),
        ({}, {"chunk_s": 0}, "longer than nothing"),
        ({}, {"jobs": 0}, "at least one worker"),
    ],
)
def test_what_makes_no_sense_is_refused(
    video: Path, tmp_path: Path, settings: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ffzero.transcode_video(video, tmp_path / "out.mp4", FAST.replace(**settings), **options)


def test_pictures_without_a_key_picture_before_them_are_not_split(ffzero_media: Path) -> None:
    with ffzero.open(ffzero_media / "real" / "sample_edit_list_no_sync_frame_before_edit.mp4") as movie:
        assert "key picture" in plan_transcode(movie, "out.mp4", FAST, 1).why_not


def test_a_first_picture_that_is_shown_in_part_moves_nothing(ffzero_media: Path, tmp_path: Path) -> None:
    source = ffzero_media / "real" / "sample_edit_list.mp4"
    small = FAST.replace(width=160)
    whole = ffzero.transcode_video(source, tmp_path / "whole.mp4", small)
    split = ffzero.transcode_video(source, tmp_path / "split.mp4", small, chunk_s=1)
    assert len(split.segments) == 2
    assert times(split) == times(whole)
