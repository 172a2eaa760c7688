"""Decoding times of tracks with coded pictures: all before the end of what is shown, and nothing else moves."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffzero
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.edits.laying.coded_tail import decoded_before, without_surplus
from support.encoding import ffmpeg
from support.tables import tables

RATE = 25
TICKS = 512
CODECS = {
    "h264.mp4": "-c:v libx264 -preset veryfast -g 12 -bf 3 -x264-params b-adapt=0:b-pyramid=strict:scenecut=0",
    "hevc.mp4": "-c:v libx265 -preset ultrafast -tag:v hvc1 -movflags +negative_cts_offsets"
    " -x265-params log-level=none:keyint=16:min-keyint=16:bframes=3:b-adapt=0:scenecut=0:open-gop=1:rc-lookahead=20",
}


def dts_of(parts: list[SampleTable]) -> list[int]:
    found, start = [], 0
    for table in parts:
        found += [start + table.dts(sample) for sample in range(table.count)]
        start += table.dts(table.count)
    return found


def pts_of(parts: list[SampleTable]) -> list[int]:
    offsets = [table.pts(sample) - table.dts(sample) for table in parts for sample in range(table.count)]
    return [dts + offset for dts, offset in zip(dts_of(parts), offsets, strict=True)]


@given(drawn=st.lists(tables(most=8), min_size=1, max_size=4), part=st.fractions(0, 1))
def test_all_are_decoded_in_time_and_shown_when_they_were(
    drawn: list[tuple[SampleTable, object]], part: Fraction
) -> None:
    before = [table for table, _ in drawn]
    old = dts_of(before)
    end = int(len(old) - 1 + part * (old[-1] + 2))
    after = decoded_before(before, end)
    new = dts_of(after)
    assert pts_of(after) == pts_of(before)
    if end < len(old):
        assert new == old
        return
    assert max(new) < end and new == sorted(new)
    assert all(two <= one for one, two in zip(old, new, strict=True))
    apart = zip(pairwise(old), pairwise(new), strict=True)
    assert all(two > one for (was, then), (one, two) in apart if then > was)
    assert after[-1].durations.at(after[-1].count - 1) == before[-1].durations.at(before[-1].count - 1)


@given(drawn=tables(most=8))
def test_what_is_in_time_is_left_alone(drawn: tuple[SampleTable, object]) -> None:
    table, _ = drawn
    (same,) = decoded_before([table], table.dts(table.count) + table.count)
    assert same is table


@given(drawn=st.lists(tables(most=8), min_size=1, max_size=4))
def test_what_all_offsets_have_too_much_goes(drawn: list[tuple[SampleTable, object]]) -> None:
    before = [table for table, _ in drawn]
    least = min(table.composition_range[0] for table in before)
    after, surplus = without_surplus(before)
    assert surplus == max(0, least)
    assert dts_of(after) == dts_of(before)
    assert pts_of(after) == [pts - surplus for pts in pts_of(before)]


def decoded_later(path: Path, ticks: int) -> None:
    """Subtract from each composition offset of a file (ISO/IEC 14496-12 §8.6.1.3, version 1: signed)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"ctts") + 4
    version, count = struct.unpack_from(">B3xI", data, at)
    assert version == 1
    for entry in range(at + 12, at + 8 + 8 * count, 8):
        struct.pack_into(">i", data, entry, struct.unpack_from(">i", data, entry)[0] - ticks)
    path.write_bytes(data)


@pytest.mark.parametrize("name", CODECS)
def test_wherever_a_rendered_cut_ends_its_pictures_are_decoded_before(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    words = ["-f", "lavfi", "-i", f"testsrc2=s=96x64:r={RATE}:d=1.6", *CODECS[name].split(), "-pix_fmt", "yuv420p"]
    ffmpeg(*words, "-video_track_timescale", str(RATE * TICKS), source)
    if name == "hevc.mp4":  # only then do copied pictures leave coded ones too little room
        decoded_later(source, TICKS)
    ends = []
    with ffzero.open(source) as movie:
        for stop in range(20, 35):
            output = tmp_path / f"{stop} {name}"
            result = movie[Fraction(5, RATE) : Fraction(stop, RATE)].write(output, boundary="render")
            ends.append(result.frames_rendered)
            check(output, stop - 5)
    assert len(set(ends)) > 1


def check(output: Path, count: int) -> None:
    with ffzero.open(output) as movie:
        assert movie.media is not None
        (track,) = movie.media.box.tracks
    table = track.table
    step = Fraction(track.timescale, RATE)
    assert step.denominator == 1 and table.count == count
    dts = [table.dts(sample) for sample in range(count)]
    pts = sorted(table.pts(sample) for sample in range(count))
    assert all(two > one for one, two in pairwise(dts))
    assert dts[-1] < count * step and table.composition_range[0] == 0
    assert [time - pts[0] for time in pts] == [number * step for number in range(count)]
