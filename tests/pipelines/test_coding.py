"""Clips that are coded: the settings are honoured, the pictures are those asked for, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from ffzero.errors import CancelledError, EncryptedError, IncompatibleError, OutputExistsError
from ffzero.ffmpeg.settings import FFmpegCodec, FFmpegPreset, FFmpegSettings
from ffzero.pipelines.joining import Joint, join_graph
from support import oracle
from support.media import ffmpeg_exe, made

FAST = FFmpegSettings(preset=FFmpegPreset.ULTRAFAST, crf=12)


def make(*arguments: str) -> None:
    subprocess.run([ffmpeg_exe(), "-nostdin", "-v", "error", *arguments], check=True, timeout=60)


def tracks(path: str | os.PathLike[str]) -> dict[str, ffzero.MovieInfo]:
    return {track.kind: track for track in ffzero.open(path).info().tracks}


def differences(output: str, *ranges: tuple[str, Fraction | float, Fraction | float]) -> list[float]:
    """Return PSNR-like differences of each picture with the source's in ``ranges``; the counts must agree."""
    import av
    import numpy as np

    wanted = []
    for source, start, end in ranges:
        with av.open(source) as container:
            wanted += [
                frame.to_ndarray(format="gray")
                for frame in container.decode(video=0)
                if start <= frame.pts * frame.time_base < end
            ]
    with av.open(output) as container:
        found = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(found) == len(wanted)
    return [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(found, wanted, strict=True)]


@pytest.mark.parametrize(("start", "length"), [(0, 1), ("10.5", 2), (Fraction(1057, 100), Fraction(4, 3))])
def test_a_coded_cut_shows_the_same_pictures_as_a_copy(folder: Path, start: str, length: float) -> None:
    result = ffzero.cut_video("in.mp4", "out.mp4", start, length, FAST)
    first = Fraction(start)
    assert max(differences("out.mp4", ("in.mp4", first, first + Fraction(length)))) < 2
    assert result.frames_rendered == len(oracle.decode_video(folder / "out.mp4"))
    assert result.bytes_rendered == result.bytes_total == (folder / "out.mp4").stat().st_size
    assert result.frames_copied == 0
    assert (str(result), os.fspath(result)) == ("out.mp4", "out.mp4")
    assert [segment["action"] for segment in result.segments] == ["render"]


def test_sound_of_a_coded_cut_is_as_long_as_its_pictures(folder: Path) -> None:
    ffzero.cut_video("in.mp4", "out.mp4", "10.52", 2, FAST.replace(audio_codec="flac"))
    sound = oracle.decode_audio_pcm(folder / "out.mp4")
    assert sound is not None
    assert abs(float(sound.end_s) - 2) < 0.001


def test_joints_between_keyframes_are_no_obstacle(folder: Path) -> None:
    movie = ffzero.open("in.mp4")
    clip = movie[10.5:11.5] + movie["30.44":31]
    assert clip.plan().needs_render
    segment = ffzero.TranscodeProcessor(FAST).process(clip)
    segment.write("out.mp4")
    assert max(differences("out.mp4", ("in.mp4", 10.5, 11.5), ("in.mp4", Fraction("30.44"), 31))) < 2
    assert {"video", "audio"} <= set(tracks("out.mp4"))


def test_files_that_differ_in_everything_are_joined(folder: Path) -> None:
    ffzero.cut_video("in.mp4", "first.mp4", 0, 2)
    make("-f", "lavfi", "-i", "testsrc2=s=100x200:r=30:d=1", "-c:v", "mpeg4", "silent.avi")
    with pytest.raises(IncompatibleError):
        ffzero.concat_videos(["first.mp4", "silent.avi"], "copied.mp4")
    result = ffzero.concat_videos(["first.mp4", "silent.avi"], "out.mp4", FAST)
    assert result.frames_rendered == 50 + 30
    video = tracks("out.mp4")["video"]
    assert (video.width, video.height) == (192, 108)
    sound = oracle.decode_audio_pcm(folder / "out.mp4")
    assert sound is not None
    assert abs(float(sound.end_s) - 3) < 0.1


def test_a_file_without_pictures_cannot_be_joined_to_one_without_sound(folder: Path) -> None:
    make("-i", "in.mp4", "-t", "1", "-vn", "sound.m4a")
    make("-i", "in.mp4", "-t", "1", "-an", "pictures.mp4")
    with pytest.raises(IncompatibleError):
        ffzero.concat_videos(["sound.m4a", "pictures.mp4"], "out.mp4", FAST.replace(audio_codec=None))
    assert not (folder / "out.mp4").exists()


@pytest.mark.parametrize("name", ["in.mkv", "in.ts"])
def test_other_containers_are_cut_exactly_by_coding(folder: Path, name: str) -> None:
    make("-t", "12", "-i", "in.mp4", "-c", "copy", name)
    first = ffzero.open(name).info().tracks[0].start_s  # a transport stream's sound may begin before its pictures
    ffzero.cut_video(name, "out.mp4", first + Fraction("5.24"), 1, FAST)
    assert max(differences("out.mp4", ("in.mp4", Fraction("5.24"), Fraction("6.24")))) < 2
    movie = ffzero.open(name)
    clip = movie[first + Fraction("5.24") : first + 6] + movie[first : first + Fraction("0.4")]
    ffzero.TranscodeProcessor(FAST).process(clip).write("joined.mp4")
    assert max(differences("joined.mp4", ("in.mp4", Fraction("5.24"), 6), ("in.mp4", 0, Fraction("0.4")))) < 2


def test_codecs_size_and_rate_are_honoured(folder: Path) -> None:
    settings = FFmpegSettings(
        video_codec=FFmpegCodec.VP9, audio_codec=FFmpegCodec.OPUS, preset="ultrafast", crf=40, height=60, fps=10
    )
    ffzero.cut_video("in.mp4", "out.webm", 3, 2, settings)
    found = tracks("out.webm")
    assert (found["video"].codec, found["audio"].codec) == ("vp9", "opus")
    assert (found["video"].width, found["video"].height) == (106, 60)
    assert len(oracle.decode_video(folder / "out.webm")) == 20


def test_a_copied_kind_of_stream_is_copied(folder: Path) -> None:
    settings = FFmpegSettings(video_codec="copy", audio_codec="opus", preset=None)
    ffzero.cut_video("in.mp4", "out.mp4", 10, 2, settings)
    assert tracks("out.mp4")["audio"].codec == "opus"
    wanted = [digest for time, digest in oracle.decode_video(folder / "in.mp4") if 10 <= time < 12]
    assert [digest for _, digest in oracle.decode_video(folder / "out.mp4")] == wanted


def test_copying_everything_is_a_copy(folder: Path) -> None:
    result = ffzero.cut_video("in.mp4", "out.mp4", 10.5, 2, FFmpegSettings(video_codec="copy", audio_codec="copy"))
    assert (result.bytes_rendered, result.frames_copied) == (0, 50)


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.ts"])
def test_every_picture_of_a_changing_frame_rate_is_kept(folder: Path, output: str) -> None:
    """A second of about 50 a second between two of 5: the average would hold a third of them."""
    rate = "settb=1/90000,select='not(mod(n,10))+between(t,1,2)',setpts='PTS+0.007*(sin(N*N)+1)/TB'"
    source = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=50:d=3", "-vf", rate, "-fps_mode", "passthrough", "-bf", "0"]
    make(*source, "-c:v", "libx264", "-enc_time_base", "1/90000", "changing.mp4")
    ffzero.transcode_video("changing.mp4", output, FAST)
    wanted, found = ([time for time, _ in oracle.decode_video(folder / name)] for name in ("changing.mp4", output))
    assert len(wanted) == 60
    assert [float(time - found[0]) for time in found] == pytest.approx(
        [float(time - wanted[0]) for time in wanted], abs=0.0011
    )


def test_every_picture_is_kept_where_frame_rates_differ(folder: Path) -> None:
    for number, rate in enumerate((60, 24)):
        make("-f", "lavfi", "-i", f"testsrc2=s=96x64:r={rate}:d=1", "-c:v", "libx264", f"{number}.mp4")
    ffzero.concat_videos(["0.mp4", "1.mp4"], "out.mp4", FAST)
    assert len(oracle.decode_video(folder / "out.mp4")) == 84
    ffzero.concat_videos(["1.mp4", "1.mp4"], "steady.mp4", FAST)
    assert tracks("steady.mp4")["video"].frame_rate == 24
    ffzero.concat_videos(["0.mp4", "1.mp4"], "chosen.mp4", FAST.replace(fps=30))
    assert len(oracle.decode_video(folder / "chosen.mp4")) == 60


def test_what_is_left_out_of_the_settings_is_told(folder: Path) -> None:
    strange = FAST.replace(extra_args={"tune": "nothing", "movflags": "faststart"})
    pipeline = ffzero.create_ffmpeg_pipeline(strange)
    result = pipeline.cut_video("in.mp4", "out.mkv", 1, 1)
    tune = "libx264 has no tune 'nothing': left out"
    assert result.warnings == (tune, "movflags is an option of MP4 and MOV: left out for .mkv")
    assert result.to_dict()["warnings"] == list(result.warnings)
    assert pipeline.execute(("in.mp4", "out.mp4", 1, 1)).warnings == (tune,)
    copied = FFmpegSettings(video_codec="copy", audio_codec="copy", crf=20)
    assert ffzero.cut_video("in.mp4", "copy.mp4", 10.5, 2, copied).warnings == ("crf is left out: the video is copied",)


@pytest.mark.parametrize("name", ["multi.mp4", "multi.mkv"])
def test_all_sound_text_and_chapters_are_kept(folder: Path, name: str) -> None:
    shutil.copyfile(made("multi.mp4"), "multi.mp4")
    if name != "multi.mp4":
        make("-i", "multi.mp4", "-map", "0:V", "-map", "0:a", "-map", "0:s", "-c", "copy", "-c:s", "subrip", name)
    ffzero.cut_video(name, "out.mp4", 1, 5, FAST)
    told = oracle.describe(folder / "out.mp4")
    assert len(told.of("audio")) == 2
    assert len(told.of("subtitle")) == 1
    assert [chapter.title for chapter in told.chapters] == ["One", "Two"]
    assert len(oracle.decode_video(folder / "out.mp4")) == 125


def test_what_is_encrypted_is_not_coded_into_noise(folder: Path) -> None:
    key, kid = "00112233445566778899aabbccddeeff", "00000000000000000000000000000001"
    scheme = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", kid]
    make("-i", "in.mp4", "-t", "2", "-c", "copy", *scheme, "locked.mp4")
    with pytest.raises(EncryptedError, match=r"its video is encrypted.*Decrypt"):
        ffzero.cut_video("locked.mp4", "out.mp4", 0, 1, FAST)
    with pytest.raises(EncryptedError, match="its audio is encrypted"):
        ffzero.cut_video("locked.mp4", "out.m4a", 0, 1, FAST.replace(video_codec=None))
    assert not os.path.exists("out.mp4")


def test_names_are_files_and_nothing_else(folder: Path) -> None:
    for name in ("-y.mp4", "it's [a], b;c=d.mp4", "http:.mp4", "concat:a|b.mp4", "new\nline.mp4", "%d.mp4"):
        os.rename("in.mp4", name)
        result = ffzero.cut_video(name, f"out {name}", 1, Fraction(1, 5), FAST)
        assert len(oracle.decode_video((folder / str(result)).absolute())) == 5
        os.rename(name, "in.mp4")
    make("-t", "2", "-i", "in.mp4", "-c", "copy", "in.mkv")
    os.rename("in.mkv", "-f 'x'.mkv")
    assert ffzero.concat_videos(["-f 'x'.mkv", "in.mp4"], "-out.mp4", FAST.replace(fps=1)).frames_rendered >= 80


def test_outputs_are_whole_or_absent(folder: Path) -> None:
    (folder / "out.mp4").write_text("mine")
    with pytest.raises(OutputExistsError):
        ffzero.cut_video("in.mp4", "out.mp4", 1, 1, FAST)
    assert (folder / "out.mp4").read_text() == "mine"
    cancel = ffzero.CancelToken()
    with pytest.raises(CancelledError):
        ffzero.transcode_video(
            "in.mp4", "out.mp4", FAST, overwrite=True, cancel=cancel, reporter=lambda event: cancel.cancel()
        )
    assert (folder / "out.mp4").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["in.mp4", "out.mp4"]
    assert ffzero.cut_video("in.mp4", "in.mp4", 1, 1, FAST, overwrite=True).frames_rendered == 25  # onto itself


def test_progress_tells_how_much_is_left(folder: Path) -> None:
    events: list[ffzero.ProgressEvent] = []
    ffzero.transcode_video("in.mp4", "out.mp4", FAST, reporter=events.append)
    assert events[-1].stage == "ffmpeg"
    assert events[-1].done == events[-1].total == 80


def test_nothing_is_left_in_the_temporary_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = folder / "tmp"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    movie = ffzero.open("in.mp4")
    ffzero.TranscodeProcessor(FAST).process((movie[1:1.2] + movie[5.1:5.2], "out.mp4"))
    assert list(own.iterdir()) == []


def test_the_joining_graph() -> None:
    first = Joint(path="a", size=(640, 360), has_audio=True, length_s=Fraction(2), trim=(Fraction(5, 2), Fraction(1)))
    silent = Joint(path="b", size=(100, 200), has_audio=False, length_s=Fraction(1, 3))
    assert join_graph([first, silent], ["fps=25"], [], video=True, audio=True).split(";") == [
        "[0:V:0]trim=start=2.5:end=3.5,setpts=PTS-2.5/TB,setsar=1[v0]",
        "[0:a:0]atrim=start=2.5:end=3.5,asetpts=PTS-2.5/TB[a0]",
        "[1:V:0]scale=640:360:force_original_aspect_ratio=decrease,pad=640:360:(ow-iw)/2:(oh-ih)/2,setsar=1[v1]",
        "anullsrc=channel_layout=stereo:sample_rate=48000:duration=0.333333[a1]",
        "[v0][a0][v1][a1]concat=n=2:v=1:a=1[pictures][sounds]",
        "[pictures]fps=25[picture]",
        "[sounds]anull[sound]",
    ]
    alone = join_graph([first, first], [], ["aformat=channel_layouts=stereo"], video=False, audio=True)
    assert alone.endswith("[a0][a1]concat=n=2:v=0:a=1[sounds];[sounds]aformat=channel_layouts=stereo[sound]")
