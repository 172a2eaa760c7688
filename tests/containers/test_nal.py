"""Access units of H.264 and HEVC: hand-written NAL units, damage, and what is known of real and made files."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Literal

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.nal import (
    AccessUnit,
    RandomAccess,
    classify_access_unit,
    iter_annex_b,
    iter_length_prefixed,
    starts_closed,
)
from ffzero.errors import InvalidDataError, TruncatedError
from support.media import made, media_folder

Codec = Literal["h264", "hevc"]


def bits(text: str) -> bytes:
    """Return the bits of ``text`` (blanks ignored) with the RBSP stop bit, filled up to whole bytes."""
    text = text.replace(" ", "") + "1"
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def sample(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size) + unit for unit in units)


def h264_slice(slice_type: int, *, first_mb: int = 0, nal_type: int = 1, ref_idc: int = 3) -> bytes:
    """A slice NAL unit: header byte, first_mb_in_slice, slice_type, pic_parameter_set_id, then some payload."""
    return bytes([ref_idc << 5 | nal_type]) + bits(ue(first_mb) + ue(slice_type) + ue(0)) + b"\x5a" * 100


def h264_sei(recovery_frames: int | None, *, before: bytes = b"", exact: int = 1, broken: int = 0) -> bytes:
    """An SEI NAL unit: other messages, then a recovery point (payload type 6)."""
    payload = b""
    if recovery_frames is not None:
        body = bits(ue(recovery_frames) + str(exact) + str(broken) + "00")
        payload = bytes([6, len(body)]) + body
    return b"\x06" + before + payload + b"\x80"


def hevc_unit(nal_type: int, *, layer: int = 0, payload: bytes = b"\xaf" * 40) -> bytes:
    """nal_unit_type (6 bits after the zero bit), nuh_layer_id (6), nuh_temporal_id_plus1 (3) = 1."""
    return bytes([nal_type << 1 | layer >> 5, (layer & 31) << 3 | 1]) + payload


P, B, I, SI = 5, 6, 7, 9  # noqa: E741 - slice_type where all slices of the picture have the same type

SPS, PPS, AUD = b"\x67\x64\x00\x1f", b"\x68\xee\x3c\x80", b"\x09\xf0"


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param([SPS, PPS, h264_slice(I, nal_type=5)], RandomAccess.CLOSED, id="idr"),
        pytest.param([AUD, h264_sei(None), h264_slice(I)], RandomAccess.OPEN, id="all-intra without SEI"),
        pytest.param([h264_slice(SI)], RandomAccess.OPEN, id="switching intra"),
        pytest.param([h264_slice(I), h264_slice(2, first_mb=50)], RandomAccess.OPEN, id="two intra slices"),
        pytest.param([h264_slice(2), h264_slice(0, first_mb=50)], RandomAccess.NONE, id="second slice is P"),
        pytest.param([h264_slice(0), h264_slice(2, first_mb=50)], RandomAccess.NONE, id="second slice is I"),
        pytest.param([h264_slice(2), h264_slice(0)], RandomAccess.OPEN, id="I field, P field"),
        pytest.param([h264_slice(2), h264_slice(1)], RandomAccess.NONE, id="I field, B field"),
        pytest.param([h264_slice(0), h264_slice(2)], RandomAccess.NONE, id="P field, I field"),
        pytest.param([h264_slice(I, nal_type=5), h264_slice(0)], RandomAccess.CLOSED, id="IDR field, P field"),
        pytest.param([h264_sei(0), h264_slice(P)], RandomAccess.OPEN, id="recovery point of 0 on a P picture"),
        pytest.param([h264_slice(P), h264_sei(0)], RandomAccess.OPEN, id="SEI behind the slice"),
        pytest.param([h264_sei(7), h264_slice(P)], RandomAccess.GRADUAL, id="intra refresh"),
        pytest.param([h264_slice(B, ref_idc=0)], RandomAccess.NONE, id="B"),
        pytest.param([SPS, PPS, h264_sei(0)], RandomAccess.NONE, id="no picture at all"),
        pytest.param([], RandomAccess.NONE, id="empty sample"),
    ],
)
@pytest.mark.parametrize("size", [0, 2, 4])
def test_h264_random_access(units: list[bytes], expected: RandomAccess, size: int) -> None:
    data = sample(*units, size=size) if size else b"".join(b"\0\0\0\1" + unit for unit in units)
    unit = classify_access_unit("h264", data, size)
    assert unit.random_access is expected
    assert unit.has_vcl == any(unit[0] & 31 in (1, 5) for unit in units)
    assert unit.recovery_frames == (7 if expected is RandomAccess.GRADUAL else 0)


def test_what_the_head_of_a_sample_tells() -> None:
    idr, p = h264_slice(I, nal_type=5), h264_slice(P)
    long = sample(h264_sei(0), idr + bytes(5000), size=4)
    assert starts_closed("h264", long[:64], 4)
    assert not starts_closed("h264", sample(h264_sei(0), p, size=4)[:64], 4)
    beyond = sample(h264_sei(0) + bytes(100), idr, size=4)
    assert starts_closed("h264", beyond, 4)
    assert not starts_closed("h264", beyond[:64], 4)  # it does not tell
    assert not starts_closed("h264", b"", 4)
    assert not starts_closed("h264", b"\0\0\0\2\x65", 4)


def test_h264_reference_is_true_when_any_slice_is_referenced() -> None:
    assert not classify_access_unit("h264", sample(h264_slice(B, ref_idc=0), h264_slice(B, ref_idc=0)), 4).is_reference
    assert classify_access_unit("h264", sample(h264_slice(P, ref_idc=0), h264_slice(P, ref_idc=2)), 4).is_reference


def test_recovery_point_is_found_behind_long_and_escaped_messages() -> None:
    # payload_type 5 (user data), payload_size 255 + 45 = 300; its zeros are broken up by emulation prevention bytes.
    user_data = b"\x05\xff\x2d" + b"\0\0\3" * 150
    data = sample(AUD, h264_sei(3, before=user_data, exact=0, broken=1), h264_slice(P))
    point = classify_access_unit("h264", data, 4).recovery_point
    assert point is not None
    assert (point.count, point.exact_match, point.broken_link) == (3, False, True)


def test_damaged_sei_is_no_error() -> None:
    for sei in (b"\x06\x06", b"\x06\x06\x05\x80", b"\x06\xff\xff\xff", b"\x06\x06\x00\x80", b"\x06"):
        assert classify_access_unit("h264", sample(sei, h264_slice(P)), 4).random_access is RandomAccess.NONE


@pytest.mark.parametrize(
    ("nal_type", "access", "reference", "rasl", "radl"),
    [
        (0, RandomAccess.NONE, False, False, False),  # TRAIL_N
        (1, RandomAccess.NONE, True, False, False),  # TRAIL_R
        (6, RandomAccess.NONE, False, False, True),  # RADL_N
        (7, RandomAccess.NONE, True, False, True),  # RADL_R
        (8, RandomAccess.NONE, False, True, False),  # RASL_N
        (9, RandomAccess.NONE, True, True, False),  # RASL_R
        (16, RandomAccess.CLOSED, True, False, False),  # BLA_W_LP
        (18, RandomAccess.CLOSED, True, False, False),  # BLA_N_LP
        (19, RandomAccess.CLOSED, True, False, False),  # IDR_W_RADL
        (20, RandomAccess.CLOSED, True, False, False),  # IDR_N_LP
        (21, RandomAccess.OPEN, True, False, False),  # CRA
    ],
)
def test_hevc_types(nal_type: int, access: RandomAccess, reference: bool, rasl: bool, radl: bool) -> None:
    unit = classify_access_unit("hevc", sample(hevc_unit(35), hevc_unit(nal_type), hevc_unit(nal_type)), 4)
    assert unit == AccessUnit(
        random_access=access,
        is_reference=reference,
        is_leading_undecodable=rasl,
        is_leading_decodable=radl,
        has_vcl=True,
        is_intra=nal_type >= 16,
    )


def test_hevc_enhancement_layers_do_not_count() -> None:
    unit = classify_access_unit("hevc", sample(hevc_unit(1), hevc_unit(21, layer=1)), 4)
    assert unit.random_access is RandomAccess.NONE


@pytest.mark.parametrize(("count", "code"), [(0, "1"), (5, "0001010"), (-2, "00101")])
def test_hevc_recovery_point(count: int, code: str) -> None:
    body = bits(code + "10")  # recovery_poc_cnt se(v), exact_match_flag, broken_link_flag
    sei = hevc_unit(39, payload=bytes([6, len(body)]) + body + b"\x80")
    unit = classify_access_unit("hevc", sample(sei, hevc_unit(1)), 4)
    assert unit.random_access is (RandomAccess.GRADUAL if count > 0 else RandomAccess.OPEN)
    assert unit.recovery_point is not None and unit.recovery_point.count == count
    assert unit.recovery_frames == max(count, 0)


def test_a_length_past_the_end_names_its_offset() -> None:
    data = sample(AUD) + b"\x00\x00\x00\x09\x41\x9a"
    with pytest.raises(TruncatedError) as caught:
        list(iter_length_prefixed(data, 4))
    assert caught.value.offset_bytes == 6


def test_empty_units_and_zero_tails_are_skipped() -> None:
    assert list(iter_length_prefixed(b"\0\0\0\0" + sample(AUD) + b"\0\0\0", 4)) == [(8, 2)]


def test_annex_b_start_codes_of_both_sizes_and_trailing_zeros() -> None:
    stream = b"\xff" + b"\0\0\1" + AUD + b"\0\0" + b"\0\0\0\1" + SPS + b"\0\0\0"
    assert [stream[start : start + size] for start, size in iter_annex_b(stream)] == [AUD, SPS]
    assert list(iter_annex_b(b"")) == list(iter_annex_b(b"no start code")) == []


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.sampled_from([1, 2, 4]))
def test_length_prefixed_round_trip(units: list[bytes], size: int) -> None:
    data = sample(*units, size=size)
    assert [data[start : start + length] for start, length in iter_length_prefixed(data, size)] == units


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=60).map(bytes))
def test_unescape_undoes_the_standards_escape(rbsp: bytes) -> None:
    escaped = bytearray()
    for byte in rbsp:
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    assert unescape(bytes(escaped)) == rbsp


@given(st.integers(0, 2**32 - 2), st.integers(0, 7), st.integers(-(2**31) + 1, 2**31 - 1))
def test_bit_reader_exp_golomb(value: int, shift: int, signed: int) -> None:
    code = 2 * signed - 1 if signed > 0 else -2 * signed
    reader = BitReader(bits("0" * shift + ue(value) + ue(code)))
    reader.skip(shift)
    assert (reader.ue(), reader.se()) == (value, signed)


GOOD = {
    "h264": sample(AUD, SPS, h264_sei(4), h264_slice(I), h264_slice(P, first_mb=9)),
    "hevc": sample(hevc_unit(35), hevc_unit(39, payload=b"\x06\x01\xd0\x80"), hevc_unit(21), hevc_unit(8)),
}


@settings(max_examples=400)
@given(
    st.sampled_from(["h264", "hevc"]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
    st.sampled_from([0, 1, 2, 3, 4]),
)
def test_mutations_raise_nothing_but_invalid_data(
    codec: Codec, changes: list[tuple[int, int]], cut: int, size: int
) -> None:
    data = bytearray(GOOD[codec])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        classify_access_unit(codec, bytes(data[: cut or None]), size)
    except InvalidDataError as error:
        assert error.offset_bytes is not None


def test_cost_does_not_grow_with_the_size_of_slices() -> None:
    data = sample(SPS, PPS, h264_slice(I, nal_type=5) + b"\x77" * (8 << 20))
    started = time.process_time()
    for _ in range(100):
        classify_access_unit("h264", data, 4)
    assert time.process_time() - started < 0.5  # copying 800 MB would take longer than parsing 100 samples


Counts = Counter[tuple[RandomAccess, str]]


def classified(path: Path, codec: Codec, nal_length_size: int = 4) -> Counts:
    """Count the samples of a file's first video stream by (random access, leading kind), checking them with FFmpeg."""
    counts: Counts = Counter()
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            unit = classify_access_unit(codec, bytes(packet), nal_length_size)
            assert unit.has_vcl
            assert packet.is_keyframe == (unit.random_access in (RandomAccess.CLOSED, RandomAccess.OPEN)) or (
                packet.is_keyframe and unit.random_access is RandomAccess.GRADUAL
            )
            head = bytes(packet)[:4096]
            if nal_length_size:
                assert starts_closed(codec, head, nal_length_size) == (unit.random_access is RandomAccess.CLOSED)
            leading = "RASL" * unit.is_leading_undecodable + "RADL" * unit.is_leading_decodable
            counts[unit.random_access, leading] += 1
    return counts


@pytest.mark.skipif(media_folder() is None, reason="FFZERO_MEDIA names no media")
@pytest.mark.parametrize(
    ("name", "codec", "closed", "opened", "rasl"),
    [
        ("foreman-hevc-384.mp4", "hevc", 1, 9, 20),
        ("video-h265.mp4", "hevc", 1, 1, 1),
        ("rotated_hdr_video.mov", "hevc", 1, 1, 3),
        ("Tiny Sample - NEW - Metaxed.mp4", "h264", 3, 3, 0),
        ("iibbibb_editlist_videoonly.mp4", "h264", 1, 4, 0),
        ("example.mp4", "h264", 22, 0, 0),
    ],
)
def test_real_files(name: str, codec: Codec, closed: int, opened: int, rasl: int) -> None:
    folder = media_folder()
    assert folder is not None
    counts = classified(folder / "real" / name, codec)
    assert counts[RandomAccess.CLOSED, ""] == closed
    assert counts[RandomAccess.OPEN, ""] == opened
    assert counts[RandomAccess.NONE, "RASL"] == rasl


@pytest.mark.skipif(media_folder() is None, reason="FFZERO_MEDIA names no media")
def test_field_pairs_of_a_camcorder() -> None:
    folder = media_folder()
    assert folder is not None
    counts = classified(folder / "real" / "fixture-raw.mts", "h264", 0)
    assert (counts[RandomAccess.CLOSED, ""], counts[RandomAccess.OPEN, ""]) == (1, 1)


def test_made_files() -> None:
    refresh = classified(made("h264_intra_refresh.mp4"), "h264")
    assert refresh[RandomAccess.CLOSED, ""] == 1 and refresh[RandomAccess.GRADUAL, ""] >= 3
    open_gop = classified(made("h264_open_gop.mp4"), "h264")
    assert open_gop[RandomAccess.CLOSED, ""] == 1 and open_gop[RandomAccess.OPEN, ""] >= 3
