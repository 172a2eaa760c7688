"""H.264 and HEVC parameter sets by meaning: annotated vectors, damage, and agreement with FFmpeg on real encoders."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.hevc_params import parse_hevc_pps, parse_hevc_sps, parse_hevc_vps
from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from ffzero.errors import InvalidDataError
from support.boxes import Box, children, find
from support.media import Media, made, real_media

# fmt: off
BASELINE_SPS = bytes([
    0x67,        # nal_ref_idc 3, type 7
    0x42,        # profile_idc 66
    0xC0,        # constraint_set0_flag, constraint_set1_flag
    0x1E,        # level_idc 30
    # 1 sps id 0 | 1 log2_max_frame_num 4 | 011 poc type 2 | 010 one reference | 0 gaps | 0000101000 40-1=39 macroblocks
    0b11011010, 0b00000010,
    # 1000 (rest of width) | 00000 1111 0 ... 29: 000011110 height | 1 frame_mbs_only | 1 direct_8x8 | 0 crop | 0 vui
    0b10000000, 0b11110110, 0b01000000,
])
# fmt: on


def test_baseline_vector() -> None:
    sps = parse_h264_sps(BASELINE_SPS)
    assert (sps.id, sps.profile, sps.constraints, sps.level) == (0, 66, 0xC0, 30)
    assert (sps.width, sps.height, sps.frame_mbs_only) == (640, 480, True)
    assert (sps.poc_type, sps.log2_max_frame_num, sps.max_num_ref_frames) == (2, 4, 1)
    assert (sps.chroma_format, sps.bit_depth_luma) == (1, 8)
    assert sps.vui.num_reorder_frames is None
    assert sps.max_dpb_frames == 8100 // 1200


def test_meaning_survives_padding_and_ignores_nothing_else() -> None:
    assert parse_h264_sps(BASELINE_SPS + b"\0\0\0") == parse_h264_sps(BASELINE_SPS)
    other_level = bytearray(BASELINE_SPS)
    other_level[3] = 31
    assert parse_h264_sps(bytes(other_level)) != parse_h264_sps(BASELINE_SPS)
    pps = b"\x68\xce\x38\x80"  # pps 0 of sps 0, CAVLC
    assert parse_h264_pps(pps + b"\0") == parse_h264_pps(pps)
    assert not parse_h264_pps(pps).cabac
    assert parse_h264_pps(b"\x68\xee\x38\x80").cabac


def test_the_wrong_unit_is_refused() -> None:
    for parse in (parse_h264_sps, parse_h264_pps, parse_hevc_sps, parse_hevc_pps, parse_hevc_vps):
        for data in (b"", b"\x67", b"\x09\xf0\x00"):
            with pytest.raises(InvalidDataError):
                parse(data)


def entries(data: bytes) -> list[SampleEntry]:
    """Return the sample entries of a file, found by the naive walker."""
    found = []
    for track in find(data, "moov/trak"):
        boxes: dict[str, Box] = {path: box for path in ("mdia/hdlr", "mdia/minf/stbl/stsd")
                                 for box in find(data, path, track.body, track.end)}  # fmt: skip
        handler = data[boxes["mdia/hdlr"].body + 8 :][:4].decode("latin-1")
        stsd = boxes["mdia/minf/stbl/stsd"]
        found += [parse_sample_entry(data[b.start : b.end], handler) for b in children(data, stsd.body + 8, stsd.end)]
    return found


MADE = ["h264_open_gop.mp4", "h264_mbaff.mp4", "h264_intra_refresh.mp4", "hdr10.mp4", "hevc_cra_rasl_hvc1.mp4"]


@pytest.mark.parametrize("media", [*real_media(), *(Media(name=name) for name in MADE)], ids=lambda media: media.name)
def test_every_parameter_set_parses_to_its_last_bit(media: Media) -> None:
    if "MP4" not in media.container and "MOV" not in media.container:
        pytest.skip("not ISO base media")
    for entry in entries(media.path().read_bytes()):
        for nal in entry.avc.sps if entry.avc else ():
            sps = parse_h264_sps(nal)
            assert (sps.width, sps.height) == (entry.width, entry.height)
            assert sps.profile == nal[1]
        for nal in entry.avc.pps if entry.avc else ():
            assert parse_h264_pps(nal).sps_id == 0
        for nal in entry.hevc.units(33) if entry.hevc else ():
            hevc = parse_hevc_sps(nal)
            assert (hevc.width, hevc.height) == (entry.width, entry.height)
            # All of the syntax was read in step: what is left is sps_extension_present_flag, 0.
            assert hevc.extension == (1, 0)
        for nal in entry.hevc.units(34) if entry.hevc else ():
            assert parse_hevc_pps(nal).sps_id == 0


def test_made_encoders_are_read_right() -> None:
    (mbaff,) = [entry for entry in entries(made("h264_mbaff.mp4").read_bytes()) if entry.avc]
    assert mbaff.avc is not None
    sps = parse_h264_sps(mbaff.avc.sps[0])
    assert (sps.frame_mbs_only, sps.adaptive_frame_field) == (False, True)
    assert sps.vui.num_reorder_frames is not None and sps.vui.timing is not None
    (hdr,) = [entry for entry in entries(made("hdr10.mp4").read_bytes()) if entry.hevc]
    assert hdr.hevc is not None
    hevc = parse_hevc_sps(hdr.hevc.units(33)[0])
    assert (hevc.bit_depth_luma, hevc.chroma_format, hevc.profile) == (10, 1, 2)
    signal = hevc.vui.signal
    assert (signal.primaries, signal.transfer, signal.matrix) == (9, 16, 9)


def test_timing_does_not_count_for_equality() -> None:
    (entry,) = [entry for entry in entries(made("h264_open_gop.mp4").read_bytes()) if entry.avc]
    assert entry.avc is not None
    sps = parse_h264_sps(entry.avc.sps[0])
    assert sps.vui.timing is not None
    assert dataclasses.replace(sps, vui=dataclasses.replace(sps.vui, timing=None, has_hrd=True)) == sps
    assert dataclasses.replace(sps, vui=dataclasses.replace(sps.vui, num_reorder_frames=0)) != sps


def vectors() -> list[bytes]:
    units = [BASELINE_SPS]
    for name in ("h264_mbaff.mp4", "hdr10.mp4"):
        for entry in entries(made(name).read_bytes()):
            units += [*(entry.avc.sps + entry.avc.pps if entry.avc else ())]
            units += [unit for kind in (32, 33, 34) for unit in (entry.hevc.units(kind) if entry.hevc else ())]
    return units


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_mutations_raise_nothing_but_invalid_data(data: st.DataObject) -> None:
    unit = bytearray(data.draw(st.sampled_from(vectors_once())))
    for _ in range(data.draw(st.integers(0, 5))):
        unit[data.draw(st.integers(0, len(unit) - 1))] = data.draw(st.integers(0, 255))
    mutated = bytes(unit[: data.draw(st.integers(0, len(unit)))])
    for parse in (parse_h264_sps, parse_h264_pps, parse_hevc_sps, parse_hevc_pps, parse_hevc_vps):
        try:
            parse(mutated)
        except InvalidDataError as error:
            assert error.offset_bytes is not None


_vectors: list[bytes] = []


def vectors_once() -> list[bytes]:
    if not _vectors:
        _vectors.extend(vectors())
    return _vectors


def test_rest_drops_the_stop_bit_only() -> None:
    assert BitReader(unescape(b"\xa8\x00")).rest() == (4, 0b1010)
    assert BitReader(b"\x00").rest() == (0, 0)
