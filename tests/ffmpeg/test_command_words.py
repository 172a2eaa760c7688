"""Commands' words, held against golden files without FFmpeg."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ffzero.errors import UsageError
from ffzero.ffmpeg.command import OPERATIONS, PROTOCOLS, FFmpegCommand, FFmpegCommandBuilder, Input, Output, Url
from ffzero.ffmpeg.settings import FFmpegSettings
from support.commands import IO, QUICK, build
from support.golden import check_golden

HEVC = FFmpegSettings(video_codec="hevc", audio_codec="opus", preset="slow", crf=18, width=1280, height=720, fps=30)
SILENT = {"input_i": "-inf", "input_tp": "-inf", "input_lra": "0.0", "input_thresh": "-70.0", "target_offset": "inf"}
MEASURED = {
    "input_i": "-20.75",
    "input_tp": "-17.9",
    "input_lra": "0.10",
    "input_thresh": "-30.75",
    "target_offset": "0.03",
}


COMMANDS: dict[str, Callable[[], FFmpegCommand]] = {
    "cut, copied": lambda: FFmpegCommandBuilder().build_cut_command("/in/a.mp4", "/out/b.mp4", 10.5, 30.0),
    "cut, encoded": lambda: FFmpegCommandBuilder().build_cut_command("/in/a.mp4", "/out/b.mp4", "1:02.5", 30, HEVC),
    "cut, copied, no index": lambda: FFmpegCommandBuilder().build_cut_command("/in/a.ts", "/out/b.ts", 10.5, 30.0),
    "cut, encoded, no index": lambda: FFmpegCommandBuilder().build_cut_command(
        "/in/a.MTS", "/b.mp4", "1:02.5", 3, HEVC
    ),
    "cut to the end": lambda: build("cut", **IO, start_time=Fraction(1, 3)),
    "concat, copied": lambda: FFmpegCommandBuilder().build_concat_command(["/in/a.mp4", "/in/it's.mp4"], "/out/b.mp4"),
    "concat, a line break": lambda: build("concat", input_files=["/in/a\nb.mp4", "/in/c.mp4"], output_path="/o.mp4"),
    "concat, encoded": lambda: FFmpegCommandBuilder(HEVC).build_concat_command(
        ["/in/a.mp4", "/in/b.mkv"], "/out/c.mp4"
    ),
    "concat, one without sound": lambda: build(
        "concat", input_files=["/in/a.mp4", "/in/b.mp4"], output_path="/o.mp4", settings=QUICK, has_audio=[True, False]
    ),
    "transcode": lambda: build("transcode", **IO, settings=HEVC, metadata={"title": "a=b; 'c'"}),
    "transcode, by default": lambda: build("transcode", input_path="/in/a.mkv", output_path="/out/b.mp4"),
    "transcode, vaapi": lambda: build("transcode", **IO, settings=FFmpegSettings(video_codec="h264_vaapi", crf=20)),
    "transcode, hwaccel": lambda: build("transcode", **IO, settings=QUICK.replace(extra_args={"hwaccel": "cuda"})),
    "transcode, no movflags in Matroska": lambda: build(
        "transcode",
        input_path="/in/a.mp4",
        output_path="/out/b.mkv",
        settings=QUICK.replace(extra_args={"movflags": "faststart", "tune": "film"}),
    ),
    "scale": lambda: build("scale", **IO, width=640),
    "extract_audio, opus": lambda: build("extract_audio", input_path="/in/a.mp4", output_path="/out/a.opus"),
    "extract_audio, 192k": lambda: build(
        "extract_audio", input_path="/in/a.mp4", output_path="/out/a.mp3", audio_bitrate="192k"
    ),
    "thumbnail": lambda: build("thumbnail", input_path="/in/a.mp4", output_path="/out/t%d.jpg", time=3, width=320),
    "thumbnail, no index": lambda: build("thumbnail", input_path="/in/a.ts", output_path="/out/t.jpg", time=3),
    "thumbnail, a typical one": lambda: build("thumbnail", input_path="/in/a.mp4", output_path="/out/t.png"),
    "contact_sheet": lambda: build("contact_sheet", input_path="/in/a.mp4", output_path="/out/s.jpg", duration=60),
    "contact_sheet, long": lambda: build(
        "contact_sheet", input_path="/in/a.ts", output_path="/out/s.jpg", columns=2, rows=1, duration=60
    ),
    "gif": lambda: build("gif", input_path="/in/a.mp4", output_path="/out/a.gif", start_time=1, duration=2),
    "gif, no index": lambda: build("gif", input_path="/in/a.ts", output_path="/out/a.gif", start_time=30, duration=2),
    "burn_subtitles": lambda: build(
        "burn_subtitles", **IO, subtitles_path="/in/it's: [a],b;c\\d\n.srt", style="FontSize=24,Bold=1"
    ),
    "add_subtitles": lambda: build("add_subtitles", **IO, subtitles_path="/in/s.srt", language="deu", title="Deutsch"),
    "change_speed, 5": lambda: build("change_speed", **IO, speed=5),
    "change_speed, 0.3": lambda: build("change_speed", **IO, speed=0.3),
    "overlay": lambda: build("overlay", **IO, overlay_path="/in/logo.png", opacity=0.5, width=64, end_time=5),
    "overlay, a place": lambda: build("overlay", **IO, overlay_path="/in/logo%3d.png", x=3, y=-4),
    "loudnorm": lambda: build("loudnorm", **IO),
    "loudness, measure": lambda: FFmpegCommandBuilder().build_loudness_commands("/in/a.mp4", "/out/b.mp4")[0],
    "loudness, apply": lambda: FFmpegCommandBuilder().build_loudness_commands(**IO)[1](MEASURED),
    "loudness, silence": lambda: FFmpegCommandBuilder().build_loudness_commands(**IO)[1](SILENT),
    "hls": lambda: build("hls", input_path="/in/a.mp4", output_path="/out/my list.m3u8"),
    "hls, fmp4, encoded": lambda: build(
        "hls", input_path="/in/a.mp4", output_path="/out/l.m3u8", segment_type="fmp4", settings=HEVC
    ),
    "dash": lambda: build("dash", input_path="/in/a.mp4", output_path="/out/$Number$.mpd", segment_duration=2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_words_are_those_of_the_golden_file(name: str, update_golden: bool) -> None:
    command = COMMANDS[name]()
    found = {"argv": command.argv("ffmpeg"), "files": dict(command.files)}
    check_golden("ffmpeg_commands.json", name, found, update=update_golden)


def test_every_operation_has_a_golden_command() -> None:
    assert {name.partition(",")[0] for name in COMMANDS} >= set(OPERATIONS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_input_is_a_file_with_protocols_whitelisted(name: str) -> None:
    command = COMMANDS[name]()
    words = command.argv("ffmpeg")
    inputs = [at for at, word in enumerate(words) if word == "-i"]
    assert len(inputs) == len(command.inputs)
    for at in inputs:
        assert words[at - 2 : at] == ["-protocol_whitelist", PROTOCOLS]
        assert words[at + 1].startswith("file:/") or words[at + 1] in command.files
    assert words[-1].startswith("file:/") or words[-3:] == ["-f", "null", "-"]


class TestNames:
    def test_relative_ones_are_fixed_where_the_command_is_made(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.chdir(tmp_path)
        one = Input(path="-a.mp4")
        monkeypatch.chdir("/")
        assert one.argv()[-1] == f"file:{tmp_path}/-a.mp4"

    def test_an_address_of_our_own_goes_as_it_is(self) -> None:
        assert Input(path=Url("concatf:/x")).argv()[-1] == "concatf:/x"

    @pytest.mark.parametrize("name", ["", "a\0b"])
    def test_what_no_file_can_be_called(self, name: str) -> None:
        with pytest.raises(UsageError, match="not the name of a file"):
            Input(path=name)
        with pytest.raises(UsageError, match="not the name of a file"):
            Output(path=name)

    def test_a_line_break_ends_no_line_of_the_concat_list(self) -> None:
        command = FFmpegCommandBuilder().build_concat_command(["/a\nfile /etc/passwd", "/b\r.mp4"], "/o.mp4")
        assert command.links == {"ffzero-link-0": "/a\nfile /etc/passwd", "ffzero-link-1": "/b\r.mp4"}
        assert [text.splitlines()[1:] for text in command.files.values()] == [
            ["file 'ffzero-link-0'", "file 'ffzero-link-1'"]
        ]
