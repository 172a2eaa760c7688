"""H.264 parameter sets for a splice: promises that grow, ids that are free, records that hold both sets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import AvcConfig, parse_avcc
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.h264_sets import free_set_id, merged_avcc, own_avcc, promised_sps

# x264: High, level 3.1, 1080x720, id 3, no reordering and 2 frames buffered (its VUI ends in bitstream restrictions).
SPS = bytes.fromhex("6764001f22cb602202df2f080000030008000003019078c197")
PPS = bytes.fromhex("68212ac0cf2c")
RECORD = bytes.fromhex("0164001fffe10019") + SPS + bytes.fromhex("010006") + PPS + bytes.fromhex("fdf8f800")


def config(record: bytes) -> AvcConfig:
    return parse_avcc(View(data=memoryview(record), offset=0, path="avcC", source_name=""))


def test_promises_are_the_sources_and_nothing_else_changes() -> None:
    own = parse_h264_sps(SPS)
    source = replace(own, profile=122, level=51, vui=replace(own.vui, num_reorder_frames=3, max_dec_frame_buffering=5))
    changed = parse_h264_sps(promised_sps(SPS, source, reorder=0))
    assert (changed.profile, changed.level) == (122, 51)
    assert (changed.vui.num_reorder_frames, changed.vui.max_dec_frame_buffering) == (3, 5)
    assert replace(changed, profile=own.profile, level=own.level, vui=own.vui) == own
    assert changed.vui.signal == own.vui.signal


def test_a_source_that_does_not_say_gets_the_reordering_that_was_seen() -> None:
    own = parse_h264_sps(SPS)
    silent = replace(own, vui=replace(own.vui, num_reorder_frames=None, max_dec_frame_buffering=None))
    changed = parse_h264_sps(promised_sps(SPS, silent, reorder=4))
    assert changed.vui.num_reorder_frames == 4
    assert (changed.vui.max_dec_frame_buffering or 0) >= 4


def test_promises_of_a_lesser_source_do_not_shrink_what_is_needed() -> None:
    own = parse_h264_sps(SPS)
    lesser = replace(own, level=10, vui=replace(own.vui, num_reorder_frames=0, max_dec_frame_buffering=0))
    assert parse_h264_sps(promised_sps(SPS, lesser, reorder=0)) == own


def test_the_least_free_id() -> None:
    assert (parse_h264_sps(SPS).id, parse_h264_pps(PPS).id) == (3, 3)
    assert free_set_id([SPS], [PPS]) == 0
    assert free_set_id([], []) == 0


def test_no_free_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffzero.frames.pictures.h264_sets._MAX_ID", 3)
    sets = [SPS]
    monkeypatch.setattr(
        "ffzero.frames.pictures.h264_sets.parse_h264_pps", lambda nal: replace(parse_h264_pps(PPS), id=nal[0])
    )
    with pytest.raises(UnsupportedError, match="ids are in use"):
        free_set_id(sets, [b"\0", b"\1", b"\2"])


def test_records_hold_both_sets_and_keep_their_tail() -> None:
    merged = merged_avcc(RECORD, [SPS, PPS])
    assert (config(merged).sps, config(merged).pps) == ((SPS, SPS), (PPS, PPS))
    assert merged.endswith(bytes.fromhex("fdf8f800"))
    own = own_avcc(RECORD[:4] + b"\xfd" + RECORD[5:], [SPS, PPS])
    assert (config(own).sps, config(own).pps, config(own).nal_length_size) == ((SPS,), (PPS,), 4)
    assert own.endswith(bytes.fromhex("fdf8f800"))
