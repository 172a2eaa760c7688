"""Rendered pictures among copied ones: what FFmpeg says and shows of x264 streams, and the edits one by one."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from ffzero.containers.h264_fit import misfit
from ffzero.containers.h264_params import H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_places import JoinPoint
from ffzero.containers.h264_slice_header import SliceHeader, slice_header
from ffzero.containers.h264_slices import without_stale_markings
from ffzero.containers.h264_splice import (
    Guests,
    as_guests,
    free_pps_id,
    join_point,
    with_gaps_allowed,
)
from ffzero.containers.nal import RandomAccess, classify_access_unit, iter_length_prefixed
from ffzero.errors import InvalidDataError, UnsupportedError
from support.media import ffmpeg_exe

GOP = "keyint=20:min-keyint=10:open-gop=1:scenecut=0:b-adapt=0:"
DEEP = GOP + "bframes=3:b-pyramid=normal:ref=4"
SOURCES: dict[str, tuple[str, str, str]] = {
    "deep": ("", DEEP, ""),
    "strict": ("", GOP + "bframes=5:b-pyramid=strict:ref=6", ""),
    "many references": ("", GOP + "bframes=7:b-pyramid=normal:ref=8:direct=temporal", ""),
    "one reference": ("", GOP + "bframes=3:b-pyramid=none:ref=1", ""),
    "slices": ("", GOP + "bframes=3:b-pyramid=none:ref=3:slices=4", ""),
    "top field first": ("", DEEP + ":tff=1", ":tff=1"),
    "bottom field first": ("", GOP + "bframes=2:ref=2:bff=1", ":bff=1"),
    "10 bit": ("-pix_fmt yuv420p10le", DEEP, ""),
    "CAVLC": ("", DEEP + ":cabac=0", ""),
    "Main": ("-profile:v main", GOP + "bframes=2:ref=2", ":8x8dct=0"),
    "scaling lists": ("", DEEP + ":cqm=jvt", ""),
}


@dataclass(frozen=True, kw_only=True)
class Track:
    """Samples in decoding order with the rank of each in display order, and the parameter sets of the ``avcC``."""

    ranks: list[int]
    samples: list[bytes]
    sets: list[bytes]

    @property
    def sps(self) -> H264Sps:
        return next(parse_h264_sps(nal) for nal in self.sets if nal[0] & 31 == 7)

    def open_points(self) -> list[int]:
        kinds = [classify_access_unit("h264", sample, 4).random_access for sample in self.samples]
        return [i for i, kind in enumerate(kinds) if i and kind is RandomAccess.OPEN]

    def kept(self, cut: int) -> list[bytes]:
        return [s for rank, s in zip(self.ranks[cut:], self.samples[cut:], strict=True) if rank >= self.ranks[cut]]


def encode(path: Path, options: str, parameters: str, *, start: int = 0, count: int = 80) -> Track:
    trim = f"testsrc2=s=96x64:r=25,trim=start_frame={start}:end_frame={start + count},setpts=N/25/TB"
    codec = ["-c:v", "libx264", "-preset", "fast", *options.split(), "-x264-params", parameters]
    command = [ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", trim, *codec, str(path)]
    subprocess.run(command, check=True, timeout=60)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        avcc = stream.codec_context.extradata
        packets = [packet for packet in file.demux(stream) if packet.size]
    assert avcc is not None
    times = sorted(packet.pts or 0 for packet in packets)
    ranks = [times.index(packet.pts or 0) for packet in packets]
    return Track(ranks=ranks, samples=[bytes(packet) for packet in packets], sets=avcc_sets(avcc))


def avcc_sets(avcc: bytes) -> list[bytes]:
    sets, position = [], 5
    for mask in (31, 255):
        count, position = avcc[position] & mask, position + 1
        for _ in range(count):
            length = int.from_bytes(avcc[position : position + 2])
            sets.append(avcc[position + 2 : position + 2 + length])
            position += 2 + length
    return sets


def decoded(sets: Sequence[bytes], samples: Sequence[bytes]) -> tuple[str, list[str]]:
    """Return what FFmpeg says at ``-v warning`` and the MD5 of each frame that it shows."""
    units = [s[a : a + n] for s in samples for a, n in iter_length_prefixed(s, 4)]
    stream = b"".join(b"\0\0\0\1" + unit for unit in [*sets, *units])
    command = [ffmpeg_exe(), "-v", "warning", "-threads", "1", "-f", "h264", "-i", "-", "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], input=stream, capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    return done.stderr.decode(), [line.split(",")[-1].strip() for line in lines if line and line[0] != "#"]


Encode = Callable[..., Track]


@pytest.fixture(scope="module")
def x264(tmp_path_factory: pytest.TempPathFactory) -> Encode:
    """Return a function that codes pictures of the test source; what it made once it gives again."""

    @functools.cache
    def make(options: str, parameters: str, start: int = 0, count: int = 80) -> Track:
        return encode(tmp_path_factory.mktemp("x264") / "a.mp4", options, parameters, start=start, count=count)

    return make


def rendered(x264: Encode, name: str, start: int, count: int) -> Track:
    options, _, extra = SOURCES[name]
    return x264(options, "bframes=0:keyint=infinite:scenecut=0:ref=1:weightp=0" + extra, start, count)


def spliced(x264: Encode, name: str, cut: int, count: int) -> tuple[list[bytes], list[bytes], Guests]:
    """Return the parameter sets and samples of ``count`` rendered pictures and the copied ones from ``cut`` on."""
    track = x264(*SOURCES[name][:2])
    own = rendered(x264, name, track.ranks[cut] - count, count)
    guests = as_guests(
        own.samples,
        4,
        own.sets,
        track.sps,
        pps_id=free_pps_id(track.sets),
        before=join_point(track.samples[cut], 4, track.sets),
    )
    kept = track.kept(cut)
    changed = without_stale_markings(kept, 4, track.sets)
    copied = [changed.get(i, sample) for i, sample in enumerate(kept)]
    sets = [with_gaps_allowed(nal) if nal[0] & 31 == 7 else nal for nal in track.sets]
    return [*sets, guests.pps], [*guests.samples, *copied], guests


@pytest.mark.parametrize("name", list(SOURCES))
def test_copied_pictures_follow_rendered_ones(x264: Encode, name: str) -> None:
    track = x264(*SOURCES[name][:2])
    _, whole = decoded(track.sets, track.samples)
    for cut in track.open_points()[:2]:
        for count in (1, 2, 5):
            if count == 1 and join_point(track.samples[cut], 4, track.sets).frame_num == 0:
                continue
            own = rendered(x264, name, track.ranks[cut] - count, count)
            sets, samples, _ = spliced(x264, name, cut, count)
            said, shown = decoded(sets, samples)
            assert said == ""
            assert shown[count:] == whole[track.ranks[cut] :]
            assert shown[:count] == decoded(own.sets, own.samples)[1]


def test_rendered_pictures_follow_copied_ones(x264: Encode) -> None:
    track = x264("", DEEP)
    own = rendered(x264, "deep", 41, 3)
    end = next(i for i in range(40, 80) if max(track.ranks[:i]) == i - 1)
    guests = as_guests(own.samples, 4, own.sets, track.sps, pps_id=free_pps_id(track.sets))
    said, shown = decoded([*track.sets, guests.pps], [*track.samples[:end], *guests.samples])
    assert said == ""
    assert shown == decoded(track.sets, track.samples)[1][:end] + decoded(own.sets, own.samples)[1]


def headers(sets: Sequence[bytes], samples: Sequence[bytes]) -> list[SliceHeader]:
    """Return the header of each sample's first slice; the parameter sets are one SPS and the PPS to be used."""
    sps, pps = parse_h264_sps(sets[0]), parse_h264_pps(sets[-1])
    found = []
    for sample in samples:
        spans = iter_length_prefixed(sample, 4)
        found.append(next(slice_header(sample[a : a + n], sps, pps) for a, n in spans if sample[a] & 31 in (1, 5)))
    return found


def placed(x264: Encode, count: int, frame_num: int, lsb: int) -> list[SliceHeader]:
    track, own = x264("", DEEP), rendered(x264, "deep", 0, count)
    before = JoinPoint(is_idr=False, frame_num=frame_num, pic_order_cnt_lsb=lsb)
    guests = as_guests(own.samples, 4, own.sets, track.sps, pps_id=7, before=before)
    return headers([track.sets[0], guests.pps], guests.samples)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("frame_num", [1, 5, 6, 9])
def test_the_copied_picture_has_the_next_picture_order_count(x264: Encode, count: int, frame_num: int) -> None:
    cycle = 1 << x264("", DEEP).sps.log2_max_poc_lsb
    for lsb in range(0, cycle, 2):
        found = placed(x264, count, frame_num, lsb)
        orders = [header.pic_order_cnt_lsb or 0 for header in found]
        steps = [(after - order) % cycle for order, after in zip(orders, [*orders[1:], lsb], strict=True)]
        assert all(0 < step < cycle // 2 for step in steps), (lsb, orders)


def test_the_first_picture_has_order_zero_where_there_is_room(x264: Encode) -> None:
    cycle = 1 << x264("", DEEP).sps.log2_max_poc_lsb
    firsts = [placed(x264, 6, 5, lsb)[0].pic_order_cnt_lsb for lsb in range(0, cycle, 2)]
    assert firsts == [0] * len(firsts)


def test_two_reference_pictures_in_a_row_differ_in_frame_num(x264: Encode) -> None:
    found = placed(x264, 3, 2, 20)
    assert [(header.frame_num, header.nal_ref_idc > 0) for header in found] == [(0, True), (1, True), (2, False)]
    with pytest.raises(UnsupportedError, match="frame_num"):
        placed(x264, 1, 0, 20)


def test_one_rendered_picture_is_left_behind(x264: Encode) -> None:
    plain = placed(x264, 3, 3, 20)
    assert [(header.frame_num, header.marking) for header in plain] == [(0, ()), (1, ((1, (0,)),)), (2, ((1, (0,)),))]
    gap = placed(x264, 3, 5, 20)
    inferred = ((1, (0,)), (1, (1,)), (2, (0,)))
    assert [(header.frame_num, header.marking) for header in gap] == [(0, ()), (3, inferred), (4, ((1, (0,)),))]


def test_only_the_flag_changes(x264: Encode) -> None:
    sps = x264("", DEEP).sets[0]
    changed = with_gaps_allowed(sps)
    assert parse_h264_sps(changed).gaps_allowed and not parse_h264_sps(sps).gaps_allowed
    assert bin(int.from_bytes(sps) ^ int.from_bytes(changed)).count("1") == 1
    assert with_gaps_allowed(changed) == changed


@pytest.mark.parametrize(
    ("name", "options", "extra", "reason"),
    [
        ("deep", "-pix_fmt yuv420p10le", "", "bit depth"),
        ("deep", "-pix_fmt yuv444p", "", "chroma format"),
        ("deep", "-vf scale=112:64", "", "size"),
        ("deep", "", ":ref=5", "reference frames"),
        ("top field first", "", "", "macroblock-adaptive"),
        ("Main", "", "", "profile"),
    ],
)
def test_what_does_not_fit_is_refused(x264: Encode, name: str, options: str, extra: str, reason: str) -> None:
    track = x264(*SOURCES[name][:2])
    own = x264(options, "bframes=0:keyint=infinite:scenecut=0" + (extra or ":ref=1"), 0, 6)
    found = misfit(own.sps, track.sps)
    assert found is not None and reason in found
    with pytest.raises(UnsupportedError, match=reason):
        as_guests(own.samples, 4, own.sets, track.sps, pps_id=7)


def test_b_pictures_and_second_idr_pictures_are_refused(x264: Encode) -> None:
    track = x264("", DEEP)
    for parameters in ("bframes=2:b-adapt=0:ref=1", "bframes=0:keyint=2:ref=1"):
        own = x264("", parameters, 0, 6)
        with pytest.raises(UnsupportedError):
            as_guests(own.samples, 4, own.sets, track.sps, pps_id=7)


def test_ids_in_use_are_not_free(x264: Encode) -> None:
    sets = x264("", DEEP).sets
    assert free_pps_id(sets) == 1
    assert free_pps_id([]) == 0


def test_damage_is_an_error_of_the_data(x264: Encode) -> None:
    track = x264("", DEEP)
    with pytest.raises(InvalidDataError):
        join_point(b"", 4, track.sets)
    with pytest.raises(InvalidDataError):
        join_point(track.samples[0], 4, [])
