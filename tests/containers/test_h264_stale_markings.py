"""Markings of pictures from before a cut go: hand-written slices for what x264 lacks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slices import slice_header, stale_window, without_stale_markings
from ffzero.errors import InvalidDataError
from support.h264_tracks import units
from support.h264_writing import Operations, nal, pps_nal, sample, se, slice_nal, sps_nal, ue


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
    payload = (b"\0\0\x10" * 64)[:190]  # without the operation the zeros lie on whole bytes
    old, new = (slice_nal(5, operations, payload=payload, cabac=0) for operations in ([(1, 0)], None))
    assert len(old) <= 255 < len(new)
    sets = [sps_nal(), pps_nal(cabac=0)]
    assert without_stale_markings([sample(old, size=1)], 1, sets) == {}
    assert without_stale_markings([sample(old, size=2)], 2, sets) == {0: sample(new, size=2)}
    with pytest.raises(InvalidDataError, match="impossible size"):
        without_stale_markings([sample(old)], 5, [])


zeros = st.lists(st.sampled_from([b"\0", b"\0\0", b"\3", b"\1", b"\x80", b"\x40", b"\x20", b"\xff"]), max_size=60)


@given(payload=zeros.map(b"".join), difference=st.integers(0, 7), cabac=st.integers(0, 1), first_mb=st.integers(0, 15))
@settings(max_examples=200, deadline=None)
def test_slice_data_survives_any_shift(payload: bytes, difference: int, cabac: int, first_mb: int) -> None:
    old = slice_nal(9, [(1, difference)], payload=payload, cabac=cabac, first_mb=first_mb)
    changed = without_stale_markings([sample(old)], 4, [sps_nal(), pps_nal(cabac=cabac)])
    assert changed == {0: sample(slice_nal(9, payload=payload, cabac=cabac, first_mb=first_mb))}


def test_the_window_grows_with_the_references() -> None:
    few, many = (stale_window(parse_h264_sps(sps_nal(max_refs=refs))) for refs in (0, 4))
    assert 4 <= few < many <= 64


def test_samples_are_read_no_further_than_needed() -> None:
    samples = iter([sample(slice_nal(number)) for number in range(12)])
    without_stale_markings(samples, 4, [sps_nal(max_refs=3), pps_nal()])
    assert len(list(samples)) == 12 - 3


@given(st.lists(st.binary(max_size=60), max_size=4), st.lists(st.binary(max_size=20), max_size=3), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_noise_raises_nothing(samples: list[bytes], sets: list[bytes], size: int) -> None:
    changed = without_stale_markings([sample(s, size=size) for s in samples], size, [sps_nal(), pps_nal(), *sets])
    assert set(changed) <= set(range(len(samples)))
