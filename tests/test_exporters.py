"""The promised import paths: re-exports of ffzero's own names, and nothing else."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ffzero
from support.snippets import ROOT, importing_from_the_checkout

EXPORTERS = sorted((ROOT / "src" / "exporters").glob("*.py"))
PROMISED = {
    "ffmpeg_zerocopy": "FFmpegCodec FFmpegCommandBuilder FFmpegExecutor FFmpegMemHandler FFmpegPreset FFmpegProcessor"
    " FFmpegSettings StreamingFFmpegPipeline VideoConcatProcessor VideoCutProcessor ZeroCopyFFmpegPipeline"
    " concat_videos create_ffmpeg_pipeline create_streaming_ffmpeg_pipeline cut_video generate_video_segments",
    "stream_pipe": "AudioProcessor FunctionProcessor ProcessingMode Processor StreamingPipeline VideoProcessor"
    " ZeroCopyPipeline",
    "memmap_engine": "FFmpegMemHandler MappingStats MemoryFile MemoryLimitError MemoryMapEngine MemoryStats",
}


@pytest.mark.parametrize("module", PROMISED)
def test_promised_names_are_those_of_ffzero(module: str) -> None:
    with importing_from_the_checkout():
        exporter = importlib.import_module(f"src.exporters.{module}")
    assert set(PROMISED[module].split()) <= set(exporter.__all__)
    for name in exporter.__all__:
        assert getattr(exporter, name) is getattr(ffzero, name), name


@pytest.mark.parametrize("path", EXPORTERS, ids=lambda path: path.stem)
def test_they_re_export_and_nothing_else(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = [type(node).__name__ for node in body]
    assert kinds == ["Expr", *["ImportFrom"] * (len(body) - 2), "Assign"]
    imported = [alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(ast.literal_eval(body[-1].value))  # type: ignore[attr-defined]


def test_ffzero_tells_type_checkers_what_it_really_has() -> None:
    tree = ast.parse(Path(ffzero.__file__).read_text(encoding="utf-8"))
    told = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ffzero.")
        for alias in node.names
    }
    assert sorted(told) == sorted(set(ffzero.__all__) - {"__version__"})
    for name, module in told.items():
        assert getattr(importlib.import_module(module), name) is getattr(ffzero, name), name
    assert set(ffzero._HOMES) <= set(ffzero.__all__)


def test_src_is_no_package() -> None:
    assert not (ROOT / "src" / "__init__.py").exists()
    assert {path.stem for path in EXPORTERS} == set(PROMISED)


def test_a_program_in_the_checkouts_root_finds_them() -> None:
    code = "from src.exporters.ffmpeg_zerocopy import cut_video; import ffzero; assert cut_video is ffzero.cut_video"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}  # as an editable install has it
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
