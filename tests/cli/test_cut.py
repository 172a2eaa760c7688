"""``ffzero cut`` and ``ffzero concat``: what the options ask of the engine, and what is shown of its answer."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from support.command_line import FakeEngine, Outcome, call

CONTRACT = {
    "output", "bytes_total", "bytes_shared", "bytes_copied", "bytes_rendered", "bytes_header", "frames_copied",
    "frames_rendered", "segments", "elapsed_s", "warnings", "methods",
}  # fmt: skip


def asked(engine: FakeEngine, what: str) -> tuple[Any, ...]:
    (found,) = [call[1:] for call in engine.calls if call[0] == what]
    return found


class TestTimes:
    @pytest.mark.parametrize(
        ("options", "start", "end"),
        [
            ([], None, None),
            (["-s", "10.5"], Fraction(21, 2), None),
            (["-e", "1:02:03.25"], None, Fraction(14893, 4)),
            (["-s", "1:00", "-e", "90"], 60, 90),
            (["-s", "0.1", "-d", "0.2"], Fraction(1, 10), Fraction(3, 10)),
            (["-d", "5"], None, 5),
            (["--start", "1", "--duration", "2"], 1, 3),
            (["--start=1", "--end=2"], 1, 2),
        ],
    )
    def test_range(self, engine: FakeEngine, options: list[str], start: object, end: object) -> None:
        assert call("cut", "in.mp4", "-o", "out.mp4", *options).status == 0
        assert asked(engine, "cut") == (start, end)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["-e", "5", "-d", "5"], ["--end", "--duration", "one of them"]),
            (["-s", "-5"], ["--start", "'-5'", "seconds (12.5)"]),
            (["-e", "abc"], ["--end", "'abc'"]),
            (["-d", "-1"], ["--duration", "'-1'"]),
            (["-d", "0"], ["duration is zero"]),
            (["-s", "10", "-e", "5"], ["end (0:00:05.000) is not after the start (0:00:10.000)"]),
            (["-s", "10", "-e", "10"], ["not after the start"]),
            (["-e", "0"], ["not after the start"]),
            (["-s", ""], ["--start", "''"]),
            (["-s", "nan"], ["'nan'"]),
            (["--boundary", "fuzzy"], ["'fuzzy' is not one of", "edit-list"]),
        ],
    )
    def test_nonsense_is_refused_before_anything_is_opened(
        self, engine: FakeEngine, options: list[str], words: list[str]
    ) -> None:
        outcome = call("cut", "in.mp4", "-o", "out.mp4", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert all(word in outcome.message for word in words), outcome.message
        assert engine.calls == []


@pytest.mark.parametrize("command", [["cut", "a.mp4"], ["concat", "a.mp4", "b.mp4"]])
class TestOutput:
    def test_refused_without_a_name(self, engine: FakeEngine, command: list[str]) -> None:
        outcome = call(*command)
        assert outcome.status == 2
        assert "-o OUTPUT" in outcome.message

    @pytest.mark.parametrize("name", ["-", ""])
    def test_refused_names(self, engine: FakeEngine, command: list[str], name: str) -> None:
        assert call(*command, "-o", name).status == 2
        assert engine.calls == []

    @pytest.mark.parametrize(("option", "overwrite"), [([], False), (["-y"], True)])
    def test_overwriting_is_asked_for(
        self, engine: FakeEngine, command: list[str], option: list[str], overwrite: bool
    ) -> None:
        assert call(*command, "-o", "out.mp4", *option).status == 0
        output, options = asked(engine, "write")
        assert output == "out.mp4"
        assert options == {"boundary": "auto", "audio": None, "overwrite": overwrite}

    def test_summary(self, engine: FakeEngine, command: list[str]) -> None:
        outcome = call(*command, "-o", "out.mp4")
        assert outcome.out.splitlines() == [
            "out.mp4: 1 MB, 25 frames, in 12.3 ms",
            "  shared  900 kB  90%  FICLONERANGE",
            "  copied  90 kB   9%   copy_file_range",
            "  header  10 kB   1%",
            "  warning: a data track was left out",
        ]
        assert outcome.err == ""

    def test_json(self, engine: FakeEngine, command: list[str]) -> None:
        outcome = call(*command, "-o", "out.mp4", "--json")
        assert set(outcome.object) == CONTRACT
        assert outcome.object["output"] == "out.mp4"
        assert outcome.object["bytes_shared"] == 900_000

    @pytest.mark.parametrize("output", [[], ["-o", "out.mp4"]])
    def test_dry_run_writes_nothing(self, engine: FakeEngine, command: list[str], output: list[str]) -> None:
        outcome = call(*command, *output, "--dry-run")
        assert (outcome.status, outcome.out) == (0, "copy 25 frames\n")
        assert asked(engine, "plan") == ({"boundary": "auto", "audio": None, "output": output[1] if output else None},)
        assert "write" not in [made[0] for made in engine.calls]

    def test_dry_run_as_json_has_the_keys_of_a_result(self, engine: FakeEngine, command: list[str]) -> None:
        outcome = call(*command, "-o", "out.mp4", "--dry-run", "--json")
        assert set(outcome.object) == CONTRACT | {"dry_run"}
        assert outcome.object["dry_run"] is True
        assert outcome.object["frames_copied"] == 25
        assert outcome.object["bytes_shared"] is None


@pytest.mark.parametrize("mode", ["copy", "joint", "encode"])
@pytest.mark.parametrize("command", [["cut", "in.mp4"], ["concat", "a.mp4", "b.mp4"]], ids=["cut", "concat"])
def test_audio(engine: FakeEngine, command: list[str], mode: str) -> None:
    assert call(*command, "-o", "out.mp4", "--audio", mode).status == 0
    assert asked(engine, "write")[1]["audio"] == mode
    assert call(*command, "-o", "out.mp4", "--audio", "fade").status == 2


@pytest.mark.parametrize("boundary", ["auto", "keyframe", "edit-list", "render"])
@pytest.mark.parametrize("command", [["cut", "in.mp4"], ["concat", "a.mp4", "b.mp4"]], ids=["cut", "concat"])
def test_boundary(engine: FakeEngine, command: list[str], boundary: str) -> None:
    call(*command, "-o", "out.mp4", "--boundary", boundary)
    assert asked(engine, "write")[1]["boundary"] == boundary


def test_the_movie_is_closed_even_after_a_failure(engine: FakeEngine) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    engine.on_write = fail
    assert call("cut", "in.mp4", "-o", "out.mp4").status == 1
    assert engine.calls[-1] == ("close",)


NAMES = [
    "a b.mp4",
    'it\'s "q".mp4',
    "🎬.mp4",
    "two\nlines.mp4",
    "./-x.mp4",
    "http:x.mp4",
    "$(touch x);.mp4",
    "*.mp4",
    "~",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_arrive_as_they_are(engine: FakeEngine, name: str) -> None:
    outcome = call("cut", name, "-o", name + ".out")
    assert outcome.status == 0
    assert asked(engine, "open") == (name,)
    assert asked(engine, "write")[0] == name + ".out"
    assert len(outcome.out.splitlines()) == 5, "a name never breaks the line"


def test_a_leading_dash(engine: FakeEngine) -> None:
    def names(outcome: Outcome) -> list[object]:
        assert outcome.status == 0, outcome.err
        return asked(engine, "concat")[0]  # type: ignore[no-any-return]

    assert names(call("concat", "-o", "-out.mp4", "--", "-a.mp4", "--json")) == ["-a.mp4", "--json"]
    assert asked(engine, "write")[0] == "-out.mp4"


def test_concat_keeps_the_order(engine: FakeEngine) -> None:
    assert call("concat", "c.mp4", "a.mp4", "-o", "out.mp4", "b.mp4").status == 0
    assert asked(engine, "concat") == (["c.mp4", "a.mp4", "b.mp4"],)
