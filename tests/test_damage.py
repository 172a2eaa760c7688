"""A damaged file gives a clear ffzero error or a result: never another exception, a hang, or a flood of memory.

By default 200 mutations and a sample of truncations; ``--exhaustive`` makes it 2,000 mutations and a truncation at
every box boundary of every file. A failure names the file and the seed, from which ``support.mutate`` makes the same
bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import media, synth
from support.mutate import boundaries, mutated

MEMORY_MB = 300.0
BATCH = 25
BIGGEST_BYTES = 1_400_000
FEW_TRUNCATIONS = 12
TRUNCATED = ("fast.mp4", "frag_sidx.mp4", "h264_alac.mov", "h264_open_gop.mp4", "multi.mp4", "prores_tc_pcm24.mov")
CORPUS = Path(__file__).parent / "corpus"

Case = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = bool(metafunc.config.getoption("--exhaustive"))
    if "batch" in metafunc.fixturenames:
        count = 2000 if whole else 200
        metafunc.parametrize("batch", range(count // BATCH))
    if "shortened" in metafunc.fixturenames:
        real = [item for item in media.real_media() if _is_bmff(item) and _small(item)]
        items = [media.Media(name=name) for name in (synth.PLAYABLE if whole else TRUNCATED) if "sparse" not in name]
        items += real if whole else real[::5]
        metafunc.parametrize("shortened", items, ids=[item.name for item in items])


def _is_bmff(item: media.Media) -> bool:
    return "MP4" in item.container or "MOV" in item.container


def _small(item: media.Media) -> bool:
    return item.real is None or item.real.stat().st_size < BIGGEST_BYTES


def _patients() -> list[media.Media]:
    real = [item for item in media.real_media() if _is_bmff(item) and _small(item)]
    return real + [media.Media(name=name) for name in synth.PLAYABLE if "sparse" not in name]


def survive(cases: list[Case], folder: Path) -> list[str]:
    """Run ``cases`` in worker processes and return what went wrong, each with its case."""
    jobs, first = folder / "cases.json", 0
    problems: list[str] = []
    jobs.write_text(json.dumps(cases))
    while first < len(cases):
        run = _worker(jobs, first, folder)
        ready, *lines = run.stdout.splitlines() or [""]
        if not ready:
            return [*problems, f"the worker cannot start: {run.stderr[-2000:]}"]
        for case, result in zip(cases[first:], map(json.loads, lines), strict=False):
            problems += [f"{_label(case)} ({result['damage']}): {problem}" for problem in _judge(result)]
        first += len(lines)
        if first < len(cases):
            problems.append(f"{_label(cases[first])}: hung or died, status {run.returncode}: {run.stderr[-1500:]}")
            first += 1
    return problems


def _worker(jobs: Path, first: int, folder: Path) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "src")])
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "support.damage_worker", str(jobs), str(first), str(folder)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )


def _label(case: Case) -> str:
    what = "".join(f" {key} {case[key]}" for key in ("seed", "length") if key in case)
    return f"{Path(case['path']).name}{what}"


def _judge(result: dict[str, Any]) -> list[str]:
    problems = [str(result["bad"])] if result["bad"] else []
    if result["peak_mb"] > MEMORY_MB:
        problems.append(f"{result['peak_mb']:.0f} MB of memory")
    return problems


def _report(problems: list[str]) -> str:
    return f"{len(problems)} problems:\n" + "\n".join(problems[:8])


def test_damaged_headers(batch: int, tmp_path: Path) -> None:
    patients = _patients()
    cases = [
        {"path": str(patients[seed % len(patients)].path()), "seed": seed}
        for seed in range(batch * BATCH, (batch + 1) * BATCH)
    ]
    problems = survive(cases, tmp_path)
    assert not problems, _report(problems)


def test_truncated_at_box_boundaries(shortened: media.Media, tmp_path: Path, exhaustive: bool) -> None:
    path = shortened.path()
    lengths = boundaries(path.read_bytes())
    if not exhaustive:
        lengths = lengths[:: max(1, len(lengths) // FEW_TRUNCATIONS)]
    problems = survive([{"path": str(path), "length": length} for length in lengths], tmp_path)
    assert not problems, _report(problems)


def test_damaged_files(tmp_path: Path) -> None:
    files = [media.made(name) for name in synth.DAMAGED]
    files += [
        item.path() for item in media.real_media() if not item.decodes or "damaged" in item.name or "mdat" in item.name
    ]
    files += sorted(CORPUS.iterdir()) if CORPUS.is_dir() else []
    problems = survive([{"path": str(path)} for path in files], tmp_path)
    assert not problems, _report(problems)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"hello, world\n" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        bytes(4096),
        b"\0\0\0\x08ftyp",
        b"\0\0\0\x08moov",
    ],
    ids=["empty", "one-byte", "text", "png", "zeros", "bare-ftyp", "bare-moov"],
)
def test_what_is_no_movie_at_all(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "victim.mp4"
    path.write_bytes(content)
    (tmp_path / "work").mkdir()
    problems = survive([{"path": str(path)}], tmp_path / "work")
    assert not problems, _report(problems)


def test_the_same_seed_gives_the_same_damage() -> None:
    data = media.made("multi.mp4").read_bytes()
    assert mutated(data, 11) == mutated(data, 11)
    assert len({mutated(data, seed)[0] for seed in range(40)}) > 35
    assert all(mutated(data, seed)[0] != data for seed in range(5))
