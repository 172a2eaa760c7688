"""What commands warn of, refuse and leave out."""

from __future__ import annotations

from typing import Any

import pytest

from ffzero.errors import InvalidDataError, UsageError
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegSettings
from support.commands import IO, QUICK, build


class TestWarnings:
    def test_what_copying_from_a_container_without_index_means(self) -> None:
        for settings in (None, FFmpegSettings(video_codec="copy")):
            command = FFmpegCommandBuilder(settings).build_cut_command("/a.ts", "/b.ts", 1)
            assert command.warnings() == (
                ".ts has no index: FFmpeg copies from the keyframe after the start; ffzero.cut_video is exact",
            )
        for path, start, settings in (("/a.ts", 0, None), ("/a.mp4", 1, None), ("/a.ts", 1, QUICK)):
            assert FFmpegCommandBuilder(settings).build_cut_command(path, "/b.ts", start).warnings() == ()

    def test_what_an_output_leaves_out(self) -> None:
        settings = FFmpegSettings(extra_args={"movflags": "faststart", "tune": "nothing"})
        named = {
            name: build("transcode", **IO | {"output_path": name}, settings=settings) for name in ("a.mp4", "a.mkv")
        }
        tune = "libx264 has no tune 'nothing': left out"
        assert named["a.mp4"].warnings() == (tune,)
        assert named["a.mkv"].warnings() == (tune, "movflags is an option of MP4 and MOV: left out for .mkv")


class TestRefused:
    @pytest.mark.parametrize(
        ("operation", "parameters", "words"),
        [
            ("cutt", {}, "unknown operation 'cutt'; did you mean cut.*thumbnail"),
            ("cut", {**IO, "start": 1}, "no parameter 'start'; did you mean start_time.*duration"),
            ("cut", {"input_path": "a"}, "needs the parameter 'output_path'"),
            ("cut", {**IO, "start_time": -1}, "not a time"),
            ("cut", {**IO, "duration": 0}, "holds nothing"),
            ("cut", {**IO, "settings": "fast"}, "not FFmpegSettings"),
            ("concat", {"input_files": "a.mp4", "output_path": "b.mp4"}, "give a list"),
            ("concat", {"input_files": [], "output_path": "b.mp4"}, "nothing to join"),
            (
                "concat",
                {"input_files": ["a"], "output_path": "b", "settings": QUICK, "has_audio": []},
                "0 values for 1 files",
            ),
            ("scale", IO, "needs a width or a height"),
            ("scale", {**IO, "width": 101}, "odd"),
            ("change_speed", {**IO, "speed": 0}, "speed: 0 is not a number from 0.05 to 100"),
            ("change_speed", {**IO, "speed": 2, "settings": QUICK.replace(video_codec="copy")}, "cannot be filtered"),
            ("gif", {**IO, "dither": "x"}, "none of none, bayer"),
            ("overlay", {**IO, "overlay_path": "l.png", "position": "middle"}, "none of top-left"),
            ("overlay", {**IO, "overlay_path": "l.png", "opacity": 2}, "opacity"),
            ("add_subtitles", {**IO, "subtitles_path": "s", "language": "a=b"}, "not a language code"),
            ("extract_audio", IO | {"output_path": "x.xyz"}, "which audio codec"),
            ("hls", IO, "must end with .m3u8"),
            ("hls", {"input_path": "a", "output_path": "/d%d/l.m3u8"}, "number pattern"),
            ("dash", {"input_path": "a", "output_path": "m.mpd", "segment_duration": 0}, "between 0 and 3600"),
            ("transcode", {**IO, "metadata": {"a=b": "c"}}, "not a metadata entry"),
        ],
    )
    def test_with_words_that_help(self, operation: str, parameters: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=f"(?s){words}"):
            build(operation, **parameters).argv()

    def test_what_loudnorm_did_not_print(self) -> None:
        apply = FFmpegCommandBuilder().build_loudness_commands(**IO)[1]
        for bad in ("", "{}", '{"input_i": }', {"input_i": "1"}):
            with pytest.raises(InvalidDataError):
                apply(bad)


def test_a_missing_encoder_names_what_to_use(monkeypatch: Any) -> None:
    from ffzero.errors import UnsupportedError
    from ffzero.ffmpeg.binary import FFmpegBinary

    monkeypatch.setattr(FFmpegBinary, "encoders", property(lambda self: frozenset({"libaom-av1", "libx264", "aac"})))
    binary = FFmpegBinary(path="/x/ffmpeg", source="explicit", version="9.0")
    builder = FFmpegCommandBuilder(binary=binary)
    argv = builder.build_command("transcode", **IO, settings=FFmpegSettings(video_codec=FFmpegCodec.AV1)).argv()
    assert argv[argv.index("-c:v") + 1] == "libaom-av1"
    with pytest.raises(UnsupportedError, match=r"no encoder h264_nvenc.*It has H264"):
        builder.build_command("transcode", **IO, settings=FFmpegSettings(video_codec="h264_nvenc"))
