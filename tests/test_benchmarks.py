"""The benchmark runs as a program, and its figures are those of outputs that are right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from support.samples import plain_sample

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks need posix_spawn and wait4")


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.timeout(300)  # half a minute alone; it starts some eighty processes
def test_all_of_it_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks import __main__ as program
    from benchmarks.scales import QUICK

    tiny = replace(QUICK, long_bytes=40_000_000, parts=5, hours=(1,), start_repeats=1)
    monkeypatch.setattr(program, "QUICK", tiny)
    suites = ("cut", "concat", "plan", "start")  # rendering installs its peer from the network
    only = [word for suite in suites for word in ("--only", suite)]
    assert program.main(["--quick", "--json", "--dir", str(tmp_path), *only]) == 0
    assert not list(tmp_path.iterdir()), "something was left behind"
    report = json.loads(capsys.readouterr().out)
    titles = [section["title"].split()[0] for section in report["sections"]]
    places = 1 if report["not_measured"] else 2
    assert titles.count("Cut") == places + 2  # and one of each long recording
    assert titles.count("Join") == places
    cuts = [section for section in report["sections"] if "in_process" in section]
    for section in cuts:
        ours, peer = section["warm"]["ffzero cut"], section["warm"]["ffmpeg -c copy"]
        assert ours["wall_s"] > 0
        assert 5e6 < ours["peak_bytes"] < 200e6
        assert peer["written_bytes"] > 20e6
        shares = "FICLONERANGE" in section["methods"]
        assert (ours["written_bytes"] < 2e6) == shares, section["title"]
    plans = next(section["plans"] for section in report["sections"] if "plans" in section)
    assert {(plan["layout"], plan["hours"]) for plan in plans} == {("camera", 1), ("ffmpeg", 1)}
    assert plans[0]["frames"] == 900
    assert report["machine"]["ffmpeg"]


def test_help_of_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


def test_a_wrong_output_does_not_count(tmp_path: Path) -> None:
    from benchmarks.verify import WrongOutput, check_cut

    import ffzero

    source, output = plain_sample(), tmp_path / "cut.mp4"
    ffzero.cut_video(source, output, 10.5, 5)
    assert check_cut(output, source, Fraction(21, 2), Fraction(31, 2)) == 125
    with pytest.raises(WrongOutput, match="125 pictures, not 126"):
        check_cut(output, source, Fraction(21, 2), Fraction(31, 2) + Fraction(1, 25))
    with pytest.raises(WrongOutput, match="is not the source's"):
        check_cut(output, source, Fraction(22, 2), Fraction(32, 2))
    shutil.copyfile(source, output)
    with pytest.raises(WrongOutput, match="2000 pictures"):
        check_cut(output, source, Fraction(21, 2), Fraction(31, 2))


def test_a_disk_without_room_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.places import PlaceUnavailable, require_space

    require_space(tmp_path, 1)
    with pytest.raises(PlaceUnavailable, match="GB are needed"):
        require_space(tmp_path, 1 << 60)


def test_a_command_that_fails_says_why() -> None:
    from benchmarks.measure import run

    with pytest.raises(RuntimeError, match="status 3: too bad"):
        run([sys.executable, "-c", "import sys; print('too bad', file=sys.stderr); sys.exit(3)"])


def test_peak_memory_is_the_command_s_own() -> None:
    from benchmarks.measure import run

    here = bytearray(150 << 20)  # of this process, which is not measured
    small = run([sys.executable, "-S", "-c", "pass"])
    large = run([sys.executable, "-S", "-c", "b = bytearray(80 << 20)"])
    assert len(here) == 150 << 20
    assert small.peak_bytes < 40e6
    assert 80e6 < large.peak_bytes - small.peak_bytes + 8e6 < 120e6
