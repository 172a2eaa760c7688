"""Settings: what is refused, what each encoder gets, and that encoders take it and quality follows."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
from dataclasses import FrozenInstanceError
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from ffzero.errors import UsageError
from ffzero.ffmpeg.binary import find_ffmpeg
from ffzero.ffmpeg.codecs import audio_encoder, video_encoder
from ffzero.ffmpeg.command import FFmpegCommandBuilder
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegPreset, FFmpegSettings
from support.golden import check_golden

VIDEO = [codec for codec in FFmpegCodec if video_encoder(codec) is not None]
AUDIO = [codec for codec in FFmpegCodec if audio_encoder(codec) is not None]


def option(words: list[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words else None


def test_as_the_seed_makes_them() -> None:
    settings = FFmpegSettings(
        video_codec=FFmpegCodec.H265,
        audio_codec=FFmpegCodec.OPUS,
        preset=FFmpegPreset.SLOW,
        crf=18,
        width=1280,
        height=720,
        fps=30,
        audio_bitrate="192k",
        threads=4,
        extra_args={"tune": "film", "movflags": "faststart"},
    )
    video, audio = settings.video_arguments(), settings.audio_arguments()
    assert video[:6] == ["-c:v", "libx265", "-preset", "slow", "-crf", "18"]
    assert option(video, "-threads") == "4"
    assert settings.filters()[:2] == ["fps=30", "scale=1280:720"]
    assert audio == ["-c:a", "libopus", "-b:a", "192k"]
    assert settings.extra_arguments() == ["-movflags", "faststart"]
    assert settings.warnings() == ("libx265 has no tune 'film': left out",)
    assert settings.extra_args == {"tune": "film", "movflags": "faststart"}


class TestValue:
    def test_is_immutable_hashable_and_picklable(self) -> None:
        settings = FFmpegSettings(crf=20, extra_args={"metadata": ["a=1", "b=2"]})
        with pytest.raises(FrozenInstanceError):
            settings.crf = 3  # type: ignore[misc]
        assert pickle.loads(pickle.dumps(settings)) == settings
        assert hash(settings) == hash(settings.replace())
        assert settings.replace(crf=21) != settings

    def test_is_no_view_of_the_callers_mapping(self) -> None:
        given = {"tune": "film"}
        settings = FFmpegSettings(extra_args=given)
        given["tune"] = "grain"
        assert settings.extra_args["tune"] == "film"

    def test_replace_checks(self) -> None:
        with pytest.raises(UsageError, match="crf 60"):
            FFmpegSettings().replace(crf=60)
        with pytest.raises(UsageError, match=r"no setting 'cfr'\. Did you mean crf"):
            FFmpegSettings().replace(cfr=20)

    @pytest.mark.parametrize("name", ["h264", "H.264", "libx264", "x264", "AVC"])
    def test_codecs_by_name(self, name: str) -> None:
        assert FFmpegSettings(video_codec=name).video is FFmpegCodec.H264

    def test_presets_by_name(self) -> None:
        assert FFmpegSettings(preset="VerySlow").preset is FFmpegPreset.VERYSLOW

    @pytest.mark.parametrize(
        ("given", "rate"),
        [
            (25, "25"),
            (29.97, "30000/1001"),
            ("30000/1001", "30000/1001"),
            (Fraction(24000, 1001), "24000/1001"),
            (23.976, "24000/1001"),
            (12.5, "25/2"),
        ],
    )
    def test_frame_rates(self, given: Any, rate: str) -> None:
        assert FFmpegSettings(fps=given).filters()[0] == f"fps={rate}"

    @pytest.mark.parametrize(
        ("given", "text"), [("192k", "192k"), (192000, "192000"), ("2M", "2M"), ("2m", "2M"), ("1.5M", "1.5M")]
    )
    def test_bitrates(self, given: Any, text: str) -> None:
        assert option(FFmpegSettings(video_bitrate=given).video_arguments(), "-b:v") == text

    def test_one_side_keeps_the_aspect(self) -> None:
        assert FFmpegSettings(width=640).filters() == ["scale=640:-2"]
        assert FFmpegSettings(height=360).filters() == ["scale=-2:360"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"crf": 52}, "crf 52 is out of range for H264.*from 0 .* to 51"),
        ({"crf": -1}, "crf -1 is out of range"),
        ({"crf": True}, "crf True"),
        ({"crf": "23"}, "crf '23'"),
        ({"crf": float("nan")}, "crf nan"),
        ({"crf": 64, "video_codec": "vp9"}, "for VP9.*from 0 .* to 63"),
        ({"crf": 3, "video_codec": "vp8"}, "for VP8.*from 4 .* to 63"),
        ({"crf": 20.5, "video_codec": "av1"}, "not a whole number"),
        ({"crf": 20, "video_bitrate": "2M"}, "not both"),
        ({"preset": "fsat"}, "unknown preset 'fsat'. Did you mean fast"),
        ({"preset": 5}, "unknown preset 5"),
        ({"video_codec": "divx"}, "video_codec: 'divx' is an unknown codec. Choose one of H264"),
        ({"video_codec": "aac"}, "not a codec of this kind"),
        ({"audio_codec": FFmpegCodec.H264}, "not a codec of this kind"),
        ({"width": 101}, "width 101 is odd.*Use 100 or 102"),
        ({"height": 101, "pixel_format": "yuv420p10le"}, "height 101 is odd"),
        ({"width": 0}, "width: 0 is not a whole number"),
        ({"width": 64.0}, "width: 64.0"),
        ({"fps": 0}, "not a frame rate"),
        ({"fps": "30/0"}, "not a frame rate"),
        ({"fps": "fast"}, "not a frame rate"),
        ({"fps": float("inf")}, "not a frame rate"),
        ({"fps": 1001}, "not a frame rate"),
        ({"audio_bitrate": "192 k"}, "audio_bitrate: not a bitrate"),
        ({"audio_bitrate": "192kbps"}, "192000"),
        ({"audio_bitrate": 0}, "not a bitrate"),
        ({"video_bitrate": "2M -i x"}, "not a bitrate"),
        ({"pixel_format": "yuv420p -y"}, "not a pixel format"),
        ({"threads": -1}, "threads"),
        ({"audio_codec": "opus", "audio_rate": 44100}, "libopus cannot code 44100 Hz.*48000"),
        ({"audio_codec": "mp3", "audio_channels": 6}, "2 channels at most"),
        ({"video_codec": "copy", "width": 64}, "COPY, and what is copied cannot have another width"),
        ({"audio_codec": "copy", "audio_bitrate": "64k"}, "another audio_bitrate"),
        ({"extra_args": "tune=film"}, "no mapping"),
        ({"extra_args": {"i": "/etc/passwd"}}, "may not hold 'i'"),
        ({"extra_args": {"stats_enc_post:v": "/tmp/x"}}, "may not hold 'stats_enc_post:v': it would write another"),
        ({"extra_args": {"shortest": "/tmp/other.mkv"}}, "takes no value: '/tmp/other.mkv' would be an output"),
        ({"extra_args": {"noautorotate": ["x.mkv"]}}, "takes no value"),
        ({"extra_args": {"an": 1}}, "takes no value: 1 would be an output"),
        ({"extra_args": {"-y": True}}, "overwrite="),
        ({"extra_args": {"nostdin": True}}, "terminal"),
        ({"extra_args": {"protocol_whitelist": "http"}}, "fixed"),
        ({"extra_args": {"f": "tee"}}, "muxer 'tee'"),
        ({"extra_args": {"f": "TEE"}}, "muxer 'TEE'"),
        ({"extra_args": {"f:v": "tee"}}, "muxer 'tee'"),
        ({"extra_args": {"f": "fifo", "fifo_format": "tee"}}, "muxer 'tee'"),
        ({"extra_args": {"/filter:v": "x"}}, "not the name"),
        ({"extra_args": {"tune film": "x"}}, "not the name"),
        ({"extra_args": {"": "x"}}, "not the name"),
        ({"extra_args": {3: "x"}}, "not the name"),
        ({"extra_args": {"tune": "a\0b"}}, "not a value"),
        ({"extra_args": {"tune": {"a": 1}}}, "not a value"),
    ],
)
def test_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FFmpegSettings(**fields)


def test_odd_sizes_where_every_pixel_has_its_colour() -> None:
    assert FFmpegSettings(width=101, height=51, pixel_format="yuv444p").filters() == ["scale=101:51"]
    assert FFmpegSettings(width=102, height=51, pixel_format="yuv422p").filters() == ["scale=102:51"]


class TestExtraArguments:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"shortest": True}, ["-shortest"]),
            ({"-an": True}, ["-an"]),
            ({"noautoscale": True}, ["-noautoscale"]),
            ({"row-mt": True}, ["-row-mt", "1"]),  # alone it would swallow what follows
            ({"tune": None, "bf": False}, []),
            ({"--bf": 0}, ["-bf", "0"]),
            ({"b:v": "2M", "metadata:s:a:0": "language=eng"}, ["-b:v", "2M", "-metadata:s:a:0", "language=eng"]),
            ({"metadata": ["a=1", "b=-y"]}, ["-metadata", "a=1", "-metadata", "b=-y"]),
            ({"level": "-i /etc/passwd; rm -rf $HOME"}, ["-level", "-i /etc/passwd; rm -rf $HOME"]),
            ({"aspect": Fraction(16, 9)}, ["-aspect", "16/9"]),
        ],
    )
    def test_words(self, given: dict[str, Any], words: list[str]) -> None:
        assert FFmpegSettings(extra_args=given).extra_arguments() == words

    def test_one_that_says_what_a_field_says_counts(self) -> None:
        settings = FFmpegSettings(crf=20, extra_args={"crf": 30, "preset": "slow", "c:a": "flac"})
        words = settings.video_arguments() + settings.audio_arguments() + settings.extra_arguments()
        assert words.count("-crf") == words.count("-preset") == words.count("-c:a") == 1

    def test_filters_join_those_of_the_fields(self) -> None:
        settings = FFmpegSettings(width=64, audio_codec="opus", extra_args={"vf": "hflip", "filter:a": "volume=2"})
        assert settings.filters() == ["hflip", "scale=64:-2"]
        assert settings.audio_filters()[0] == "volume=2"
        assert settings.extra_arguments() == []
        copied = FFmpegSettings(video_codec="copy", extra_args={"vf": "hflip"})
        with pytest.raises(UsageError, match="copied cannot be filtered"):
            FFmpegCommandBuilder(copied).build_cut_command("/a.mp4", "/b.mp4").argv()

    def test_a_frame_rate_is_made_by_a_filter(self) -> None:
        settings = FFmpegSettings(fps=29.97, width=64, extra_args={"vf": "yadif"})
        assert settings.filters() == ["yadif", "fps=30000/1001", "scale=64:-2"]
        assert not {"-r", "-r:v"} & set(settings.video_arguments())
        own = FFmpegSettings(fps=30, width=64, extra_args={"r": 25})
        assert own.filters() == ["scale=64:-2"]
        assert own.extra_arguments() == ["-r", "25"]

    def test_each_stands_where_ffmpeg_reads_it(self) -> None:
        settings = FFmpegSettings(extra_args={"hwaccel": "cuda", "init_hw_device": "cuda", "bf": 2})
        assert settings.input_arguments() == ["-hwaccel", "cuda"]
        assert settings.global_arguments() == ["-init_hw_device", "cuda"]
        assert settings.extra_arguments() == ["-bf", "2"]


@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.name)
def test_what_each_video_encoder_gets(codec: FFmpegCodec, update_golden: bool) -> None:
    found: dict[str, Any] = {
        f"{preset.value}, crf {crf}": FFmpegSettings(video_codec=codec, preset=preset, crf=crf).video_arguments()
        for preset, crf in zip(FFmpegPreset, (4, 10, 15, 20, 23, 28, 33, 40, 45, 51), strict=True)
    }
    found["by default"] = FFmpegSettings(video_codec=codec).video_arguments()
    found["2M"] = FFmpegSettings(video_codec=codec, video_bitrate="2M", preset=None).video_arguments()
    found["filters"] = FFmpegSettings(video_codec=codec, width=64).filters()
    found["global"] = FFmpegSettings(video_codec=codec).global_arguments()
    check_golden("ffmpeg_video_settings.json", codec.name, found, update=update_golden)


@pytest.mark.parametrize("codec", AUDIO, ids=lambda codec: codec.name)
def test_what_each_audio_encoder_gets(codec: FFmpegCodec, update_golden: bool) -> None:
    found = {
        "by default": FFmpegSettings(audio_codec=codec).audio_arguments(),
        "96k": FFmpegSettings(audio_codec=codec, audio_bitrate="96k").audio_arguments(),
        "48000 Hz, 2": FFmpegSettings(audio_codec=codec, audio_rate=48000, audio_channels=2).audio_arguments(),
        "filters": FFmpegSettings(audio_codec=codec).audio_filters(),
    }
    check_golden("ffmpeg_audio_settings.json", codec.name, found, update=update_golden)


def test_copies_and_drops() -> None:
    copied = FFmpegSettings(video_codec="copy", audio_codec="copy", preset="slow", crf=20)
    assert copied.video_arguments() + copied.audio_arguments() == ["-c:v", "copy", "-c:a", "copy"]
    assert copied.filters() == []
    assert copied.warnings() == ("crf is left out: the video is copied",)
    dropped = FFmpegSettings(video_codec=None, audio_codec=None)
    assert dropped.video_arguments() + dropped.audio_arguments() == ["-vn", "-an"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("settings") / "a.mkv"
    # Small and slow, so that the slowest preset of libaom ends within seconds.
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=5:d=2,noise=alls=12:allf=t"]
    sound = ["-f", "lavfi", "-i", "sine=440:d=2"]
    codecs = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"]
    run([find_ffmpeg().path, "-v", "error", *picture, *sound, *codecs, str(out)])
    return out


class TestReal:
    def available(self, codec: FFmpegCodec) -> None:
        encoder = video_encoder(codec) or audio_encoder(codec)
        assert encoder is not None
        hardware = codec.value.rpartition("_")[2] in ("nvenc", "vaapi", "qsv", "videotoolbox")
        if hardware or not find_ffmpeg().has_encoder(encoder.name):
            pytest.skip(f"no {encoder.name} here")

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("preset", FFmpegPreset)
    @pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.name)
    def test_quality_rises_and_size_falls_as_they_should(
        self, codec: FFmpegCodec, preset: FFmpegPreset, sample: Path, tmp_path: Path, exhaustive: bool
    ) -> None:
        self.available(codec)
        if not exhaustive and preset is not FFmpegPreset.ULTRAFAST:
            pytest.skip("the quickest preset stands for all of them")
        sizes, scores = [], []
        for crf in (12, 28, 44):
            out = tmp_path / f"{crf}.mkv"
            settings = FFmpegSettings(video_codec=codec, audio_codec=None, preset=preset, crf=crf)
            command = FFmpegCommandBuilder(settings).build_command("transcode", input_path=sample, output_path=out)
            run(command.argv(find_ffmpeg().path))
            assert frames(out) == 10
            sizes.append(out.stat().st_size)
            scores.append(vmaf(out, sample))
        assert sizes == sorted(sizes, reverse=True)
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1] + 3

    @pytest.mark.parametrize("codec", AUDIO, ids=lambda codec: codec.name)
    def test_audio_encoders(self, codec: FFmpegCodec, sample: Path, tmp_path: Path) -> None:
        self.available(codec)
        for name, more in (("d", {}), ("b", {"audio_bitrate": "96k", "audio_channels": 2})):
            out = tmp_path / f"{name}.mkv"
            settings = FFmpegSettings(video_codec=None, audio_codec=codec, **more)
            command = FFmpegCommandBuilder(settings).build_command("transcode", input_path=sample, output_path=out)
            run(command.argv(find_ffmpeg().path))
            assert frames(out) > 10

    def test_the_seeds_settings_encode(self, sample: Path, tmp_path: Path) -> None:
        settings = FFmpegSettings(
            video_codec="h265", audio_codec="opus", preset="ultrafast", crf=30, width=128, height=72, fps=30,
            audio_bitrate="192k", threads=2, extra_args={"tune": "film", "movflags": "faststart"},
        )  # fmt: skip
        out = tmp_path / "s.mp4"
        run(FFmpegCommandBuilder(settings).build_cut_command(sample, out, 0.5, 1).argv(find_ffmpeg().path))
        with av.open(os.fspath(out)) as container:
            video = container.streams.video[0]
            assert (video.codec_tag, video.width, video.average_rate) == ("hvc1", 128, 30)
        data = out.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")

    def test_odd_sizes_of_a_source(self, tmp_path: Path) -> None:
        odd = tmp_path / "odd.mkv"
        run([find_ffmpeg().path, "-f", "lavfi", "-i", "testsrc2=s=161x91:d=1", "-c:v", "ffv1", str(odd)])
        out = tmp_path / "o.mp4"
        settings = FFmpegSettings(preset="ultrafast")
        run(FFmpegCommandBuilder(settings).build_cut_command(odd, out).argv(find_ffmpeg().path))
        with av.open(os.fspath(out)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == (160, 90)


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{argv}\n{done.stderr[-2000:]}"
    return done.stderr


def frames(path: Path) -> int:
    with av.open(os.fspath(path)) as container:
        return sum(1 for _ in container.decode(container.streams[0]))


def vmaf(made: Path, source: Path) -> float:
    graph = "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]libvmaf=n_threads=2"
    text = run([find_ffmpeg().path, "-i", str(made), "-i", str(source), "-lavfi", graph, "-f", "null", "-"])
    match = re.search(r"VMAF score: ([\d.]+)", text)
    assert match is not None, text
    return float(match[1])
