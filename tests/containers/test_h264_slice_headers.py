"""H.264 slice headers, hand-written and real."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from ffzero.containers.bits import unescape
from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slices import slice_header
from ffzero.errors import InvalidDataError
from support.h264_tracks import SLICE_TYPES, Track, units
from support.h264_writing import nal, pps_nal, se, slice_nal, sps_nal, ue


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
