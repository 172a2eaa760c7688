"""HEVC slice segment headers field by field: what no encoder at hand writes (H.265 §7.3.6)."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given as drawn
from hypothesis import strategies

from ffzero.containers.bits import BitReader, escape, exp_golomb, signed_exp_golomb
from ffzero.containers.hevc_numbers import from_digits, slice_with_pps_id
from ffzero.containers.hevc_params import HevcSps, parse_hevc_pps, parse_hevc_sps
from ffzero.containers.hevc_reference_sets import ReferenceSet, read_reference_set
from ffzero.containers.hevc_slice_header import hevc_slice_header
from ffzero.containers.hevc_slice_params import SliceParams, slice_params
from ffzero.errors import InvalidDataError, UnsupportedError

ue, se = exp_golomb, signed_exp_golomb
# x265: Main, level 2.1, 640x360 (240 tree blocks of 32), 8 bits of picture order count, no reference sets.
SPS = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840")
PPS = bytes.fromhex("4401c0718312")
SLICE = "0000001000000001"  # a NAL unit header: TRAIL_R, layer 0, temporal id 0
DATA = bytes.fromhex("00000301ff000003")


def sps(**changes: object) -> HevcSps:
    """Return the SPS without sample adaptive offset and temporal motion vectors, ``tools`` 7 and -2."""
    own = parse_hevc_sps(SPS)
    return replace(own, **{"tools": (*own.tools[:7], 0, 0, 1), **changes})  # type: ignore[arg-type]


def params(**changes: object) -> SliceParams:
    own = slice_params(sps(), parse_hevc_pps(PPS))
    return replace(own, **{"filter_across_slices": False, "has_entry_points": False, **changes})  # type: ignore[arg-type]


def check(digits: str, given: SliceParams) -> None:
    """Hold a header's end and its rewriting against its digits, from first_slice_segment_in_pic_flag on, PPS id 0."""
    nal = from_digits(SLICE + digits) + DATA
    header = hevc_slice_header(nal, {0: given})
    assert header.end_bits == len(SLICE + digits)
    for number in (1, 6, 63):
        moved = slice_with_pps_id(nal, {0: given}, number)
        assert moved.endswith(DATA)
        assert hevc_slice_header(moved, {number: given}).pps_id == number
        assert slice_with_pps_id(moved, {number: given}, 0) == nal


def test_the_pps_of_x265_is_read() -> None:
    given = slice_params(sps(), parse_hevc_pps(PPS))
    assert (given.address_bits, given.filter_across_slices) == (8, True)
    assert (given.has_entry_points, given.weights_p, given.weights_b, given.references) == (True, False, False, (1, 1))
    assert (given.dependent_slices, given.output_flag, given.extra_bits, given.has_extension) == (
        False,
        False,
        0,
        False,
    )


def test_every_field_of_a_pps_that_slices_depend_on() -> None:
    digits = "".join(
        (
            *("0100010000000001", ue(0), ue(0)),  # NAL unit header, its id, that of its SPS
            *("1", "1", "101", "0", "1"),  # dependent slices, output flag, 5 extra bits, sign hiding, CABAC tables
            *(ue(2), ue(4), se(-3), "0", "1"),  # references, quantizer, constrained intra, transform skip
            *("1", ue(2), se(1), se(-1), "1", "1", "0", "0"),  # quantizer deltas, chroma offsets, weights of P alone
            *("1", "0", ue(2), ue(1), "0", ue(3), ue(3), ue(1), "1"),  # tiles: three columns, two rows, told apart
            *("1", "1", "1", "0", se(2), se(2)),  # filtering across slices; deblocking, which slices can override
            *("0", "1", ue(0), "1"),  # no scaling lists; lists modified, merge level, header extension
            *("1", "10000000"),  # extensions: that of the format range
            *(ue(1), "0", "1", ue(0), ue(0), se(1), se(1), ue(0), ue(0)),  # with lists of chroma offsets
        )
    )
    given = slice_params(sps(), parse_hevc_pps(from_digits(digits)))
    assert given == replace(
        params(),
        dependent_slices=True,
        output_flag=True,
        extra_bits=5,
        cabac_init=True,
        references=(3, 5),
        chroma_offsets=True,
        weights_p=True,
        weights_b=False,
        has_entry_points=True,
        filter_across_slices=True,
        can_override_deblocking=True,
        is_deblocking_off=False,
        can_modify_lists=True,
        has_extension=True,
        chroma_offset_lists=True,
    )


@pytest.mark.parametrize("flags", ["01000000", "00100000", "00010000", "10000001"])
def test_layers_and_screen_content_are_refused(flags: str) -> None:
    count, value = parse_hevc_pps(PPS).body
    assert not value & 1  # pps_extension_present_flag
    pps = replace(parse_hevc_pps(PPS), body=(count + 8, (value | 1) << 8 | int(flags, 2)))
    with pytest.raises(UnsupportedError, match="layers"):
        slice_params(parse_hevc_sps(SPS), pps)
    with pytest.raises(UnsupportedError, match="layers"):
        slice_params(sps(extension=(9, 0x100 | int(flags, 2))), parse_hevc_pps(PPS))


def test_a_slice_of_an_upper_layer_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="layer 1"):
        hevc_slice_header(bytes.fromhex("0209c0ff80"), {0: params()})


def test_long_term_references_modified_lists_and_weights() -> None:
    own = sps(
        has_long_term=True,
        long_term=((5, 1), (9, 0), (3, 1)),
        reference_sets=(ReferenceSet(before=((-1, 1),)), ReferenceSet(before=((-2, 1), (-4, 0)), after=((1, 1),))) * 2,
        tools=(*parse_hevc_sps(SPS).tools[:7], 1, 1, 1),  # with sample adaptive offset
    )
    given = params(
        sps=own, output_flag=True, extra_bits=2, can_modify_lists=True, cabac_init=True, weights_b=True,
        chroma_offsets=True, can_override_deblocking=True, filter_across_slices=True, has_extension=True,
        chroma_offset_lists=True, has_entry_points=True, references=(1, 1),
    )  # fmt: skip
    digits = (
        *("1", ue(0), "11", ue(0), "1"),  # first, PPS, reserved, B, output
        *("00000111", "1", "01"),  # picture order count; the SPS's second set: two that are used
        *(ue(2), ue(1), "00", "0", "10", "1", ue(7)),  # two long-term ones of the SPS, both used; the cycle of one
        *("00000001", "1", "0", "1"),  # and another; temporal motion vectors
        *("0", "1"),  # offset of chroma alone
        *("1", ue(1), ue(2)),  # two references and three
        *("1", "100", "001", "0"),  # five are used, so an entry has three bits; the second list is as it was
        *("0", "1", "0", ue(2)),  # mvd_l1_zero, CABAC table, a collocated picture of the second list
        *(ue(3), se(-1), "10", "01", se(1), se(2), se(3), se(4), se(5), se(6)),  # weights: luma of one, chroma of one
        *("000", "000"),
        *(ue(2), se(-7), se(1), se(-1), "1"),  # merge candidates, quantizer, its offsets, offset lists
        *("1", "0", se(1), se(-6), "1"),  # deblocking, filtering across slices
        *(ue(2), ue(9), "1111100000", "0000011111"),  # entry points
        *(ue(2), "0" * 16),  # an extension of two bytes, zero
    )
    check("".join(digits), given)


def test_pictures_told_in_the_slice_itself() -> None:
    own = sps(reference_sets=(ReferenceSet(before=((-1, 1), (-3, 1)), after=((2, 0),)),))
    given = params(sps=own, can_modify_lists=True)
    predicted = ("1", ue(0), "1", ue(0), "1", "01", "00", "1")  # by -1: two are used, one is kept, one is not
    digits = ("1", ue(0), ue(1), "00000010", "0", *predicted, "0", "0", ue(0), se(0))
    check("".join(digits), given)
    modified = ("1", ue(0), "1", ue(0), "1", "1", "00", "1")  # three are used: an entry has two bits
    digits = ("1", ue(0), ue(1), "00000010", "0", *modified, "0", "1", "10", ue(0), se(0))
    check("".join(digits), given)


def test_dependent_segments_have_an_address_and_entry_points_alone() -> None:
    given = params(dependent_slices=True, has_entry_points=True)
    check("".join(("0", ue(0), "1", "00101010", ue(1), ue(3), "1001")), given)
    check("".join(("0", ue(0), "0", "00000001", ue(2), "11111111", "0", ue(0), ue(0), se(-4), ue(0))), given)
    check("".join(("0", ue(0), "00000001", ue(2), "11111111", "0", ue(0), ue(0), se(-4))), params())


def test_colour_planes_and_slices_that_are_not_deblocked() -> None:
    own = sps(chroma_format=3, separate_planes=True, tools=(*sps().tools[:7], 1, 0, 1))
    given = params(sps=own, is_deblocking_off=True, filter_across_slices=True)
    digits = ("1", ue(0), ue(2), "10", "00000011", "0", ue(0), ue(0))
    check("".join((*digits, "0", se(3))), given)  # neither offset nor deblocking: no word on slices' edges
    check("".join((*digits, "1", se(3), "0")), given)


def test_a_header_read_wrongly_shows_at_its_end() -> None:
    digits = "".join(("1", ue(0), ue(2), "00000011", "0", ue(0), ue(0), se(3)))
    nal = from_digits(SLICE + digits) + DATA
    assert hevc_slice_header(nal, {0: params()}).slice_type == 2
    with pytest.raises(InvalidDataError):
        hevc_slice_header(nal, {0: params(chroma_offsets=True)})


@drawn(strategies.binary(max_size=60), strategies.binary(max_size=60))
def test_damage_is_told(pps: bytes, data: bytes) -> None:
    own = sps(has_long_term=True, long_term=((5, 1), (9, 0)), reference_sets=(ReferenceSet(before=((-1, 1),)),) * 3)
    try:
        found = slice_params(own, parse_hevc_pps(b"\x44\x01\xc0" + pps))
    except (InvalidDataError, UnsupportedError):
        found = params(sps=own, can_modify_lists=True, weights_b=True, weights_p=True, has_entry_points=True)
    nal = b"\x02\x01\xc0" + data
    with contextlib.suppress(InvalidDataError):
        moved = slice_with_pps_id(nal, {0: found}, 9)
        assert hevc_slice_header(moved, {9: found}).slice_type == hevc_slice_header(nal, {0: found}).slice_type


def test_a_predicted_reference_set_is_that_of_its_model_moved() -> None:
    model = ReferenceSet(before=((-1, 1), (-3, 0)), after=((2, 1),))
    # inter prediction, by -2; then for each of -1, -3, 2 and the picture itself: used, or kept unused, or neither.
    bits = BitReader(int("1" + "1" + ue(1) + "1" + "01" + "1" + "00" + "1", 2).to_bytes(2))
    bits.skip(16 - len("1" + "1" + ue(1) + "1" + "01" + "1" + "00" + "1"))
    found = read_reference_set(bits, [model])
    assert found == ReferenceSet(before=((-3, 1), (-5, 0)))  # that at 2 would be the picture itself
    assert found.used == 1


def test_escapes_in_a_header_are_counted() -> None:
    given = params(has_extension=True)
    digits = "".join(("1", ue(0), ue(2), "00000011", "0", ue(0), ue(0), se(3), ue(9), "0" * 72))
    assert b"\0\0\3" in from_digits(SLICE + digits)
    assert escape(bytes(4)) == b"\0\0\3\0\0\3"
    check(digits, given)
