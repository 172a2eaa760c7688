"""Exact time: parsing, rescaling with each rounding, and formatting."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.errors import TimeRangeError
from ffzero.timebase import Rounding, TimeLike, common_timescale, format_time, parse_time, rescale, to_ticks

timescales = st.integers(1, 2**32 - 1)
ticks = st.integers(-(2**63), 2**63 - 1)


class TestParseTime:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (0, 0),
            (90, 90),
            (0.1, Fraction(1, 10)),
            (10.5, Fraction(21, 2)),
            (1e-7, Fraction(1, 10**7)),
            ("12.5", Fraction(25, 2)),
            ("12.", 12),
            (".5", Fraction(1, 2)),
            (" 7 ", 7),
            ("1:02.5", Fraction(125, 2)),
            ("90:00", 5400),
            ("1:02:03.25", Fraction(14893, 4)),
            ("100:00:00", 360_000),
            (Fraction(1001, 30000), Fraction(1001, 30000)),
            (Decimal("0.04"), Fraction(1, 25)),
            (timedelta(hours=1, microseconds=1), 3600 + Fraction(1, 10**6)),
            (np.float64(0.25), Fraction(1, 4)),
            (np.int64(3), 3),
        ],
    )
    def test_means(self, value: TimeLike, seconds: Fraction) -> None:
        assert parse_time(value) == seconds
        assert isinstance(parse_time(value), Fraction)

    @pytest.mark.parametrize(
        "value",
        [
            -1, -0.001, "-1", "", " ", "abc", "1:60", "1:60:00", "1:2:3:4", "1::2", "1e5", "0x10", "١", "1:٢", "1,5",
            math.nan, math.inf, -math.inf, "nan", "inf", True, None, [], object(), timedelta(seconds=-1),
            Decimal("NaN"), 10**10, "9" * 70, "1" * 5000,
        ],
    )  # fmt: skip
    def test_refuses(self, value: object) -> None:
        with pytest.raises(TimeRangeError):
            parse_time(value)  # type: ignore[arg-type]

    @given(st.fractions(0, 10**6))
    def test_fractions_stay_exact(self, seconds: Fraction) -> None:
        assert parse_time(seconds) == seconds

    @given(st.floats(0, 10**8))
    def test_a_float_means_the_number_that_it_prints_as(self, value: float) -> None:
        assert float(parse_time(value)) == value

    @given(st.integers(0, 10**9 - 1))
    def test_reads_what_format_time_writes(self, milliseconds: int) -> None:
        seconds = Fraction(milliseconds, 1000)
        assert parse_time(format_time(seconds)) == seconds

    @given(st.text(max_size=20))
    def test_text_is_a_time_or_a_clear_error(self, text: str) -> None:
        try:
            assert parse_time(text) >= 0
        except TimeRangeError as error:
            assert repr(text) in str(error)


class TestFormatTime:
    @pytest.mark.parametrize(
        ("seconds", "digits", "text"),
        [
            (0, 3, "0:00:00.000"),
            (59.9996, 3, "0:01:00.000"),
            (-0.5, 3, "-0:00:00.500"),
            (3661, 0, "1:01:01"),
            (Fraction(1, 3), 6, "0:00:00.333333"),
            (360_000, 3, "100:00:00.000"),
        ],
    )
    def test_writes(self, seconds: Fraction | float, digits: int, text: str) -> None:
        assert format_time(seconds, digits=digits) == text


class TestRescale:
    @given(ticks, timescales, timescales)
    def test_each_rounding_is_what_it_says(self, value: int, source: int, target: int) -> None:
        exact = Fraction(value * target, source)
        assert rescale(value, source, target, Rounding.FLOOR) == math.floor(exact)
        assert rescale(value, source, target, Rounding.CEIL) == math.ceil(exact)
        nearest = rescale(value, source, target, Rounding.NEAREST)
        assert abs(nearest - exact) <= Fraction(1, 2)
        if exact.denominator == 1:
            assert rescale(value, source, target, Rounding.EXACT) == exact
        else:
            with pytest.raises(ValueError, match="not a whole number"):
                rescale(value, source, target, Rounding.EXACT)

    def test_nearest_rounds_a_half_up(self) -> None:
        assert [rescale(n, 2, 1, Rounding.NEAREST) for n in (-3, -1, 1, 3)] == [-1, 0, 1, 2]

    @given(ticks, timescales, timescales)
    def test_a_common_timescale_is_exact_both_ways(self, value: int, one: int, other: int) -> None:
        common = common_timescale([one, other], limit=2**80)
        assert common is not None
        there = rescale(value, one, common, Rounding.EXACT)
        assert rescale(there, common, one, Rounding.EXACT) == value
        rescale(value, other, common, Rounding.EXACT)

    @given(st.fractions(-(10**6), 10**6), timescales)
    def test_to_ticks_agrees_with_seconds(self, seconds: Fraction, timescale: int) -> None:
        floor = to_ticks(seconds, timescale, Rounding.FLOOR)
        assert Fraction(floor, timescale) <= seconds < Fraction(floor + 1, timescale)


@pytest.mark.parametrize(
    ("given_timescales", "common"),
    [([90_000, 48_000], 720_000), ([30_000, 30_000], 30_000), ([1000], 1000), ([2**31 - 1, 90_000], None)],
)
def test_common_timescale(given_timescales: list[int], common: int | None) -> None:
    assert common_timescale(given_timescales) == common
