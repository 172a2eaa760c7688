"""Commands: their words, held against golden files without FFmpeg, and what each does when FFmpeg runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from ffzero.errors import FFmpegError, InvalidDataError, UsageError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.command import OPERATIONS, PROTOCOLS, FFmpegCommand, FFmpegCommandBuilder, Input, Output, Url
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegSettings
from support.golden import check_golden

QUICK = FFmpegSettings(preset="ultrafast", crf=30)
HEVC = FFmpegSettings(video_codec="hevc", audio_codec="opus", preset="slow", crf=18, width=1280, height=720, fps=30)
SILENT = {"input_i": "-inf", "input_tp": "-inf", "input_lra": "0.0", "input_thresh": "-70.0", "target_offset": "inf"}
MEASURED = {
    "input_i": "-20.75",
    "input_tp": "-17.9",
    "input_lra": "0.10",
    "input_thresh": "-30.75",
    "target_offset": "0.03",
}


def build(operation: str, **parameters: Any) -> FFmpegCommand:
    return FFmpegCommandBuilder().build_command(operation, **parameters)


IO = {"input_path": "/in/a.mp4", "output_path": "/out/b.mp4"}
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


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    picture, sound = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2"], ["-f", "lavfi", "-i", "sine=440:d=2"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"]
    _run([find_ffmpeg().path, "-v", "error", *picture, *sound, *x264, "-c:a", "aac", f"{folder}/a.mp4"])
    _run([find_ffmpeg().path, "-v", "error", *picture, *x264, f"{folder}/mute.mp4"])
    _run([find_ffmpeg().path, "-v", "error", *picture, "-frames:v", "1", f"{folder}/logo.png"])
    (folder / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,500\nHello\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-six seconds of MPEG-TS, a keyframe every four."""
    out = tmp_path_factory.mktemp("streamed") / "a.ts"
    picture, sound = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=26"], ["-f", "lavfi", "-i", "sine=440:d=26"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "100", "-bf", "2"]
    _run([find_ffmpeg().path, "-v", "error", *picture, *sound, *x264, "-c:a", "aac", os.fspath(out)])
    return out


def hashes(path: Path) -> list[int]:
    """Return what tells each decoded picture of a file from the others."""
    with av.open(os.fspath(path)) as container:
        return [hash(frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{argv}\n{done.stderr[-2000:]}"
    return done.stderr


def execute(command: FFmpegCommand, folder: Path) -> str:
    for name, content in command.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    for name, path in command.links.items():
        (folder / name).symlink_to(path)
    return _run(command.argv(find_ffmpeg().path, folder=folder))


def described(path: Path) -> dict[str, Any]:
    """Decode all of a file; return its streams as kind → (codec, frames, width, height)."""
    with av.open(os.fspath(path)) as container:
        found: dict[str, Any] = {"duration": (container.duration or 0) / 1e6}
        counts = {stream.index: 0 for stream in container.streams}
        for packet in container.demux():
            if packet.stream.type in ("video", "audio"):
                counts[packet.stream.index] += len(packet.decode())
            else:
                counts[packet.stream.index] += packet.size > 0
        for stream in container.streams:
            size = (stream.width, stream.height) if stream.type == "video" else ()
            found[stream.type] = (stream.codec_context.name, counts[stream.index], *size)
        return found


class TestReal:
    def test_cut(self, media: Path, tmp_path: Path) -> None:
        execute(build("cut", input_path=media / "a.mp4", output_path=tmp_path / "c.mp4", start_time=1), tmp_path)
        assert described(tmp_path / "c.mp4")["video"][:2] == ("h264", 25)
        one = FFmpegCommandBuilder(QUICK).build_cut_command(media / "a.mp4", tmp_path / "e.mp4", 0.5, 1)
        execute(one, tmp_path)
        assert described(tmp_path / "e.mp4")["video"] == ("h264", 25, 160, 90)

    def test_coding_from_a_container_without_index_is_exact(self, streamed: Path, tmp_path: Path) -> None:
        whole = hashes(streamed)
        for at, start in enumerate((0.52, 3, 8.2, 24.2)):  # keyframes every 4 s; reading begins 20 s early at most
            out = tmp_path / f"{at}.mkv"
            command = FFmpegCommandBuilder(QUICK.replace(crf=0)).build_cut_command(streamed, out, start, 0.6)
            execute(command, tmp_path)
            assert hashes(out) == whole[round(start * 25) :][:15], start

    def test_pictures_from_a_container_without_index(self, streamed: Path, tmp_path: Path) -> None:
        out = tmp_path / "t.png"
        execute(build("thumbnail", input_path=streamed, output_path=out, time=24.2), tmp_path)
        with av.open(os.fspath(out)) as container, av.open(os.fspath(streamed)) as source:
            found = next(container.decode(video=0)).to_ndarray(format="gray")
            wanted = [one.to_ndarray(format="gray") for one in source.decode(video=0)]
        differences = [abs(found.astype(int) - one).mean() for one in wanted]
        assert differences.index(min(differences)) == 605
        made = build("gif", input_path=streamed, output_path=tmp_path / "a.gif", start_time=6, duration=1, width=None)
        execute(made, tmp_path)
        assert described(tmp_path / "a.gif")["video"][1] == 12

    @pytest.mark.parametrize("settings", [None, QUICK, QUICK.replace(width=80, height=80)])
    def test_concat(self, media: Path, tmp_path: Path, settings: FFmpegSettings | None) -> None:
        paths = [media / "a.mp4"] * 3
        execute(FFmpegCommandBuilder().build_concat_command(paths, tmp_path / "j.mp4", settings), tmp_path)
        found = described(tmp_path / "j.mp4")
        assert found["video"][:2] == ("h264", 150)
        assert found["audio"][1] > 255
        assert found["video"][2:] == ((160, 90) if settings is None or settings.width is None else (80, 80))

    def test_concat_fills_missing_sound(self, media: Path, tmp_path: Path) -> None:
        paths = [media / "mute.mp4", media / "a.mp4"]
        command = FFmpegCommandBuilder(QUICK).build_concat_command(paths, tmp_path / "j.mp4", has_audio=[False, True])
        execute(command, tmp_path)
        found = described(tmp_path / "j.mp4")
        assert found["video"][1] == 100
        assert found["duration"] == pytest.approx(4, abs=0.1)

    def test_transcode_and_scale(self, media: Path, tmp_path: Path) -> None:
        settings = QUICK.replace(
            fps="30000/1001", audio_codec="opus", extra_args={"tune": "film", "movflags": "faststart"}
        )
        out = tmp_path / "t.mkv"
        execute(
            build(
                "transcode",
                input_path=media / "a.mp4",
                output_path=out,
                settings=settings,
                metadata={"title": "-i 'x'"},
            ),
            tmp_path,
        )
        with av.open(os.fspath(out)) as container:
            assert container.streams.video[0].average_rate == Fraction(30000, 1001)
            assert container.streams.audio[0].codec_context.name.endswith("opus")
            assert container.metadata["title"] == "-i 'x'"
        execute(build("scale", input_path=media / "a.mp4", output_path=tmp_path / "s.mp4", width=80), tmp_path)
        assert described(tmp_path / "s.mp4")["video"][2:] == (80, 46)

    @pytest.mark.parametrize(
        "name", ["a.mp3", "a.opus", "a.flac", "a.wav", "a.m4a", "a.ogg", "a.ac3", "a.aac", "a.mka"]
    )
    def test_extract_audio(self, media: Path, tmp_path: Path, name: str) -> None:
        execute(build("extract_audio", input_path=media / "a.mp4", output_path=tmp_path / name), tmp_path)
        found = described(tmp_path / name)
        assert "video" not in found
        assert found["duration"] == pytest.approx(2, abs=0.15)

    def test_pictures(self, media: Path, tmp_path: Path) -> None:
        source = media / "a.mp4"
        execute(build("thumbnail", input_path=source, output_path=tmp_path / "t%d.jpg", time=1, width=80), tmp_path)
        execute(build("thumbnail", input_path=source, output_path=tmp_path / "t.png"), tmp_path)
        sheet = build(
            "contact_sheet", input_path=source, output_path=tmp_path / "s.jpg", columns=2, rows=2, width=80, duration=2
        )
        execute(sheet, tmp_path)
        execute(build("gif", input_path=source, output_path=tmp_path / "a.gif", width=80, duration=1), tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"t%d.jpg", "t.png", "s.jpg", "a.gif"}
        (tmp_path / "t%d.jpg").rename(tmp_path / "u.jpg")
        assert described(tmp_path / "u.jpg")["video"][1:] == (1, 80, 46)
        assert described(tmp_path / "t.png")["video"][1:] == (1, 160, 90)
        assert described(tmp_path / "s.jpg")["video"][1:] == (1, 172, 104)
        assert described(tmp_path / "a.gif")["video"][1:] == (12, 80, 45)

    def test_subtitles(self, media: Path, tmp_path: Path) -> None:
        source, subtitles = media / "a.mp4", media / "s.srt"
        settings = QUICK.replace(audio_codec="copy")
        for name, more in (("burnt.mp4", {"subtitles_path": subtitles}), ("plain.mp4", None)):
            operation = "transcode" if more is None else "burn_subtitles"
            execute(
                build(operation, input_path=source, output_path=tmp_path / name, settings=settings, **(more or {})),
                tmp_path,
            )
        assert described(tmp_path / "burnt.mp4")["video"] == described(tmp_path / "plain.mp4")["video"]
        assert (tmp_path / "burnt.mp4").read_bytes() != (tmp_path / "plain.mp4").read_bytes()
        for name in ("t.mp4", "t.mkv"):
            command = build("add_subtitles", input_path=source, output_path=tmp_path / name, subtitles_path=subtitles)
            execute(command, tmp_path)
            assert described(tmp_path / name)["subtitle"][1] >= 1
        again = build(
            "add_subtitles", input_path=tmp_path / "t.mp4", output_path=tmp_path / "2.mp4", subtitles_path=subtitles,
            language="deu", title="D: 'x'", default=True,
        )  # fmt: skip
        execute(again, tmp_path)
        with av.open(os.fspath(tmp_path / "2.mp4")) as container:
            assert [stream.language for stream in container.streams.subtitles] == ["deu", "und"]

    @pytest.mark.parametrize("speed", [4, 0.4])
    def test_change_speed(self, media: Path, tmp_path: Path, speed: float) -> None:
        out = tmp_path / "s.mp4"
        execute(
            build("change_speed", input_path=media / "a.mp4", output_path=out, speed=speed, settings=QUICK), tmp_path
        )
        assert described(out)["duration"] == pytest.approx(2 / speed, abs=0.15)
        mute = build("change_speed", input_path=media / "mute.mp4", output_path=tmp_path / "m.mp4", speed=speed)
        execute(mute, tmp_path)
        assert "audio" not in described(tmp_path / "m.mp4")

    def test_overlay(self, media: Path, tmp_path: Path) -> None:
        command = build(
            "overlay", input_path=media / "a.mp4", output_path=tmp_path / "o.mp4", overlay_path=media / "logo.png",
            width=40, opacity=0.5, start_time=0.5, end_time=1,
        )  # fmt: skip
        execute(command, tmp_path)
        assert described(tmp_path / "o.mp4")["video"] == ("h264", 50, 160, 90)

    def test_loudness_reaches_its_target(self, media: Path, tmp_path: Path) -> None:
        builder = FFmpegCommandBuilder()
        measure, apply = builder.build_loudness_commands(media / "a.mp4", tmp_path / "l.mp4", target_lufs=-23)
        execute(apply(execute(measure, tmp_path)), tmp_path)
        text = execute(builder.build_loudness_commands(tmp_path / "l.mp4", tmp_path / "x.mp4")[0], tmp_path)
        assert float(json.loads(text[text.rindex("{") : text.rindex("}") + 1])["input_i"]) == pytest.approx(
            -23, abs=0.5
        )
        execute(build("loudnorm", input_path=media / "a.mp4", output_path=tmp_path / "1.mp4"), tmp_path)
        assert described(tmp_path / "1.mp4")["audio"][1] > 90

    @pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
    def test_hls(self, media: Path, tmp_path: Path, kind: str) -> None:
        folder = tmp_path / 'it\'s 100% "x": y'
        folder.mkdir()
        command = build(
            "hls", input_path=media / "a.mp4", output_path=folder / "a b.m3u8", segment_duration=1, segment_type=kind
        )
        execute(command, tmp_path)
        assert len(list(folder.glob("a_b-0*"))) == 2
        assert described(folder / "a b.m3u8")["video"][1] == 50

    def test_dash(self, media: Path, tmp_path: Path) -> None:
        command = build("dash", input_path=media / "a.mp4", output_path=tmp_path / "$x$.mpd", segment_duration=1)
        execute(command, tmp_path)
        assert "$Number%05d$" in (tmp_path / "$x$.mpd").read_text()
        pictures = [tmp_path / "_x_-init-0.m4s", *sorted(tmp_path.glob("_x_-0-*.m4s"))]
        assert len(pictures) == 3
        (tmp_path / "all.mp4").write_bytes(b"".join(path.read_bytes() for path in pictures))
        assert described(tmp_path / "all.mp4")["video"][1] == 50


HOSTILE = [
    'it\'s "q" `id` $HOME;x',
    "line\nbreak\r",
    "-y",
    "concat:a.mp4|b.mp4",
    "http:x",
    "subfile,,start,0,end,9,,:x",
    "100%d %05d",
    "[in],a;b:c=d\\'e'\\",
    " 视频 ü ",
    "*?[a]{b}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_files_and_nothing_else(media: Path, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.mp4").write_bytes((media / "a.mp4").read_bytes())
    (tmp_path / f"{name}.srt").write_bytes((media / "s.srt").read_bytes())
    (tmp_path / f"{name}.png").write_bytes((media / "logo.png").read_bytes())
    before = {path.name for path in tmp_path.iterdir()}
    source = f"{name}.mp4"
    commands = {
        f"out {name}.mp4": build("cut", input_path=source, output_path=f"out {name}.mp4", duration=1, settings=QUICK),
        f"{name}.jpg": build("thumbnail", input_path=source, output_path=f"{name}.jpg", time=0),
        f"{name}.burnt.mp4": build(
            "burn_subtitles", input_path=source, output_path=f"{name}.burnt.mp4", subtitles_path=f"{name}.srt"
        ),
        f"{name}.laid.mp4": build(
            "overlay", input_path=source, output_path=f"{name}.laid.mp4", overlay_path=f"{name}.png", width=16
        ),
    }
    out = f"{name}.joined.mp4"
    commands[out] = build("concat", input_files=[source, source], output_path=out)
    before |= {"ffzero-concat-list.txt", *commands[out].links}
    for command in commands.values():
        execute(command, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before | set(commands)
    for made in commands:
        assert (tmp_path / made).stat().st_size > 500


def test_hostile_text_is_a_value_and_nothing_else(media: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = "x',movie=/etc/passwd[a];[a]null\\:b=c -y -i http://x `touch pwned` $(touch pwned)\n;touch pwned"
    settings = QUICK.replace(audio_codec="copy", extra_args={"metadata": f"comment={hostile}"})
    source, subtitles, style = media / "a.mp4", media / "s.srt", f"FontName={hostile}"
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "a.mp4": ("burn_subtitles", {"subtitles_path": subtitles, "style": style, "settings": settings}),
        "b.mp4": ("add_subtitles", {"subtitles_path": subtitles, "title": hostile}),
        "c.mp4": ("transcode", {"metadata": {"x'": hostile}, "settings": settings}),
    }
    commands = {out: build(name, input_path=source, output_path=out, **given) for out, (name, given) in more.items()}
    for command in commands.values():
        execute(command, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(commands)
    with av.open("c.mp4") as container:
        assert container.metadata["comment"] == hostile


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
CONCAT_LIST = "ffconcat version 1.0\nfile '{}'\n"
MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="9"><BaseURL>{}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)


@pytest.mark.parametrize("operation", ["burn_subtitles", "add_subtitles", "overlay", "cut", "concat"])
@pytest.mark.parametrize("content", [None, PLAYLIST, CONCAT_LIST, MANIFEST], ids=["name", "hls", "concat", "dash"])
def test_nothing_is_fetched(media: Path, tmp_path: Path, monkeypatch: Any, operation: str, content: str | None) -> None:
    """Neither by a name nor by what a file says."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"
        name = url
        if content is not None:
            name = "named.mp4" if operation in ("cut", "concat") else "named.srt"
            Path(name).write_text(content.format(url), encoding="utf-8")
        given: dict[str, dict[str, Any]] = {
            "burn_subtitles": {"input_path": media / "a.mp4", "subtitles_path": name},
            "add_subtitles": {"input_path": media / "a.mp4", "subtitles_path": name},
            "overlay": {"input_path": media / "a.mp4", "overlay_path": name},
            "cut": {"input_path": name},
            "concat": {"input_files": [name, name]},
        }
        command = build(operation, output_path="o.mp4", **given[operation])
        with pytest.raises(FFmpegError):
            FFmpegExecutor(timeout_s=20).execute(command)
        with pytest.raises(BlockingIOError):
            server.accept()


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
