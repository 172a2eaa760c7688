"""``ffzero split``: names, ways to split, and what is said and refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ffzero.cli.demo_media import shown_times
from ffzero.cli.part_names import part_names
from support.command_line import Terminal, call
from support.media import made
from support.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"in.mp4"}


class TestNames:
    @pytest.mark.parametrize(
        ("pattern", "first", "second"),
        [
            ("part_%03d.mp4", "part_001.mp4", "part_002.mp4"),
            ("%d.mp4", "1.mp4", "2.mp4"),
            ("%2d of 2.mp4", "01 of 2.mp4", "02 of 2.mp4"),
            ("out.mp4", "out_001.mp4", "out_002.mp4"),
            ("100%.mp4", "100%_001.mp4", "100%_002.mp4"),
            ("100%% %d.mp4", "100% 1.mp4", "100% 2.mp4"),
            ("d%d/out.mp4", "d%d/out_001.mp4", "d%d/out_002.mp4"),
            ("{title}.mp4", "Intro.mp4", "The end.mp4"),
            ("%d {title}.mp4", "1 Intro.mp4", "2 The end.mp4"),
        ],
    )
    def test_patterns(self, pattern: str, first: str, second: str) -> None:
        assert part_names(pattern, ["Intro", "The end"]) == [first, second]

    def test_many_parts_get_as_many_digits_as_they_need(self) -> None:
        names = part_names("a.mp4", [""] * 1234)
        assert (names[0], names[-1]) == ("a_0001.mp4", "a_1234.mp4")

    @pytest.mark.parametrize(
        ("title", "name"),
        [
            ("a/b\\c", "a_b_c"),
            ("../../etc", "_.._etc"),
            ('what? "who": <x>|*', "what_ _who_ _x_"),
            ("two\nlines\x1b[31m", "two lines_[31m"),
            ("  spaces \t ", "spaces"),
            ("NUL", "_NUL"),
            ("100%d", "100%d"),
            ("{title}", "{title}"),
            ("…", "…"),
            ("...", "untitled"),
            ("", "untitled"),
            ("é" * 200, "é" * 60),
        ],
    )
    def test_titles_are_made_fit(self, title: str, name: str) -> None:
        (found,) = part_names("{title}.mp4", [title])
        assert found == f"{name}.mp4"

    def test_equal_titles_are_told_apart(self) -> None:
        assert part_names("{title}.mp4", ["A", "a", "A_2", "A"]) == ["A.mp4", "a_3.mp4", "A_2.mp4", "A_4.mp4"]


class TestWays:
    def test_every(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "part_%02d.mp4", "--every", "0:30", "--json")
        assert outcome.status == 0, outcome.err
        assert [part["output"] for part in outcome.object["parts"]] == [f"part_0{n}.mp4" for n in (1, 2, 3)]
        assert [len(shown_times(Path(f"part_0{n}.mp4"))) for n in (1, 2, 3)] == [750, 750, 500]
        assert outcome.object["frames_copied"] == 2000
        assert outcome.object["bytes_total"] == sum(os.path.getsize(name) for name in files(folder))
        assert outcome.object["output"] == "part_%02d.mp4"

    def test_at(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--at", "10,20.5", "--at", "1:00")
        assert outcome.status == 0, outcome.err
        lines = outcome.out.splitlines()
        assert lines[1].split("  ")[1:4] == ["p_002.mp4", "0:00:10.000 to 0:00:20.520", "263 frames"]
        assert any(line.startswith("4 parts: ") and "2,000 frames" in line for line in lines)
        assert files(folder) == {f"p_00{n}.mp4" for n in (1, 2, 3, 4)}

    @pytest.mark.parametrize("size", ["300k", "300kB", "0.3M", "300000"])
    def test_size(self, folder: Path, size: str) -> None:
        parts = call("split", "in.mp4", "-o", "p.mp4", "--size", size, "--dry-run", "--json").object["parts"]
        assert len(parts) > 3
        assert all(part["bytes_total"] <= 300_000 for part in parts)

    def test_chapters_by_name(self, folder: Path) -> None:
        outcome = call("split", made("multi.mp4"), "-o", "%d {title}.mp4", "--chapters", "--json")
        assert outcome.status == 0, outcome.err
        chapters = call("inspect", made("multi.mp4"), "--json").object["chapters"]
        assert files(folder) == {f"{n} {chapter['title']}.mp4" for n, chapter in enumerate(chapters, 1)}

    def test_another_container_is_cut_at_keyframes_and_says_so(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "p.mkv", "--at", "3,50")
        assert outcome.status == 0, outcome.err
        assert "only MP4 and MOV are cut at any frame" in outcome.out
        assert [len(shown_times(Path(f"p_00{n}.mkv"))) for n in (1, 2, 3)] == [50, 1200, 750]

    def test_boundary_keyframe(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--at", "3,51", "--boundary", "keyframe", "--json")
        assert [part["frames_copied"] for part in outcome.object["parts"]] == [50, 1200, 750]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([], ["none was given", "--every"]),
            (["--at", "1", "--chapters"], ["more than one"]),
            (["--at", "1,,2"], ["--at", "''"]),
            (["--every", "x"], ["--every"]),
            (["--size", "big"], ["--size", "'big'", "100M"]),
            (["--size", "5iB"], ["--size"]),
            (["--size", "0"], ["--size"]),
            (["--every", "5", "--threshold", "30"], ["--threshold is for --scenes"]),
            (["--scenes", "--threshold", "0"], ["--threshold"]),
            (["--every", "5", "--dry-run", "--verify"], ["--dry-run"]),
        ],
    )
    def test_nonsense_is_refused_before_anything_is_opened(self, options: list[str], words: list[str]) -> None:
        outcome = call("split", "no such file", "-o", "p.mp4", *options)
        assert outcome.status == 2
        assert all(word in outcome.message for word in words), outcome.message

    def test_no_chapters(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--chapters")
        assert (outcome.status, files(folder)) == (2, set())
        assert "no chapters" in outcome.message


class TestOutputs:
    def test_dry_run_writes_nothing(self, folder: Path) -> None:
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--every", "30", "--dry-run")
        assert outcome.out.splitlines()[0] == "3 parts:"
        assert "p_003.mp4  0:01:00.000 to 0:01:20" in outcome.out
        assert call("split", "in.mp4", "--every", "30", "--dry-run").out.count("part ") == 3
        assert files(folder) == set()

    def test_dry_run_foretells(self, folder: Path) -> None:
        argv = ["split", "in.mp4", "-o", "p.mp4", "--every", "30", "--json"]
        plan, result = call(*argv, "--dry-run").object, call(*argv).object
        assert plan["dry_run"] is True
        for key in ("output", "bytes_total", "bytes_header", "frames_copied", "frames_rendered"):
            assert plan[key] == result[key]
            assert [part[key] for part in plan["parts"]] == [part[key] for part in result["parts"]]

    def test_no_part_is_written_where_one_exists(self, folder: Path) -> None:
        Path("p_002.mp4").write_text("precious")
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--every", "30")
        assert outcome.status == 2
        assert "p_002.mp4" in outcome.message
        assert files(folder) == {"p_002.mp4"}
        assert Path("p_002.mp4").read_text() == "precious"
        assert call("split", "in.mp4", "-o", "p.mp4", "--every", "30", "-y").status == 0
        assert len(shown_times(Path("p_002.mp4"))) == 750

    def test_the_input_is_never_one_of_its_parts(self, folder: Path) -> None:
        os.link("in.mp4", "p_001.mp4")
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--every", "30", "-y")
        assert outcome.status == 2
        assert "replace the file that it is cut from" in outcome.message
        assert files(folder) == {"p_001.mp4"}

    @pytest.mark.parametrize("output", ["-", "", "none/p.mp4"])
    def test_names_that_cannot_be_written(self, folder: Path, output: str) -> None:
        assert call("split", "in.mp4", "-o", output, "--every", "30").status in (1, 2)
        assert files(folder) == set()

    def test_each_part_is_verified_and_keeps_its_record(self, folder: Path) -> None:
        argv = ["split", "in.mp4", "-o", "p.mp4", "--at", "3.5", "--verify", "--json"]
        outcome = call(*argv)
        assert outcome.status == 0, outcome.err
        assert [part["verification"]["passed"] for part in outcome.object["parts"]] == [True, True]
        assert files(folder) == {f"p_00{n}.mp4{kind}" for n in (1, 2) for kind in ("", ".ffzero.json")}
        for name in ("p_001.mp4", "p_002.mp4"):
            assert call("verify", name).status == 0
            os.unlink(name)
        assert call(*argv).status == 2, "a record is in the way"
        assert files(folder) == {"p_001.mp4.ffzero.json", "p_002.mp4.ffzero.json"}

    def test_a_part_that_is_wrong_ends_it_with_status_1(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ffzero.edits.proof import proving

        def spoilt(*args: object, **kwargs: object) -> object:
            path = Path(str(args[0]))
            data = bytearray(path.read_bytes())
            data[-2000:-1000] = bytes(1000)
            path.write_bytes(data)
            return verifier(*args, **kwargs)

        verifier = proving.default_verifier()
        monkeypatch.setattr(proving, "default_verifier", lambda: spoilt)
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--at", "3.5", "--verify")
        assert outcome.status == 1
        assert "checks failed" in outcome.out
        assert {"p_001.mp4", "p_002.mp4"} < files(folder)

    def test_parts_before_a_failure_stay_and_are_told(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ffzero.edits.clip import Clip
        from ffzero.errors import DiskFullError

        write = Clip.write

        def failing(self: Clip, output: str, **options: object) -> object:
            if output == "p_003.mp4":
                raise DiskFullError("no space is left", path=output)
            return write(self, output, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Clip, "write", failing)
        outcome = call("split", "in.mp4", "-o", "p.mp4", "--every", "30")
        assert outcome.status == 1
        assert outcome.err.splitlines()[0] == "ffzero: 2 of 3 parts were written, up to p_002.mp4"
        assert files(folder) == {"p_001.mp4", "p_002.mp4"}

    def test_progress_is_of_all_parts(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ffzero.cli import parts
        from ffzero.reporting import ProgressEvent

        events: list[ProgressEvent] = []

        class Recorder(parts.TerminalProgress):
            def __call__(self, event: ProgressEvent) -> None:
                events.append(event)

        monkeypatch.setattr(parts, "TerminalProgress", lambda stream: Recorder(Terminal()))
        total = call("split", "in.mp4", "-o", "p.mp4", "--every", "30", "--json").object["bytes_total"]
        assert {(event.stage, event.total) for event in events} == {("3 parts", total)}
        assert [event.done for event in events] == sorted(event.done for event in events)
        assert events[-1].done == total

    def test_progress_is_in_seconds_where_sizes_are_not_known(self) -> None:
        from fractions import Fraction

        from ffzero.cli.parts import _within
        from ffzero.edits.plan import Plan
        from ffzero.reporting import ProgressEvent

        plan = Plan(
            method="remux", boundary="keyframe", segments=(), pieces=(), duration_s=Fraction(20), frames_copied=0
        )
        events: list[ProgressEvent] = []
        report = _within(events.append, 1, [plan, plan])
        for done, total in ((0, None), (1, 4), (4, 4)):
            report(ProgressEvent(stage="copy", done=done, total=total))
        assert [(event.done, event.total, event.unit) for event in events] == [
            (20, 40, "seconds"), (25, 40, "seconds"), (40, 40, "seconds")
        ]  # fmt: skip
