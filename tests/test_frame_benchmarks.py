"""The benchmark of frames: its ways give all frames and the right ones, and what cannot be installed is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.samples import plain_sample

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def work(way: str, *more: object) -> dict[str, Any]:
    words = [str(word) for word in more]
    argv = [sys.executable, str(ROOT / "benchmarks" / "frame_work.py"), way, *words]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


@pytest.mark.timeout(200)
def test_all_of_it_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exhaustive: bool) -> None:
    if not exhaustive:  # thirty processes that import everything
        pytest.skip("only with --exhaustive")
    from benchmarks import frames as bench
    from benchmarks.places import Place
    from benchmarks.scales import QUICK

    ours = {"pyav", "ffzero", "pipe", "ffmpeg"}
    monkeypatch.setattr(bench, "_PEERS", dict.fromkeys(bench._PEERS, ("no-such-thing==0",)))
    monkeypatch.setattr(bench._Environments, "_made", lambda self, name: self.missing.update({name: "no network"}))
    tiny = replace(QUICK, frames=24, frame_repeats=1)
    sections, missing = bench.measure_frames(tiny, Place(folder=tmp_path, filesystem="any"), lambda text: None)
    assert len(sections) == 4
    assert sorted(line.partition(":")[0] for line in missing) == sorted(bench._PEERS)
    rows = {row[0].partition(" ")[0] for section in sections for row in section.rows}
    assert rows == ours
    assert sections[2].data["wrong"] == {"ffzero_random": 0, "ffzero_random_together": 0}
    costs = sections[0].data["frames"]["ffzero_yuv"]
    assert costs["cpu_s"] > 0
    assert 20e6 < costs["peak_bytes"] < 400e6
    names = {target.name for section in sections for target in section.targets}
    assert {"yuv at 4 Mb/s: CPU", "rgb at 4 Mb/s: CPU", "round trip: CPU", "two processes"} <= names
    assert not any("decord" in name for name in names)  # what was not measured is neither met nor missed


def test_marks_tell_the_number(tmp_path: Path) -> None:
    from benchmarks.frames import _code, _marked

    source = tmp_path / "marked.mp4"
    _code(source, _marked("640x360"), 300, "-preset ultrafast -crf 30 -g 250")
    chosen = [0, 1, 2, 127, 128, 255, 256, 299]
    times = [(number + 0.5) / 25 for number in chosen]
    assert work("ffzero_random_together", source, json.dumps(times))["found"] == chosen


def test_children_count(tmp_path: Path) -> None:
    facts = work("pipe_rgb", plain_sample())
    assert facts["found"] == 2000
    assert facts["cpu_s"] > 0.2  # FFmpeg's, not that of reading a pipe alone


def test_what_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import frames as bench

    monkeypatch.setattr(bench, "_PEERS", {"decord": ("ffzero-no-such-package==0",), "torchcodec": ("torch",)})
    create = bench.venv.create
    monkeypatch.setattr(bench.venv, "create", lambda folder, **_: create(folder, with_pip=False))
    found = bench._Environments(tmp_path, lambda text: None, small=True)
    assert found.program("decord_rgb") is None
    assert "ffzero-no-such-package==0 cannot be installed" in found.missing["decord"]
    assert "pip" in found.missing["decord"]  # which this environment lacks: no network is asked
    assert found.program("torchcodec_rgb") is None
    assert "left out at this scale" in found.missing["torchcodec"]
    assert found.program("ffzero_rgb") == sys.executable
