"""What the words of a command line say of what it reads and writes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.ffmpeg.raw import RawCommand


def read(words: str) -> RawCommand:
    return RawCommand.read(["ffmpeg", *words.split()])


@pytest.mark.parametrize(
    ("words", "length_s"),
    [
        ("-i x o.mp4", None),
        ("-i x -t 5 o.mp4", 5),
        ("-t 5 -i x o.mp4", None),
        ("-i x -ss 1 -to 0:03 o.mp4", 2),
        ("-i x -t 1500ms o.mp4", Fraction(3, 2)),
        ("-i x -t 5s a.mp4 -t 7 b.mp4", 7),
        ("-i x -t 5 a.mp4 b.mp4", None),
        ("-i x -t soon o.mp4", None),
        ("-version", None),
    ],
)
def test_how_long_the_output_will_be(words: str, length_s: Fraction | None) -> None:
    assert read(words).length_s == length_s


def test_what_is_read_of_each_input() -> None:
    words = "-ss 2 -t 3 -i a.mp4 -stream_loop -1 -i file:b.mp4 -f lavfi -i testsrc -i - -i http://x/y o.mp4"
    inputs = read(words).inputs
    assert [one.path for one in inputs] == ["a.mp4", "b.mp4", None, None, None]
    assert (inputs[0].start_s, inputs[0].length_s) == (2, 3)
    assert [one.endless for one in inputs] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("words", "standard_output", "analyses"),
    [
        ("-i x o.mp4", False, False),
        ("-i x -f mpegts -", True, False),
        ("-i x -f mpegts pipe:1", True, False),
        ("-i x a.mp4 -f mpegts /dev/stdout", True, False),
        ("-i x -f null -", False, True),
        ("-i x -f null - -f mpegts -", True, False),
        ("-i x -f null - o.mp4", False, False),
        ("-i x -pass 1 -f null -", False, False),
        ("-encoders", True, False),
    ],
)
def test_where_it_writes(words: str, standard_output: bool, analyses: bool) -> None:
    command = read(words)
    assert (command.writes_standard_output, command.analyses) == (standard_output, analyses)


def test_options_are_no_values() -> None:
    assert not read("-i x -metadata -y -loglevel o.mp4").has("y")
    assert read("-i x -y o.mp4").has("y")
    assert read("-i x -v:0 error o.mp4").chooses_level
    assert not read("-i -v o.mp4").chooses_level


def test_what_is_written_straight() -> None:
    told = read("-i x -f tee a|b -passlogfile:v p -passlogfile:v q o.mp4").written_straight()
    assert told == ["a|b is written as FFmpeg goes", "what -passlogfile:v writes is written as FFmpeg goes"]


@given(st.lists(st.text(max_size=8) | st.sampled_from(["-i", "-f", "--", "-", "-t", "-to", "tee", "null"]), max_size=9))
def test_any_words_are_read(words: list[str]) -> None:
    command = RawCommand.read(["ffmpeg", *words])
    assert len(command.written_straight()) <= len(words)
    assert command.seems_cut_short == (bool(command.inputs) and not command.outputs)
