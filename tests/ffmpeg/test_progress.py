"""``-progress`` as numbers, whatever comes down the pipe."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.ffmpeg.progress import FFmpegProgress, ProgressParser

# What FFmpeg 9.0 wrote for 50 frames of testsrc2 in H.264.
BLOCK = b"""frame=30
fps=29.50
stream_0_0_q=28.0
bitrate= 287.1kbits/s
total_size=68899
out_time_us=1200000
out_time_ms=1200000
out_time=00:00:01.200000
dup_frames=1
drop_frames=2
speed=13.6x
progress=continue
"""


def test_a_block_in_numbers() -> None:
    assert ProgressParser().feed(BLOCK) == [
        FFmpegProgress(
            frames=30,
            fps=29.5,
            bit_rate_bps=287_100.0,
            size_bytes=68_899,
            time_s=1.2,
            frames_duplicated=1,
            frames_dropped=2,
            speed=13.6,
        )
    ]


@given(st.lists(st.integers(1, 40), max_size=20))
def test_blocks_do_not_depend_on_how_they_are_cut(sizes: list[int]) -> None:
    data = BLOCK * 2 + BLOCK.replace(b"continue", b"end")
    parser, blocks, at = ProgressParser(), [], 0
    for size in [*sizes, len(data)]:
        blocks += parser.feed(data[at : at + size])
        at += size
    assert [block.ended for block in blocks] == [False, False, True]
    assert blocks == ProgressParser().feed(data)


def test_what_ffmpeg_does_not_know_is_none() -> None:
    (block,) = ProgressParser().feed(
        b"frame=N/A\nbitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\nspeed=N/A\nprogress=end\n"
    )
    assert block == FFmpegProgress(ended=True)


def test_old_ffmpeg_counts_microseconds_in_out_time_ms() -> None:
    (block,) = ProgressParser().feed(b"out_time_ms=2500000\nprogress=continue\n")
    assert block.time_s == 2.5


def test_percent_and_eta_come_from_duration_and_speed() -> None:
    event = FFmpegProgress(time_s=2.5, speed=0.5).event(duration_s=10)
    assert (event.done, event.total, event.unit) == (2, 10, "seconds")
    assert event.details["percent"] == 25.0
    assert event.details["eta_s"] == 15.0
    unknown = FFmpegProgress(time_s=2.5, speed=0.5).event()
    assert (unknown.total, unknown.details["percent"], unknown.details["eta_s"]) == (None, None, None)


@pytest.mark.parametrize(("time_s", "percent"), [(-1.0, 0.0), (99.0, 100.0), (None, None)])
def test_percent_stays_within_bounds(time_s: float | None, percent: float | None) -> None:
    assert FFmpegProgress(time_s=time_s).event(duration_s=10).details["percent"] == percent


def test_the_end_is_all_of_it() -> None:
    event = FFmpegProgress(time_s=9.96, ended=True).event(duration_s=10)
    assert (event.done, event.total) == (10, 10)
    assert event.details["percent"] == 100.0


LINES = st.one_of(
    st.binary(max_size=60),
    st.tuples(
        st.sampled_from([b"frame", b"fps", b"out_time_us", b"speed", b"bitrate", b"total_size", b"progress", b""]),
        st.one_of(
            st.sampled_from([b"nan", b"inf", b"-inf", b"1e999", b"9" * 5000, b"-1", b"end", b"N/A", b"\xff", b"1_0"]),
            st.binary(max_size=12),
            st.integers().map(lambda n: str(n).encode()),
        ),
    ).map(b"=".join),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=40), st.floats() | st.none())
def test_noise_gives_sane_numbers_or_none(lines: list[bytes], duration_s: float | None) -> None:
    parser = ProgressParser()
    if duration_s is not None and not (math.isfinite(duration_s) and abs(duration_s) < 1e12):
        duration_s = None
    for block in parser.feed(b"\n".join(lines) + b"\nprogress=continue\n"):
        event = block.event(duration_s=duration_s)
        assert event.done >= 0
        assert event.total is None or event.done <= event.total
        percent = event.details["percent"]
        assert percent is None or 0 <= percent <= 100
        assert block.frames is None or block.frames >= 0


def test_an_endless_line_is_not_kept() -> None:
    parser = ProgressParser()
    for _ in range(1000):
        assert parser.feed(b"x" * 65536) == []
    assert len(parser._line) < 10_000
    assert parser.feed(b"\n" + BLOCK) == ProgressParser().feed(BLOCK)
