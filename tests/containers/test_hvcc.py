"""HEVC decoder configuration records (ISO/IEC 14496-15 §8.3.3.1): of sets alone, and with those of another coder."""

from __future__ import annotations

import pytest

from ffzero.containers.hevc_numbers import pps_with_ids, sps_with_ids, vps_with_id
from ffzero.containers.isobmff.boxes import View
from ffzero.containers.isobmff.codec_config import HevcConfig, parse_hvcc
from ffzero.containers.isobmff.hvcc import extended_hvcc, own_hvcc
from ffzero.errors import TruncatedError, UnsupportedError

# x265: 640x360, Main, level 2.1; and 4:2:2 with 10 bits, which is a profile of the format range extensions.
VPS = bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240")
SPS = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840")
PPS = bytes.fromhex("4401c0718312")
DEEP = bytes.fromhex("4201010408000003009d0800000300003fb005020171f12d96e92930b9a02000000300200000030321")
SEI = bytes.fromhex("4e01050103")
SETS = (VPS, SPS, PPS)
OTHERS = (vps_with_id(VPS, 1), sps_with_ids(SPS, sps_id=1, vps_id=1), pps_with_ids(PPS, pps_id=1, sps_id=1))
PROFILE, LEVEL, LENGTHS = 1, 12, 21
"""Bytes of a record: profile space, tier and profile; level; frame rate kind, layers, nesting, NAL length size."""


def config(record: bytes) -> HevcConfig:
    return parse_hvcc(View(data=memoryview(record), offset=0, path="hvcC", source_name=""))


def patched(record: bytes, **at: int) -> bytes:
    edited = bytearray(record)
    for name, value in at.items():
        edited[int(name[1:])] = value
    return bytes(edited)


def array(head: int, *units: bytes) -> bytes:
    return bytes([head]) + len(units).to_bytes(2) + b"".join(len(unit).to_bytes(2) + unit for unit in units)


def test_a_record_of_sets_alone() -> None:
    record = own_hvcc(SETS, nal_length_size=2)
    assert record[:23] == bytes.fromhex(
        "01"  # version
        "01 60000000 900000000000 3f"  # space, tier and profile; compatibility; constraints; level
        "f000 fc fd f8 f8 0000 0d 03"  # segmentation, parallelism, chroma, depths, rate, one nested layer, arrays
    )
    assert config(record).arrays == ((32, (VPS,)), (33, (SPS,)), (34, (PPS,)))
    assert config(record).nal_length_size == 2


def test_both_sets_stand_in_one_record() -> None:
    record = own_hvcc(SETS)
    both = extended_hvcc(record, OTHERS)
    assert config(both).arrays == tuple((kind, (SETS[kind - 32], OTHERS[kind - 32])) for kind in (32, 33, 34))
    assert both[:23] == record[:23]
    assert both[23] == 0x80 | 32
    assert extended_hvcc(both, OTHERS) == extended_hvcc(both, SETS[1:]) == both


def test_other_arrays_stay_and_missing_ones_come_in_order() -> None:
    record = own_hvcc(SETS)[:22] + b"\2" + array(0x21, SPS) + array(0x27, SEI)
    both = extended_hvcc(record, OTHERS)
    assert both[22:] == b"\4" + array(0x20, OTHERS[0]) + array(0x21, SPS, OTHERS[1]) + array(0x22, OTHERS[2]) + array(
        0x27, SEI
    )
    assert extended_hvcc(record + b"tail", OTHERS) == both + b"tail"


def test_what_is_said_is_true_of_both() -> None:
    record = own_hvcc(SETS)
    # Main 10 in the high tier, level 5; interlaced; segmented; temporal layers: three, or unknown.
    said = patched(record, _1=0x22, _2=0x20, _6=0xF0, _12=150, _13=0xF0, _14=9, _15=0xFE, _21=0x1B)
    both = extended_hvcc(said, OTHERS)
    assert both[:22] == patched(said, _1=0x22, _2=0x20, _6=0x90, _14=0, _15=0xFC)[:22]
    assert extended_hvcc(patched(said, _12=30), OTHERS)[LEVEL] == 63
    assert extended_hvcc(patched(record, _21=0x03), OTHERS)[LENGTHS] == 0x03
    assert extended_hvcc(patched(record, _21=0x5F), OTHERS)[LENGTHS] == 0x5F


@pytest.mark.parametrize(
    ("at", "value"),
    [("_16", 0xFE), ("_17", 0xFA), ("_18", 0xFA), ("_1", 0x41), ("_1", 0x04), ("_1", 0x03)],
    ids=["chroma", "luma depth", "chroma depth", "profile space", "extended profile", "still pictures"],
)
def test_pictures_of_another_kind_are_refused(at: str, value: int) -> None:
    record = patched(own_hvcc(SETS), _2=0)
    with pytest.raises(UnsupportedError):
        extended_hvcc(patched(record, **{at: value}), OTHERS)


def test_profiles_that_flags_alone_tell_apart() -> None:
    record = own_hvcc((VPS, DEEP, PPS))
    sets = (OTHERS[0], sps_with_ids(DEEP, sps_id=1, vps_id=1), OTHERS[2])
    assert extended_hvcc(record, sets)[:22] == record[:22]
    intra = patched(record, _7=record[7] | 0x20)  # general_intra_constraint_flag: of one coder alone, so not of both
    assert extended_hvcc(intra, sets)[:22] == record[:22]
    with pytest.raises(UnsupportedError, match="no common name"):
        extended_hvcc(patched(intra, _7=record[7] & 0xF7 | 0x20), sets)


def test_ids_that_are_in_use_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="ids"):
        extended_hvcc(own_hvcc(SETS), (OTHERS[0], OTHERS[1], pps_with_ids(PPS, pps_id=0, sps_id=1)))


@pytest.mark.parametrize("size", [22, 30, 60])
def test_a_record_that_ends_early_is_an_error(size: int) -> None:
    with pytest.raises(TruncatedError):
        extended_hvcc(own_hvcc(SETS)[:size], OTHERS)
