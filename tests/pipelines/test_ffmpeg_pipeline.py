"""Media pipelines: plans flow, outputs are written once, settings are honoured, memory stays flat."""

from __future__ import annotations

import inspect
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import ffzero
from ffzero.errors import OutputExistsError, TimeRangeError, UsageError
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegSettings
from ffzero.pipelines import jobs
from ffzero.pipelines.ffmpeg_pipeline import (
    StreamingFFmpegPipeline,
    ZeroCopyFFmpegPipeline,
    create_ffmpeg_pipeline,
    create_streaming_ffmpeg_pipeline,
)
from ffzero.pipelines.ffmpeg_processors import (
    FFmpegProcessor,
    ScaleProcessor,
    TranscodeProcessor,
    VideoConcatProcessor,
    VideoCutProcessor,
)
from ffzero.pipelines.pipeline import ProcessingMode
from ffzero.pipelines.processors import FilterProcessor, Outcome
from ffzero.pipelines.segments import Segment, generate_video_segments
from ffzero.pipelines.stages import ErrorPolicy
from support import oracle

FAST = FFmpegSettings(preset="ultrafast", crf=30)


def pictures(path: str | os.PathLike[str], start: float | Fraction = 0, end: float | Fraction = 1000) -> list[str]:
    return [digest for at, digest in oracle.decode_video(Path(path).absolute()) if start <= at < end]


def listing() -> list[str]:
    return sorted(os.listdir())


def test_a_cut_takes_everything_that_names_a_clip(folder: Path) -> None:
    cut = VideoCutProcessor(start_time=2, duration="0:03")
    movie = ffzero.open("in.mp4")
    for data, expected in [
        (movie[10:20], (12, 15)),
        (movie, (2, 5)),
        ("in.mp4", (2, 5)),
        (folder / "in.mp4", (2, 5)),
        (movie[10:14], (12, 14)),
    ]:
        segment = cut.process(data)
        assert isinstance(segment, Segment)
        assert (segment.start, segment.end) == expected
    assert listing() == ["in.mp4"]


def test_a_job_is_written_at_once(folder: Path) -> None:
    result = VideoCutProcessor(2, 3).process(("in.mp4", "a.mp4"))
    assert os.fspath(result) == str(result) == "a.mp4"
    assert result.bytes_rendered == 0
    assert pictures("a.mp4") == pictures("in.mp4", 2, 5)
    within = VideoCutProcessor(1).process(("in.mp4", folder / "b.mp4", 10, 4))
    assert pictures(within) == pictures("in.mp4", 11, 14)
    with pytest.raises(OutputExistsError):
        VideoCutProcessor(2, 3).process(("in.mp4", "a.mp4"))
    VideoCutProcessor(0, 1, overwrite=True).process(("in.mp4", "a.mp4"))
    assert len(pictures("a.mp4")) == 25


def test_a_cut_beyond_the_end_is_an_error_but_ends_a_stream_quietly(folder: Path) -> None:
    late = VideoCutProcessor(start_time=25)
    with pytest.raises(TimeRangeError):
        late.process(ffzero.open("in.mp4")[10:30])
    pipeline = create_streaming_ffmpeg_pipeline().add_stage(late)
    segments = list(pipeline.process_stream(generate_video_segments("in.mp4", 30)))
    assert [(segment.start, segment.end) for segment in segments] == [(25, 30), (55, 60)]  # the last is 20 s long
    assert pipeline.get_stats()["stages"][1]["items_dropped"] == 1
    for arguments in ((0, 0), (-1,), (0, "never")):
        with pytest.raises(TimeRangeError):
            VideoCutProcessor(*arguments)


def test_settings_travel_with_the_plan_and_code_once(folder: Path) -> None:
    segment = ScaleProcessor(width=96).process(VideoCutProcessor(10, 2).process("in.mp4"))
    assert (segment.settings.width, segment.settings.video) == (96, FFmpegCodec.H264)
    segment = TranscodeProcessor(FAST.replace(video_codec="h265")).process(segment)
    assert (segment.settings.width, segment.settings.crf) == (96, 30)  # the size asked for before stays
    assert listing() == ["in.mp4"]
    result = segment.write("out.mp4")
    video = ffzero.open("out.mp4").info().tracks[0]
    assert (video.codec, video.width, video.height) == ("hevc", 96, 54)
    assert result.frames_rendered == 50
    with pytest.raises(UsageError):
        ScaleProcessor()


def test_concat_joins_lists(folder: Path) -> None:
    movie = ffzero.open("in.mp4")
    joined = VideoConcatProcessor().process([movie[0:2], movie[10:12], "in.mp4"])
    assert len(joined.pieces) == 3
    result = VideoConcatProcessor().process(([movie[0:2], movie[10:12]], "out.mp4"))
    assert pictures(result) == pictures("in.mp4", 0, 2) + pictures("in.mp4", 10, 12)
    inside = VideoConcatProcessor().process(([movie[0:1], movie["11.04":12]], "inside.mp4"))
    assert 0 < inside.frames_rendered < inside.frames_rendered + inside.frames_copied == 49
    coded = VideoConcatProcessor(FAST).process(([movie[0:1], movie[11:12]], "coded.mp4"))
    assert coded.frames_rendered == 50


def test_pipeline_writes_a_job_once_after_the_last_stage(folder: Path) -> None:
    pipeline = ZeroCopyFFmpegPipeline().add_stage(VideoCutProcessor(5, 20)).add_stage(VideoCutProcessor(1, 2))
    result = pipeline.process(("in.mp4", "out.mp4", 10, 40))
    assert listing() == ["in.mp4", "out.mp4"]
    assert pictures(result) == pictures("in.mp4", 16, 18)
    segment = pipeline.process("in.mp4")
    assert (segment.start, segment.end) == (6, 8)
    stats = pipeline.get_stats()
    assert [stage["name"] for stage in stats["stages"]] == ["open", "VideoCutProcessor", "VideoCutProcessor", "write"]
    assert (stats["output"]["files"], stats["output"]["frames_copied"]) == (1, 50)
    assert stats["output"]["bytes_total"] == (folder / "out.mp4").stat().st_size


def test_pipeline_settings_are_used_unless_others_are_given(folder: Path) -> None:
    pipeline = create_ffmpeg_pipeline(FAST)
    assert pipeline.cut_video("in.mp4", "a.mp4", 1.5, 1).frames_rendered == 25
    assert pipeline.process(("in.mp4", "b.mp4", 1, 1)).frames_rendered == 25
    assert pipeline.process("in.mp4").settings == FAST
    small = pipeline.cut_video("in.mp4", "c.mp4", 1, 1, settings=FAST.replace(height=54))
    assert ffzero.open(small).info().tracks[0].height == 54
    assert pipeline.set_settings(None) is pipeline
    assert pipeline.cut_video("in.mp4", "d.mp4", 1.5, end_time=2.5).frames_copied == 25
    assert pipeline.concat_videos(["d.mp4", "in.mp4"], "e.mp4", settings=FAST).frames_rendered == 25 + 2000
    assert pipeline.transcode("d.mp4", "f.mp4", FAST).frames_rendered == 25
    assert pipeline.get_stats()["output"]["files"] == 6
    with pytest.raises(UsageError):
        pipeline.set_settings({"crf": 23})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="list of files"):
        pipeline.concat_videos("in.mp4", "g.mp4")


def test_cleanup_removes_what_stages_took_and_may_be_repeated(folder: Path) -> None:
    with create_ffmpeg_pipeline() as pipeline:
        name = pipeline.memory.create_temp_file(".mp4")
        assert os.path.exists(name)
        assert pipeline.get_stats()["memory"]["temp_files"] == 1
    assert not os.path.exists(name)
    pipeline.cleanup()
    pipeline.cleanup()
    assert pipeline.cut_video("in.mp4", "out.mp4", 1, 1).frames_copied == 25


def test_a_stage_of_ones_own_sees_clips(folder: Path) -> None:
    class Middle(FFmpegProcessor):
        def edit(self, segment: Segment) -> Segment | Outcome:
            third = segment.duration / 3
            return segment[third : 2 * third]

    pipeline = create_ffmpeg_pipeline().add_stage(Middle("middle")).add_stage(lambda clip: clip[1:])
    segment = pipeline.process(ffzero.open("in.mp4")[10:40])
    assert (segment.start, segment.end) == (21, 30)
    with pytest.raises(UsageError, match="not something to process"):
        pipeline.process(42)


@pytest.mark.parametrize("mode", ["streaming", "parallel"])
def test_streams_of_clips_paths_and_jobs(folder: Path, mode: str) -> None:
    pipeline = StreamingFFmpegPipeline(30, mode=mode).add_stage(VideoCutProcessor(0, 2))
    found = list(pipeline.process_stream("in.mp4"))
    assert [(segment.index, segment.start, segment.end) for segment in found] == [(0, 0, 2), (1, 30, 32), (2, 60, 62)]
    jobs: list[Any] = [("in.mp4", f"{number}.mp4", number) for number in range(4)]
    results = list(pipeline.process_stream([*jobs, "in.mp4"]))
    assert [str(result) for result in results[:4]] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    assert isinstance(results[4], Segment)
    assert [pictures(result) for result in results[:4]] == [pictures("in.mp4", at, at + 2) for at in range(4)]
    pipeline.set_error_handler(ErrorPolicy.SKIP)
    assert list(pipeline.process_stream(jobs)) == []  # all exist already
    for stream in (3, b"in.mp4", ffzero.open("in.mp4")[:]):
        with pytest.raises(UsageError):
            pipeline.process_stream(stream)
    with pytest.raises(UsageError):
        create_streaming_ffmpeg_pipeline(0)


def test_segments_joined_after_the_stages_are_the_whole(folder: Path) -> None:
    pipeline = create_streaming_ffmpeg_pipeline(7).add_stage(FilterProcessor(lambda segment: segment.index != 1))
    joined = ffzero.concat(pipeline.process_stream("in.mp4"))
    assert [(piece.start, piece.end) for piece in joined.pieces] == [(None, 7), (14, None)]


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.parametrize(("mode", "least"), [(ProcessingMode.STREAMING, 2000), (ProcessingMode.PARALLEL, 1000)])
def test_ten_thousand_segments_in_flat_memory(folder: Path, mode: ProcessingMode, least: int) -> None:
    """Three stages over plans alone. The rate is per second of processor time: other tests may run beside this one."""
    pipeline = StreamingFFmpegPipeline(mode=mode)
    pipeline.add_stage(VideoCutProcessor(0, Fraction(7, 1000))).add_stage(ScaleProcessor(height=90))
    pipeline.add_stage(VideoCutProcessor(Fraction(1, 1000), Fraction(5, 1000)))
    segments = pipeline.process_stream(generate_video_segments("in.mp4", Fraction(8, 1000)))
    began = time.process_time()
    for _ in range(500):
        next(segments)
    settled = peak_bytes()
    count = 500 + sum(1 for _ in segments)
    rate = count / (time.process_time() - began)
    assert count == 9996  # 80 s, but for the four that would begin after the last picture
    assert peak_bytes() - settled < 20 << 20
    assert rate > least


def test_copying_loads_no_coding(folder: Path) -> None:
    code = (
        "import sys, ffzero; ffzero.cut_video('in.mp4', 'out.mp4', 1, 1);"
        "print(*sorted(name for name in sys.modules if name.startswith('ffzero.ffmpeg') or name == 'asyncio'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(ffzero.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (jobs.cut_video, jobs.CutOptions),
        (jobs.concat_videos, jobs.JoinOptions),
        (jobs.transcode_video, jobs.CodeOptions),
    ],
)
def test_pipelines_take_what_the_functions_take(function: Callable[..., Any], options: type) -> None:
    parameters = inspect.signature(function).parameters.values()
    assert {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} == set(get_type_hints(options))


def test_an_output_that_exists_is_replaced_where_that_is_asked_for(folder: Path) -> None:
    careful, bold = ZeroCopyFFmpegPipeline(), ZeroCopyFFmpegPipeline(overwrite=True)
    careful.cut_video("in.mp4", "out.mp4", 1, 1)
    with pytest.raises(OutputExistsError):
        careful.cut_video("in.mp4", "out.mp4", 1, 2)
    with pytest.raises(OutputExistsError):
        bold.cut_video("in.mp4", "out.mp4", 1, 2, overwrite=False)
    assert careful.cut_video("in.mp4", "out.mp4", 1, 2, overwrite=True).frames_copied == 50
    assert bold.cut_video("in.mp4", "out.mp4", 1, 3).frames_copied == 75
    with pytest.raises(TypeError, match="unexpected keyword argument 'quality'"):
        bold.cut_video("in.mp4", "out.mp4", 1, 3, quality=3)  # type: ignore[call-arg]
