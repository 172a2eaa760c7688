"""H.264 slices at a cut: what FFmpeg says and shows of a cut file, and hand-written slices for what x264 lacks."""

from __future__ import annotations

import functools
import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.containers.bits import unescape
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slices import SliceHeader, slice_header, stale_window, without_stale_markings
from ffzero.containers.nal import RandomAccess, classify_access_unit, iter_length_prefixed
from ffzero.errors import InvalidDataError
from support.media import ffmpeg_exe, made

UNREF_FAILURE = "mmco: unref short failure"
SLICE_TYPES = frozenset({1, 2, 5})


# What x264 makes and FFmpeg says


@dataclass(frozen=True, kw_only=True)
class Track:
    """Samples in decoding order with their pts, and the parameter sets of the ``avcC``."""

    pts: list[int]
    samples: list[bytes]
    length_size: int
    sets: list[bytes]

    def open_points(self) -> list[int]:
        kinds = [classify_access_unit("h264", sample, self.length_size).random_access for sample in self.samples]
        return [i for i, kind in enumerate(kinds) if i and kind is RandomAccess.OPEN]

    def kept(self, cut: int, *, leading: bool) -> list[bytes]:
        pairs = zip(self.pts[cut:], self.samples[cut:], strict=True)
        return [sample for pts, sample in pairs if leading or pts >= self.pts[cut]]


def read_track(path: Path) -> Track:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        avcc = stream.codec_context.extradata
        packets = [packet for packet in file.demux(stream) if packet.size]
    assert avcc is not None
    assert all(packet.pts is not None for packet in packets)
    return Track(
        pts=[packet.pts or 0 for packet in packets],
        samples=[bytes(packet) for packet in packets],
        length_size=(avcc[4] & 3) + 1,
        sets=avcc_sets(avcc),
    )


def avcc_sets(avcc: bytes) -> list[bytes]:
    """Return the SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1)."""
    sets, position, count = [], 6, avcc[5] & 31
    for _ in range(2):
        for _ in range(count):
            size = int.from_bytes(avcc[position : position + 2])
            sets.append(avcc[position + 2 : position + 2 + size])
            position += 2 + size
        count, position = avcc[position] if position < len(avcc) else 0, position + 1
    return sets


def annex_b(track: Track, samples: Sequence[bytes]) -> bytes:
    units = [s[a : a + n] for s in samples for a, n in iter_length_prefixed(s, track.length_size)]
    return b"".join(b"\0\0\0\1" + unit for unit in [*track.sets, *units])


def decoded(stream: bytes) -> tuple[str, list[str]]:
    """Return what FFmpeg says at ``-v warning`` and the MD5 of each frame that it shows."""
    command = [ffmpeg_exe(), "-v", "warning", "-threads", "1", "-f", "h264", "-i", "-", "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], input=stream, capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    return done.stderr.decode(), [line.split(",")[-1].strip() for line in lines if line and line[0] != "#"]


GOP = "keyint=20:min-keyint=10:open-gop=1:scenecut=0:b-adapt=0:"
DEEP = GOP + "bframes=3:b-pyramid=normal:ref=4"
SMALL = "cabac=0:crf=51:slices=4:"  # CAVLC slices too short for an I_PCM macroblock
X264: dict[str, tuple[str, str]] = {
    "two B": ("", GOP + "bframes=2:ref=4"),
    "strict": ("", GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "one reference": ("", GOP + "bframes=3:b-pyramid=normal:ref=1"),
    "no pyramid": ("", GOP + "bframes=3:b-pyramid=none:ref=3"),
    "MBAFF": ("", DEEP + ":tff=1"),
    "slices": ("", DEEP + ":slices=4"),
    "10 bit": ("-pix_fmt yuv420p10le", DEEP),
    "weighted": ("-vf fade=in:0:60", DEEP + ":weightp=2:weightb=1"),
    "4:4:4": ("-pix_fmt yuv444p", DEEP),
    "CAVLC": ("", SMALL + GOP + "bframes=2:ref=4"),
    "CAVLC deep": ("", SMALL + GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "CAVLC weighted MBAFF": ("-vf fade=in:0:60", SMALL + DEEP + ":weightp=2:tff=1"),
    "large CAVLC": ("", "cabac=0:crf=20:" + GOP + "bframes=2:ref=4"),
    "large CAVLC deep": ("", "cabac=0:crf=20:" + GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "large CAVLC slices": ("", "cabac=0:crf=20:slices=2:" + DEEP),
}


@pytest.fixture(scope="module")
def x264(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Track]:
    """Return a function that gives the track which x264 makes by the recipe of a name."""

    @functools.cache
    def make(name: str) -> Track:
        options, parameters = X264[name]
        path = tmp_path_factory.mktemp("x264") / "a.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3.2"]
        codec = ["-c:v", "libx264", "-preset", "fast", *options.split(), "-x264-params", parameters]
        subprocess.run([ffmpeg_exe(), "-v", "error", *source, *codec, str(path)], check=True, timeout=60)
        return read_track(path)

    return make


def check_cuts(track: Track, *, leading: bool, limit: int = 3) -> tuple[int, int]:
    """Cut at the first open points; return how many cuts fail as they are, and how many were changed."""
    _, whole = decoded(annex_b(track, track.samples))
    failures = changes = 0
    points = track.open_points()
    assert len(points) >= 2
    for cut in points[:limit]:
        kept = track.kept(cut, leading=leading)
        changed = without_stale_markings(kept, track.length_size, track.sets)
        said, _ = decoded(annex_b(track, kept))
        failures += UNREF_FAILURE in said
        changes += bool(changed)
        said, shown = decoded(annex_b(track, [changed.get(i, sample) for i, sample in enumerate(kept)]))
        expected = whole[sorted(track.pts).index(track.pts[cut]) :]
        assert said == ""
        assert shown[-len(expected) :] == expected
    return failures, changes


@pytest.mark.parametrize("name", X264)
def test_a_cut_decodes_in_silence_and_to_the_same_pictures(
    x264: functools._lru_cache_wrapper[Track], name: str
) -> None:
    track = x264(name)
    dropped, kept = (check_cuts(track, leading=leading) for leading in (False, True))
    if name == "no pyramid":
        assert dropped[0] == kept[0] == 0
    else:
        assert kept[0] > 0, "the recipe must show what is cured"
        assert kept[1] >= kept[0] and dropped[1] >= dropped[0]


@pytest.mark.parametrize("leading", [False, True])
def test_the_made_open_gop_file(leading: bool) -> None:
    failures, changes = check_cuts(read_track(made("h264_open_gop.mp4")), leading=leading)
    assert changes == 3
    assert failures == (3 if leading else 0), "without its leading pictures FFmpeg makes up what is un-referenced"


def test_long_cavlc_slices_are_moved_by_whole_bytes(x264: functools._lru_cache_wrapper[Track]) -> None:
    """An I_PCM macroblock's samples are byte aligned: shifting the slice by bits would destroy them."""
    track = x264("large CAVLC")
    sps, pps = parse_h264_sps(track.sets[0]), parse_h264_pps(track.sets[1])
    kept = track.kept(track.open_points()[0], leading=False)
    assert UNREF_FAILURE in decoded(annex_b(track, kept))[0]
    changed = without_stale_markings(kept, track.length_size, track.sets)
    assert changed
    for index, sample in changed.items():
        for old, new in zip(units(kept[index], track.length_size), units(sample, track.length_size), strict=True):
            if old != new:
                before, after = slice_header(old, sps, pps), slice_header(new, sps, pps)
                assert before.adaptive and after.adaptive and len(old) > 500
                assert (before.end_bits - after.end_bits) % 8 == 0


@pytest.mark.parametrize("name", ["slices", "CAVLC deep"])
def test_only_the_marking_changes(x264: functools._lru_cache_wrapper[Track], name: str) -> None:
    track = x264(name)
    sps, pps = parse_h264_sps(track.sets[0]), parse_h264_pps(track.sets[1])
    kept = track.kept(track.open_points()[0], leading=True)
    changed = without_stale_markings(kept, track.length_size, track.sets)
    assert changed
    for index, sample in changed.items():
        before, after = units(kept[index], track.length_size), units(sample, track.length_size)
        assert len(before) == len(after)
        assert before != after
        for old, new in zip(before, after, strict=True):
            if old != new:
                assert_same_but_marking(old, new, sps, pps)


def units(sample: bytes, length_size: int) -> list[bytes]:
    return [sample[a : a + n] for a, n in iter_length_prefixed(sample, length_size)]


def assert_same_but_marking(old: bytes, new: bytes, sps: H264Sps, pps: H264Pps) -> None:
    """The header but for its marking, and the slice data, are the same bits; nothing in it looks like a start code."""
    assert old[0] & 31 in SLICE_TYPES
    before, after = slice_header(old, sps, pps), slice_header(new, sps, pps)
    unmarked: dict[str, Any] = {"adaptive": False, "marking": (), "marking_bits": (0, 0), "end_bits": 0}
    assert replace(before, **unmarked) == replace(after, **unmarked)
    assert set(after.marking) < set(before.marking)
    assert data_bits(old, before, cabac=pps.cabac) == data_bits(new, after, cabac=pps.cabac)
    assert not re.search(rb"\0\0[\0\1\2]", new.rstrip(b"\0"))


def data_bits(nal: bytes, header: SliceHeader, *, cabac: bool) -> str:
    """Return slice data as bits, without what fills it up to whole bytes."""
    rbsp = unescape(nal)
    text = f"{int.from_bytes(rbsp):0{len(rbsp) * 8}b}"
    return text[header.end_bits + -header.end_bits % 8 :] if cabac else text[header.end_bits :].rstrip("0")


# Hand-written slices


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def nal(header: int, *fields: str, stop: str = "1") -> bytes:
    """Write a NAL unit of these bits, with emulation prevention."""
    text = "".join(fields).replace(" ", "") + stop
    text += "0" * (-len(text) % 8)
    rbsp = bytes([header]) + int(text, 2).to_bytes(len(text) // 8)
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", rbsp)


def sps_nal(*, max_refs: int = 3, interlaced: bool = False, gaps: int = 0, size: int = 4) -> bytes:
    """An SPS of the Main profile: 4 bits of frame_num, poc type 2, ``size`` by ``size`` macroblocks."""
    return nal(
        0x67,
        f"{77:08b}{0:08b}{30:08b}" + ue(0) + ue(0) + ue(2),  # profile, level 3, id, log2_max_frame_num - 4, poc type
        ue(max_refs) + str(gaps) + ue(size - 1) + ue(size - 1),
        "01" if interlaced else "1",  # frame_mbs_only_flag, mb_adaptive_frame_field_flag
        "1 0 0",  # direct_8x8_inference_flag, no cropping, no VUI
    )


def pps_nal(*, cabac: int = 1, weighted: str = "0 00", groups: str = ue(0), control: str = "0 0 0") -> bytes:
    """A PPS with two references in list 0 and one in list 1; ``control``: deblocking, constrained intra, redundant."""
    quantisers = se(0) + se(0) + se(0)
    return nal(0x68, ue(0) + ue(0), f"{cabac}0", groups, ue(1) + ue(0), weighted, quantisers, control)


Operations = Sequence[tuple[int, ...]] | None
PAYLOAD = bytes(range(1, 200))


def slice_nal(
    frame_num: int,
    operations: Operations = None,
    *,
    fields: str = "",
    first_mb: int = 0,
    ref_idc: int = 1,
    payload: bytes = PAYLOAD,
    cabac: int = 1,
) -> bytes:
    """An I slice; ``fields`` is "" where frame_mbs_only, "0" for a frame, "10" and "11" for a top and bottom field."""
    marking = ""
    if ref_idc:
        marking = "0" if operations is None else "1" + "".join(ue(v) for each in operations for v in each) + ue(0)
    head = ue(first_mb) + ue(7) + ue(0) + f"{frame_num:04b}" + fields + marking + se(-3)
    if cabac:
        head += "1" * (-len(head) % 8)
    return nal(ref_idc << 5 | 1, head, "".join(f"{byte:08b}" for byte in payload))


def sample(*nals: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size) + unit for unit in nals)


def markings(
    pictures: Sequence[bytes | tuple[bytes, ...]], sps: bytes | None = None, pps: bytes | None = None
) -> dict[int, list[tuple[tuple[int, ...], ...] | None]]:
    """Return, for each changed sample, the operations of its slices now; ``None`` stands for the sliding window."""
    sps, pps = sps or sps_nal(), pps or pps_nal()
    samples = [sample(*each) if isinstance(each, tuple) else sample(each) for each in pictures]
    changed = without_stale_markings(samples, 4, [sps, pps])
    found: dict[int, list[tuple[tuple[int, ...], ...] | None]] = {}
    for index, new in changed.items():
        headers = [slice_header(unit, parse_h264_sps(sps), parse_h264_pps(pps)) for unit in units(new, 4)]
        found[index] = [tuple((op, *args) for op, args in h.marking) if h.adaptive else None for h in headers]
    return found


def test_an_operation_on_a_picture_before_the_cut_goes() -> None:
    assert markings([slice_nal(5, [(1, 0)])]) == {0: [None]}


def test_frame_num_wraps() -> None:
    # Pictures 15 and 0 are kept; 1 un-references 15, then 2 picture 14.
    kept = [slice_nal(15), slice_nal(0), slice_nal(1, [(1, 1)]), slice_nal(2, [(1, 3)])]
    assert markings(kept) == {3: [None]}


def test_what_remains_keeps_its_mode() -> None:
    kept = [slice_nal(5), slice_nal(6, [(1, 0), (1, 3)])]
    assert markings(kept) == {1: [((1, 0),)]}


def test_nothing_is_stale_once_the_kept_pictures_fill_all_places() -> None:
    # After three pictures the first is gone by the sliding window, not by the cut.
    kept = [slice_nal(5), slice_nal(6), slice_nal(7), slice_nal(8), slice_nal(9, [(1, 3)])]
    assert markings(kept) == {}
    # Where places come free in between, a picture from before the cut may still be there.
    kept = [slice_nal(5), slice_nal(6), slice_nal(7, [(1, 0)]), slice_nal(8, [(1, 0)]), slice_nal(9, [(1, 4)])]
    assert markings(kept) == {4: [None]}


def test_pictures_that_frame_num_skips_are_taken_as_there() -> None:
    """Leading pictures that were dropped: FFmpeg makes frames up for them, so that they must be un-referenced."""
    assert markings([slice_nal(5), slice_nal(7, [(1, 0)])]) == {}
    assert markings([slice_nal(5), slice_nal(7, [(1, 0), (1, 3)])]) == {1: [((1, 0),)]}


def test_pictures_that_are_no_reference_do_not_count() -> None:
    kept = [slice_nal(5), slice_nal(6, ref_idc=0), slice_nal(6, [(1, 2)])]
    assert markings(kept) == {2: [None]}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param([(3, 3, 0), (1, 0)], ((1, 0),), id="a gone picture to long-term"),
        pytest.param([(2, 1), (1, 0)], ((1, 0),), id="a gone long-term picture"),
        pytest.param([(4, 1), (1, 3), (1, 0)], ((4, 1), (1, 0)), id="the number of long-term indices stays"),
        pytest.param([(1, 0), (1, 3), (6, 0)], ((1, 0), (6, 0)), id="the current picture to long-term"),
        pytest.param([(3, 0, 0), (1, 3), (2, 0)], ((3, 0, 0), (2, 0)), id="to long-term and gone"),
    ],
)
def test_long_term_operations(operations: Operations, expected: tuple[tuple[int, ...], ...]) -> None:
    assert markings([slice_nal(5), slice_nal(6, operations)]) == {1: [expected]}


def test_an_index_that_a_gone_picture_would_take_from_a_kept_one_stays_taken() -> None:
    kept = [slice_nal(5, [(4, 1), (6, 0)]), slice_nal(6, [(3, 3, 0)])]
    assert markings(kept) == {}


def test_decoders_that_infer_missing_frames_never_hold_too_many() -> None:
    """With mode 1 nothing slides: where what remains frees no frame, the operation is left as it is."""
    assert markings([slice_nal(5, [(1, 0), (4, 0)])]) == {}
    assert markings([slice_nal(5), slice_nal(6, [(1, 3), (4, 0)])]) == {}


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(b"\x65" + slice_nal(0)[1:], id="IDR"),
        pytest.param(slice_nal(6, [(5,)]), id="operation 5"),
        pytest.param(b"\x41\x00\x00", id="damage"),
        pytest.param(slice_nal(6)[:2], id="truncation"),
        pytest.param(nal(0x21, ue(0) + ue(7) + ue(9) + "0110" + "0" + se(0)), id="unknown PPS"),
    ],
)
def test_nothing_changes_behind(end: bytes) -> None:
    assert markings([slice_nal(5, [(1, 0)]), end, slice_nal(7, [(1, 5)])]) == {0: [None]}


def test_fields_share_a_frame() -> None:
    top, bottom = "10", "11"
    sps = sps_nal(interlaced=True)
    first = (slice_nal(5, fields=top), slice_nal(5, [(1, 0)], fields=bottom))
    # Of 6: the field before in coding order of the same frame is there; 0 names the same parity one frame back, 1 the
    # other parity of that frame, 6 and 7 the fields of frame 2 and 3.
    second = (slice_nal(6, [(1, 1), (1, 2)], fields=top), slice_nal(6, [(1, 6), (1, 0)], fields=bottom))
    assert markings([first, second], sps) == {1: [((1, 1), (1, 2)), ((1, 0),)]}


def test_a_field_a_sample_is_the_same_as_two() -> None:
    sps = sps_nal(interlaced=True, max_refs=2)
    fields = [
        slice_nal(5, [(1, 1), (1, 2)], fields="10"),
        slice_nal(5, fields="11"),
        slice_nal(6, fields="10"),
        slice_nal(6, [(1, 1)], fields="11"),  # the bottom field of 5; its top field is still there
        slice_nal(7, [(1, 9)], fields="10"),
    ]
    assert markings(fields, sps) == {0: [None]}


def test_a_frame_is_there_until_both_fields_are_unreferenced() -> None:
    sps = sps_nal(interlaced=True)
    kept = [slice_nal(5, fields="10"), slice_nal(5, fields="11"), slice_nal(6, fields="10")]
    assert markings([*kept, slice_nal(6, [(1, 1)], fields="11"), slice_nal(7, [(1, 4)], fields="10")], sps) == {}
    gone = slice_nal(6, [(1, 1), (1, 2)], fields="11")
    assert markings([*kept, gone, slice_nal(7, [(1, 4)], fields="10")], sps) == {4: [None]}


def test_frames_and_fields_mix() -> None:
    sps = sps_nal(interlaced=True)
    kept = [slice_nal(5, fields="0"), slice_nal(6, [(1, 2), (1, 1)], fields="10"), slice_nal(6, fields="11")]
    assert markings(kept, sps) == {}
    assert markings([*kept[:1], slice_nal(6, [(1, 3), (1, 4)], fields="10")], sps) == {1: [None]}


def test_every_slice_of_a_picture_changes_and_the_rest_of_the_sample_stays() -> None:
    sei, filler = b"\x06\x05\x01\x00\x80", b"\x0c\xff\x80"
    parts = [sei, slice_nal(5, [(1, 0)]), slice_nal(5, [(1, 0)], first_mb=5), filler]
    clean = [sei, slice_nal(5), slice_nal(5, first_mb=5), filler]
    for size in (2, 4):
        changed = without_stale_markings([sample(*parts, size=size)], size, [sps_nal(), pps_nal()])
        assert changed == {0: sample(*clean, size=size)}


def test_slices_that_disagree_are_left_alone() -> None:
    assert markings([(slice_nal(5, [(1, 0)]), slice_nal(5, first_mb=5))]) == {}


def test_parameter_sets_in_the_samples_are_used() -> None:
    kept = sample(sps_nal(), pps_nal(cabac=0), slice_nal(5, [(1, 0)], cabac=0))
    expected = sample(sps_nal(), pps_nal(cabac=0), slice_nal(5, cabac=0))
    assert without_stale_markings([kept], 4, []) == {0: expected}
    assert without_stale_markings([kept], 4, [b"", b"\x67", sps_nal(max_refs=1), pps_nal()]) == {0: expected}


def test_cabac_zero_words_and_padding_stay() -> None:
    for tail in (b"", b"\0\0\3", b"\0\0\3\0\0\3", b"\0\0"):
        changed = without_stale_markings([sample(slice_nal(5, [(1, 0)]) + tail)], 4, [sps_nal(), pps_nal()])
        assert changed == {0: sample(slice_nal(5) + tail)}


def test_the_length_field_must_hold_the_new_length() -> None:
    """Emulation prevention may make a NAL unit longer than the operations were."""
    old = slice_nal(5, [(1, 0)], payload=b"\1" * 250)
    assert len(old) <= 255
    assert without_stale_markings([sample(old, size=1)], 1, [sps_nal(), pps_nal()])
    with pytest.raises(InvalidDataError, match="impossible size"):
        without_stale_markings([sample(old)], 5, [])


zeros = st.lists(st.sampled_from([b"\0", b"\0\0", b"\3", b"\1", b"\x80", b"\x40", b"\x20", b"\xff"]), max_size=60)


@given(payload=zeros.map(b"".join), difference=st.integers(0, 7), cabac=st.integers(0, 1), first_mb=st.integers(0, 15))
@settings(max_examples=200, deadline=None)
def test_slice_data_survives_any_shift(payload: bytes, difference: int, cabac: int, first_mb: int) -> None:
    old = slice_nal(9, [(1, difference)], payload=payload, cabac=cabac, first_mb=first_mb)
    changed = without_stale_markings([sample(old)], 4, [sps_nal(), pps_nal(cabac=cabac)])
    assert changed == {0: sample(slice_nal(9, payload=payload, cabac=cabac, first_mb=first_mb))}


def test_a_whole_header_is_read() -> None:
    """A B slice with everything: two list modifications, explicit weights, slice groups, redundant pictures."""
    groups = ue(1) + ue(3) + "0" + ue(2)  # two groups, box-out, 3 units a step: 16 units need 3 bits (16/3 + 1 < 8)
    sps, pps = sps_nal(interlaced=True, size=4), pps_nal(weighted="1 01", groups=groups, control="1 0 1")
    marking = "1" + ue(1) + ue(4) + ue(3) + ue(1) + ue(0) + ue(2) + ue(7) + ue(4) + ue(2) + ue(6) + ue(1) + ue(0)
    before = (
        ue(3) + ue(6) + ue(0) + "1010" + "11" + ue(2),  # first_mb, B, PPS, frame_num, a bottom field, redundant
        "1" + "1" + ue(1) + ue(0),  # direct_spatial_mv_pred_flag, two references in list 0, one in list 1
        "1" + ue(0) + ue(3) + ue(2) + ue(1) + ue(3) + "0",  # list 0: -4, long-term 1; list 1 as it is
        ue(5) + ue(4),  # log2_weight_denom of luma and chroma
        "1" + se(-7) + se(3) + "1" + se(1) + se(-2) + se(3) + se(-4),  # both weighted
        "00" + "01" + se(1) + se(2) + se(-3) + se(4),  # neither; chroma only
    )
    after = ue(1) + se(-5) + ue(0) + se(2) + se(-1) + "101"  # cabac_init_idc, QP, deblocking, slice_group_change_cycle
    length = len("".join(before).replace(" ", ""))
    unit = nal(0x41, *before, marking, after, "1" * 40)
    header = slice_header(unit, parse_h264_sps(sps), parse_h264_pps(pps))
    assert (header.first_mb, header.slice_type.name, header.pps_id, header.frame_num) == (3, "B", 0, 10)
    assert (header.field_pic, header.bottom_field, header.redundant_pic_cnt, header.nal_ref_idc) == (True, True, 2, 2)
    assert header.adaptive
    assert header.marking == ((1, (4,)), (3, (1, 0)), (2, (7,)), (4, (2,)), (6, (1,)))
    assert header.marking_bits == (8 + length, 8 + length + len(marking))
    assert header.end_bits == header.marking_bits[1] + len(after)
    assert (header.idr_pic_id, header.pic_order_cnt_lsb) == (None, None)


def test_headers_of_real_slices_end_where_cabac_is_aligned(x264: functools._lru_cache_wrapper[Track]) -> None:
    seen = 0
    for name in ("MBAFF", "weighted", "4:4:4"):
        track = x264(name)
        sps, pps = parse_h264_sps(track.sets[0]), parse_h264_pps(track.sets[1])
        for unit in (unit for each in track.samples for unit in units(each, track.length_size)):
            if unit[0] & 31 in SLICE_TYPES:
                header = slice_header(unit, sps, pps)
                assert header.pic_order_cnt_lsb is not None
                assert (header.idr_pic_id is not None) is (unit[0] & 31 == 5)
                fill = -header.end_bits % 8
                assert unescape(unit)[header.end_bits // 8] & (1 << fill) - 1 == (1 << fill) - 1 or not fill
                seen += 1
    assert seen > 200


def test_a_slice_of_another_parameter_set_is_refused() -> None:
    other = replace(parse_h264_pps(pps_nal()), id=1)
    with pytest.raises(InvalidDataError, match="another parameter set"):
        slice_header(slice_nal(5), parse_h264_sps(sps_nal()), other)
    with pytest.raises(InvalidDataError, match="slice header"):
        slice_header(sps_nal(), parse_h264_sps(sps_nal()), other)


def test_the_window_grows_with_the_references() -> None:
    few, many = (stale_window(parse_h264_sps(sps_nal(max_refs=refs))) for refs in (0, 4))
    assert 4 <= few < many <= 64


def test_samples_are_read_no_further_than_needed() -> None:
    samples = iter([sample(slice_nal(number)) for number in range(12)])
    without_stale_markings(samples, 4, [sps_nal(max_refs=3), pps_nal()])
    assert len(list(samples)) == 12 - 3


def test_mutations_raise_nothing(x264: functools._lru_cache_wrapper[Track]) -> None:
    dice = random.Random(7)
    for name in ("slices", "CAVLC weighted MBAFF", "strict"):
        track = x264(name)
        start = track.samples[track.open_points()[0] :][:6]
        for _ in range(150):
            hurt = [bytearray(each) for each in start]
            sets = [bytearray(each) for each in track.sets]
            for _ in range(dice.choice((1, 2, 5))):
                victim = dice.choice([*hurt[:3], *sets])
                victim[dice.randrange(min(len(victim), 60))] = dice.randrange(256)
            if dice.random() < 0.2:
                del hurt[0][dice.randrange(len(hurt[0])) :]
            changed = without_stale_markings([bytes(h) for h in hurt], track.length_size, [bytes(s) for s in sets])
            assert set(changed) <= set(range(len(hurt)))


@given(st.lists(st.binary(max_size=60), max_size=4), st.lists(st.binary(max_size=20), max_size=3), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_noise_raises_nothing(samples: list[bytes], sets: list[bytes], size: int) -> None:
    assert (
        without_stale_markings([sample(s, size=size) for s in samples], size, [sps_nal(), pps_nal(), *sets]) is not None
    )
