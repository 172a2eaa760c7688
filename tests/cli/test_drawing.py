"""Pictures and words from numbers."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.cli.draw import bar_chart, columns, mark_row, resample, time_axis
from ffzero.cli.progress import TerminalProgress
from ffzero.cli.text import bit_rate, byte_count, count, number, printable, seconds
from ffzero.reporting import ProgressEvent
from support.command_line import Terminal


class TestDraw:
    def test_bar_chart(self) -> None:
        assert bar_chart([0, 1, 4, 8], height=2) == ["   █", " ▂██"]
        assert bar_chart([0, 1e-9, 8], height=1) == [" ▁█"], "what is there is seen"
        assert bar_chart([0, 8], height=1, blocks=False) == [" #"]

    @given(st.lists(st.floats(-1e9, 1e12), max_size=50), st.integers(1, 6))
    def test_bar_chart_has_its_shape(self, values: list[float], height: int) -> None:
        rows = bar_chart(values, height=height)
        assert [len(row) for row in rows] == [len(values)] * height

    def test_mark_row(self) -> None:
        times = [Fraction(n) for n in (0, 1, 1, 5, 10, 11)]
        assert mark_row(times, Fraction(0), Fraction(10), width=10) == "▏▎   ▏   ▏"

    @given(st.lists(st.fractions(-5, 15), max_size=30), st.integers(1, 80))
    def test_mark_row_has_its_width(self, times: list[Fraction], width: int) -> None:
        assert len(mark_row(times, Fraction(0), Fraction(10), width=width)) == width

    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=99), st.integers(1, 99))
    def test_resample_stays_within_its_values(self, values: list[float], width: int) -> None:
        means = resample(values, width)
        assert len(means) == width
        assert min(values) * 0.999 <= min(means)
        assert max(means) <= max(values) * 1.001

    @given(st.integers(1, 200))
    def test_time_axis_never_exceeds_its_width(self, width: int) -> None:
        assert len(time_axis(Fraction(0), Fraction(4000), width=width)) <= width

    def test_columns(self) -> None:
        assert columns([["a", "", "long"], ["bb", "", "x"]]) == ["  a   long", "  bb  x"]
        assert columns([]) == []


class TestText:
    @pytest.mark.parametrize(
        ("size", "text"),
        [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB"), (999_600, "1 MB"), (2_450_000_000, "2.45 GB")],
    )
    def test_byte_count(self, size: int, text: str) -> None:
        assert byte_count(size) == text

    def test_others(self) -> None:
        assert bit_rate(4_820_000) == "4.82 Mb/s"
        assert [seconds(s) for s in (0.00321, 0.9999, 75.04)] == ["3.21 ms", "1 s", "75 s"]
        assert [count(n, "frame") for n in (0, 1, 1234)] == ["0 frames", "1 frame", "1,234 frames"]
        assert [number(n) for n in (Fraction(30000, 1001), 25, 0.5)] == ["29.97", "25", "0.5"]

    @given(st.text())
    def test_printable_is_one_harmless_line(self, text: str) -> None:
        assert printable(text).isprintable()
        assert printable(printable(text)) == printable(text)


def event(done: int, total: int | None = 100) -> ProgressEvent:
    return ProgressEvent(stage="copying", done=done, total=total)


class TestProgress:
    def test_a_quick_job_draws_nothing(self) -> None:
        stream = Terminal()
        with TerminalProgress(stream) as progress:
            for done in range(100):
                progress(event(done))
        assert stream.getvalue() == ""

    def test_no_terminal_no_bar(self) -> None:
        stream = io.StringIO()
        with TerminalProgress(stream, patience_s=0) as progress:
            progress(event(1))
        assert stream.getvalue() == ""

    @pytest.mark.parametrize("total", [None, 5_000_000])
    def test_a_long_job_draws_a_bar_and_takes_it_away(self, total: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm")
        stream = Terminal()
        with TerminalProgress(stream, patience_s=0) as progress:
            progress(event(2_500_000, total))
        assert "copying" in stream.getvalue()
        assert "2.5 MB" in stream.getvalue()
        assert stream.getvalue().endswith("\x1b[2K"), "the line is erased at the end"

    def test_units_other_than_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm")
        stream = Terminal()
        with TerminalProgress(stream, patience_s=0) as progress:
            progress(ProgressEvent(stage="reading", done=1234, total=None, unit="packets"))
        assert "1,234 packets" in stream.getvalue()

    def test_ffmpeg_s_pace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        stream = Terminal()
        details = {"fps": 48.2, "speed": 1.93}
        with TerminalProgress(stream, patience_s=0) as progress:
            progress(ProgressEvent(stage="ffmpeg", done=12, total=60, unit="seconds", details=details))
        assert "12 seconds, 48 fps, 1.93x" in stream.getvalue()
