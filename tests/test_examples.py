"""Each example runs as its first line says, on generated media."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from support.samples import copy_sample

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_sample(tmp_path, "in.mp4")
    return tmp_path


def run_example(name: str, *arguments: str, folder: Path) -> str:
    argv = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_cut_and_join(folder: Path) -> None:
    assert "bytes shared" in run_example("cut_and_join.py", "in.mp4", "out.mp4", folder=folder)
    assert frames(folder / "out.mp4") == 25 * (8 + 8)


def test_feed_ffmpeg(folder: Path) -> None:
    lines = run_example("feed_ffmpeg.py", "in.mp4", "11.5", "16.5", folder=folder).splitlines()
    assert len(lines) == 5
    assert [float(line.split()[0]) for line in lines] == pytest.approx([0, 1, 2, 3, 4], abs=0.002)
    assert frames(folder / "preview.gif") == 125


def test_split_for_dataset(folder: Path) -> None:
    run_example("split_for_dataset.py", "in.mp4", "clips", "15", folder=folder)
    rows = [json.loads(line) for line in (folder / "clips" / "clips.jsonl").read_text().splitlines()]
    assert [row["start_s"] for row in rows] == [0, 16, 32, 48, 64]
    assert [frames(folder / row["file"]) for row in rows] == [400] * 5


def test_frames_to_tensors(folder: Path) -> None:
    lines = run_example("frames_to_tensors.py", "in.mp4", folder=folder).splitlines()
    assert [float(line.split()[0]) for line in lines] == list(range(80))
    assert all("mean colour [" in line for line in lines)


def test_ffmpeg_zerocopy_demo(folder: Path) -> None:
    lines = run_example("ffmpeg_zerocopy_demo.py", folder=folder).splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [
        "sample", "cut", "concat", "stream", "factory", "quality",
    ]  # fmt: skip
    costs = {line[2:].partition("  ")[0]: line for line in lines if line.startswith("  ")}
    assert "coded" not in costs["cut 10.5 s to 40.5 s, copied"].partition("bytes:")[2]
    assert "coded" in costs["the same, coded with x264"].partition("bytes:")[2]
    sizes = [int(costs[f"10 s with crf {crf}"].split(" bytes")[0].split()[-1].replace(",", "")) for crf in (18, 23, 28)]
    assert sizes == sorted(sizes, reverse=True)
    assert len([line for line in lines if "its first 10 s" in line]) == 4
    assert sorted(path.name for path in folder.iterdir()) == ["in.mp4"]
    assert "quality" not in run_example("ffmpeg_zerocopy_demo.py", "concat", folder=folder)


def test_every_example_is_tested() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    tested = Path(__file__).read_text(encoding="utf-8")
    assert names
    assert not [name for name in names if f'"{name}"' not in tested]
