"""Two sequences of samples held against each other: what is said of each way in which they can part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.edits.proof.sample_runs import DifferenceKind, differences, end_of, start_of


def samples(text: str) -> list[bytes]:
    return [char.encode() for char in text]


def told(have: str, want: str, at: int = 0) -> list[tuple[str, int, int, int]]:
    found = differences(samples(have), at, samples(want))
    return [(one.kind.value, one.at, one.number, one.count) for one in found]


@pytest.mark.parametrize(
    ("have", "want", "found"),
    [
        ("abcdef", "abcdef", []),
        ("abXdef", "abcdef", [("changed", 2, 2, 1)]),
        ("abdcef", "abcdef", [("swapped", 2, 2, 1)]),
        ("afcdeb", "abcdef", [("swapped", 1, 1, 1)]),
        ("abdef", "abcdef", [("missing", 2, 2, 1)]),
        ("abef", "abcdef", [("missing", 2, 2, 2)]),
        ("abXYcdef", "abcdef", [("extra", 2, 2, 2)]),
        ("abcd", "abcdef", [("missing", 4, 4, 2)]),
        ("aaaa", "aaaa", []),
        ("aXaabc", "aaaabc", [("changed", 1, 1, 1)]),
        ("XbcdeY", "abcdef", [("changed", 0, 0, 1), ("changed", 5, 5, 1)]),
    ],
)
def test_differences(have: str, want: str, found: list[tuple[str, int, int, int]]) -> None:
    assert told(have, want) == found


def test_a_swap_names_both() -> None:
    (found,) = differences(samples("afcdeb"), 0, samples("abcdef"))
    assert (found.number, found.other) == (1, 5)


@given(st.lists(st.integers(0, 255), unique=True, min_size=6, max_size=40), st.data())
def test_one_lost_sample_is_one_difference_and_what_follows_is_found(numbers: list[int], data: st.DataObject) -> None:
    want = [bytes([number]) for number in numbers]
    lost = data.draw(st.integers(0, len(want) - 1))
    have = want[:lost] + want[lost + 1 :]
    found = list(differences(have, 0, want))
    assert [(one.kind, one.number, one.count) for one in found] == [(DifferenceKind.MISSING, lost, 1)]
    assert end_of(found, 0, len(want)) == len(have)


@given(st.lists(st.binary(max_size=1), max_size=30), st.lists(st.binary(max_size=1), max_size=30))
def test_it_ends_whatever_is_compared(have: list[bytes], want: list[bytes]) -> None:
    found = list(differences(have, 0, want))
    assert bool(found) == (have[: len(want)] != want)


def test_a_joint_may_leave_out_the_first_packets() -> None:
    assert start_of(samples("ab" + "efgh"), 2, samples("cdefgh"), window=4) == (2, 2)
    assert start_of(samples("abXXefgh"), 2, samples("cdefgh"), window=4) == (4, 2)
    assert start_of(samples("abXXXX"), 2, samples("cdefgh"), window=4) == (2, 0)
