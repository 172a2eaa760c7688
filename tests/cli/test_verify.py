"""``ffzero verify``, ``--verify`` and ``--sidecar``: exit status, what is said, and the picture of a plan."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.cli import run
from ffzero.cli.plan_picture import plan_picture
from ffzero.edits.proof import proof
from ffzero.edits.proof import record as records
from ffzero.edits.proof.record import Record
from ffzero.errors import CancelledError
from support.command_line import Terminal, call
from support.samples import copy_sample

CUT = ("cut", "in.mp4", "-o", "out.mp4", "-s", "3.5", "-e", "6")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def damage(path: str = "out.mp4", sample: int = 30) -> None:
    index = ffzero.open(path).samples()
    with open(path, "r+b") as file:
        file.seek(int(index.offset_bytes[sample] + index.size_bytes[sample] // 2))
        byte = file.read(1)[0] ^ 0xFF
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte]))


def test_verify_at_once_and_later() -> None:
    outcome = call(*CUT, "--verify")
    assert outcome.status == 0, outcome.err
    assert "out.mp4: it is what was planned" in outcome.out
    assert Path("out.mp4.ffzero.json").exists()
    later = call("verify", "out.mp4")
    assert (later.status, later.err) == (0, "")
    assert later.out.splitlines()[-1] == "out.mp4: it is what was planned"


def test_nothing_is_kept_unasked() -> None:
    assert call(*CUT).status == 0
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", "out.mp4"]
    outcome = call("verify", "out.mp4")
    assert outcome.status == 1
    assert "no record of the edit" in outcome.message
    assert "--source" in outcome.message


def test_sidecar_alone_checks_nothing() -> None:
    outcome = call(*CUT, "--sidecar", "--json")
    assert "verification" not in outcome.object
    assert json.loads(Path("out.mp4.ffzero.json").read_text())["boundary"] == "auto"


def test_the_edit_given_again() -> None:
    call(*CUT)
    assert call("verify", "out.mp4", "--source", "in.mp4", "-s", "3.5", "-e", "6").status == 0
    outcome = call("verify", "out.mp4", "--source", "in.mp4", "-s", "4", "-e", "6", "--json")
    assert outcome.status == 1
    assert outcome.object["passed"] is False
    assert {check["name"] for check in outcome.object["checks"] if check["status"] == "failed"} >= {"pictures"}


def test_a_record_elsewhere() -> None:
    call(*CUT, "--sidecar")
    Path("out.mp4.ffzero.json").rename("kept.json")
    assert call("verify", "out.mp4", "--plan", "kept.json").status == 0


def test_damage_fails_and_is_named() -> None:
    call(*CUT, "--sidecar")
    damage()
    outcome = call("verify", "out.mp4")
    assert outcome.status == 1
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("  failed  copied"))
    assert "sample 30 has other bytes than source sample" in line
    assert "checks failed" in outcome.out.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("concat", "in.mp4", "in.mp4"),
        ("remove", "in.mp4", "--range", "-70", "--range", "72-74"),
    ],
)
def test_other_commands_prove_too(command: tuple[str, ...]) -> None:
    outcome = call(*command, "-o", "out.mp4", "--verify", "--json")
    assert outcome.status == 0, outcome.out
    assert outcome.object["verification"]["passed"] is True


def test_a_failed_proof_is_status_1_with_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged_when_checked(monkeypatch)
    outcome = call(*CUT, "--verify", "--json")
    assert outcome.status == 1
    assert outcome.object["output"] == "out.mp4"
    assert outcome.object["verification"]["passed"] is False
    assert "/proc/" not in outcome.out
    assert names() == ["in.mp4", "out.mp4", "out.mp4.ffzero.json"], "what failed stays to be looked at"


def test_what_fails_its_checks_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.mp4").write_text("mine")
    Path("out.mp4.ffzero.json").write_text("mine too")
    damaged_when_checked(monkeypatch)
    outcome = call(*CUT, "--verify", "-y")
    assert outcome.status == 1
    assert "out.mp4 was left as it was before" in outcome.out
    assert Path("out.mp4").read_text() == "mine"
    assert Path("out.mp4.ffzero.json").read_text() == "mine too"
    assert names() == ["in.mp4", "out.mp4", "out.mp4.ffzero.json"]


def test_ctrl_c_while_it_is_verified_leaves_nothing_and_what_was_there() -> None:
    clip = ffzero.open("in.mp4")[3.5:6]
    for old in (None, "mine"):
        if old is not None:
            Path("out.mp4").write_text(old)
        before = names()
        cancel = ffzero.CancelToken()
        seen = []

        def stop(event: ffzero.ProgressEvent, cancel: ffzero.CancelToken = cancel, seen: list[str] = seen) -> None:
            if event.stage == "verify":
                seen.append(event.stage)
                cancel.cancel()

        with pytest.raises(CancelledError):
            clip.write("out.mp4", verify=True, sidecar=True, overwrite=True, reporter=stop, cancel=cancel)
        assert seen, "it was cancelled while it was verified"
        assert names() == before
    assert Path("out.mp4").read_text() == "mine"


def test_a_disk_without_room_for_the_record_gets_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, data: memoryview) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(records, "write_fully_at", full)
    outcome = call(*CUT, "--sidecar")
    assert outcome.status == 1
    assert "out.mp4.ffzero.json: no space is left on the device" in outcome.message
    assert names() == ["in.mp4"]


@pytest.mark.parametrize("other", [("cut", "in.mp4", "-s", "4", "-e", "5"), ("transcode", "in.mp4", "-e", "0.2")])
def test_the_record_of_a_file_goes_with_it(other: tuple[str, ...]) -> None:
    assert call(*CUT, "--sidecar").status == 0
    outcome = call(*other, "-o", "out.mp4", "-y")
    assert outcome.status == 0, outcome.err
    assert names() == ["in.mp4", "out.mp4"]
    Path("out.mp4.ffzero.json").write_text('{"format": "mine"}')
    assert call(*other, "-o", "out.mp4", "-y").status == 0
    assert names() == ["in.mp4", "out.mp4", "out.mp4.ffzero.json"], "it is no record"


def test_a_record_of_a_file_that_is_gone_is_named_and_stays() -> None:
    assert call(*CUT, "--sidecar").status == 0
    Path("out.mp4").rename("elsewhere.mp4")
    outcome = call("cut", "in.mp4", "-s", "4", "-e", "5", "-o", "out.mp4", "--json")
    assert "out.mp4.ffzero.json is the record of an earlier file, not of this one" in outcome.object["warnings"]
    assert Path("out.mp4.ffzero.json").exists()


def test_a_pipe_is_not_verified() -> None:
    outcome = call("cut", "in.mp4", "-e", "1", "-o", os.devnull, "--verify", "-y")
    assert outcome.status == 1
    assert "cannot be verified" in outcome.message


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def damaged_when_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let outputs be damaged just before they are checked."""
    verifier = proof.default_verifier()

    def damaging(output: str, record: Record, **options: Any) -> proof.Verification:
        damage(output)
        return verifier(output, record, **options)

    monkeypatch.setattr(proof, "_provider", [lambda: damaging])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify",), "OUTPUT"),
        (("verify", "out.mp4", "--plan", "a", "--source", "b"), "--plan and --source"),
        (("verify", "out.mp4", "-s", "1"), "without --source"),
        (("verify", "out.mp4", "--source", "a", "--source", "b", "-s", "1"), "several sources"),
        ((*CUT, "--dry-run", "--verify"), "--dry-run"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], said: str) -> None:
    outcome = call(*words)
    assert outcome.status == 2
    assert said in outcome.message


class TestPicture:
    def test_on_a_terminal_a_dry_run_draws_and_explains(self) -> None:
        stdout = Terminal()
        assert run([*CUT, "--dry-run"], stdout, io.StringIO()) == 0
        text = stdout.getvalue()
        assert text.index("█") < text.index("clip of 0:00:02.")
        assert "copy   track 1 (video)" in text

    def test_elsewhere_it_only_explains(self) -> None:
        outcome = call(*CUT, "--dry-run")
        assert outcome.out.startswith("clip of 0:00:02.")

    @pytest.mark.parametrize("blocks", [True, False])
    def test_bars_fill_their_times(self, blocks: bool) -> None:
        movie = ffzero.open("in.mp4")
        clip = movie[1:5] + movie[10:14]
        lines = plan_picture(clip.plan("render").to_dict(), width=92, blocks=blocks, colour=False)
        assert all(len(line) <= 92 for line in lines)
        keys, video = lines[:2]
        assert keys.lstrip().startswith("keyframes")
        bar = video.removeprefix(video[: video.index("1") + 3])
        coded, plain = ("▒", "█") if blocks else ("#", "=")
        assert bar[0] == coded, "1 s is no keyframe"
        assert bar.count(plain) > bar.count(coded) > 5
        assert lines[-1].split()[:5] == [plain, "copied", coded, "coded", "anew"]

    def test_colours_are_closed(self) -> None:
        lines = plan_picture(ffzero.open("in.mp4")[1:5].plan().to_dict(), width=80, blocks=True, colour=True)
        assert any("\x1b[32m" in line for line in lines)
        assert all(line.rfind("\x1b[0m") >= line.rfind("\x1b[") for line in lines)


@pytest.mark.parametrize(
    "work",
    [
        "import ffzero; ffzero.open('in.mp4').clip(0, 4).write('out.mp4', boundary='keyframe', verify=True)",
        "import ffzero; ffzero.open('in.mp4').clip(0.3, 1.5).write('out.mp4', boundary='render', jobs=2)",
        "import ffzero; list(ffzero.open('in.mp4').frames(0, 0.2))",
    ],
)
def test_a_fresh_process_loads_what_its_work_needs(work: str) -> None:
    """No more of the package is loaded than is named, so what is handed down from above has to be fetched."""
    guarded = f"if __name__ == '__main__':\n    {work}\n"
    Path("work.py").write_text(guarded, encoding="utf-8")
    check_alone("work.py")


@pytest.mark.parametrize(
    "words", ["cut in.mp4 -s 0 -e 4 --verify", "concat in.mp4 in.mp4 --verify", "cut in.mp4 -s 1 -e 2 --jobs 2"]
)
def test_a_command_loads_what_its_work_needs(words: str) -> None:
    check_alone("-m", "ffzero", *words.split(), "-o", "out.mp4")


def check_alone(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(ffzero.__file__).parents[1])}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr
