"""Every Python block of the document that promised the module runs as it is written, and its outputs decode."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ffzero
from support import oracle
from support.snippets import ROOT, blocks, importing_from_the_checkout, lay_out_media, run_block

SEED = ROOT.parent / "shared" / "seed" / "FFMPEG_ZEROCOPY.md"
BLOCKS = blocks(SEED, "python") if SEED.exists() else []

pytestmark = pytest.mark.skipif(not BLOCKS, reason="the seed document does not lie beside this checkout")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out_media(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(number: int, **names: Any) -> dict[str, Any]:
    return run_block(SEED, *BLOCKS[number], **names)


def pictures(path: Path) -> list[str]:
    return [digest for _, digest in oracle.decode_video(path)]


def codec(path: Path) -> str:
    with ffzero.open(path) as movie:
        return next(track.codec for track in movie.info().tracks if track.kind == "video")


def test_all_blocks_are_tested() -> None:
    assert len(BLOCKS) == 6
    tested = Path(__file__).read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"run\((\d)\b", tested)} == set(range(len(BLOCKS)))


def test_basic_use_codes_the_cut_with_the_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(0)["result"]
    assert capsys.readouterr().out == "视频剪切完成: output.mp4\n"
    assert len(pictures(folder / "output.mp4")) == 30 * 25
    assert codec(folder / "output.mp4") == "h264"
    assert result.bytes_rendered == (folder / "output.mp4").stat().st_size
    assert result.frames_rendered == 30 * 25
    assert Path(result) == Path("output.mp4")


def test_joining_copies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(1)["result"]
    assert capsys.readouterr().out == "视频连接完成: combined.mp4\n"
    parts = [picture for number in (1, 2, 3) for picture in pictures(folder / f"part{number}.mp4")]
    assert pictures(folder / "combined.mp4") == parts
    assert result.bytes_rendered == 0


def test_factory_functions_copy(folder: Path) -> None:
    scope = run(2)
    assert str(scope["output_file"]) == "combined.mp4"
    whole = oracle.decode_video(folder / "input.mp4")
    wanted = [digest for time, digest in whole if Fraction("10.5") <= time < Fraction("40.5")]
    assert pictures(folder / "output.mp4") == wanted
    assert (folder / "combined.mp4").stat().st_size > 0


def test_a_stream_of_a_large_video(folder: Path) -> None:
    with importing_from_the_checkout():
        from src.exporters.ffmpeg_zerocopy import generate_video_segments
    seen: list[Any] = []
    run(3, generate_video_segments=generate_video_segments, process_segment=seen.append)
    assert [(segment.start, segment.end) for segment in seen] == [(0, 10), (60, 70), (120, 130)]
    whole = oracle.decode_video(folder / "large_video.mp4")
    for segment in seen:
        result = segment.write(folder / f"segment{segment.index}.mp4")
        wanted = [digest for time, digest in whole if segment.start <= time < segment.end]
        assert pictures(Path(result)) == wanted
        assert result.bytes_rendered == 0


def test_custom_settings(folder: Path) -> None:
    settings = run(4)["settings"]
    assert (settings.width, settings.height, settings.fps, settings.crf, settings.threads) == (1280, 720, 30, 18, 4)
    result = ffzero.cut_video("input.mp4", "custom.mp4", 1, 1, settings=settings)
    with ffzero.open(result) as movie:
        tracks = {track.kind: track for track in movie.info().tracks}
    assert (tracks["video"].codec, tracks["audio"].codec) == ("hevc", "opus")
    assert (tracks["video"].width, tracks["video"].height) == (1280, 720)
    assert len(pictures(folder / "custom.mp4")) == 30
    top = (folder / "custom.mp4").read_bytes()
    assert top.index(b"moov") < top.index(b"mdat")  # faststart


def test_a_stage_of_ones_own(folder: Path) -> None:
    pipeline = ffzero.create_ffmpeg_pipeline()
    custom_params = {"anything": 1}
    scope = run(5, pipeline=pipeline, custom_params=custom_params, processed_data="what the reader makes of it")
    assert pipeline.stages[0].name == "CustomProcessor"
    assert pipeline.stages[0].custom_params is custom_params
    assert isinstance(pipeline.stages[0], scope["Processor"])
    assert pipeline.execute("input.mp4") == "what the reader makes of it"
