"""What each command does when FFmpeg runs it."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.settings import FFmpegSettings
from support.commands import QUICK, build, described, execute, hashes, run


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-six seconds of MPEG-TS, a keyframe every four."""
    out = tmp_path_factory.mktemp("streamed") / "a.ts"
    picture, sound = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=26"], ["-f", "lavfi", "-i", "sine=440:d=26"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "100", "-bf", "2"]
    run([find_ffmpeg().path, "-v", "error", *picture, *sound, *x264, "-c:a", "aac", os.fspath(out)])
    return out


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
        assert found["audio"][1] > 165, "four seconds, of which the second file has two"
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
            width=40, opacity=0.5, start_time=0.5, end_time=1, settings=QUICK.replace(crf=0),
        )  # fmt: skip
        execute(command, tmp_path)
        assert described(tmp_path / "o.mp4")["video"] == ("h264", 50, 160, 90)
        pairs = zip(hashes(tmp_path / "o.mp4"), hashes(media / "a.mp4"), strict=True)
        changed = [at for at, (mine, its) in enumerate(pairs) if mine != its]
        assert changed == list(range(13, 25)), "from 0.5 s to before 1 s"

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
