"""The commands on the real engine and generated media: what they write, and what they say of what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from ffzero.cli.demo_media import ffmpeg, shown_times
from support.command_line import call
from support.media import made
from support.samples import copy_sample

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestCut:
    def test_holds_exactly_its_frames_and_says_so(self, folder: Path) -> None:
        outcome = call("cut", "in.mp4", "-o", "out.mp4", "-s", "10.5", "-e", "20.5", "--json")
        assert outcome.status == 0, outcome.err
        times = shown_times(Path("out.mp4"))
        assert len(times) == 250 == outcome.object["frames_copied"]
        assert float(times[-1] - times[0]) == pytest.approx(249 / 25, abs=0.001)
        moved = sum(outcome.object[f"bytes_{how}"] for how in ("shared", "copied", "rendered", "header"))
        assert moved == outcome.object["bytes_total"] == os.path.getsize("out.mp4")
        assert outcome.err == ""

    def test_dry_run_foretells_the_cut(self, folder: Path) -> None:
        argv = ["cut", "in.mp4", "-o", "out.mp4", "-s", "10.5", "-e", "20.5", "--json"]
        plan = call(*argv, "--dry-run").object
        assert files(folder) == {"in.mp4"}
        result = call(*argv).object
        assert set(result) == set(plan) & set(result)
        foretold = {"output", "frames_copied", "frames_rendered", "bytes_total", "bytes_header", "segments", "warnings"}
        assert {key: plan[key] for key in foretold} == {key: result[key] for key in foretold}

    def test_keyframe_boundary_says_where_it_really_fell(self, folder: Path) -> None:
        outcome = call("cut", "in.mp4", "-o", "out.mp4", "-s", "10.5", "-e", "20", "--boundary", "keyframe")
        assert "0:00:10.000 to 0:00:20.000 of " in outcome.out
        assert len(shown_times(Path("out.mp4"))) == 250

    def test_another_container(self, folder: Path) -> None:
        outcome = call("cut", "in.mp4", "-o", "out.mkv", "-s", "10.5", "-e", "20", "--json")
        assert outcome.status == 0, outcome.err
        assert outcome.object["bytes_shared"] == 0
        with av.open("out.mkv") as container:
            assert "matroska" in container.format.name
        assert "0:00:10.000 to " in call("cut", "in.mp4", "-o", "again.mkv", "-s", "10.5", "-e", "20").out

    def test_an_existing_output_is_refused_and_left_alone(self, folder: Path) -> None:
        (folder / "out.mp4").write_bytes(b"mine")
        outcome = call("cut", "in.mp4", "-o", "out.mp4", "-e", "5")
        assert outcome.status == 2
        assert "out.mp4" in outcome.message
        assert (folder / "out.mp4").read_bytes() == b"mine"
        assert call("cut", "in.mp4", "-o", "out.mp4", "-e", "5", "-y").status == 0
        assert len(shown_times(folder / "out.mp4")) == 125
        assert files(folder) == {"in.mp4", "out.mp4"}

    @pytest.mark.parametrize(
        "name", ["-a b.mp4", 'it\'s "q".mp4', "🎬.mp4", "two\nlines.mp4", "concat:x.mp4", "%d|.mp4"]
    )
    def test_odd_names_in_and_out(self, folder: Path, name: str) -> None:
        os.rename("in.mp4", name)
        outcome = call("cut", "-e", "2", "-o", name + ".out.mp4", "--", name)
        assert outcome.status == 0, outcome.err
        assert files(folder) == {name, name + ".out.mp4"}
        assert call("inspect", "--", name + ".out.mp4").status == 0
        assert call("concat", "-o", "joined.mp4", "--", name, name).status == 0

    @pytest.mark.parametrize(
        ("start", "end"),
        [("100", "120"), ("80", None), ("1000000", None)],
    )
    def test_a_range_outside_the_movie(self, folder: Path, start: str, end: str | None) -> None:
        outcome = call("cut", "in.mp4", "-o", "out.mp4", "-s", start, *(["-e", end] if end else []))
        assert outcome.status == 2, outcome
        assert files(folder) == {"in.mp4"}

    def test_render_codes_what_an_edit_would_hide(self, folder: Path) -> None:
        arguments = ("cut", "in.mp4", "-o", "out.mp4", "-s", "10.5", "-e", "20", "--boundary", "render", "--json")
        outcome = call(*arguments)
        assert outcome.status == 0, outcome.err
        found = outcome.object
        assert 0 < found["frames_rendered"] < found["frames_copied"]
        assert found["frames_rendered"] + found["frames_copied"] == len(shown_times(Path("out.mp4")))
        assert 0 < found["bytes_rendered"] < found["bytes_total"]
        plan = call("cut", "in.mp4", "-s", "10.5", "-e", "20", "--boundary", "render", "--dry-run")
        assert plan.status == 0
        assert "render" in plan.out


class TestConcat:
    def test_joins_in_order(self, folder: Path) -> None:
        assert call("cut", "in.mp4", "-o", "b.mp4", "-s", "10", "-e", "14").status == 0
        outcome = call("concat", "in.mp4", "b.mp4", "-o", "out.mp4", "--json")
        assert outcome.status == 0, outcome.err
        assert len(shown_times(Path("out.mp4"))) == 2000 + 100 == outcome.object["frames_copied"]

    def test_what_does_not_fit_is_named_and_made_to(self, folder: Path) -> None:
        argv = ("concat", "in.mp4", str(made("av1_10bit.mp4")), "-o", "out.mp4")
        dry = call(*argv, "--dry-run")
        assert "codec differs (h264 and av1)" in dry.out
        assert files(folder) == {"in.mp4"}
        outcome = call(*argv, "--json")
        assert outcome.status == 0, outcome.err
        assert (outcome.object["frames_copied"], outcome.object["frames_rendered"]) == (2000, 200)
        assert len(shown_times(Path("out.mp4"))) == 2200


class TestInspect:
    def test_shows_the_file_and_its_picture(self, folder: Path) -> None:
        outcome = call("inspect", "in.mp4")
        assert outcome.status == 0, outcome.err
        assert "h264 (avc1)" in outcome.out
        assert "192×108 25 fps" in outcome.out
        assert "2,000 frames" in outcome.out
        assert "40 keyframes, the first at 0:00:00.000, then every 2 s" in outcome.out
        assert "█" in outcome.out
        assert max(map(len, outcome.out.splitlines())) <= 120

    def test_json(self, folder: Path) -> None:
        found = call("inspect", "in.mp4", "--json").object
        assert found["keyframes_s"] == [2.0 * n for n in range(40)]
        assert [track["kind"] for track in found["tracks"]] == ["video", "audio"]
        assert found["tracks"][0]["sample_count"] == 2000

    @pytest.mark.parametrize("name", ["in.mkv", "in.ts", "in.mov", "in.avi"])
    def test_other_containers(self, folder: Path, name: str) -> None:
        ffmpeg("-i", "in.mp4", "-c", "copy", name)
        outcome = call("inspect", name)
        assert (outcome.status, outcome.err) == (0, "")
        assert "192×108" in outcome.out
        found = call("inspect", name, "--json").object
        assert len(found["keyframes_s"]) == 40
        assert [track["codec"] for track in found["tracks"]] == ["h264", "aac"]

    @pytest.mark.parametrize("name", ["frag_sidx.mp4", "hdr10.mp4", "vfr.mp4"])
    def test_other_files(self, name: str) -> None:
        outcome = call("inspect", made(name))
        assert (outcome.status, outcome.err) == (0, "")
        assert "Keyframes" in outcome.out


@pytest.mark.parametrize("argv", [["inspect"], ["cut", "-o", "out.mp4"], ["concat", "in.mp4", "-o", "out.mp4"]])
@pytest.mark.parametrize(
    ("kind", "status"), [("missing", 1), ("folder", 1), ("empty", 1), ("text", 1), ("truncated", 1), ("noise", 1)]
)
def test_inputs_that_are_no_movie(folder: Path, argv: list[str], kind: str, status: int) -> None:
    bad = folder / "bad.mp4"
    match kind:
        case "folder":
            bad.mkdir()
        case "empty":
            bad.touch()
        case "text":
            bad.write_text("This is not a movie.\n" * 100)
        case "truncated":
            bad.write_bytes((folder / "in.mp4").read_bytes()[:5000])
        case "noise":
            bad.write_bytes(b"\x00\x00\x00\x08moov" + bytes(range(256)) * 20)
    outcome = call(*argv, "bad.mp4")
    assert outcome.status == status
    assert outcome.message.startswith("ffzero: error: ")
    assert "bad.mp4" in outcome.message
    assert "internal error" not in outcome.message
    assert "out.mp4" not in files(folder)


@pytest.mark.parametrize("output", ["no/such/folder/out.mp4", "in.mp4/out.mp4", "there", "out.nonsense"])
def test_outputs_that_cannot_be(folder: Path, output: str) -> None:
    (folder / "there").mkdir()
    outcome = call("cut", "in.mp4", "-e", "2", "-o", output, "-y")
    assert outcome.status in (1, 2), outcome
    assert "internal error" not in outcome.message
    assert files(folder) == {"in.mp4", "there"}
    assert files(folder / "there") == set()


def test_the_output_over_the_input(folder: Path) -> None:
    before = (folder / "in.mp4").read_bytes()
    assert call("cut", "in.mp4", "-e", "2", "-o", "./in.mp4").status == 2
    assert (folder / "in.mp4").read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see that the handlers are there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_leaves_a_whole_output_or_none(folder: Path, number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "ffzero", "cut", "in.mp4", "-s", "1", "-o", "out.mp4"]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    for delay_s in (0, 0.05, 0.1, 0.15, 0.2, 0.25):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        wait_for_handler(process, number)
        time.sleep(delay_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        if process.returncode in (0, -number):  # it was done, or on its way out
            assert out
            assert len(shown_times(folder / "out.mp4")) == 1975
            (folder / "out.mp4").unlink()
        else:
            assert (process.returncode, out) == (128 + number, ""), err
            assert err.endswith("ffzero: interrupted\n")  # numpy may print what interrupted its import before that
        assert files(folder) == {"in.mp4"}


def wait_for_handler(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Wait until the process catches SIGTERM, which Python itself does not."""
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        (caught,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt")]
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)
    if process.poll() is None:  # else it was done before anyone looked
        pytest.fail(f"no handler for {number.name}")
