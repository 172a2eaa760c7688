"""Files made of arrays and frames: right pictures, times and colours; whole or not there at all."""

from __future__ import annotations

import gc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import ffzero
from support.pixels import digest, file_of, shown

FAST = ffzero.FFmpegSettings(preset="ultrafast")
SHARP = FAST.replace(crf=5)


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Return smooth pictures, each brighter than the one before it, that a coder changes little."""
    across = np.linspace(0, 60, width)[None, :, None] + np.linspace(0, 60, height)[:, None, None]
    return [(np.array([40, 80, 100]) + across + 3 * number).astype(np.uint8) for number in range(count)]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm", "out.ts"])
def test_arrays_become_a_file_of_them(tmp_path: Path, name: str) -> None:
    given = pictures(12)
    settings = SHARP if name != "out.webm" else None
    with ffzero.Writer(tmp_path / name, size=(64, 48), fps="30000/1001", settings=settings) as writer:
        for picture in given:
            writer.write(picture)
    result = writer.result
    assert result is not None and result.frames_rendered == 12
    assert result.bytes_total == (tmp_path / name).stat().st_size
    assert leftovers(tmp_path) == [name]
    frames = list(ffzero.open(tmp_path / name).frames())
    zero = frames[0].time
    assert [round((frame.time - zero) * 30000) / 1001 for frame in frames] == pytest.approx(range(12), abs=0.04)
    assert (frames[0].colorspace, frames[0].range) == ("smpte170m", "tv")
    for frame, picture in zip(frames, given, strict=True):
        assert np.abs(frame.array.astype(int) - picture).mean() < 3


@pytest.mark.parametrize(("height", "matrix"), [(480, "smpte170m"), (720, "bt709")])
def test_colours_are_coded_as_they_are_tagged(tmp_path: Path, height: int, matrix: str) -> None:
    red = np.zeros((height, 64, 3), np.uint8)
    red[..., 0] = 230
    with ffzero.Writer(tmp_path / "red.mp4", size=(64, height), fps=25, settings=SHARP) as writer:
        writer.write(red)
    frame = next(ffzero.open(tmp_path / "red.mp4").frames())
    assert frame.colorspace == matrix
    assert np.abs(frame.array.astype(int) - red).max() <= 4


def test_alpha_is_kept_where_the_encoder_takes_it(tmp_path: Path) -> None:
    alpha = np.full((48, 64, 1), 100, np.uint8)
    alpha[:24] = 255
    settings = ffzero.FFmpegSettings(video_codec=ffzero.FFmpegCodec.PRORES)
    with ffzero.Writer(tmp_path / "out.mov", size=(64, 48), fps=25, format="rgba", settings=settings) as writer:
        for picture in pictures(3):
            writer.write(np.concatenate([picture, alpha], axis=2))
    found = ffzero.open(tmp_path / "out.mov").frame_at(0, format="rgba").array[..., 3]
    assert np.abs(found.astype(int) - alpha[..., 0]).max() <= 2
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.profile == "4444"


def test_like_takes_size_clock_times_and_sound(tmp_path: Path) -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with ffzero.Writer(tmp_path / "out.mp4", like=movie, settings=FAST, audio="copy") as writer:
        for frame in movie.frames(1, 2):
            writer.write(frame)
    made = ffzero.open(tmp_path / "out.mp4")
    theirs, mine = list(movie.frames(1, 2, format="yuv")), list(made.frames(format="yuv"))
    assert [frame.time for frame in mine] == [frame.time - theirs[0].time for frame in theirs]
    assert mine[0].time_base == theirs[0].time_base and mine[0].y.shape == theirs[0].y.shape
    sound = np.concatenate([block.array for block in made.audio()])
    source = np.concatenate([block.array for block in movie.audio(1, 2)])
    assert abs(len(sound) - len(source)) <= 2048
    assert np.abs(sound[4096:20000] - source[4096:20000]).max() < 0.05


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    path = file_of("vfr.mp4")
    movie = ffzero.open(path)
    with ffzero.Writer(tmp_path / "out.mp4", like=path, settings=FAST) as writer:
        for frame in movie.frames():
            writer.write(frame.array, frame.time)
    times = [frame.time for frame in ffzero.open(tmp_path / "out.mp4").frames(format="yuv")]
    assert times == [time for time, _ in shown(path)]


def test_planes_pass_without_conversion_and_deep_ones_stay_deep(tmp_path: Path) -> None:
    lossless = ffzero.FFmpegSettings(video_codec="libx264", preset="ultrafast", crf=0)
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with ffzero.Writer(tmp_path / "a.mp4", like=movie, settings=lossless) as writer:
        for frame in movie.frames(0, 1, format="yuv"):
            writer.write(frame)
    made = [digest(frame.planes) for frame in ffzero.open(tmp_path / "a.mp4").frames(format="yuv")]
    assert made == [pixels for time, pixels in shown(file_of("h264_open_gop.mp4")) if time < 1]
    deep = ffzero.open(file_of("hdr10.mp4"))
    with ffzero.Writer(tmp_path / "b.mp4", like=deep, settings=FAST, format="rgb48") as writer:
        for frame in deep.frames(0, 0.2, format="rgb48"):
            writer.write(frame.array)
    frame = next(ffzero.open(tmp_path / "b.mp4").frames(format="yuv"))
    assert (frame.format, frame.colorspace) == ("yuv420p10le", "bt2020nc")
    assert int(frame.video_frame.color_trc) == 16


def test_frames_changed_in_place_are_written(tmp_path: Path) -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with ffzero.Writer(tmp_path / "out.mp4", like=movie, settings=SHARP) as writer:
        for frame in movie.frames(0, 1, format="yuv", writable=True):
            frame.y[...] = 255 - frame.y
            writer.write(frame)
    theirs = list(movie.frames(0, 1, format="yuv"))
    mine = list(ffzero.open(tmp_path / "out.mp4").frames(format="yuv"))
    for one, two in zip(mine, theirs, strict=True):
        assert np.abs(one.y.astype(int) - (255 - two.y)).mean() < 3


def test_turned_frames_are_written_upright(tmp_path: Path) -> None:
    movie = ffzero.open(file_of("rot90.mp4"))
    with ffzero.Writer(tmp_path / "out.mp4", like=movie, settings=SHARP) as writer:
        for frame in movie.frames(0, 0.2, format="yuv"):
            writer.write(frame)
    mine, theirs = (next(ffzero.open(path).frames()).array for path in (tmp_path / "out.mp4", file_of("rot90.mp4")))
    assert mine.shape == theirs.shape
    assert np.abs(mine.astype(int) - theirs).mean() < 5


def test_sound_is_coded_beside_pictures(tmp_path: Path) -> None:
    time = np.arange(24000) / 48000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    with ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), fps=25, settings=FAST, audio=(48000, 1)) as writer:
        for number, picture in enumerate(pictures(25)):
            writer.write(picture)
            if number in (0, 12):
                writer.write_audio(tone)
    (block,) = ffzero.open(tmp_path / "out.mp4").audio(0, 1, block=48000)
    assert block.array.shape == (48000, 1)
    assert np.sqrt((block.array[4800:43200] ** 2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_blocks_of_sound_keep_their_times(tmp_path: Path) -> None:
    movie = ffzero.open(file_of("h264_alac.mov"))
    with ffzero.Writer(tmp_path / "out.mkv", size=(64, 48), fps=25, settings=FAST) as writer:
        for block in movie.audio(1, 1.5):
            writer.write_audio(block)
        for block in movie.audio(2, 2.5):
            writer.write_audio(block)
        for picture in pictures(40):
            writer.write(picture)
    sound = np.concatenate([block.array for block in ffzero.open(tmp_path / "out.mkv").audio()])
    rate = 48000
    loud = [float(np.abs(sound[int(low * rate) : int((low + 0.2) * rate)]).max()) for low in (0.1, 0.7, 1.2)]
    assert loud[1] < 0.02 < min(loud[0], loud[2])


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((48, 65, 3), np.uint8), r"frame 1, at 0:00:00\.040.*uint8 \(48, 64, 3\).*uint8 \(48, 65, 3\)"),
        (np.zeros((48, 64, 3), np.float32), "found float32"),
        ("a picture", "found str"),
    ],
)
def test_what_is_no_picture_is_told_with_its_number_and_nothing_is_left(
    tmp_path: Path, picture: Any, message: str
) -> None:
    with (
        pytest.raises(ffzero.UsageError, match=message),
        ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), fps=25) as writer,
    ):
        writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.write(picture)
    assert leftovers(tmp_path) == []


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"before")
    with pytest.raises(ffzero.OutputExistsError):
        ffzero.Writer(path, size=(64, 48), fps=25)
    with (
        pytest.raises(KeyError),
        ffzero.Writer(path, size=(64, 48), fps=25, overwrite=True) as writer,
    ):
        writer.write(pictures(1)[0])
        raise KeyError
    assert path.read_bytes() == b"before"
    assert leftovers(tmp_path) == ["out.mp4"]
    writer = ffzero.Writer(tmp_path / "gone.mp4", size=(64, 48), fps=25)
    writer.write(pictures(1)[0])
    del writer
    gc.collect()
    assert leftovers(tmp_path) == ["out.mp4"]


def test_times_must_rise_and_a_closed_writer_takes_nothing(tmp_path: Path) -> None:
    writer = ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), fps=25, settings=FAST)
    one, two = pictures(2)
    writer.write(one, 1)
    with pytest.raises(ffzero.UsageError, match=r"frame 1, at .* is not after"):
        writer.write(two, Fraction(1, 2))
    writer.write(two, "1.5")
    assert writer.close() is writer.close()
    with pytest.raises(ffzero.UsageError, match="closed"):
        writer.write(two)
    with pytest.raises(ffzero.UsageError, match="no picture"):
        ffzero.Writer(tmp_path / "none.mp4").close()
    assert leftovers(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fps": 0}, "frame rate"),
        ({"format": "rgb25"}, "pixel format"),
        ({"audio": "copy"}, "none"),
        ({"settings": ffzero.FFmpegSettings(video_codec="copy")}, "copied"),
        ({"settings": "fast"}, "not settings"),
    ],
)
def test_nonsense_is_refused_at_once(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ffzero.UsageError, match=message):
        ffzero.Writer(tmp_path / "out.mp4", **arguments)


def test_options_of_settings_reach_the_encoder(tmp_path: Path) -> None:
    settings = ffzero.FFmpegSettings(preset="ultrafast", width=32, pixel_format="yuv444p", extra_args={"g": 3})
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with ffzero.Writer(tmp_path / "out.mp4", like=movie, settings=settings) as writer:
        for frame in movie.frames(0, 0.5):
            writer.write(frame)
    frames = list(ffzero.open(tmp_path / "out.mp4").frames(format="yuv"))
    assert frames[0].width == 32 and frames[0].format == "yuv444p"
    assert [frame.keyframe for frame in frames][:7] == [True, False, False, True, False, False, True]
    with pytest.raises(ffzero.UnsupportedError, match="refuses"):
        bad = settings.replace(extra_args={"x264-params": "no-such-thing=1", "profile:v": "impossible"})
        with ffzero.Writer(tmp_path / "bad.mp4", size=(64, 48), fps=25, settings=bad) as writer:
            writer.write(pictures(1)[0])
    assert leftovers(tmp_path) == ["out.mp4"]


def test_av_frames_are_taken(tmp_path: Path) -> None:
    with ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), fps=25, settings=SHARP) as writer:
        for picture in pictures(3, 96, 128):
            writer.write(av.VideoFrame.from_ndarray(picture, format="rgb24"))
    frames = list(ffzero.open(tmp_path / "out.mp4").frames())
    assert len(frames) == 3 and frames[0].array.shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("size", "codec", "message"),
    [((63, 48), "h264", "odd, and yuv420p"), ((64, 47), "h264", "odd, and yuv420p"), ((64, 48), "h264_qsv", "device")],
)
def test_an_encoder_that_cannot_be_opened_tells_why(
    tmp_path: Path, size: tuple[int, int], codec: str, message: str
) -> None:
    writer = ffzero.Writer(tmp_path / "out.mp4", size=size, settings=ffzero.FFmpegSettings(video_codec=codec))
    with pytest.raises(ffzero.UnsupportedError) as caught:
        writer.write(np.zeros((size[1], size[0], 3), np.uint8))
    writer.abort()
    assert message in str(caught.value) or "no encoder" in str(caught.value)
    assert leftovers(tmp_path) == []


def test_motion_jpeg_is_written_in_full_range(tmp_path: Path) -> None:
    settings = ffzero.FFmpegSettings(video_codec="mjpeg", crf=3)
    with ffzero.Writer(tmp_path / "out.mov", size=(64, 48), settings=settings) as writer:
        for picture in pictures(3):
            writer.write(picture)
    frame = next(ffzero.open(tmp_path / "out.mov").frames())
    assert frame.range == "pc"
    assert np.abs(frame.array.astype(int) - pictures(1)[0]).mean() < 4


@pytest.mark.parametrize("audio", [0, -1, (48000, 0), (48000, 65), (48000.5, 2), True])
def test_sound_that_is_none_is_refused(tmp_path: Path, audio: Any) -> None:
    with pytest.raises(ffzero.UsageError, match="not a way to write sound"):
        ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), audio=audio)


def test_sound_that_cannot_be_coded_or_runs_at_another_rate_is_told(tmp_path: Path) -> None:
    writer = ffzero.Writer(tmp_path / "out.mp4", size=(64, 48), settings=FAST, audio=48000)
    writer.write(pictures(1)[0])
    with pytest.raises(ffzero.UsageError, match="44100"):
        writer.write_audio(np.zeros((100, 2), np.float32), rate=44100)
    with pytest.raises(ffzero.UsageError, match="is not coded"):
        writer.write_audio(np.full((48000, 2), np.nan, np.float32))
    with pytest.raises(ffzero.UsageError, match="is not coded"):
        writer.close()
    assert leftovers(tmp_path) == []


def test_pictures_of_h264_in_avi_have_their_times_in_order(tmp_path: Path) -> None:
    with ffzero.Writer(tmp_path / "out.avi", size=(64, 48), fps=25, settings=SHARP.replace(preset="fast")) as writer:
        for picture in pictures(30):
            writer.write(picture)
    movie = ffzero.open(tmp_path / "out.avi")
    frames = list(movie.frames())
    steps = [after.time - before.time for before, after in pairwise(frames)]
    assert steps[:28] == [Fraction(1, 25)] * 28  # of the last one libav knows less
    assert steps[28] > 0
    part = movie.frames(frames[3].time, frames[20].time)
    assert [(f.time, digest(f.planes)) for f in part] == [(f.time, digest(f.planes)) for f in frames[3:20]]
    for number in range(0, 30, 4):
        found = movie.frame_at(frames[number].time)
        assert found.index == number
        assert np.array_equal(found.array, frames[number].array)
