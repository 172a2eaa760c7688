"""``ffzero inspect``: everything that a file holds is on the screen, and the picture fits it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from ffzero.cli import run
from ffzero.cli.inspect import describe, picture
from support.command_line import INFO, FakeEngine, Terminal, call


def test_description() -> None:
    assert describe(INFO, [Fraction(0), Fraction(2), Fraction(4)]) == [
        "in.mp4",
        "  MP4, 5 MB, 0:00:10.000, 4 Mb/s",
        "  title: A film",
        "",
        "Tracks",
        "  1  video  h264 (avc1)  1280×720 25 fps turned 90°       0:00:00.000 + 0:00:10.000  250 frames"
        "  4.8 MB, 3.84 Mb/s",
        "  2  audio  aac (mp4a)   44.1 kHz stereo             deu  0:00:00.000 + 0:00:00.000",
        "",
        "Special",
        "  edit list with 2 edits",
        "  track 1: open GOP: 4 of 5 keyframes are not clean cut points",
        "",
        "Chapters",
        "  0:00:00.000  Intro\\x1b[31m",
        "",
        "Keyframes",
        "  3 keyframes, the first at 0:00:00.000, then every 2 s",
    ]


@pytest.mark.parametrize(
    ("keyframes", "text"),
    [
        ([1], "1 keyframe, the first at 0:00:01.000"),
        ([0, 1, 4], "3 keyframes, the first at 0:00:00.000, 1 to 3 s apart (half within 2 s)"),
    ],
)
def test_spacing(keyframes: list[int], text: str) -> None:
    assert describe(INFO, [Fraction(time) for time in keyframes])[-1] == "  " + text


def test_a_file_without_a_picture() -> None:
    lines = describe(replace(INFO, tracks=INFO.tracks[1:], chapters=(), special=()), [])
    assert lines[-2] == "Tracks"


class TestPicture:
    def test_bars_and_marks_line_up_with_time(self) -> None:
        keyframes = [Fraction(0), Fraction(5)]
        lines = picture(INFO, keyframes, [1e6] * 10 + [5e5] * 10, width=40, blocks=True)
        assert lines == [
            "   16 Mb/s  " + "█" * 20,
            "            " + "█" * 20,
            "            " + "█" * 40,
            "         0  " + "█" * 40,
            " keyframes  ▏" + " " * 19 + "▏",
            "            0:00:00.000   0:00:05.000    0:00:10.000",
        ]

    def test_ascii(self) -> None:
        lines = picture(INFO, [Fraction(0)], [1.0], width=10, blocks=False)
        "\n".join(lines).encode("ascii")
        assert " keyframes  |........." in lines

    @pytest.mark.parametrize("rates", [None, [], [0.0, 0.0]])
    def test_without_a_bitrate(self, rates: list[float] | None) -> None:
        assert len(picture(INFO, [Fraction(0)], rates, width=20, blocks=True)) in (2, 6)

    def test_no_duration(self) -> None:
        still = replace(INFO, duration_s=Fraction(0))
        assert picture(still, [Fraction(0)], [5.0], width=30, blocks=True)


class TestCommand:
    def test_text(self, engine: FakeEngine) -> None:
        engine.rates = [1e6] * 40
        outcome = call("inspect", "in.mp4")
        assert outcome.status == 0
        assert "Special" in outcome.out
        assert "█" in outcome.out
        assert "\x1b" not in outcome.out
        assert engine.calls == [("open", "in.mp4"), ("close",)]

    def test_json(self, engine: FakeEngine) -> None:
        outcome = call("inspect", "in.mp4", "--json")
        assert outcome.object["keyframes_s"] == [0, 2, 4, 6, 8]
        assert outcome.object["tracks"][0]["codec"] == "h264"
        assert set(outcome.object) == {*INFO.to_dict(), "keyframes_s"}

    @pytest.mark.parametrize("columns", [40, 60, 132])
    def test_a_terminal_gets_colour_and_its_width(
        self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, columns: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        engine.rates = [1e6] * 40
        stdout = Terminal()
        assert run(["inspect", "in.mp4"], stdout, Terminal()) == 0
        drawn = [line for line in stdout.getvalue().splitlines() if "\x1b" in line]
        assert len(drawn) == 5
        assert max(len(line.replace("\x1b[36m", "").replace("\x1b[0m", "")) for line in drawn[:4]) == columns

    def test_no_color_is_honoured(self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        stdout = Terminal()
        assert run(["inspect", "in.mp4"], stdout, Terminal()) == 0
        assert "\x1b" not in stdout.getvalue()
