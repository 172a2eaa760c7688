"""Segments: consecutive ranges that are the whole, plans of a few kilobytes, and what they carry."""

from __future__ import annotations

import pickle
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.errors import SourceNotFoundError, TimeRangeError, UsageError
from ffzero.ffmpeg.settings import FFmpegSettings
from ffzero.pipelines.segments import Segment, as_segment, generate_video_segments
from support import oracle
from support.media import ffmpeg_exe


def ranges(segments: list[Segment]) -> list[tuple[Fraction, Fraction | None]]:
    return [(segment.start, segment.end) for segment in segments]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (60, [(0, 60), (60, None)]),
        ("0:30", [(0, 30), (30, 60), (60, None)]),
        (40, [(0, 40), (40, None)]),
        (80, [(0, None)]),
        (1000, [(0, None)]),
        (Fraction(7999, 100), [(0, None)]),  # no picture begins in the last 10 ms
    ],
)
def test_segments_follow_each_other_without_gap(folder: Path, size: float | str, expected: list[object]) -> None:
    segments = list(generate_video_segments("in.mp4", size))
    assert ranges(segments) == expected
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert all(isinstance(segment, ffzero.Clip) for segment in segments)


@pytest.mark.parametrize("at_keyframes", [None, True])
def test_joined_segments_are_the_whole(folder: Path, at_keyframes: bool | None) -> None:
    segments = list(generate_video_segments("in.mp4", 17, at_keyframes=at_keyframes))
    assert len(segments) == 5
    whole = ffzero.open("in.mp4")[:]
    joined = ffzero.concat(segments)
    assert [(piece.start, piece.end) for piece in joined.pieces] == [(None, None)]
    joined.write("joined.mp4")
    whole.write("whole.mp4")
    assert (folder / "joined.mp4").read_bytes() == (folder / "whole.mp4").read_bytes()


def test_written_segments_hold_every_picture_once(folder: Path) -> None:
    shown: list[str] = []
    for segment in generate_video_segments("in.mp4", Fraction("13.37")):
        result = segment.write(f"{segment.index}.mp4")
        assert result.bytes_rendered == 0
        shown += [digest for _, digest in oracle.decode_video(folder / str(result))]
    assert shown == [digest for _, digest in oracle.decode_video(folder / "in.mp4")]


def test_segments_at_keyframes_hide_nothing(folder: Path) -> None:
    segments = list(generate_video_segments("in.mp4", 15, at_keyframes=True))
    assert ranges(segments) == [(0, 14), (14, 30), (30, 44), (44, 60), (60, 74), (74, None)]
    pictures = [row for row in segments[1].plan().to_dict()["segments"] if row["kind"] == "video"]
    assert [row["hidden_before"] for row in pictures] == [0]


def test_other_containers_are_segmented_at_their_keyframes(folder: Path) -> None:
    command = [ffmpeg_exe(), "-nostdin", "-v", "error", "-i", "in.mp4", "-c", "copy", "in.mkv"]
    subprocess.run(command, check=True, timeout=60)
    segments = list(generate_video_segments("in.mkv", 15))
    assert ranges(segments) == [(0, 14), (14, 30), (30, 44), (44, 60), (60, 74), (74, None)]
    shown: list[str] = []
    for segment in segments:
        segment.write(f"{segment.index}.mkv")
        shown += [digest for _, digest in oracle.decode_video(folder / f"{segment.index}.mkv")]
    assert shown == [digest for _, digest in oracle.decode_video(folder / "in.mkv")]


def test_errors_come_at_once(folder: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        generate_video_segments("missing.mp4")
    for size in (0, -1, "soon"):
        with pytest.raises(UsageError):
            generate_video_segments("in.mp4", size)


def test_a_segment_is_a_few_kilobytes_of_plan(folder: Path) -> None:
    segment = next(generate_video_segments("in.mp4", 60))
    assert segment.pieces[0].input is ffzero.concat([segment]).pieces[0].input
    assert len(pickle.dumps((segment.index, segment.start, segment.end))) < 1024


def test_slicing_is_relative_and_keeps_what_the_segment_carries(folder: Path) -> None:
    settings = FFmpegSettings(crf=30)
    segment = list(generate_video_segments("in.mp4", 30))[1].with_settings(settings)
    part = segment[5:12]
    assert isinstance(part, Segment)
    assert (part.start, part.end, part.index, part.settings) == (35, 42, 1, settings)
    assert ranges([segment[25:40]]) == [(55, 60)]  # stops at the segment's end
    assert segment.duration == 30
    assert repr(part) == "<ffzero.Segment in.mp4[0:00:35.000:0:00:42.000]>"
    with pytest.raises(TimeRangeError):
        segment[30:]


def test_adding_segments_keeps_settings_and_refuses_to_lose_some(folder: Path) -> None:
    settings = FFmpegSettings(crf=30)
    first, second, _ = (segment.with_settings(settings) for segment in generate_video_segments("in.mp4", 30))
    joined = first + second
    assert ranges([joined]) == [(0, 60)]
    assert joined.settings == settings
    movie = ffzero.open("in.mp4")
    for some in (first + movie[60:], movie[60:] + first, first + second.with_settings(None)):
        assert isinstance(some, Segment)
        assert some.settings == settings
    coded = ffzero.concat([first[:1], "in.mp4", second[:1]])
    assert isinstance(coded, Segment)
    assert coded.settings == settings
    assert not isinstance(ffzero.concat([first.with_settings(None)]), Segment)
    for join in (lambda pair: pair[0] + pair[1], ffzero.concat, as_segment):
        with pytest.raises(UsageError, match="different settings"):
            join([first, second.with_settings(settings.replace(crf=20))])


def test_as_segment_takes_what_people_have(folder: Path) -> None:
    movie = ffzero.open("in.mp4")
    segment = as_segment(movie[10:20])
    assert as_segment(segment) is segment
    assert ranges([segment, as_segment(movie), as_segment("in.mp4"), as_segment(folder / "in.mp4")]) == [
        (10, 20),
        (0, None),
        (0, None),
        (0, None),
    ]
    job = as_segment(("in.mp4", "out.mp4", "0:10", 5))
    assert (*ranges([job]), job.output) == ((10, 15), "out.mp4")
    assert ranges([as_segment((movie[10:20], "out.mp4", 2))]) == [(12, 20)]
    assert ranges([as_segment(("in.mp4", "out.mp4", 10, None))]) == [(10, None)]
    joined = as_segment((["in.mp4", movie[:10]], "out.mp4"))
    assert (len(joined.pieces), joined.output) == (2, "out.mp4")


@pytest.mark.parametrize("data", [3, None, [], (), ("in.mp4",), ("in.mp4", 5), ("in.mp4", "b", 1, 2, 3), {"in": 1}])
def test_what_cannot_be_processed_is_refused(folder: Path, data: object) -> None:
    with pytest.raises(UsageError, match="not something to process"):
        as_segment(data)


@pytest.mark.parametrize("by", ["seconds", "keyframes", "bytes"])
def test_clips_and_lists_are_segmented_too(folder: Path, by: str) -> None:
    size = {"seconds": 15, "keyframes": 5, "bytes": 500_000}[by]
    movie = ffzero.open("in.mp4")
    clip = movie[10:30] + movie[50:70]
    segments = list(generate_video_segments(clip, size, by=by))  # type: ignore[arg-type]
    assert len(segments) > 2
    assert [segment.index for segment in segments] == list(range(len(segments)))
    joined = ffzero.concat(segments)
    assert [(piece.start, piece.end) for piece in joined.pieces] == [(10, 30), (50, 70)]
    several = list(generate_video_segments(["in.mp4", movie[:20]], size, by=by))  # type: ignore[arg-type]
    assert next((piece.start, piece.end) for piece in ffzero.concat(several).pieces) == (None, None)
    assert several[-1].end == 20


def test_chunks_of_bytes_are_no_larger_than_asked(folder: Path) -> None:
    segments = list(generate_video_segments("in.mp4", 400_000, by="bytes"))
    sizes = [segment.write(f"{segment.index}.mp4").bytes_total for segment in segments]
    assert len(sizes) > 5
    assert max(sizes) < 400_000 * 1.1  # and a header
    assert min(sizes[:-1]) > 200_000
    tiny = list(generate_video_segments("in.mp4", 1, by="bytes"))
    assert ranges(tiny)[:2] == [(0, 2), (2, 4)]  # one group of pictures at least


@pytest.mark.parametrize(
    "wrong", [{"by": "frames"}, {"by": "keyframes", "chunk_size": 1.5}, {"by": "bytes", "chunk_size": 0}]
)
def test_chunks_that_make_no_sense_are_refused(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        generate_video_segments("in.mp4", **wrong)


def test_no_chunk_ends_before_the_edit(ffzero_media: Path, tmp_path: Path) -> None:
    name = "iibbibb_editlist_videoonly.mp4"
    whole = tmp_path / "whole.mp4"
    ffzero.open(ffzero_media / "real" / name)[:].write(whole)
    for options in ({"chunk_size": 1, "at_keyframes": True}, {"chunk_size": 1, "by": "keyframes"}):
        shown: list[str] = []
        for segment in generate_video_segments(ffzero_media / "real" / name, **options):  # type: ignore[arg-type]
            part = tmp_path / "part.mp4"
            segment.write(part, overwrite=True)
            shown += [digest for _, digest in oracle.decode_video(part)]
        assert shown == [digest for _, digest in oracle.decode_video(whole)]
